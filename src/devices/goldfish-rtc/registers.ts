import { type Register, RegisterTable } from "../registers.ts";
import type { GoldfishRtc } from "./device.ts";

export const rtcSize = 0x1000;

/** Names as in Android's goldfish hardware description ("Goldfish real-time clock"). */
const registers: Register<GoldfishRtc>[] = [
  {
    name: "TIME_LOW",
    at: 0x00,
    size: 4,
    access: "rw",
    reset: undefined,
    read: (rtc) => rtc.readTimeLow(),
    write: (rtc, value) => rtc.writeTimeLow(value),
  },
  {
    name: "TIME_HIGH",
    at: 0x04,
    size: 4,
    access: "rw",
    reset: 0,
    read: (rtc) => rtc.timeHigh,
    write: (rtc, value) => rtc.writeTimeHigh(value),
  },
  {
    name: "ALARM_LOW",
    at: 0x08,
    size: 4,
    access: "rw",
    reset: 0,
    read: (rtc) => rtc.alarmLow,
    write: (rtc, value) => rtc.writeAlarmLow(value),
  },
  {
    name: "ALARM_HIGH",
    at: 0x0c,
    size: 4,
    access: "rw",
    reset: 0,
    read: (rtc) => rtc.alarmHigh,
    write: (rtc, value) => {
      rtc.alarmHigh = value;
    },
  },
  {
    name: "IRQ_ENABLED",
    at: 0x10,
    size: 4,
    access: "rw",
    reset: 0,
    read: (rtc) => Number(rtc.irqEnabled),
    write: (rtc, value) => rtc.writeIrqEnabled(value),
  },
  { name: "CLEAR_ALARM", at: 0x14, size: 4, access: "wo", write: (rtc) => rtc.clearAlarm() },
  { name: "ALARM_STATUS", at: 0x18, size: 4, access: "ro", reset: 0, read: (rtc) => Number(rtc.alarmSet) },
  { name: "CLEAR_INTERRUPT", at: 0x1c, size: 4, access: "wo", write: (rtc) => rtc.clearInterrupt() },
];

export const rtcRegisters = new RegisterTable<GoldfishRtc>(rtcSize, registers);
