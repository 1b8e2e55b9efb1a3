/**
 * Byte streams between a guest and the program that runs it, with back-pressure both ways and no types of Node or the
 * DOM: output is an async iterable, input is an object with `write` and `end`. `Readable.from(output)` makes a Node
 * stream of one, `ReadableStream.from(output)` a web stream.
 */
import type { CharacterBackend, CharacterPort } from "../devices/character.ts";

/** Bytes that wait for a reader before the guest has to wait. */
const highWater = 256 * 1024;
/** Bytes that are kept of what nobody reads. */
const retained = 64 * 1024;

export interface GuestOutputOptions {
  /** What nobody reads is dropped, oldest first, instead of making the guest wait. */
  readonly lossy?: boolean;
}

/** What a guest writes. It has one reader; a chunk is the reader's own. */
export class GuestOutput implements AsyncIterable<Uint8Array>, CharacterBackend {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #ended = false;
  #stalled = false;
  #reading: boolean;
  readonly #lossy: boolean;
  #wake: (() => void) | undefined;
  #settled: (() => void) | undefined;
  #port: CharacterPort | undefined;

  constructor(options: GuestOutputOptions = {}) {
    this.#lossy = options.lossy ?? false;
    this.#reading = false;
  }

  /** @internal The device's side. */
  attach(port: CharacterPort): void {
    this.#port = port;
  }

  /** @internal What the device calls. */
  write(bytes: Uint8Array): number {
    if (this.#ended) return bytes.length;
    const waits = this.#reading || !this.#lossy;
    const taken = waits ? Math.max(0, Math.min(bytes.length, highWater - this.#length)) : bytes.length;
    if (taken > 0) {
      this.#chunks.push(bytes.slice(0, taken));
      this.#length += taken;
      if (!waits) this.#dropOldest();
      this.#wake?.();
    }
    if (taken < bytes.length) this.#stalled = true;
    return taken;
  }

  /** @internal Nothing follows. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
    this.#settled?.();
  }

  /**
   * @internal Takes what the guest has put into its device's buffers, as far as there is room; the rest follows as it is read.
   * @returns `undefined` if nothing is left, else a promise that is done when nothing is
   */
  settle(): Promise<void> | undefined {
    this.#port?.resume();
    if (!this.#stalled || this.#ended) return undefined;
    return new Promise((resolve) => {
      this.#settled = resolve;
    });
  }

  /** Takes what is there, without waiting; `undefined` if that is nothing. */
  take(): Uint8Array | undefined {
    if (this.#length === 0) return undefined;
    const chunks = this.#chunks;
    const length = this.#length;
    this.#chunks = [];
    this.#length = 0;
    if (this.#stalled) {
      this.#stalled = false;
      this.#port?.resume();
      if (!this.#stalled) this.#settled?.();
    }
    return chunks.length === 1 ? chunks[0] : concatenate(chunks, length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    if (this.#reading) throw new Error("this output of a guest has a reader already");
    this.#reading = true;
    try {
      for (;;) {
        const chunk = this.take();
        if (chunk !== undefined) yield chunk;
        else if (this.#ended) return;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#wake = undefined;
        }
      }
    } finally {
      this.#reading = false;
    }
  }

  #dropOldest(): void {
    while (this.#length > retained && this.#chunks.length > 1) this.#length -= (this.#chunks.shift() as Uint8Array).length;
  }
}

/** What a guest reads. */
export class GuestInput {
  #queue: { bytes: Uint8Array; done: () => void }[] = [];
  #port: CharacterPort | undefined;
  #close: (() => void) | undefined;
  #ending = false;
  #closed = false;
  #pumping = false;

  /** @internal The device's side; `close` tells the guest that the input is at its end. */
  attach(port: CharacterPort, close?: () => void): void {
    this.#port = port;
    this.#close = close;
    this.pump();
  }

  /**
   * Gives bytes to the guest. They must not change until the promise resolves, which it does once the guest's device has
   * taken them all, or the guest has ended and nobody will.
   * @throws Error after `end`
   */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#ending) return Promise.reject(new Error("write after the end of a guest's input"));
    if (this.#closed || bytes.length === 0) return Promise.resolve();
    return new Promise((done) => {
      this.#queue.push({ bytes, done });
      if (this.#queue.length === 1) this.pump();
    });
  }

  /** Nothing follows what was written: the guest reads an end of file after it. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.pump();
  }

  /** @internal The device takes input again. */
  pump(): void {
    if (this.#closed || this.#pumping || this.#port === undefined) return;
    this.#pumping = true;
    const isEmpty = this.#pushQueue(this.#port);
    this.#pumping = false;
    if (isEmpty && this.#ending) {
      this.#closed = true;
      this.#close?.();
    }
  }

  /** True once the device has taken everything. */
  #pushQueue(port: CharacterPort): boolean {
    while (this.#queue.length > 0) {
      const entry = this.#queue[0];
      const taken = port.push(entry.bytes);
      if (taken < entry.bytes.length) {
        entry.bytes = entry.bytes.subarray(taken);
        return false;
      }
      this.#queue.shift();
      entry.done();
    }
    return true;
  }

  /** @internal The guest is gone. */
  abandon(): void {
    this.#closed = true;
    for (const { done } of this.#queue.splice(0)) done();
  }
}

/** All of an output, joined. */
export async function collect(output: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of output) {
    chunks.push(chunk);
    length += chunk.length;
  }
  return concatenate(chunks, length);
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
