import { type Register, RegisterTable } from "../registers.ts";
import type { VirtioMmio } from "./mmio.ts";

/** Bytes of address space, as QEMU's `virt` board maps it. */
export const virtioMmioSize = 0x1000;
/** Where the device-specific configuration begins. */
export const configOffset = 0x100;

/** "virt", as little-endian characters. */
const magic = 0x7472_6976;
/** QEMU's: no driver looks at it. */
const vendor = 0x554d_4551;
/** Shared memory regions that do not exist have the length -1 (virtio 1.2, 4.2.2.1). */
const absent = 0xffff_ffff;

const read = (
  name: string,
  at: number,
  reset: number | undefined,
  value: (mmio: VirtioMmio) => number,
): Register<VirtioMmio> => ({
  name,
  at,
  size: 4,
  access: "ro",
  reset,
  read: value,
});
const write = (name: string, at: number, effect: (mmio: VirtioMmio, value: number) => void): Register<VirtioMmio> => ({
  name,
  at,
  size: 4,
  access: "wo",
  write: effect,
});
/** One word of a queue's areas. */
const area = (name: string, at: number, index: number) => write(name, at, (mmio, value) => mmio.writeQueueArea(index, value));

/** All registers of virtio 1.2, 4.2.2, with its names. Those of the legacy interface (4.2.4) are not there. */
const registers: Register<VirtioMmio>[] = [
  read("MagicValue", 0x000, magic, () => magic),
  read("Version", 0x004, 2, () => 2),
  read("DeviceID", 0x008, undefined, (mmio) => mmio.device.deviceId),
  read("VendorID", 0x00c, vendor, () => vendor),
  read("DeviceFeatures", 0x010, undefined, (mmio) => mmio.readDeviceFeatures()),
  write("DeviceFeaturesSel", 0x014, (mmio, value) => {
    mmio.deviceFeaturesSel = value;
  }),
  write("DriverFeatures", 0x020, (mmio, value) => mmio.writeDriverFeatures(value)),
  write("DriverFeaturesSel", 0x024, (mmio, value) => {
    mmio.driverFeaturesSel = value;
  }),
  write("QueueSel", 0x030, (mmio, value) => {
    mmio.queueSel = value;
  }),
  read("QueueNumMax", 0x034, undefined, (mmio) => mmio.queues[mmio.queueSel]?.maxSize ?? 0),
  write("QueueNum", 0x038, (mmio, value) => mmio.writeQueueNum(value)),
  {
    name: "QueueReady",
    at: 0x044,
    size: 4,
    access: "rw",
    reset: 0,
    read: (mmio) => Number(mmio.queues[mmio.queueSel]?.ready ?? false),
    write: (mmio, value) => mmio.writeQueueReady(value),
  },
  write("QueueNotify", 0x050, (mmio, value) => mmio.notify(value)),
  read("InterruptStatus", 0x060, 0, (mmio) => mmio.interruptStatus),
  write("InterruptACK", 0x064, (mmio, value) => mmio.acknowledge(value)),
  {
    name: "Status",
    at: 0x070,
    size: 4,
    access: "rw",
    reset: 0,
    read: (mmio) => mmio.status,
    write: (mmio, value) => mmio.writeStatus(value),
  },
  area("QueueDescLow", 0x080, 0),
  area("QueueDescHigh", 0x084, 1),
  area("QueueDriverLow", 0x090, 2),
  area("QueueDriverHigh", 0x094, 3),
  area("QueueDeviceLow", 0x0a0, 4),
  area("QueueDeviceHigh", 0x0a4, 5),
  write("SHMSel", 0x0ac, () => {}),
  read("SHMLenLow", 0x0b0, absent, () => absent),
  read("SHMLenHigh", 0x0b4, absent, () => absent),
  read("SHMBaseLow", 0x0b8, absent, () => absent),
  read("SHMBaseHigh", 0x0bc, absent, () => absent),
  {
    name: "QueueReset",
    at: 0x0c0,
    size: 4,
    access: "rw",
    reset: 0,
    // A reset is over before the driver can look.
    read: () => 0,
    write: (mmio, value) => mmio.writeQueueReset(value),
  },
  read("ConfigGeneration", 0x0fc, undefined, (mmio) => mmio.configGeneration),
];

export const virtioMmioRegisters = new RegisterTable<VirtioMmio>(configOffset, registers);
