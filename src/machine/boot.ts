import { type DeviceTreeOptions, deviceTreeBlob } from "../boards/riscv-virt/device-tree.ts";
import { kernelBase, memoryMap } from "../boards/riscv-virt/memory-map.ts";
import { resetAddress, resetVector } from "../boards/riscv-virt/reset-vector.ts";
import { VivError } from "../core/errors.ts";
import type { Program, Segment } from "../image/elf64.ts";
import type { Kernel } from "../image/kernel.ts";
import { type Privilege, privilege } from "./hart.ts";

/** A part of what is booted, with its name for messages. */
export interface Named<Content> {
  readonly name: string;
  readonly content: Content;
}

export interface BootOptions {
  /** Started in S-mode: directly, or by the firmware. */
  readonly kernel?: Named<Kernel>;
  /** Started in M-mode; without it the machine provides the supervisor execution environment itself. */
  readonly firmware?: Named<Exclude<Kernel, { kind: "Image" }>>;
  readonly initrd?: Named<Uint8Array>;
  /** The kernel's command line. */
  readonly append?: string;
}

/** What is to be in memory, and where the hart starts. */
export interface BootPlan {
  /** In RAM. */
  readonly segments: readonly Segment[];
  /** The boot ROM's contents, from its first byte. */
  readonly rom: Uint8Array;
  readonly start: { readonly pc: bigint; readonly a0: bigint; readonly a1: bigint; readonly mode: Privilege };
  /** Whether the machine answers calls to the supervisor execution environment. */
  readonly sbi: boolean;
}

interface Range {
  readonly what: string;
  readonly address: number;
  readonly size: number;
}

const MiB = 2 ** 20;
const KiB = 2 ** 10;
/** The device tree stays below 3 GiB, where QEMU keeps it too: some firmware reaches no further. */
const deviceTreeLimit = 3 * 2 ** 30;
/** Firmware adds to the device tree in place. */
const deviceTreeSlack = 64 * KiB;
/** Linux's limit for its command line on RISC-V (`COMMAND_LINE_SIZE`), with the final NUL. */
const commandLineSize = 1024;

const alignDown = (value: number, boundary: number) => Math.floor(value / boundary) * boundary;
const hex = (value: number) => `0x${value.toString(16)}`;
const inMiB = (bytes: number) => `${Math.ceil((bytes / MiB) * 10) / 10} MiB`;

/**
 * Places what is booted in RAM so that nothing overlaps: firmware first, the kernel 2 MiB above the first byte, the device
 * tree at the top (below 3 GiB), the initial RAM disk under it.
 * @throws VivError `BAD_KERNEL`, `BAD_FIRMWARE`, `BAD_INITRD` or `BAD_OPTION`, naming what does not fit
 */
