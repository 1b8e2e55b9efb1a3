import type { Dma } from "../ports.ts";

/**
 * A descriptor chain, taken apart and checked: every segment lies in RAM, what the device may only read comes first. How
 * the driver cut its buffers means nothing (virtio 1.2, 2.7.4), so positions count from the first byte of each half.
 */
export class Chain {
  head = 0;
  /** Where each segment lies, the device-readable ones first. */
  readonly addresses: number[] = [];
  readonly lengths: number[] = [];
  /** Segments that are device-readable. */
  readableSegments = 0;
  /** Bytes the device may read. */
  readable = 0;
  /** Bytes the device may write. */
  writable = 0;

  start(head: number): void {
    this.head = head;
    this.addresses.length = 0;
    this.lengths.length = 0;
    this.readableSegments = 0;
    this.readable = 0;
    this.writable = 0;
  }

  add(address: number, length: number, writable: boolean): void {
    this.addresses.push(address);
    this.lengths.push(length);
    if (writable) this.writable += length;
    else {
      this.readableSegments++;
      this.readable += length;
    }
  }

  /** Copies device-readable bytes from `position` on into `into`; returns how many there were. */
  copyOut(dma: Dma, position: number, into: Uint8Array): number {
    let done = 0;
    for (let i = 0; i < this.readableSegments && done < into.length; i++) {
      const length = this.lengths[i];
      if (position >= length) {
        position -= length;
        continue;
      }
      const part = Math.min(length - position, into.length - done);
      const view = dma.read(this.addresses[i] + position, part);
      if (view === undefined) break;
      into.set(view, done);
      done += part;
      position = 0;
    }
    return done;
  }

  /** Copies `from` to the device-writable bytes from `position` on; returns how many there was room for. */
  copyIn(dma: Dma, position: number, from: Uint8Array): number {
    let done = 0;
    for (let i = this.readableSegments; i < this.lengths.length && done < from.length; i++) {
      const length = this.lengths[i];
      if (position >= length) {
        position -= length;
        continue;
      }
      const part = Math.min(length - position, from.length - done);
      const view = dma.write(this.addresses[i] + position, part);
      if (view === undefined) break;
      view.set(part === from.length ? from : from.subarray(done, done + part));
      done += part;
      position = 0;
    }
    return done;
  }

  /** The device-readable bytes from `position` on that lie in one piece, at most `limit`; `undefined` after the last. */
  readableView(dma: Dma, position: number, limit: number): Uint8Array | undefined {
    for (let i = 0; i < this.readableSegments; i++) {
      if (position < this.lengths[i]) {
        return dma.read(this.addresses[i] + position, Math.min(this.lengths[i] - position, limit));
      }
      position -= this.lengths[i];
    }
    return undefined;
  }

  /** The device-writable bytes from `position` on that lie in one piece, at most `limit`; `undefined` after the last. */
  writableView(dma: Dma, position: number, limit: number): Uint8Array | undefined {
    for (let i = this.readableSegments; i < this.lengths.length; i++) {
      if (position < this.lengths[i]) {
        return dma.write(this.addresses[i] + position, Math.min(this.lengths[i] - position, limit));
      }
      position -= this.lengths[i];
    }
    return undefined;
  }
}
