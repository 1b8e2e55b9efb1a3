import * as v from "valibot";
import type { Dma } from "../ports.ts";
import { unsigned } from "../state.ts";
import { Chain } from "./chain.ts";

/** `flags` of a descriptor (virtio 1.2, 2.7.5). */
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
/** `flags` of the available ring (virtio 1.2, 2.7.6). */
const NO_INTERRUPT = 1;

const descriptorSize = 16;
/** Descriptors of an indirect table. Linux makes tables longer than the queue, QEMU takes as many as these. */
const indirectLimit = 1024;
/** A chain's bytes (virtio 1.2, 2.7.5.2). */
const chainLimit = 2 ** 32;
/** How often a queue may be emptied in one go; a guest that keeps it full gets its turn in between. */
const roundsPerDrain = 4;

/** What a queue needs of the transport and the device it belongs to. */
export interface QueueHost {
  readonly dma: Dma;
  /** The driver has said DRIVER_OK and the device is not in need of a reset. */
  readonly running: boolean;
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  /** The driver broke the rules of the queue: counts it and sets DEVICE_NEEDS_RESET. */
  fail(kind: string): void;
  /** Used buffer notification. */
  interrupt(): void;
  /** Serves the queue again when the guest has had its turn. */
  later(queue: VirtQueue): void;
}

/**
 * What a device does with a chain: `done` (it has called `complete`), `later` (it keeps the chain and will call
 * `complete`), or `stop` (the chain stays available; the device calls `drain` when it can take it).
 */
export type Handled = "done" | "later" | "stop";

/**
 * A split virtqueue (virtio 1.2, 2.7), device side. The driver may do anything to its rings: what breaks the rules stops
 * the device (`QueueHost.fail`), and nothing here throws or loops without end.
 */
export class VirtQueue {
  readonly index: number;
  readonly maxSize: number;
  readonly #host: QueueHost;
  /** What the driver wrote to QueueNum. */
  size: number;
  ready = false;
  /** Changes whenever the queue starts or stops; a completion from before must be dropped. */
  epoch = 0;
  /** Guest-physical addresses as the driver wrote them: low and high word of descriptor area, driver area, device area. */
  readonly areas = new Uint32Array(6);
  #lastAvail = 0;
  #usedIndex = 0;
  /** The index that the guest can see. */
  #published = 0;
  /** Views of the three areas during one call from the transport or the host. */
  #descriptors: Uint8Array | undefined;
  #available: Uint16Array | undefined;
  #used: Uint16Array | undefined;
  /** The used ring's elements, which are words. */
  #usedWords: Uint32Array | undefined;
  #spare: Chain[] = [new Chain()];
  #draining = false;

  constructor(index: number, maxSize: number, host: QueueHost) {
    this.index = index;
    this.maxSize = maxSize;
    this.#host = host;
    this.size = maxSize;
  }

