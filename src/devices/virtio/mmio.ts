import * as v from "valibot";
import type { Clock, DeviceState, Dma, Irq, MmioDevice } from "../ports.ts";
import type { Misuse } from "../registers.ts";
import { checkState, hex64, unsigned, unsigned64 } from "../state.ts";
import { type QueueHost, queueFields, VirtQueue } from "./queue.ts";
import { configOffset, virtioMmioRegisters, virtioMmioSize } from "./registers.ts";

/** Bits of `Status` (virtio 1.2, 2.1). */
export const deviceStatus = { ACKNOWLEDGE: 1, DRIVER: 2, DRIVER_OK: 4, FEATURES_OK: 8, NEEDS_RESET: 64, FAILED: 128 } as const;
const driverBits =
  deviceStatus.ACKNOWLEDGE | deviceStatus.DRIVER | deviceStatus.DRIVER_OK | deviceStatus.FEATURES_OK | deviceStatus.FAILED;

/** Reserved feature bits that the transport answers for (virtio 1.2, chapter 6). */
export const feature = { INDIRECT_DESC: 1n << 28n, EVENT_IDX: 1n << 29n, VERSION_1: 1n << 32n, RING_RESET: 1n << 40n } as const;
const transportFeatures = feature.INDIRECT_DESC | feature.EVENT_IDX | feature.VERSION_1 | feature.RING_RESET;

/** Nanoseconds that the guest gets before a queue that does not become empty is served again. */
const turn = 10_000;

/** Bits of `InterruptStatus` (virtio 1.2, 4.2.2). */
const usedBuffer = 1;
const configChange = 2;

export interface VirtioPorts {
  readonly irq: Irq;
  readonly dma: Dma;
  readonly clock: Clock;
}

/** What a kind of device adds to the transport. The transport checks what the driver does and calls this. */
export interface VirtioDevice {
  /** For reports and states: `virtio-blk`... */
  readonly name: string;
  /** virtio 1.2, chapter 5. */
  readonly deviceId: number;
  /** The device's own feature bits. */
  readonly features: bigint;
  /** For each queue, most descriptors. */
  readonly queueSizes: readonly number[];
  readonly misuse: Misuse;
  /** The transport's half, before anything else is called. */
  attach(transport: VirtioTransport): void;
  /** Access to the device-specific configuration; offsets count from its start. */
  readConfig(offset: number, size: 1 | 2 | 4): number;
  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void;
  /** The driver has finished: `transport.accepted` is final, queues may be used. */
  activate?(): void;
  /** There may be something in a queue that is ready. */
  notify(queue: VirtQueue): void;
  /** A queue has been stopped; what was in it is gone. */
  queueStopped?(queue: VirtQueue): void;
  /** All queues have been stopped and negotiation starts anew; backends stay attached. */
  reset(): void;
  /** The device's own state, as plain data. */
  save(): Record<string, unknown>;
  /** What `load` checks its argument against. */
  readonly stateFields: v.ObjectEntries;
  /**
   * Takes back what `save` gave, checked; the transport's state is loaded already, RAM perhaps not. Every queue that is
   * ready is notified when the guest goes on.
   */
  load(state: Record<string, unknown>): void;
}

/** What a kind of device may use of its transport. */
export interface VirtioTransport {
  readonly dma: Dma;
  readonly clock: Clock;
  readonly queues: readonly VirtQueue[];
  /** Features that both sides have agreed on; none before FEATURES_OK. */
  readonly accepted: bigint;
  /** The driver has said DRIVER_OK and the device is not in need of a reset. */
  readonly running: boolean;
  /** The device-specific configuration has changed: the driver is told. */
  configChanged(): void;
  /** The driver broke a rule that leaves no way on: counted; DEVICE_NEEDS_RESET is set. */
  fail(kind: string): void;
  /** Notifies the device of a queue again when the guest has had its turn: for a device that has done much at once. */
  later(queue: VirtQueue): void;
}

/**
 * A virtio device on MMIO (virtio 1.2, 4.2), version 2 only: a driver that does not accept VIRTIO_F_VERSION_1 does not get
 * FEATURES_OK.
 */
