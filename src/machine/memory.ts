import type { WasmMemory } from "../wasm/webassembly.ts";

/** A range of guest-physical addresses backed by bytes of the machine's WebAssembly memory. */
export interface MemoryRegion {
  readonly name: string;
  /** Guest-physical address of the first byte; a multiple of 4096. */
  readonly base: number;
  /** Bytes; a multiple of 4096. */
  readonly size: number;
  /** Where the region starts in the WebAssembly memory; a multiple of 4096. */
  readonly offset: number;
  readonly writable: boolean;
}

/**
 * The one memory of a machine: what the harts keep for themselves (state, translation caches) lies below the guest's
 * regions. Exactly two regions: RAM first, then the boot ROM.
 */
export interface MachineMemory {
  readonly memory: WasmMemory;
  readonly ram: MemoryRegion;
  readonly rom: MemoryRegion;
}
