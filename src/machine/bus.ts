import type { MmioDevice } from "../devices/ports.ts";

/** A device and the guest-physical address of its first byte. */
export interface Mapping {
  readonly base: number;
  readonly device: MmioDevice;
}

interface Slot extends Mapping {
  readonly end: number;
  reads: number;
  writes: number;
}

/** Accesses to one device, for reports. */
export interface DeviceAccesses {
  readonly name: string;
  readonly base: number;
  readonly reads: number;
  readonly writes: number;
}

/**
 * Finds the device behind an address. What is in no device, is not aligned to its size or leaves its device is an access
 * fault: `undefined` or `false`.
 */
export class Bus {
  readonly #slots: readonly Slot[];
  /** The slot of the last access; the next is mostly there too. */
  #last: Slot | undefined;

  constructor(mappings: readonly Mapping[]) {
    this.#slots = mappings
      .map(({ base, device }) => ({ base, device, end: base + device.size, reads: 0, writes: 0 }))
      .sort((a, b) => a.base - b.base);
    this.#slots.forEach((slot, index) => {
      const before = this.#slots[index - 1];
      if (before && before.end > slot.base) throw new Error(`${before.device.name} and ${slot.device.name} overlap`);
    });
  }

  #find(address: number, size: number): Slot | undefined {
    if (address % size !== 0) return undefined;
    let slot = this.#last;
    if (slot === undefined || address < slot.base || address >= slot.end) {
      let [low, high] = [0, this.#slots.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.#slots[middle].end <= address) low = middle + 1;
        else high = middle;
      }
      slot = this.#slots[low];
      if (slot === undefined || address < slot.base) return undefined;
      this.#last = slot;
    }
    return address + size <= slot.end ? slot : undefined;
  }

  read(address: number, size: 1 | 2 | 4): number | undefined {
    const slot = this.#find(address, size);
    if (slot === undefined) return undefined;
    slot.reads++;
    return slot.device.read(address - slot.base, size);
  }

  read64(address: number): bigint | undefined {
    const slot = this.#find(address, 8);
    if (slot === undefined) return undefined;
    slot.reads++;
    const { device } = slot;
    const offset = address - slot.base;
    if (device.read64) return device.read64(offset);
    const low = device.read(offset, 4);
    return BigInt(low >>> 0) | (BigInt(device.read(offset + 4, 4) >>> 0) << 32n);
  }

  write(address: number, size: 1 | 2 | 4, value: number): boolean {
    const slot = this.#find(address, size);
    if (slot === undefined) return false;
    slot.writes++;
    slot.device.write(address - slot.base, size, value);
    return true;
  }

  write64(address: number, value: bigint): boolean {
    const slot = this.#find(address, 8);
    if (slot === undefined) return false;
    slot.writes++;
    const { device } = slot;
    const offset = address - slot.base;
    if (device.write64) device.write64(offset, value);
    else {
      device.write(offset, 4, Number(value & 0xffff_ffffn));
      device.write(offset + 4, 4, Number((value >> 32n) & 0xffff_ffffn));
    }
    return true;
  }

  accesses(): DeviceAccesses[] {
    return this.#slots.map(({ device, base, reads, writes }) => ({ name: device.name, base, reads, writes }));
  }
}
