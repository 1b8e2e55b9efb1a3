import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Misuse, type Register, RegisterTable } from "./registers.ts";

class Sample {
  readonly misuse = new Misuse();
  log: string[] = [];
  a = 0x44332211;
  b = 0;
  wide = 0x8877_6655_4433_2211n;
  words = [1, 2, 3];
  bank = false;
}

const registers: Register<Sample>[] = [
  {
    name: "a",
    at: 0,
    size: 4,
    access: "rw",
    reset: 0,
    partial: "merge",
    read: (d) => d.a,
    write: (d, value) => void (d.a = value),
  },
  { name: "b", at: 4, size: 4, access: "wo", write: (d, value) => void (d.b = value) },
  { name: "id", at: 8, size: 4, access: "ro", reset: 7, read: () => 7 },
  {
    name: "wide",
    at: 16,
    size: 8,
    access: "rw",
    reset: 0n,
    partial: "merge",
    read: (d) => d.wide,
    write: (d, value) => void (d.wide = value),
  },
  { name: "low", at: 24, size: 1, access: "ro", reset: 1, when: (d) => !d.bank, read: () => 1 },
  { name: "high", at: 24, size: 1, access: "ro", reset: 2, when: (d) => d.bank, read: () => 2 },
  {
    name: "words",
    at: 32,
    size: 4,
    count: 3,
    stride: 8,
    access: "rw",
    reset: 0,
    read: (d, index) => d.words[index],
    write: (d, value, index) => {
      d.log.push(`words[${index}]=${value}`);
      d.words[index] = value;
    },
  },
];
const table = new RegisterTable<Sample>(64, registers);

describe("RegisterTable", () => {
  it("reads and writes whole registers", () => {
    const device = new Sample();
    table.write(device, 0, 4, -1);
    assert.equal(table.read(device, 0, 4), 0xffff_ffff);
    assert.equal(table.read(device, 8, 4), 7);
    table.write(device, 40, 4, 9);
    assert.deepEqual(device.words, [1, 9, 3]);
    assert.equal(table.read(device, 48, 4), 3);
    assert.deepEqual(device.misuse.counts, {});
  });

  it("merges part of a register where the register allows it", () => {
    const device = new Sample();
    assert.equal(table.read(device, 1, 2), 0x3322);
    table.write(device, 2, 1, 0xee);
    assert.equal(device.a, 0x44ee2211);
    assert.equal(table.read(device, 20, 4), 0x88776655);
    table.write(device, 16, 4, 0xdeadbeef);
    assert.equal(device.wide, 0x88776655_deadbeefn);
    assert.equal(table.read64(device, 16), 0x88776655_deadbeefn);
    table.write64(device, 16, -2n);
    assert.equal(device.wide, 0xffff_ffff_ffff_fffen);
  });

  it("refuses part of a register where it does not, and counts that", () => {
    const device = new Sample();
    assert.equal(table.read(device, 9, 1), 0);
    table.write(device, 32, 2, 5);
    assert.deepEqual(device.log, []);
    assert.deepEqual(device.misuse.counts, { partial: 2 });
  });

  it("splits an access over several registers", () => {
    const device = new Sample();
    table.write64(device, 0, 0x0000_0002_0000_0001n);
    assert.deepEqual([device.a, device.b], [1, 2]);
    // The upper half of `words[0]` is refused, the gap after it is no register.
    assert.equal(table.read(device, 34, 4), 0);
    assert.deepEqual(device.misuse.counts, { partial: 1, unmapped: 1 });
    const first = new RegisterTable<Sample>(64, registers, { wide: "first" });
    assert.equal(first.read(new Sample(), 24, 4), 1);
  });

  it("answers what is not there with zero, and counts it", () => {
    const device = new Sample();
    assert.equal(table.read(device, 60, 4), 0);
    table.write(device, 36, 4, 1);
    assert.equal(table.read64(device, 56), 0n);
    assert.equal(table.read(device, 4, 4), 0);
    table.write(device, 8, 4, 1);
    assert.deepEqual(device.misuse.counts, { unmapped: 3, writeOnly: 1, readOnly: 1 });
  });

  it("chooses between registers that share an address", () => {
    const device = new Sample();
    assert.equal(table.read(device, 24, 1), 1);
    device.bank = true;
    assert.equal(table.read(device, 24, 1), 2);
  });

  it("refuses a table that cannot be", () => {
    const one = (entry: Partial<Register<Sample>>) => ({ ...registers[2], ...entry }) as Register<Sample>;
    const refuse = (entries: Register<Sample>[], message: RegExp) => assert.throws(() => new RegisterTable(64, entries), message);
    refuse([one({ at: 2 })], /aligned/);
    refuse([one({ at: 64 })], /outside/);
    refuse([one({}), one({})], /twice/);
    refuse([one({ at: 0, size: 8 } as never), one({ name: "other", at: 4 })], /overlap/);
    refuse([one({ at: 4 }), one({ name: "other", at: 4, size: 2 })], /share an address/);
    refuse([one({ count: 15, at: 8 })], /outside/);
  });
});