export class VirtioMmio implements MmioDevice, VirtioTransport, QueueHost {
  readonly name: string;
  readonly size = virtioMmioSize;
  readonly misuse: Misuse;
  readonly device: VirtioDevice;
  readonly dma: Dma;
  readonly clock: Clock;
  readonly queues: readonly VirtQueue[];
  readonly #irq: Irq;
  status = 0;
  interruptStatus = 0;
  configGeneration = 0;
  deviceFeaturesSel = 0;
  driverFeaturesSel = 0;
  queueSel = 0;
  #driverFeatures = 0n;
  /** Queues that `later` will serve. */
  readonly #postponed = new Set<VirtQueue>();

  constructor(device: VirtioDevice, ports: VirtioPorts) {
    this.name = device.name;
    this.misuse = device.misuse;
    this.device = device;
    this.dma = ports.dma;
    this.clock = ports.clock;
    this.#irq = ports.irq;
    this.queues = device.queueSizes.map((size, index) => new VirtQueue(index, size, this));
    device.attach(this);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    if (offset >= configOffset) return this.device.readConfig(offset - configOffset, size);
    return virtioMmioRegisters.read(this, offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset >= configOffset) this.device.writeConfig(offset - configOffset, size, value);
    else virtioMmioRegisters.write(this, offset, size, value);
  }

  get running(): boolean {
    return (this.status & (deviceStatus.DRIVER_OK | deviceStatus.NEEDS_RESET)) === deviceStatus.DRIVER_OK;
  }

  get accepted(): bigint {
    return this.status & deviceStatus.FEATURES_OK ? this.#driverFeatures : 0n;
  }

  get eventIdx(): boolean {
    return (this.accepted & feature.EVENT_IDX) !== 0n;
  }

  get indirect(): boolean {
    return (this.accepted & feature.INDIRECT_DESC) !== 0n;
  }

  configChanged(): void {
    this.configGeneration = (this.configGeneration + 1) >>> 0;
    if (this.status & deviceStatus.DRIVER_OK) this.#interrupt(configChange);
  }

  fail(kind: string): void {
    this.misuse.count(kind);
    if (this.status & deviceStatus.NEEDS_RESET) return;
    this.status |= deviceStatus.NEEDS_RESET;
    // virtio 1.2, 2.1.2: the driver is told, if it is there.
    if (this.status & deviceStatus.DRIVER_OK) this.#interrupt(configChange);
  }

  interrupt(): void {
    this.#interrupt(usedBuffer);
  }

  later(queue: VirtQueue): void {
    if (this.#postponed.has(queue)) return;
    this.#postponed.add(queue);
    this.clock.schedule(this.clock.now() + turn, () => {
      this.#postponed.delete(queue);
      if (queue.ready && this.running) this.device.notify(queue);
    });
  }

  readDeviceFeatures(): number {
    return featureWord(this.device.features | transportFeatures, this.deviceFeaturesSel);
  }

  writeDriverFeatures(value: number): void {
    if (this.status & deviceStatus.FEATURES_OK) {
      this.misuse.count("lateFeatures");
      return;
    }
    if (this.driverFeaturesSel > 1) {
      if (value !== 0) this.misuse.count("badFeatures");
      return;
    }
    const shift = BigInt(32 * this.driverFeaturesSel);
    this.#driverFeatures = (this.#driverFeatures & ~(0xffff_ffffn << shift)) | (BigInt(value) << shift);
  }

  writeQueueNum(value: number): void {
    const queue = this.#stoppedQueue();
    // Larger than any queue: not to be cut to a size that looks right.
    if (queue !== undefined) queue.size = Math.min(value, 0xffff);
  }

  writeQueueArea(index: number, value: number): void {
    const queue = this.#stoppedQueue();
    if (queue !== undefined) queue.areas[index] = value;
  }

  writeQueueReady(value: number): void {
    const queue = this.queues[this.queueSel];
    if (queue === undefined) this.misuse.count("noSuchQueue");
    else if (value & 1) queue.enable();
    else {
      queue.disable();
      this.device.queueStopped?.(queue);
    }
  }

  writeQueueReset(value: number): void {
    const queue = this.queues[this.queueSel];
    if (queue === undefined || (this.accepted & feature.RING_RESET) === 0n) this.misuse.count("noSuchQueue");
    else if (value & 1) {
      queue.reset();
      this.device.queueStopped?.(queue);
    }
  }

  notify(index: number): void {
    const queue = this.queues[index];
    if (queue === undefined) this.misuse.count("noSuchQueue");
    else if (!queue.ready || !this.running) this.misuse.count("earlyNotify");
    else this.device.notify(queue);
  }

  acknowledge(value: number): void {
    this.interruptStatus &= ~value;
    this.#irq.set(this.interruptStatus !== 0);
  }

  /** Status goes up only, bit by bit, or back to zero (virtio 1.2, 2.1.1 and 3.1.1). */
  writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    if (this.status & driverBits & ~value) this.misuse.count("statusCleared");
    let added = value & driverBits & ~this.status;
    if (added & deviceStatus.FEATURES_OK && !this.#featuresAcceptable()) {
      this.misuse.count("badFeatures");
      added &= ~deviceStatus.FEATURES_OK;
    }
    if (added & deviceStatus.DRIVER_OK && ((this.status | added) & deviceStatus.FEATURES_OK) === 0) {
      this.misuse.count("earlyDriverOk");
      added &= ~deviceStatus.DRIVER_OK;
    }
    this.status |= added;
    if (added & deviceStatus.DRIVER_OK && this.running) {
      this.device.activate?.();
      for (const queue of this.queues) if (queue.ready) this.device.notify(queue);
    }
  }

