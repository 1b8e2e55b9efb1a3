/**
 * What a device is given. A device never sees the machine, the host or the address at which it is mapped: it has
 * registers, and these ports.
 */

/** An interrupt line into an interrupt controller. Level-triggered: the device holds it as long as it wants service. */
export interface Irq {
  /** Raises (`true`) or lowers (`false`) the line; setting it to what it is already is free. */
  set(level: boolean): void;
}

/** Guest time, which stands still while the machine is paused and is exact under `--icount`. */
export interface Clock {
  /** Nanoseconds since the machine was reset. */
  now(): number;
  /** Nanoseconds since 1970-01-01 UTC, for real-time clocks. */
  wallTime(): bigint;
  /** Calls `callback` once when `now()` has reached `at` nanoseconds; returns a function that cancels it. */
  schedule(at: number, callback: () => void): () => void;
}

/**
 * Guest-physical memory as a device may touch it. An address and a length come from the guest and can be anything: what
 * is not wholly in RAM is answered with `undefined`. A view's `byteOffset` is aligned as its address is.
 */
export interface Dma {
  /** Bytes of RAM to read. The view is valid until the device returns to its caller. */
  read(address: number, length: number): Uint8Array | undefined;
  /** Bytes of RAM to write; code that was decoded or translated from them is forgotten. Ask anew for every transfer. */
  write(address: number, length: number): Uint8Array | undefined;
}

/** Bytes that a register access moves at once. */
export type AccessSize = 1 | 2 | 4 | 8;

/** A memory-mapped device. Offsets are below `size`; the bus has checked them. */
export interface MmioDevice {
  /** For reports: `uart16550`, `virtio-blk`... */
  readonly name: string;
  /** Bytes of address space. */
  readonly size: number;
  /** The value read, zero-extended. For 8 bytes the bus calls `read64` if there is one, else two reads of 4, low half first. */
  read(offset: number, size: 1 | 2 | 4): number;
  write(offset: number, size: 1 | 2 | 4, value: number): void;
  read64?(offset: number): bigint;
  write64?(offset: number, value: bigint): void;
  /** How often the guest did what it should not, by kind; for `--stats`. */
  readonly misuse?: { readonly counts: Readonly<Record<string, number>> };
  /** Back to the state after power-on; backends stay attached. */
  reset(): void;
  /** The state, as plain data with a schema name and version (`{ schema: "uart16550", version: 1, ... }`). */
  save(): DeviceState;
  /** Takes back what `save` gave. Throws `VivError` with code `BAD_STATE` if it is not that, or from the future. */
  load(state: DeviceState): void;
}

export interface DeviceState {
  readonly schema: string;
  readonly version: number;
  readonly [field: string]: unknown;
}
