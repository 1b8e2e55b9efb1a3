import type { Dma } from "../devices/ports.ts";
import type { MachineMemory } from "./memory.ts";

/** RAM as devices reach it. */
export class MemoryDma implements Dma {
  readonly #memory: MachineMemory;
  readonly #invalidateCode: (offset: number, length: number) => void;

  /** @param invalidateCode told of each range of RAM (offset from its first byte) before a device writes it */
  constructor(memory: MachineMemory, invalidateCode: (offset: number, length: number) => void) {
    this.#memory = memory;
    this.#invalidateCode = invalidateCode;
  }

  read(address: number, length: number): Uint8Array | undefined {
    const { ram, memory } = this.#memory;
    const offset = address - ram.base;
    // Comparisons with NaN are false, and sums of huge numbers are huger than any RAM.
    if (!(offset >= 0 && length >= 0 && offset + length <= ram.size)) return undefined;
    if (!Number.isInteger(offset) || !Number.isInteger(length)) return undefined;
    return new Uint8Array(memory.buffer, ram.offset + offset, length);
  }

  write(address: number, length: number): Uint8Array | undefined {
    const bytes = this.read(address, length);
    if (bytes !== undefined && length > 0) this.#invalidateCode(address - this.#memory.ram.base, length);
    return bytes;
  }
}
