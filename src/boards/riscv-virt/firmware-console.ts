import type { CharacterBackend, CharacterPort } from "../../devices/character.ts";

/** Bytes of input that wait for the guest. */
const capacity = 4096;

/** A console that the guest reaches by calls instead of registers: output at once, input as far as the guest fetches it. */
export class FirmwareConsole implements CharacterPort {
  readonly #backend: CharacterBackend;
  #input: number[] = [];

  constructor(backend: CharacterBackend) {
    this.#backend = backend;
  }

  /** Returns how many bytes the host took. */
  write(bytes: Uint8Array): number {
    return this.#backend.write(bytes);
  }

  /** Fills `into` with input; returns how many bytes that were. */
  read(into: Uint8Array): number {
    const full = this.#input.length === capacity;
    const taken = this.#input.splice(0, into.length);
    into.set(taken);
    if (full && taken.length > 0) this.#backend.inputReady?.();
    return taken.length;
  }

  push(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, capacity - this.#input.length);
    this.#input.push(...taken);
    return taken.length;
  }

  /** The guest asks again by itself: nothing of it is kept here. */
  resume(): void {}

  reset(): void {
    this.#input = [];
  }
}
