/** The last bytes of a stream. */
export class Tail {
  readonly #ring: Uint8Array;
  #total = 0;

  constructor(size: number) {
    this.#ring = new Uint8Array(size);
  }

  push(bytes: Uint8Array): void {
    const size = this.#ring.length;
    const kept = bytes.length > size ? bytes.subarray(bytes.length - size) : bytes;
    const at = (this.#total + bytes.length - kept.length) % size;
    const first = Math.min(kept.length, size - at);
    this.#ring.set(kept.subarray(0, first), at);
    this.#ring.set(kept.subarray(first), 0);
    this.#total += bytes.length;
  }

  /** In order; from the first whole line on, if some were lost. */
  bytes(): Uint8Array {
    const size = this.#ring.length;
    if (this.#total <= size) return this.#ring.slice(0, this.#total);
    const at = this.#total % size;
    const whole = new Uint8Array(size);
    whole.set(this.#ring.subarray(at));
    whole.set(this.#ring.subarray(0, at), size - at);
    return whole.subarray(whole.indexOf(0x0a) + 1);
  }
}
