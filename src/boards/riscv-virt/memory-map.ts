/**
 * The memory map of the board `riscv-virt`: that of QEMU's machine `virt` (hw/riscv/virt.c), so that software made for
 * it runs unmodified. What QEMU has and this board has not (flash, fw_cfg, PCIe, platform bus) is a hole: an access
 * fault.
 */
export const memoryMap = {
  mrom: { base: 0x1000, size: 0xf000 },
  test: { base: 0x10_0000, size: 0x1000 },
  rtc: { base: 0x10_1000, size: 0x1000, interrupt: 11 },
  clint: { base: 0x200_0000, size: 0x1_0000 },
  plic: { base: 0xc00_0000, size: 0x60_0000 },
  uart: { base: 0x1000_0000, size: 0x100, interrupt: 10 },
  /** The first of `virtioSlots` transports; slot i is at `base + i * size` with interrupt `interrupt + i`. */
  virtio: { base: 0x1000_1000, size: 0x1000, interrupt: 1 },
  dram: { base: 0x8000_0000 },
} as const;

export const virtioSlots = 8;
/** Frequency of the `time` counter. */
export const timebaseHertz = 10_000_000;
/** Nanoseconds of a tick of `time`. */
export const tickNanoseconds = 1e9 / timebaseHertz;
/** Highest interrupt source of the PLIC (`riscv,ndev`). */
export const plicSources = 95;
/** Where a next boot stage goes when firmware starts the machine; Linux's `text_offset` of 2 MiB gives the same. */
export const kernelBase = memoryMap.dram.base + 0x20_0000;

/** Values that software writes to the test finisher (`sifive_test`). */
export const finisher = { fail: 0x3333, pass: 0x5555, reset: 0x7777 } as const;

/** Address and interrupt of the virtio-mmio transport in a slot below `virtioSlots`. */
export function virtioSlot(slot: number): { base: number; size: number; interrupt: number } {
  const { base, size, interrupt } = memoryMap.virtio;
  return { base: base + slot * size, size, interrupt: interrupt + slot };
}
