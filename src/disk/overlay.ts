import { assertRange, type Disk, type DiskFile } from "./disk.ts";

/** Bytes that go to the overlay together. The page size of guests and of their file systems, so that few writes need a read. */
const clusterSize = 4096;

/** Where an overlay keeps clusters: a file of which only the written parts take space. */
export type OverlayStore = Pick<DiskFile, "read" | "write" | "close">;

/** A disk over another one that stays as it is: what is written goes to a store, at the same offsets, and ends with it. */
export class Overlay implements Disk {
  readonly size: number;
  readonly readOnly = false;
  readonly #base: Disk;
  readonly #store: OverlayStore;
  /** One bit for each cluster: it is in the store. */
  readonly #present: Uint32Array;

  /** Takes ownership of both. The base is only read. */
  constructor(base: Disk, store: OverlayStore) {
    this.#base = base;
    this.#store = store;
    this.size = base.size;
    this.#present = new Uint32Array(Math.ceil(base.size / clusterSize / 32));
  }

  read(offset: number, into: Uint8Array): void {
    assertRange(this, offset, into.length);
    this.#forRuns(offset, into.length, (present, at, start, end) => {
      if (present) readStore(this.#store, at, into.subarray(start, end));
      else this.#base.read(at, into.subarray(start, end));
    });
  }

  write(offset: number, from: Uint8Array): void {
    assertRange(this, offset, from.length);
    this.#own(offset, from.length);
    this.#store.write(offset, from);
  }

  /** Nothing of an overlay is to survive, so there is nothing to do. */
  flush(): void {}

  writeZeroes(offset: number, length: number): void {
    const zeroes = new Uint8Array(Math.min(length, 64 * 1024));
    for (let at = offset; at < offset + length; at += zeroes.length) {
      this.write(at, zeroes.subarray(0, Math.min(zeroes.length, offset + length - at)));
    }
  }

  close(): void {
    this.#base.close();
    this.#store.close();
  }

  /** Calls `visit` for each longest run of clusters that are all in the store, or all not. */
  #forRuns(offset: number, length: number, visit: (present: boolean, at: number, start: number, end: number) => void): void {
    let start = 0;
    while (start < length) {
      const present = this.#has(offset + start);
      let end = start;
      do end += clusterSize - ((offset + end) % clusterSize);
      while (end < length && this.#has(offset + end) === present);
      visit(present, offset + start, start, Math.min(end, length));
      start = end;
    }
  }

  #has(offset: number): boolean {
    const cluster = Math.floor(offset / clusterSize);
    return ((this.#present[cluster >>> 5] >>> (cluster & 31)) & 1) === 1;
  }

  /** Marks the clusters of a range as present; those written in part only are copied from the base first. */
  #own(offset: number, length: number): void {
    if (length === 0) return;
    const end = offset + length;
    const first = Math.floor(offset / clusterSize);
    const last = Math.floor((end - 1) / clusterSize);
    for (let cluster = first; cluster <= last; cluster++) {
      const at = cluster * clusterSize;
      if (this.#has(at)) continue;
      const clusterEnd = Math.min(at + clusterSize, this.size);
      if (at < offset || clusterEnd > end) {
        const bytes = new Uint8Array(clusterEnd - at);
        this.#base.read(at, bytes);
        this.#store.write(at, bytes);
      }
      this.#present[cluster >>> 5] |= 1 << (cluster & 31);
    }
  }
}

function readStore(store: OverlayStore, position: number, into: Uint8Array): void {
  const count = store.read(position, into);
  if (count < into.length) into.fill(0, count);
}
