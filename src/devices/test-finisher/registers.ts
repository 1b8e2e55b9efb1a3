import { type Register, RegisterTable } from "../registers.ts";
import type { TestFinisher } from "./device.ts";

export const finisherSize = 0x1000;

/** The lower half of the one register says what to do, the upper half is the exit code. */
export const finisher = { fail: 0x3333, pass: 0x5555, reset: 0x7777 } as const;

const registers: Register<TestFinisher>[] = [
  {
    name: "FINISHER",
    at: 0,
    size: 4,
    access: "rw",
    partial: "merge",
    reset: 0,
    read: () => 0,
    write: (device, value) => device.finish(value),
  },
];

export const finisherRegisters = new RegisterTable<TestFinisher>(finisherSize, registers);