  reset(): void {
    this.status = 0;
    this.interruptStatus = 0;
    this.deviceFeaturesSel = 0;
    this.driverFeaturesSel = 0;
    this.queueSel = 0;
    this.#driverFeatures = 0n;
    for (const queue of this.queues) queue.reset();
    this.#postponed.clear();
    this.device.reset();
    this.#irq.set(false);
  }

  save(): DeviceState {
    return {
      schema: this.name,
      version: 1,
      status: this.status,
      interruptStatus: this.interruptStatus,
      configGeneration: this.configGeneration,
      deviceFeaturesSel: this.deviceFeaturesSel,
      driverFeaturesSel: this.driverFeaturesSel,
      queueSel: this.queueSel,
      driverFeatures: hex64(this.#driverFeatures),
      queues: this.queues.map((queue) => queue.save()),
      device: this.device.save(),
    };
  }

  load(state: DeviceState): void {
    const fields = {
      status: unsigned(8),
      interruptStatus: unsigned(2),
      configGeneration: unsigned(32),
      deviceFeaturesSel: unsigned(32),
      driverFeaturesSel: unsigned(32),
      queueSel: unsigned(32),
      driverFeatures: unsigned64,
      queues: v.strictTuple(this.queues.map((queue) => queueFields(queue.maxSize))),
      device: v.strictObject(this.device.stateFields),
    };
    const loaded = checkState(this.name, 1, fields, state);
    this.status = loaded.status;
    this.interruptStatus = loaded.interruptStatus;
    this.configGeneration = loaded.configGeneration;
    this.deviceFeaturesSel = loaded.deviceFeaturesSel;
    this.driverFeaturesSel = loaded.driverFeaturesSel;
    this.queueSel = loaded.queueSel;
    this.#driverFeatures = loaded.driverFeatures;
    for (const [index, queue] of this.queues.entries()) queue.load(loaded.queues[index]);
    this.device.load(loaded.device);
    this.#irq.set(this.interruptStatus !== 0);
    // What `later` would have done.
    this.#postponed.clear();
    for (const queue of this.queues) if (queue.ready) this.later(queue);
  }

  #interrupt(bit: number): void {
    this.interruptStatus |= bit;
    this.#irq.set(true);
  }

  #featuresAcceptable(): boolean {
    const offered = this.device.features | transportFeatures;
    return (this.#driverFeatures & ~offered) === 0n && (this.#driverFeatures & feature.VERSION_1) !== 0n;
  }

  /** The selected queue, if the driver may set it up now: a queue at work keeps its settings (virtio 1.2, 4.2.2.2). */
  #stoppedQueue(): VirtQueue | undefined {
    const queue = this.queues[this.queueSel];
    if (queue === undefined) this.misuse.count("noSuchQueue");
    else if (queue.ready) this.misuse.count("queueInUse");
    else return queue;
    return undefined;
  }
}

function featureWord(features: bigint, select: number): number {
  return select > 1 ? 0 : Number((features >> BigInt(32 * select)) & 0xffff_ffffn);
}
