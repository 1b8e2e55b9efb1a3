import { VivError } from "../core/errors.ts";
import { webAssembly } from "../wasm/webassembly.ts";
import type { MachineMemory } from "./memory.ts";

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const wasmPage = 65536;
/** A WebAssembly memory with 32-bit addresses. */
const addressable = 4 * GiB;
const smallest = 16 * MiB;
/** Leaves what harts keep below RAM (translation caches grow) and a browser's own limits room in the 4 GiB. */
const largest = 3.5 * GiB;

/**
 * Makes the one WebAssembly memory of a machine: `reserved` bytes for the harts, then RAM, then the boot ROM.
 * @throws VivError `BAD_MEMORY` for a size of RAM that cannot be, `OUT_OF_MEMORY` if the host has no room for it
 */
export function createMemory(options: {
  /** Bytes that the harts keep for themselves from the memory's first byte on. */
  reserved: number;
  ram: { base: number; size: number };
  rom: { base: number; size: number };
}): MachineMemory {
  const { ram, rom } = options;
  const ramOffset = Math.ceil(options.reserved / wasmPage) * wasmPage;
  const limit = Math.min(largest, addressable - ramOffset - rom.size);
  if (!(ram.size >= smallest && ram.size <= limit) || ram.size % 4096 !== 0) {
    throw new VivError(
      "BAD_MEMORY",
      `cannot give the guest ${Number.isFinite(ram.size) ? `${ram.size / MiB} MiB` : ram.size} of memory: ` +
        `choose from ${smallest / MiB} to ${Math.floor(limit / MiB)} MiB in whole pages of 4 KiB`,
    );
  }
  const pages = Math.ceil((ramOffset + ram.size + rom.size) / wasmPage);
  try {
    return {
      memory: new webAssembly.Memory({ initial: pages, maximum: pages }),
      ram: { name: "ram", base: ram.base, size: ram.size, offset: ramOffset, writable: true },
      rom: { name: "rom", base: rom.base, size: rom.size, offset: ramOffset + ram.size, writable: false },
    };
  } catch (cause) {
    throw new VivError("OUT_OF_MEMORY", `the host has no room for a guest with ${ram.size / MiB} MiB of memory; give it less`, {
      cause,
    });
  }
}
