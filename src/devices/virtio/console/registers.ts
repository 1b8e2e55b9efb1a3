import { RegisterTable } from "../../registers.ts";
import { configOffset, virtioMmioSize } from "../registers.ts";
import type { VirtioConsole } from "./device.ts";

/** Feature bits (virtio 1.2, 5.3.3). */
export const consoleFeature = { SIZE: 1n << 0n, MULTIPORT: 1n << 1n, EMERG_WRITE: 1n << 2n } as const;

/** `event` of a control message (virtio 1.2, 5.3.6.2). */
export const controlEvent = {
  DEVICE_READY: 0,
  PORT_ADD: 1,
  PORT_REMOVE: 2,
  PORT_READY: 3,
  CONSOLE_PORT: 4,
  RESIZE: 5,
  PORT_OPEN: 6,
  PORT_NAME: 7,
} as const;

/** `struct virtio_console_config` (virtio 1.2, 5.3.4). */
export const consoleConfig = new RegisterTable<VirtioConsole>(virtioMmioSize - configOffset, [
  { name: "cols", at: 0, size: 2, access: "ro", partial: "merge", reset: undefined, read: (device) => device.columns },
  { name: "rows", at: 2, size: 2, access: "ro", partial: "merge", reset: undefined, read: (device) => device.rows },
  {
    name: "max_nr_ports",
    at: 4,
    size: 4,
    access: "ro",
    partial: "merge",
    reset: undefined,
    read: (device) => device.ports.length,
  },
  { name: "emerg_wr", at: 8, size: 4, access: "wo", partial: "merge", write: (device, value) => device.writeEmergency(value) },
]);
