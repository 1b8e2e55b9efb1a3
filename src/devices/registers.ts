import { assert } from "../core/errors.ts";

/**
 * A device's registers as a table. An entry says where a register is and what reading and writing it does; the table
 * owns everything else about an access: which register it means, how much of it, and what to answer when the guest
 * gets it wrong. See docs/adding-a-device.md.
 */

interface Place<Device, Size> {
  /** The specification's own name. */
  readonly name: string;
  /** Offset from the start of the device, a multiple of `size`. */
  readonly at: number;
  readonly size: Size;
  /** An array of equal registers: how many, and the distance between them (`size` unless told). */
  readonly count?: number;
  readonly stride?: number;
  /** Registers may share an address; this says when the entry is the one that answers there. */
  readonly when?: (device: Device) => boolean;
  /**
   * What an access to some of the register's bytes does. `refuse` (the default): reads 0, writes nothing, and counts as
   * misuse. `merge`: reads these bytes; a write leaves the other bytes as they read (as zero, if write-only).
   */
  readonly partial?: "refuse" | "merge";
}

interface Readable<Device, Value> {
  /** What it reads after `reset()`; `undefined` where that depends on time or on how the device was made. */
  readonly reset: Value | undefined;
  /** The value, unsigned. `index` is the place in an array of registers. */
  readonly read: (device: Device, index: number) => Value;
}

interface Writable<Device, Value> {
  /** `value` is unsigned and fits the register. */
  readonly write: (device: Device, value: Value, index: number) => void;
}

type RegisterOf<Device, Size, Value> = Place<Device, Size> &
  (
    | ({ readonly access: "ro" } & Readable<Device, Value>)
    | ({ readonly access: "wo" } & Writable<Device, Value>)
    | ({ readonly access: "rw" } & Readable<Device, Value> & Writable<Device, Value>)
  );

/** One register, or an array of them. Those of 8 bytes have `bigint` values. */
export type Register<Device> = RegisterOf<Device, 1 | 2 | 4, number> | RegisterOf<Device, 8, bigint>;

/** How often a guest did what it should not, by kind: `unmapped`, `readOnly`... Never an error of ours. */
export class Misuse {
  readonly counts: Record<string, number> = {};

  count(kind: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }
}

/** All registers at one address. */
interface Slot<Device> {
  readonly at: number;
  readonly end: number;
  readonly size: 1 | 2 | 4 | 8;
  readonly stride: number;
  readonly partial: boolean;
  readonly registers: readonly Register<Device>[];
}

export interface RegisterTableOptions {
  /**
   * What an access wider than the register it begins in does. `split` (the default): reaches every register below it.
   * `first`: reaches only that one, as on a bus with byte lanes for one register.
   */
  readonly wide?: "split" | "first";
}

export class RegisterTable<Device extends { readonly misuse: Misuse }> {
  /** Bytes of address space. */
  readonly size: number;
  readonly registers: readonly Register<Device>[];
  readonly #slots: readonly Slot<Device>[];
  readonly #first: boolean;

  /** @throws an assertion if two registers overlap, one is misaligned or outside `size`, or two have one name. */
  constructor(size: number, registers: readonly Register<Device>[], options: RegisterTableOptions = {}) {
    this.size = size;
    this.registers = registers;
    this.#slots = layOut(size, registers);
    this.#first = options.wide === "first";
  }

