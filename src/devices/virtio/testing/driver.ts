// The guest's side of virtio, for tests: a small driver over registers and RAM, as far from the device's code as it can be.
import assert from "node:assert/strict";
import { FakeClock, FakeIrq, FakeRam } from "../../testing/fakes.ts";
import { type VirtioDevice, VirtioMmio } from "../mmio.ts";

const VERSION_1 = 1n << 32n;
const EVENT_IDX = 1n << 29n;
const INDIRECT_DESC = 1n << 28n;

/** A device on a transport with all its ports, and a driver that has not begun yet. */
export class Bench {
  readonly irq = new FakeIrq();
  readonly clock = new FakeClock();
  readonly ram: FakeRam;
  readonly mmio: VirtioMmio;
  readonly queues: DriverQueue[] = [];
  accepted = 0n;
  #next = FakeRam.base + 0x1000;

  constructor(device: VirtioDevice, ramSize = 8 << 20) {
    this.ram = new FakeRam(ramSize);
    this.mmio = new VirtioMmio(device, { irq: this.irq, dma: this.ram, clock: this.clock });
  }

  get(offset: number): number {
    return this.mmio.read(offset, 4);
  }

  put(offset: number, value: number): void {
    this.mmio.write(offset, 4, value);
  }

  /** RAM that nobody uses yet. */
  allocate(length: number, align = 16): number {
    const address = Math.ceil(this.#next / align) * align;
    this.#next = address + length;
    assert(this.#next <= FakeRam.base + this.ram.bytes.length, "the test uses more RAM than there is");
    return address;
  }

  /** Everything allocated may be used again. */
  restartAllocation(): void {
    this.#next = FakeRam.base + 0x1000;
  }

  bytes(address: number, length: number): Uint8Array {
    const view = this.ram.read(address, length);
    assert(view !== undefined);
    return view;
  }

  offered(): bigint {
    this.put(0x014, 0);
    const low = BigInt(this.get(0x010));
    this.put(0x014, 1);
    return low | (BigInt(this.get(0x010)) << 32n);
  }

  /** The initialization of virtio 1.2, 3.1.1. `refuse`: offered features not to accept. */
  start(options: { refuse?: bigint; size?: number } = {}): this {
    assert.equal(this.get(0x000), 0x74726976);
    assert.equal(this.get(0x004), 2);
    this.put(0x070, 0);
    this.put(0x070, 1);
    this.put(0x070, 3);
    this.accepted = this.offered() & ~(options.refuse ?? 0n);
    this.put(0x024, 0);
    this.put(0x020, Number(this.accepted & 0xffff_ffffn));
    this.put(0x024, 1);
    this.put(0x020, Number(this.accepted >> 32n));
    this.put(0x070, 11);
    assert.equal(this.get(0x070), 11, "FEATURES_OK was refused");
    this.queues.length = 0;
    for (let index = 0; ; index++) {
      this.put(0x030, index);
      const max = this.get(0x034);
      if (max === 0) break;
      assert.equal(this.get(0x044), 0);
      this.queues.push(this.#setUp(index, Math.min(options.size ?? max, max)));
    }
    this.put(0x070, 15);
    assert.equal(this.get(0x070), 15);
    return this;
  }

  #setUp(index: number, size: number): DriverQueue {
    const queue = new DriverQueue(this, index, size);
    this.put(0x038, size);
    for (const [offset, address] of [
      [0x080, queue.descriptors],
      [0x090, queue.available],
      [0x0a0, queue.used],
    ]) {
      this.put(offset, address % 2 ** 32);
      this.put(offset + 4, Math.floor(address / 2 ** 32));
    }
    this.put(0x044, 1);
    assert.equal(this.get(0x044), 1);
    return queue;
  }

  /** What an interrupt handler does: looks why, acknowledges. */
  takeInterrupt(): number {
    if (!this.irq.level) return 0;
    const status = this.get(0x060);
    this.put(0x064, status);
    assert.equal(this.irq.level, false);
    return status;
  }
}

/** A chain that was made available. */
export interface Request {
  readonly head: number;
  /** Where its device-writable buffers are. */
  readonly into: { readonly address: number; readonly length: number }[];
}

/** A split virtqueue, driver side, that never reuses a buffer and checks what the device says. */
export class DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
  readonly #bench: Bench;
  readonly #free: number[];
  #availableIndex = 0;
  #usedIndex = 0;
  readonly #chains = new Map<number, number[]>();

  constructor(bench: Bench, index: number, size: number) {
    this.#bench = bench;
    this.index = index;
    this.size = size;
    this.descriptors = bench.allocate(16 * size, 16);
    this.available = bench.allocate(6 + 2 * size, 2);
    this.used = bench.allocate(6 + 8 * size, 4);
    bench.bytes(this.descriptors, this.used + 6 + 8 * size - this.descriptors).fill(0);
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  view(address: number, length: number): DataView {
    const bytes = this.#bench.bytes(address, length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  writeDescriptor(address: number, values: { address: number; length: number; flags: number; next: number }): void {
    const view = this.view(address, 16);
    view.setBigUint64(0, BigInt(values.address), true);
    view.setUint32(8, values.length, true);
    view.setUint16(12, values.flags, true);
    view.setUint16(14, values.next, true);
  }

  /** Makes a chain of device-readable bytes and device-writable lengths available; `kick` tells the device. */
  add(readable: readonly Uint8Array[], writable: readonly number[] = [], indirect = false): Request {
    const into = writable.map((length) => ({ address: this.#bench.allocate(length, 1), length }));
    const buffers = readable.map((bytes) => {
      const address = this.#bench.allocate(bytes.length, 1);
      this.#bench.bytes(address, bytes.length).set(bytes);
      return { address, length: bytes.length, flags: 0 };
    });
    for (const buffer of into) buffers.push({ ...buffer, flags: 2 });
    const direct = !(indirect && (this.#bench.accepted & INDIRECT_DESC) !== 0n);
    const own: number[] = [];
    const take = () => {
      const entry = this.#free.pop();
      assert(entry !== undefined, "the test has filled the queue");
      own.push(entry);
      return entry;
    };
    const link = (place: (index: number) => number, indices: number[]) => {
      for (const [i, buffer] of buffers.entries()) {
        const last = i === buffers.length - 1;
        const next = last ? 0 : indices[i + 1];
        this.writeDescriptor(place(indices[i]), { ...buffer, flags: buffer.flags | (last ? 0 : 1), next });
      }
    };
    if (direct) {
      link((index) => this.descriptors + 16 * index, buffers.map(take));
    } else {
      const table = this.#bench.allocate(16 * buffers.length);
      link(
        (index) => table + 16 * index,
        buffers.map((_, i) => i),
      );
      this.writeDescriptor(this.descriptors + 16 * take(), { address: table, length: 16 * buffers.length, flags: 4, next: 0 });
    }
    this.#chains.set(own[0], own);
    this.push(own[0]);
    return { head: own[0], into };
  }

  /** Puts a head into the available ring, whatever it is. */
  push(head: number): void {
    this.view(this.available, 6 + 2 * this.size).setUint16(4 + 2 * (this.#availableIndex % this.size), head, true);
    this.setAvailableIndex(this.#availableIndex + 1);
  }

  setAvailableIndex(index: number): void {
    this.#availableIndex = index & 0xffff;
    this.view(this.available, 4).setUint16(2, this.#availableIndex, true);
  }

  /** With EVENT_IDX: the device interrupts when its used index has passed this. */
  interruptAfter(count: number): void {
    assert((this.#bench.accepted & EVENT_IDX) !== 0n);
    this.view(this.available, 6 + 2 * this.size).setUint16(4 + 2 * this.size, (this.#usedIndex + count - 1) & 0xffff, true);
  }

  /** Without EVENT_IDX: no interrupts at all. */
  suppressInterrupts(suppress: boolean): void {
    this.view(this.available, 2).setUint16(0, suppress ? 1 : 0, true);
  }

  kick(): void {
    this.#bench.put(0x050, this.index);
  }

  /** The available index at which the device wants to be told (EVENT_IDX). */
  get availableEvent(): number {
    return this.view(this.used, 6 + 8 * this.size).getUint16(4 + 8 * this.size, true);
  }

  /** Chains that the device has given back, since the last time. */
  takeUsed(): { head: number; written: number }[] {
    const view = this.view(this.used, 4 + 8 * this.size);
    const result: { head: number; written: number }[] = [];
    const end = view.getUint16(2, true);
    while (this.#usedIndex !== end) {
      const element = 4 + 8 * (this.#usedIndex % this.size);
      const head = view.getUint32(element, true);
      const own = this.#chains.get(head);
      assert(own !== undefined, `the device gave back ${head}, which it did not have`);
      this.#chains.delete(head);
      this.#free.push(...own);
      result.push({ head, written: view.getUint32(element + 4, true) });
      this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    }
    return result;
  }

  /** The bytes the device has written to a request's buffers. */
  result(request: Request): Uint8Array {
    const parts = request.into.map(({ address, length }) => this.#bench.bytes(address, length));
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

export const features = { VERSION_1, EVENT_IDX, INDIRECT_DESC };
