import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { collect, GuestInput, GuestOutput } from "./streams.ts";

const bytes = (text: string) => Uint8Array.from(Buffer.from(text));

/** A device that takes `room` bytes. */
function device(room: number) {
  const port = {
    room,
    received: "",
    resumed: 0,
    push(given: Uint8Array): number {
      const taken = Math.min(given.length, port.room);
      port.room -= taken;
      port.received += Buffer.from(given.subarray(0, taken)).toString();
      return taken;
    },
    resume(): void {
      port.resumed++;
    },
  };
  return port;
}

test("output is read in order, and its bytes are the reader's own", async () => {
  const output = new GuestOutput();
  const shared = bytes("one ");
  output.write(shared);
  shared.fill(0);
  const reader = collect(output);
  await setImmediate();
  output.write(bytes("two "));
  await setImmediate();
  output.write(bytes("three"));
  output.end();
  assert.equal(Buffer.from(await reader).toString(), "one two three");
});

test("a guest waits for a slow reader, and goes on when it has read", async () => {
  const output = new GuestOutput();
  const port = device(0);
  output.attach(port);
  assert.equal(output.write(new Uint8Array(1 << 20)), 256 * 1024);
  assert.equal(output.write(new Uint8Array(10)), 0);
  assert.equal(port.resumed, 0);
  assert.equal(output.take()?.length, 256 * 1024);
  assert.equal(port.resumed, 1);
  assert.equal(output.write(new Uint8Array(10)), 10);
});

test("what the device still has at the end is read, too", async () => {
  const output = new GuestOutput();
  const port = { ...device(0), resume: () => void output.write(new Uint8Array(5)) };
  output.attach(port);
  assert.equal(output.settle(), undefined);
  output.write(new Uint8Array(256 * 1024 - 5 - 2));
  let settled = false;
  void output.settle()?.then(() => {
    settled = true;
  });
  await setImmediate();
  assert.equal(settled, false);
  output.take();
  await setImmediate();
  assert.equal(settled, true);
  output.write(new Uint8Array(256 * 1024));
  const rest = output.settle();
  output.end();
  await rest;
});

test("of a log that nobody reads the end is kept, and nobody waits", () => {
  const output = new GuestOutput({ lossy: true });
  for (let i = 0; i < 1000; i++) assert.equal(output.write(new Uint8Array(1000).fill(i)), 1000);
  const kept = output.take() as Uint8Array;
  assert.ok(kept.length > 60_000 && kept.length <= 64 * 1024);
  assert.equal(kept.at(-1), 999 & 255);
});

test("an output has one reader at a time", async () => {
  const output = new GuestOutput();
  output.write(bytes("a"));
  const first = output[Symbol.asyncIterator]();
  await first.next();
  await assert.rejects(output[Symbol.asyncIterator]().next(), /has a reader/);
  await first.return();
  output.write(bytes("b"));
  assert.equal((await output[Symbol.asyncIterator]().next()).value?.length, 1);
});

test("input waits for the device, keeps its order, and ends after the last byte", async () => {
  const input = new GuestInput();
  const port = device(3);
  let closed = 0;
  const done: string[] = [];
  void input.write(bytes("hello")).then(() => done.push("hello"));
  void input.write(bytes(" world")).then(() => done.push("world"));
  input.attach(port, () => closed++);
  input.end();
  await setImmediate();
  assert.deepEqual([port.received, done, closed], ["hel", [], 0]);
  port.room = 4;
  input.pump();
  await setImmediate();
  assert.deepEqual([port.received, done, closed], ["hello w", ["hello"], 0]);
  port.room = 100;
  input.pump();
  await setImmediate();
  assert.deepEqual([port.received, done, closed], ["hello world", ["hello", "world"], 1]);
  await assert.rejects(input.write(bytes("x")), /after the end/);
});

test("writers are let go when the guest is gone", async () => {
  const input = new GuestInput();
  const write = input.write(bytes("never taken"));
  input.abandon();
  await write;
  await input.write(bytes("nor this"));
});