  read(device: Device, offset: number, size: 1 | 2 | 4): number {
    const slot = this.#find(offset);
    if (slot !== undefined && slot.size !== 8) {
      const index = Math.floor((offset - slot.at) / slot.stride);
      const within = offset - slot.at - index * slot.stride;
      if (within === 0 && (slot.size === size || (this.#first && slot.size < size))) {
        return readRegister(device, slot, index) as number;
      }
    }
    return Number(this.#readBytes(device, offset, size));
  }

  write(device: Device, offset: number, size: 1 | 2 | 4, value: number): void {
    const slot = this.#find(offset);
    if (slot !== undefined && slot.size !== 8) {
      const index = Math.floor((offset - slot.at) / slot.stride);
      const within = offset - slot.at - index * slot.stride;
      if (within === 0 && (slot.size === size || (this.#first && slot.size < size))) {
        writeRegister(device, slot, index, truncate(value, slot.size));
        return;
      }
    }
    this.#writeBytes(device, offset, size, BigInt(truncate(value, size)));
  }

  read64(device: Device, offset: number): bigint {
    const slot = this.#find(offset);
    if (slot !== undefined && slot.size === 8 && (offset - slot.at) % slot.stride === 0) {
      return readRegister(device, slot, (offset - slot.at) / slot.stride) as bigint;
    }
    return this.#readBytes(device, offset, 8);
  }

  write64(device: Device, offset: number, value: bigint): void {
    const slot = this.#find(offset);
    if (slot !== undefined && slot.size === 8 && (offset - slot.at) % slot.stride === 0) {
      writeRegister(device, slot, (offset - slot.at) / slot.stride, BigInt.asUintN(64, value));
      return;
    }
    this.#writeBytes(device, offset, 8, BigInt.asUintN(64, value));
  }

  /** The registers at an offset, or `undefined` between registers. */
  #find(offset: number): Slot<Device> | undefined {
    const slots = this.#slots;
    let low = 0;
    let high = slots.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (slots[middle].end <= offset) low = middle + 1;
      else high = middle;
    }
    if (low === slots.length || offset < slots[low].at) return undefined;
    const slot = slots[low];
    return (offset - slot.at) % slot.stride < slot.size ? slot : undefined;
  }

  /** Partial and straddling reads, register by register in rising order. */
  #readBytes(device: Device, offset: number, size: number): bigint {
    let result = 0n;
    for (const part of this.#parts(device, offset, size)) {
      if (part.slot.size !== part.length && !part.slot.partial) {
        device.misuse.count("partial");
        continue;
      }
      const value = BigInt(readRegister(device, part.slot, part.index)) >> BigInt(8 * part.within);
      result |= BigInt.asUintN(8 * part.length, value) << BigInt(8 * (part.offset - offset));
    }
    return result;
  }

  #writeBytes(device: Device, offset: number, size: number, value: bigint): void {
    for (const part of this.#parts(device, offset, size)) {
      const { slot, index } = part;
      let written = BigInt.asUintN(8 * part.length, value >> BigInt(8 * (part.offset - offset)));
      if (slot.size !== part.length) {
        if (!slot.partial) {
          device.misuse.count("partial");
          continue;
        }
        const old = readableIn(device, slot) === undefined ? 0n : BigInt(readRegister(device, slot, index));
        const mask = BigInt.asUintN(8 * part.length, -1n) << BigInt(8 * part.within);
        written = (old & ~mask) | (written << BigInt(8 * part.within));
      }
      writeRegister(device, slot, index, slot.size === 8 ? written : Number(written));
    }
  }

  #parts(device: Device, offset: number, size: number): Part<Device>[] {
    const parts: Part<Device>[] = [];
    let unmapped = false;
    for (let at = offset; at < offset + size; ) {
      const slot = this.#find(at);
      if (slot === undefined) {
        unmapped = true;
        at++;
        continue;
      }
      const index = Math.floor((at - slot.at) / slot.stride);
      const within = at - slot.at - index * slot.stride;
      const length = Math.min(slot.size - within, offset + size - at);
      parts.push({ slot, index, within, offset: at, length });
      at += length;
      if (this.#first) break;
    }
    if (unmapped) device.misuse.count("unmapped");
    return parts;
  }
}

interface Part<Device> {
  readonly slot: Slot<Device>;
  readonly index: number;
  /** First byte of the register that is meant. */
  readonly within: number;
  readonly offset: number;
  readonly length: number;
}

function readableIn<Device>(device: Device, slot: Slot<Device>) {
  for (const register of slot.registers) {
    if (register.access !== "wo" && (register.when === undefined || register.when(device))) return register;
  }
  return undefined;
}

function writableIn<Device>(device: Device, slot: Slot<Device>) {
  for (const register of slot.registers) {
    if (register.access !== "ro" && (register.when === undefined || register.when(device))) return register;
  }
  return undefined;
}

function readRegister<Device extends { readonly misuse: Misuse }>(device: Device, slot: Slot<Device>, index: number) {
  const register = readableIn(device, slot);
  if (register !== undefined) return register.read(device, index);
  device.misuse.count("writeOnly");
  return slot.size === 8 ? 0n : 0;
}

function writeRegister<Device extends { readonly misuse: Misuse }>(
  device: Device,
  slot: Slot<Device>,
  index: number,
  value: number | bigint,
): void {
  const register = writableIn(device, slot);
  if (register === undefined) device.misuse.count("readOnly");
  else (register.write as (device: Device, value: number | bigint, index: number) => void)(device, value, index);
}

function truncate(value: number, size: 1 | 2 | 4): number {
  return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
}

function layOut<Device>(size: number, registers: readonly Register<Device>[]): Slot<Device>[] {
  const names = new Set<string>();
  const slots = new Map<number, Slot<Device> & { registers: Register<Device>[] }>();
  for (const register of registers) {
    const { name, at, size: width, count = 1, stride = width } = register;
    assert(!names.has(name), `register ${name} is in the table twice`);
    names.add(name);
    assert(at % width === 0 && stride % width === 0 && stride >= width, `register ${name} is not aligned to its size`);
    const end = at + (count - 1) * stride + width;
    assert(count > 0 && at >= 0 && end <= size, `register ${name} is outside the device`);
    const partial = register.partial === "merge";
    const shared = slots.get(at);
    if (shared === undefined) {
      slots.set(at, { at, end, size: width, stride, partial, registers: [register] });
    } else {
      const alike = shared.end === end && shared.size === width && shared.stride === stride && shared.partial === partial;
      assert(alike, `registers ${shared.registers[0].name} and ${name} share an address but not a shape`);
      shared.registers.push(register);
    }
  }
  const sorted = [...slots.values()].sort((a, b) => a.at - b.at);
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1], sorted[i]];
    assert(before.end <= after.at, `registers ${before.registers[0].name} and ${after.registers[0].name} overlap`);
  }
  return sorted;
}