export function planBoot(
  { kernel, firmware, initrd, append }: BootOptions,
  board: Pick<DeviceTreeOptions, "harts" | "memorySize" | "virtioSlots" | "rngSeed">,
): BootPlan {
  const ramStart = memoryMap.dram.base;
  const ramEnd = ramStart + board.memorySize;
  if (!kernel && !firmware) throw new VivError("BAD_OPTION", "the machine has nothing to start: give it a kernel or firmware");
  checkCommandLine(append);

  const ranges: Range[] = [];
  const segments: Segment[] = [];
  const place = (what: string, code: string, placed: readonly Segment[]) => {
    for (const segment of placed) {
      const { address, size } = segment;
      if (address < ramStart || address + size > ramEnd) {
        throw new VivError(
          code,
          `${what} needs memory from ${hex(address)} to ${hex(address + size)}, and RAM is from ${hex(ramStart)} to ` +
            `${hex(ramEnd)} (${inMiB(board.memorySize)})${address >= ramStart ? "; give the machine more memory" : ""}`,
        );
      }
      const other = ranges.find((range) => address < range.address + range.size && range.address < address + size);
      if (other) {
        throw new VivError(
          code,
          `${what} would overlap ${other.what} at ${hex(Math.max(address, other.address))} in ${inMiB(board.memorySize)} of memory`,
        );
      }
      ranges.push({ what, address, size });
      segments.push(segment);
    }
  };

  const start = (what: string, code: string, content: Kernel, base: number): number => {
    const placed = placement(content, base, ramStart);
    place(what, code, placed.segments);
    return placed.entry;
  };
  const firmwareEntry = firmware && start(`firmware ${firmware.name}`, "BAD_FIRMWARE", firmware.content, memoryMap.dram.base);
  const kernelEntry = kernel && start(`kernel ${kernel.name}`, "BAD_KERNEL", kernel.content, kernelBase);

  const top = Math.max(...ranges.map((range) => range.address + range.size));
  const tree = (initrdStart: number) =>
    deviceTreeBlob({
      ...board,
      ...(append ? { bootargs: append } : {}),
      ...(initrd ? { initrd: { start: initrdStart, end: initrdStart + initrd.content.length } } : {}),
    });
  // The size does not depend on the addresses in it.
  const treeSize = tree(0).length;
  const treeAddress = alignDown(Math.min(ramEnd, deviceTreeLimit) - treeSize - deviceTreeSlack, 2 * MiB);
  let initrdAddress = 0;
  if (initrd) {
    const { name, content } = initrd;
    if (content.length === 0) throw new VivError("BAD_INITRD", `initrd ${name} is empty`);
    initrdAddress = alignDown(treeAddress - content.length, 4096);
    // Large RAM goes on above the device tree.
    if (initrdAddress < top) initrdAddress = alignDown(ramEnd - content.length, 4096);
    const low = Math.max(top, initrdAddress > treeAddress ? treeAddress + 2 * MiB : 0);
    if (initrdAddress < low) {
      throw new VivError(
        "BAD_INITRD",
        `initrd ${name} (${inMiB(content.length)}) does not fit into ${inMiB(board.memorySize)} of memory beside the rest; ` +
          "give the machine more memory",
      );
    }
    place(`initrd ${name}`, "BAD_INITRD", [{ address: initrdAddress, bytes: content, size: content.length }]);
  }
  const blob = tree(initrdAddress);
  place("the device tree", kernel ? "BAD_KERNEL" : "BAD_FIRMWARE", [
    { address: treeAddress, bytes: blob, size: blob.length + deviceTreeSlack },
  ]);

  const direct = firmwareEntry === undefined;
  return {
    segments,
    rom: resetVector({ firmware: firmwareEntry ?? kernelEntry!, deviceTree: treeAddress, next: kernelEntry }),
    start: direct
      ? { pc: BigInt(kernelEntry!), a0: 0n, a1: BigInt(treeAddress), mode: privilege.S }
      : { pc: BigInt(resetAddress), a0: 0n, a1: 0n, mode: privilege.M },
    sbi: direct,
  };
}

/** Where a kernel's or firmware's bytes go; `base` is for what has no addresses of its own. */
function placement(content: Kernel, base: number, ramStart: number): Pick<Program, "segments" | "entry"> {
  switch (content.kind) {
    case "raw":
      return { segments: [{ address: base, bytes: content.bytes, size: content.bytes.length }], entry: base };
    case "Image": {
      const address = ramStart + content.textOffset;
      return { segments: [{ address, bytes: content.bytes, size: content.size }], entry: address };
    }
    case "program": {
      const { segments, entry, movable } = content.program;
      const lowest = Math.min(...segments.map((segment) => segment.address));
      if (!movable || lowest >= ramStart) return content.program;
      const distance = base - lowest;
      return {
        segments: segments.map((segment) => ({ ...segment, address: segment.address + distance })),
        entry: entry + distance,
      };
    }
  }
}

function checkCommandLine(append: string | undefined): void {
  if (append === undefined) return;
  if (append.length >= commandLineSize) {
    throw new VivError("BAD_OPTION", `the kernel's command line has ${append.length} characters; ${commandLineSize - 1} fit`);
  }
  const wrong = /[^\x20-\x7e]/.exec(append);
  if (wrong) {
    throw new VivError(
      "BAD_OPTION",
      `the kernel's command line has ${JSON.stringify(wrong[0])} in it; it takes printable ASCII only`,
    );
  }
}