  /** Starts with empty rings. Returns false, and the device fails, if the driver's settings are impossible. */
  enable(): boolean {
    const { size, maxSize } = this;
    if (this.ready) return true;
    if (!isQueueSize(size, maxSize)) return this.#refuse("badQueueSize");
    if (!this.#map()) return false;
    this.release();
    this.ready = true;
    this.epoch++;
    this.#lastAvail = 0;
    this.#usedIndex = 0;
    this.#published = 0;
    return true;
  }

  disable(): void {
    if (this.ready) this.epoch++;
    this.ready = false;
    this.release();
  }

  reset(): void {
    this.disable();
    this.size = this.maxSize;
    this.areas.fill(0);
    this.#lastAvail = 0;
    this.#usedIndex = 0;
    this.#published = 0;
  }

  /** Hands every available chain to `handle`, in order, and tells the guest what was used. */
  drain(handle: (chain: Chain) => Handled): void {
    // A backend may call back into the device while it is given something.
    if (this.#draining) return;
    this.#draining = true;
    const { epoch } = this;
    let budget = this.size * roundsPerDrain;
    while (this.epoch === epoch && this.#open()) {
      const chain = this.#spare.pop() ?? new Chain();
      if (!this.#peek(chain)) {
        this.#spare.push(chain);
        this.#publish();
        if (!this.#arm()) break;
        continue;
      }
      if (budget-- === 0) {
        this.#spare.push(chain);
        this.#host.later(this);
        break;
      }
      const handled = handle(chain);
      if (handled !== "later") this.#spare.push(chain);
      // A backend that was called may have reset the machine.
      if (handled === "stop" || this.epoch !== epoch) break;
      this.#lastAvail = (this.#lastAvail + 1) & 0xffff;
    }
    this.#publish();
    this.release();
    this.#draining = false;
  }

  /**
   * Gives a chain back, with so many bytes written from the start of its device-writable part. During `drain` the guest
   * sees it when the batch is done; otherwise call `publish` after the last.
   */
  complete(chain: Chain, written: number): void {
    if (!this.#open()) return;
    const words = this.#usedWords!;
    const element = 1 + 2 * (this.#usedIndex & (this.size - 1));
    words[element] = chain.head;
    words[element + 1] = written;
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
  }

  /** Shows the guest what was completed outside of `drain`. */
  publish(): void {
    if (this.#draining) return;
    this.#publish();
    this.release();
  }

  /** Takes a chain apart again that is with the device (after `load`); `undefined` if the guest has spoilt it. */
  again(head: number): Chain | undefined {
    if (!this.#open()) return undefined;
    const chain = new Chain();
    return this.#parse(head, chain) ? chain : undefined;
  }

  /** Takes back a chain kept by `later`, for use by another. */
  recycle(chain: Chain): void {
    if (this.#spare.length < 8) this.#spare.push(chain);
  }

  /** Forgets the views of the rings: the device is about to return to its caller. */
  release(): void {
    this.#descriptors = undefined;
    this.#available = undefined;
    this.#used = undefined;
    this.#usedWords = undefined;
  }

  save() {
    return {
      size: this.size,
      ready: this.ready,
      areas: [...this.areas],
      lastAvail: this.#lastAvail,
      usedIndex: this.#usedIndex,
    };
  }

  load(state: QueueState): void {
    this.release();
    this.epoch++;
    this.size = state.size;
    this.ready = state.ready;
    this.areas.set(state.areas);
    this.#lastAvail = state.lastAvail;
    this.#usedIndex = state.usedIndex;
    this.#published = state.usedIndex;
  }

  #refuse(kind: string): false {
    this.#host.fail(kind);
    return false;
  }

  #area(which: 0 | 1 | 2): number {
    return this.areas[2 * which] + this.areas[2 * which + 1] * 2 ** 32;
  }

  /** False if the queue is not at work; otherwise there are views of its areas. */
  #open(): boolean {
    return this.ready && this.#host.running && (this.#descriptors !== undefined || this.#map());
  }

  #map(): boolean {
    const { dma, eventIdx } = this.#host;
    const { size } = this;
    const event = eventIdx ? 2 : 0;
    const [descriptorArea, driverArea, deviceArea] = [this.#area(0), this.#area(1), this.#area(2)];
    // Alignments of virtio 1.2, 2.7.
    if (descriptorArea % 16 !== 0 || driverArea % 2 !== 0 || deviceArea % 4 !== 0) return this.#refuse("misalignedQueue");
    const descriptors = dma.read(descriptorArea, size * descriptorSize);
    const available = dma.read(driverArea, 4 + 2 * size + event);
    const used = dma.write(deviceArea, 4 + 8 * size + event);
    if (descriptors === undefined || available === undefined || used === undefined) return this.#refuse("queueOutsideRam");
    this.#descriptors = descriptors;
    this.#available = new Uint16Array(available.buffer, available.byteOffset, available.length >> 1);
    this.#used = new Uint16Array(used.buffer, used.byteOffset, used.length >> 1);
    this.#usedWords = new Uint32Array(used.buffer, used.byteOffset, 1 + 2 * size);
    return true;
  }

  /** Takes the next available chain apart, without consuming it. */
  #peek(chain: Chain): boolean {
    if (!this.#host.running) return false;
    const available = this.#available!;
    const waiting = (Atomics.load(available, 1) - this.#lastAvail) & 0xffff;
    if (waiting === 0) return false;
    if (waiting > this.size) return this.#refuse("badAvailableIndex");
    return this.#parse(available[2 + (this.#lastAvail & (this.size - 1))], chain);
  }

  /** Follows a chain (virtio 1.2, 2.7.5). Each field is read once: other harts may change it meanwhile. */
  #parse(head: number, chain: Chain): boolean {
    const { dma } = this.#host;
    let table = this.#descriptors!;
    let entries = this.size;
    let index = head;
    let followed = 0;
    let indirect = false;
    chain.start(head);
    for (;;) {
      if (index >= entries) return this.#refuse("badDescriptorIndex");
      if (followed++ === entries) return this.#refuse("descriptorLoop");
      const at = index * descriptorSize;
      const address = word(table, at) + word(table, at + 4) * 2 ** 32;
      const length = word(table, at + 8);
      const flags = table[at + 12] | (table[at + 13] << 8);
      if (flags & INDIRECT) {
        const fits = length > 0 && length % descriptorSize === 0 && length <= indirectLimit * descriptorSize;
        if (!this.#host.indirect || indirect || flags & NEXT || !fits) return this.#refuse("badIndirectDescriptor");
        const view = dma.read(address, length);
        if (view === undefined) return this.#refuse("descriptorOutsideRam");
        table = view;
        entries = length / descriptorSize;
        index = 0;
        followed = 0;
        indirect = true;
        continue;
      }
      const writable = (flags & WRITE) !== 0;
      if (!writable && chain.writable > 0) return this.#refuse("readableAfterWritable");
      if (length > 0) {
        if (dma.read(address, length) === undefined) return this.#refuse("descriptorOutsideRam");
        chain.add(address, length, writable);
        if (chain.readable + chain.writable > chainLimit) return this.#refuse("chainTooLong");
      }
      if ((flags & NEXT) === 0) return true;
      index = table[at + 14] | (table[at + 15] << 8);
    }
  }

  /** Asks for a notification of the next chain. True if one has come already. */
  #arm(): boolean {
    if (!this.#host.running) return false;
    if (this.#host.eventIdx) Atomics.store(this.#used!, 2 + 4 * this.size, this.#lastAvail);
    return Atomics.load(this.#available!, 1) !== this.#lastAvail;
  }

  /** Moves the used ring's index and notifies the driver if it wants that (virtio 1.2, 2.7.7 and 2.7.8). */
  #publish(): void {
    const before = this.#published;
    const now = this.#usedIndex;
    if (before === now || !this.#open()) return;
    this.#published = now;
    Atomics.store(this.#used!, 1, now);
    const available = this.#available!;
    if (this.#host.eventIdx) {
      const event = Atomics.load(available, 2 + this.size);
      if (((now - event - 1) & 0xffff) < ((now - before) & 0xffff)) this.#host.interrupt();
    } else if ((Atomics.load(available, 0) & NO_INTERRUPT) === 0) {
      this.#host.interrupt();
    }
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Sizes are powers of two (virtio 1.2, 2.7). */
function isQueueSize(size: number, maxSize: number): boolean {
  return size > 0 && size <= maxSize && (size & (size - 1)) === 0;
}

export function queueFields(maxSize: number) {
  return v.pipe(
    v.strictObject({
      size: unsigned(16),
      ready: v.boolean(),
      areas: v.pipe(v.array(unsigned(32)), v.length(6)),
      lastAvail: unsigned(16),
      usedIndex: unsigned(16),
    }),
    v.check((queue) => !queue.ready || isQueueSize(queue.size, maxSize), "a queue is at work whose size is impossible"),
  );
}
export type QueueState = v.InferOutput<ReturnType<typeof queueFields>>;
