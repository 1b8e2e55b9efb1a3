import * as v from "valibot";
import type { Clock, DeviceState, Irq, MmioDevice } from "../ports.ts";
import { Misuse } from "../registers.ts";
import { checkState, hex64, unsigned, unsigned64 } from "../state.ts";
import { rtcRegisters, rtcSize } from "./registers.ts";

export interface RtcPorts {
  readonly irq: Irq;
  readonly clock: Clock;
}

/** Android's goldfish real-time clock: nanoseconds since 1970 as the host knows them, adjustable by the guest, one alarm. */
export class GoldfishRtc implements MmioDevice {
  readonly name = "goldfish-rtc";
  readonly size = rtcSize;
  readonly misuse = new Misuse();
  readonly #ports: RtcPorts;
  /** The upper half of the time, as it was when TIME_LOW was read. */
  timeHigh = 0;
  alarmLow = 0;
  alarmHigh = 0;
  irqEnabled = false;
  /** The alarm waits for its time. */
  alarmSet = false;
  #interrupt = false;
  /** What the guest added to the host's time, modulo 2^64. */
  #offset = 0n;
  #cancel: () => void = () => {};

  constructor(ports: RtcPorts) {
    this.#ports = ports;
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return rtcRegisters.read(this, offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    rtcRegisters.write(this, offset, size, value);
  }

  readTimeLow(): number {
    const time = this.#time();
    this.timeHigh = Number(time >> 32n);
    return Number(time & 0xffff_ffffn);
  }

  writeTimeLow(value: number): void {
    this.#setTime((this.#time() & ~0xffff_ffffn) | BigInt(value));
  }

  writeTimeHigh(value: number): void {
    this.#setTime((this.#time() & 0xffff_ffffn) | (BigInt(value) << 32n));
  }

  /** Sets the alarm to ALARM_HIGH and this; one in the past goes off at once. */
  writeAlarmLow(value: number): void {
    this.alarmLow = value;
    this.alarmSet = true;
    this.#schedule();
  }

  writeIrqEnabled(value: number): void {
    this.irqEnabled = (value & 1) === 1;
    this.#updateIrq();
  }

  clearAlarm(): void {
    this.alarmSet = false;
    this.#schedule();
  }

  clearInterrupt(): void {
    this.#interrupt = false;
    this.#updateIrq();
  }

  reset(): void {
    this.timeHigh = 0;
    this.alarmLow = 0;
    this.alarmHigh = 0;
    this.irqEnabled = false;
    this.#interrupt = false;
    // The time that the guest has set stays: the clock has a battery.
    this.clearAlarm();
    this.#updateIrq();
  }

  save(): DeviceState {
    return {
      schema: "goldfish-rtc",
      version: 1,
      timeHigh: this.timeHigh,
      alarmLow: this.alarmLow,
      alarmHigh: this.alarmHigh,
      irqEnabled: this.irqEnabled,
      alarmSet: this.alarmSet,
      interrupt: this.#interrupt,
      offset: hex64(this.#offset),
    };
  }

  load(state: DeviceState): void {
    const loaded = checkState("goldfish-rtc", 1, fields, state);
    this.timeHigh = loaded.timeHigh;
    this.alarmLow = loaded.alarmLow;
    this.alarmHigh = loaded.alarmHigh;
    this.irqEnabled = loaded.irqEnabled;
    this.alarmSet = loaded.alarmSet;
    this.#interrupt = loaded.interrupt;
    this.#offset = loaded.offset;
    this.#schedule();
    this.#updateIrq();
  }

  #time(): bigint {
    return BigInt.asUintN(64, this.#ports.clock.wallTime() + this.#offset);
  }

  #setTime(time: bigint): void {
    this.#offset = BigInt.asUintN(64, time - this.#ports.clock.wallTime());
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel();
    this.#cancel = () => {};
    if (!this.alarmSet) return;
    const alarm = (BigInt(this.alarmHigh) << 32n) | BigInt(this.alarmLow);
    const wait = alarm - this.#time();
    if (wait <= 0n) {
      this.alarmSet = false;
      this.#interrupt = true;
      this.#updateIrq();
      return;
    }
    // The host's time may be set while the alarm waits; so look again when it should be there.
    const { clock } = this.#ports;
    this.#cancel = clock.schedule(clock.now() + Number(wait), () => this.#schedule());
  }

  #updateIrq(): void {
    this.#ports.irq.set(this.#interrupt && this.irqEnabled);
  }
}

const fields = {
  timeHigh: unsigned(32),
  alarmLow: unsigned(32),
  alarmHigh: unsigned(32),
  irqEnabled: v.boolean(),
  alarmSet: v.boolean(),
  interrupt: v.boolean(),
  offset: unsigned64,
};
