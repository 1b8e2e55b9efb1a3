import assert from "node:assert/strict";
import { test } from "node:test";
import { HostTime, InstructionTime, MachineClock } from "./clock.ts";
import { FakeHost } from "./testing/fakes.ts";

test("guest time follows the host's clock and stands still while stopped", () => {
  const host = new FakeHost();
  const time = new HostTime(host);
  host.time = 1000;
  assert.equal(time.now(), 0);
  time.start();
  host.time = 1500;
  assert.equal(time.now(), 500);
  time.stop();
  host.time = 9000;
  assert.equal(time.now(), 500);
  time.start();
  host.time = 9001;
  assert.equal(time.now(), 501);
  time.reset();
  assert.equal(time.now(), 0);
  host.time = 9002;
  assert.equal(time.now(), 1);
});

test("time made of instructions is the same in every run, its wall time too", () => {
  let instret = 0;
  const time = new InstructionTime(() => instret, 2);
  const wall = time.wallTime();
  instret = 50;
  assert.equal(time.now(), 100);
  time.icount.skipTo(1000);
  assert.equal(time.now(), 1000);
  time.icount.skipTo(500);
  assert.equal(time.now(), 1000, "time never goes back");
  instret = 51;
  assert.equal(time.now(), 1002);
  assert.equal(time.wallTime() - wall, 1002n);
});

test("events happen in the order of their times, then of their scheduling", () => {
  const host = new FakeHost();
  const source = new HostTime(host);
  let changes = 0;
  const clock = new MachineClock(source, 100, () => changes++);
  source.start();
  const happened: string[] = [];
  clock.schedule(300, () => happened.push("c"));
  clock.schedule(100, () => {
    happened.push("a");
    clock.schedule(150, () => happened.push("scheduled by a"));
  });
  clock.schedule(300, () => happened.push("d"));
  const cancel = clock.schedule(200, () => happened.push("cancelled"));
  assert.equal(changes, 2, "told when an event becomes the soonest");
  cancel();
  clock.runDue();
  assert.deepEqual(happened, []);
  assert.equal(clock.nextEvent(), 100);
  host.time = 299;
  clock.runDue();
  assert.deepEqual(happened, ["a"], "what an event schedules is for the next time, even if it is due");
  clock.runDue();
  assert.deepEqual(happened, ["a", "scheduled by a"]);
  assert.equal(clock.ticks(), 2);
  host.time = 300;
  clock.runDue();
  assert.deepEqual(happened.slice(2), ["c", "d"]);
  assert.equal(clock.nextEvent(), Number.POSITIVE_INFINITY);
});
