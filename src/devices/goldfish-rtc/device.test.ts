import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock, FakeIrq } from "../testing/fakes.ts";
import { checkStateRefusals, checkStateRoundTrip, poke, Random } from "../testing/fuzz.ts";
import { checkResetValues, offsetsOf } from "../testing/registers.ts";
import { GoldfishRtc } from "./device.ts";
import { rtcRegisters } from "./registers.ts";

const reg = {
  TIME_LOW: 0,
  TIME_HIGH: 4,
  ALARM_LOW: 8,
  ALARM_HIGH: 12,
  IRQ_ENABLED: 16,
  CLEAR_ALARM: 20,
  ALARM_STATUS: 24,
  CLEAR: 28,
};

function make() {
  const irq = new FakeIrq();
  const clock = new FakeClock();
  const rtc = new GoldfishRtc({ irq, clock });
  const get = (name: keyof typeof reg) => rtc.read(reg[name], 4);
  const put = (name: keyof typeof reg, value: number) => rtc.write(reg[name], 4, value);
  const time = () => BigInt(get("TIME_LOW")) | (BigInt(get("TIME_HIGH")) << 32n);
  const setAlarm = (at: bigint) => {
    put("ALARM_HIGH", Number(at >> 32n));
    put("ALARM_LOW", Number(at & 0xffff_ffffn));
  };
  return { irq, clock, rtc, get, put, time, setAlarm };
}

describe("GoldfishRtc", () => {
  it("tells the host's time in nanoseconds, both halves from one moment", () => {
    const { clock, get, time } = make();
    assert.equal(time(), clock.epoch);
    clock.epoch = 0x1_ffff_ffffn;
    assert.equal(get("TIME_LOW"), 0xffff_ffff);
    clock.advance(1);
    assert.equal(get("TIME_HIGH"), 1);
  });

  it("is set by the guest, and keeps that over a reset", () => {
    const { clock, rtc, put, time } = make();
    put("TIME_HIGH", 5);
    put("TIME_LOW", 6);
    assert.equal(time(), (5n << 32n) | 6n);
    rtc.reset();
    clock.advance(10);
    assert.equal(time(), (5n << 32n) | 16n);
  });

  it("goes off at the alarm, once, and interrupts if allowed", () => {
    const { irq, clock, get, put, time, setAlarm } = make();
    put("IRQ_ENABLED", 1);
    setAlarm(time() + 5000n);
    assert.equal(get("ALARM_STATUS"), 1);
    clock.advance(4999);
    assert.equal(irq.level, false);
    clock.advance(1);
    assert.deepEqual([irq.level, get("ALARM_STATUS")], [true, 0]);
    put("IRQ_ENABLED", 0);
    assert.equal(irq.level, false);
    put("IRQ_ENABLED", 1);
    assert.equal(irq.level, true);
    put("CLEAR", 1);
    assert.equal(irq.level, false);
    assert.equal(clock.pending, 0);
  });

  it("goes off at once for an alarm in the past, never for one that is cleared", () => {
    const { irq, clock, put, time, setAlarm } = make();
    put("IRQ_ENABLED", 1);
    setAlarm(time() - 1n);
    assert.equal(irq.level, true);
    put("CLEAR", 1);
    setAlarm(time() + 10n);
    put("CLEAR_ALARM", 1);
    clock.advance(100);
    assert.equal(irq.level, false);
  });

  it("waits on when the host's time was set back meanwhile, and follows the guest's", () => {
    const { irq, clock, put, time, setAlarm } = make();
    put("IRQ_ENABLED", 1);
    setAlarm(time() + 100n);
    clock.epoch -= 50n;
    clock.advance(100);
    assert.equal(irq.level, false);
    clock.advance(50);
    assert.equal(irq.level, true);
    put("CLEAR", 1);
    setAlarm(time() + (1n << 40n));
    put("TIME_HIGH", 0xffff_ffff);
    assert.equal(irq.level, true);
  });

  it("has the reset values of its table, and takes its state along", () => {
    const { rtc, put, time, setAlarm } = make();
    checkResetValues(rtc, rtcRegisters.registers);
    put("IRQ_ENABLED", 1);
    setAlarm(time() + 77n);
    const other = make();
    checkStateRoundTrip(rtc, other.rtc);
    other.clock.advance(77);
    assert.equal(other.irq.level, true);
    checkStateRefusals(rtc);
  });

  it("survives rubbish", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { clock, rtc } = make();
      const random = new Random(seed);
      for (let step = 0; step < 1000; step++) {
        poke(rtc, random, offsetsOf(rtcRegisters));
        clock.advance(random.below(1_000_000));
        assert(clock.pending <= 1);
      }
      checkStateRoundTrip(rtc, make().rtc);
    }
  });
});
