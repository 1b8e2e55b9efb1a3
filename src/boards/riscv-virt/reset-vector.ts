import { memoryMap } from "./memory-map.ts";

/** What the reset vector hands to the firmware. */
export interface ResetVector {
  /** Where the firmware starts. */
  readonly firmware: number;
  readonly deviceTree: number;
  /** Where the firmware continues in S-mode, if there is a next stage. */
  readonly next: number | undefined;
}

/** `struct fw_dynamic_info` (OpenSBI, include/sbi/fw_dynamic.h). */
const fwDynamic = { magic: 0x4942534fn, version: 2n, nextModeSupervisor: 1n } as const;

// mhartid to a0, the device tree's address to a1, the address of fw_dynamic_info to a2, then off to the firmware.
const code = [
  0x00000297, // auipc t0, 0
  0x02828613, // addi  a2, t0, 40
  0xf1402573, // csrr  a0, mhartid
  0x0202b583, // ld    a1, 32(t0)
  0x0182b283, // ld    t0, 24(t0)
  0x00028067, // jr    t0
] as const;

/** Where a hart starts after power-on, in M-mode. */
export const resetAddress = memoryMap.mrom.base;

/** The boot ROM's contents from its first byte: QEMU's layout, which firmware made for it may look at. */
export function resetVector({ firmware, deviceTree, next }: ResetVector): Uint8Array {
  const data = [
    BigInt(firmware),
    BigInt(deviceTree),
    fwDynamic.magic,
    fwDynamic.version,
    BigInt(next ?? 0),
    fwDynamic.nextModeSupervisor,
    0n, // options
    0n, // boot hart
  ];
  const bytes = new Uint8Array(code.length * 4 + data.length * 8);
  const view = new DataView(bytes.buffer);
  code.forEach((instruction, index) => {
    view.setUint32(index * 4, instruction, true);
  });
  data.forEach((value, index) => {
    view.setBigUint64(code.length * 4 + index * 8, value, true);
  });
  return bytes;
}
