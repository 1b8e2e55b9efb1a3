import type { DeviceState, MmioDevice } from "../../devices/ports.ts";
import { memoryMap } from "./memory-map.ts";

/** virtio 1.2, 4.2.2: what a driver reads before it looks further. */
const registers = new Map([
  [0x000, 0x74726976], // MagicValue
  [0x004, 2], // Version
  [0x008, 0], // DeviceID: a transport without a device
]);

/** A virtio-mmio transport with nothing behind it, for software that looks at all slots instead of the device tree. */
export class EmptySlot implements MmioDevice {
  readonly name = "virtio-empty";
  readonly size = memoryMap.virtio.size;

  read(offset: number, size: 1 | 2 | 4): number {
    return size === 4 ? (registers.get(offset) ?? 0) : 0;
  }
  write(): void {}
  reset(): void {}
  save(): DeviceState {
    return { schema: this.name, version: 1 };
  }
  load(): void {}
}
