// Disks in memory for tests, which check that the device keeps to the contract of BlockBackend.
import assert from "node:assert/strict";
import type { BlockBackend } from "../block/backend.ts";

export class MemoryDisk implements BlockBackend {
  readonly size: number;
  readonly readOnly: boolean;
  readonly bytes: Uint8Array;
  readonly calls: string[] = [];
  failing = false;

  constructor(sectors: number, readOnly = false) {
    this.size = sectors * 512;
    this.readOnly = readOnly;
    this.bytes = Uint8Array.from({ length: this.size }, (_, i) => (i >> 9) ^ i);
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: as BlockBackend has it.
  read(offset: number, into: Uint8Array): Promise<Uint8Array> | void {
    this.#check("read", offset, into.length);
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, from: Uint8Array): Promise<void> | void {
    assert(!this.readOnly);
    this.#check("write", offset, from.length);
    this.bytes.set(from, offset);
  }

  flush(): Promise<void> | void {
    this.calls.push("flush");
  }

  writeZeroes(offset: number, length: number): Promise<void> | void {
    assert(!this.readOnly);
    this.#check("zero", offset, length);
    this.bytes.fill(0, offset, offset + length);
  }

  discard(offset: number, length: number): Promise<void> | void {
    assert(!this.readOnly);
    this.#check("discard", offset, length);
    this.bytes.fill(0xdd, offset, offset + length);
  }

  #check(call: string, offset: number, length: number): void {
    assert(
      offset % 512 === 0 && length % 512 === 0 && length > 0 && offset >= 0 && offset + length <= this.size,
      `${call} ${offset} ${length}`,
    );
    this.calls.push(`${call} ${offset / 512}+${length / 512}`);
    if (this.failing) throw new Error("the disk is broken");
  }
}

/** The same, but nothing is done before `settle` is called; then in an order of the test's choice. */
export class SlowDisk extends MemoryDisk {
  readonly #waiting: (() => void)[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  override read(offset: number, into: Uint8Array): Promise<Uint8Array> {
    const { length } = into;
    return this.#later(() => {
      const own = new Uint8Array(length);
      super.read(offset, own);
      return own;
    });
  }

  override write(offset: number, from: Uint8Array): Promise<void> {
    const copy = from.slice();
    return this.#later(() => void super.write(offset, copy));
  }

  override flush(): Promise<void> {
    return this.#later(() => void super.flush());
  }

  override writeZeroes(offset: number, length: number): Promise<void> {
    return this.#later(() => void super.writeZeroes(offset, length));
  }

  override discard(offset: number, length: number): Promise<void> {
    return this.#later(() => void super.discard(offset, length));
  }

  /** Does what waits, the one that `choose` picks first, until `count` are done or nothing waits. */
  async settle(count = Number.POSITIVE_INFINITY, choose: (waiting: number) => number = () => 0): Promise<void> {
    while (count-- > 0 && this.#waiting.length > 0) {
      const [next] = this.#waiting.splice(choose(this.#waiting.length), 1);
      next();
      // Promise callbacks of the device, and what they begin.
      for (let i = 0; i < 8; i++) await undefined;
    }
  }

  #later<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
