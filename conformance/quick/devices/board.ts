// Our devices at the addresses of QEMU's `virt` board, without harts: what a driver could reach.
import { Aclint } from "../../../src/devices/aclint/device.ts";
import { GoldfishRtc } from "../../../src/devices/goldfish-rtc/device.ts";
import { Plic } from "../../../src/devices/plic/device.ts";
import type { MmioDevice } from "../../../src/devices/ports.ts";
import { FakeCharacters, FakeClock, FakeIrq, FakeRam } from "../../../src/devices/testing/fakes.ts";
import { Uart16550 } from "../../../src/devices/uart16550/device.ts";
import { type VirtioDevice, VirtioMmio } from "../../../src/devices/virtio/mmio.ts";

/** A board, ours or QEMU's. */
export interface Board {
  read(address: number, size: 1 | 2 | 4): Promise<number>;
  write(address: number, size: 1 | 2 | 4, value: number): Promise<void>;
  readMemory(address: number, length: number): Promise<Uint8Array>;
  writeMemory(address: number, bytes: Uint8Array): Promise<void>;
}

export const base = { rtc: 0x10_1000, aclint: 0x200_0000, plic: 0xc00_0000, uart: 0x1000_0000, virtio: 0x1000_1000 } as const;

export class OurBoard implements Board {
  readonly contexts = [new FakeIrq(), new FakeIrq()];
  readonly clock = new FakeClock();
  readonly ram = new FakeRam(64 << 20);
  readonly serial = new FakeCharacters();
  readonly #map: { readonly base: number; readonly device: MmioDevice }[];

  /** Virtio devices by the slot they are in. */
  constructor(virtio: ReadonlyMap<number, VirtioDevice>) {
    const { clock } = this;
    const plic = new Plic({ contexts: this.contexts });
    this.#map = [
      { base: base.rtc, device: new GoldfishRtc({ irq: plic.input(11), clock }) },
      { base: base.aclint, device: new Aclint({ clock, harts: [{ msip: new FakeIrq(), mtip: new FakeIrq() }] }) },
      { base: base.plic, device: plic },
      { base: base.uart, device: new Uart16550({ irq: plic.input(10), backend: this.serial }) },
    ];
    for (const [slot, device] of virtio) {
      const mmio = new VirtioMmio(device, { irq: plic.input(1 + slot), dma: this.ram, clock });
      this.#map.push({ base: base.virtio + slot * 0x1000, device: mmio });
    }
  }

  async read(address: number, size: 1 | 2 | 4): Promise<number> {
    const { base, device } = this.#at(address);
    return device.read(address - base, size);
  }

  async write(address: number, size: 1 | 2 | 4, value: number): Promise<void> {
    const { base, device } = this.#at(address);
    device.write(address - base, size, value);
  }

  async readMemory(address: number, length: number): Promise<Uint8Array> {
    return this.ram.read(address, length)!.slice();
  }

  async writeMemory(address: number, bytes: Uint8Array): Promise<void> {
    this.ram.write(address, bytes.length)!.set(bytes);
  }

  #at(address: number) {
    const found = this.#map.find(({ base, device }) => address >= base && address < base + device.size);
    if (found === undefined) throw new Error(`no device at 0x${address.toString(16)}`);
    return found;
  }
}
