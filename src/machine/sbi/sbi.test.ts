import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeHart } from "../testing/fake-hart.ts";
import { csr } from "./extension.ts";
import { Sbi } from "./sbi.ts";

const id = { base: 0x10n, time: 0x54494d45n, ipi: 0x735049n, rfence: 0x52464e43n, hsm: 0x48534dn, srst: 0x53525354n };
const dbcn = 0x4442434en;
const pmu = 0x504d55n;
const all = 2n ** 64n - 1n;

function setup() {
  const hart = new FakeHart();
  const ram = new Uint8Array(256);
  const events: string[] = [];
  const access = (address: number, length: number) =>
    address >= 0 && length >= 0 && address + length <= ram.length ? ram.subarray(address, address + length) : undefined;
  let typed = "";
  let room = 100;
  const sbi = new Sbi({
    console: {
      write: (bytes) => {
        events.push(`write ${Buffer.from(bytes)}`);
        return Math.min(bytes.length, room);
      },
      read: (into) => {
        const bytes = Buffer.from(typed.slice(0, into.length));
        into.set(bytes);
        typed = typed.slice(bytes.length);
        return bytes.length;
      },
    },
    read: access,
    write: access,
    powerOff: (code) => events.push(`off ${code}`),
    reset: () => events.push("reset"),
  });
  /** Calls and returns error (signed), value and whether the hart waits. */
  const call = (extension: bigint, number: bigint, ...args: bigint[]) => {
    hart.x.fill(0xdeadn, 10, 18);
    args.forEach((value, index) => {
      hart.x[10 + index] = value;
    });
    hart.x[16] = number;
    hart.x[17] = extension;
    const pc = hart.pc;
    const wait = sbi.handle(hart);
    assert.equal(hart.pc, pc + 4n);
    return [BigInt.asIntN(64, hart.x[10]), hart.x[11], wait];
  };
  const type = (text: string) => {
    typed += text;
  };
  const block = () => {
    room = 0;
  };
  return { hart, ram, events, call, type, block };
}

test("base says what there is", () => {
  const { hart, call } = setup();
  hart.csrs.set(csr.marchid, 42n);
  assert.deepEqual(call(id.base, 0n), [0n, 0x0200_0000n, false]);
  assert.deepEqual(call(id.base, 5n), [0n, 42n, false]);
  for (const extension of [...Object.values(id), dbcn, pmu, 0n, 1n, 2n]) assert.deepEqual(call(id.base, 3n, extension)[1], 1n);
  const absent = [0x53555350n, 0x535441n, 0x4e41434cn, 0x43505043n, 4n, 0x1_0000_0010n, all];
  for (const extension of absent) {
    assert.deepEqual(call(id.base, 3n, extension), [0n, 0n, false]);
    assert.deepEqual(call(extension, 0n), [-2n, 0n, false]);
  }
  for (const number of [7n, all, 2n ** 32n]) assert.deepEqual(call(id.base, number), [-2n, 0n, false]);
});

test("timer, IPI and fences act on the hart that is named", () => {
  const { hart, call } = setup();
  assert.deepEqual(call(id.time, 0n, 12345n), [0n, 0n, false]);
  assert.equal(hart.csrs.get(csr.stimecmp), 12345n);

  for (const [mask, base] of [
    [1n, 0n],
    [0n, all],
  ]) {
    hart.csrs.set(csr.mip, 0x20n);
    assert.deepEqual(call(id.ipi, 0n, mask, base), [0n, 0n, false]);
    assert.equal(hart.csrs.get(csr.mip), 0x22n);
  }
  hart.csrs.set(csr.mip, 0n);
  assert.deepEqual(call(id.ipi, 0n, 0n, 0n), [0n, 0n, false]);
  for (const [mask, base] of [
    [2n, 0n],
    [3n, 0n],
    [1n, 1n],
    [all, all - 1n],
  ])
    assert.deepEqual(call(id.ipi, 0n, mask, base)[0], -3n);
  assert.equal(hart.csrs.get(csr.mip), 0n);

  assert.equal(call(id.rfence, 0n, 1n, 0n)[0], 0n);
  assert.equal(call(id.rfence, 1n, 1n, 0n, 0n, all)[0], 0n);
  assert.equal(call(id.rfence, 2n, 0n, all, 0n, all, 7n)[0], 0n);
  assert.equal(hart.flushes, 2);
  assert.equal(call(id.rfence, 1n, 4n, 0n)[0], -3n);
  assert.equal(call(id.rfence, 3n, 1n, 0n)[0], -2n);
});

test("the one hart is started, cannot stop, and suspends until an interrupt", () => {
  const { call } = setup();
  assert.equal(call(id.hsm, 0n, 0n, 0x8000_0000n, 0n)[0], -6n);
  assert.equal(call(id.hsm, 0n, 1n, 0x8000_0000n, 0n)[0], -3n);
  assert.equal(call(id.hsm, 1n)[0], -1n);
  assert.deepEqual(call(id.hsm, 2n, 0n), [0n, 0n, false]);
  assert.equal(call(id.hsm, 2n, 1n)[0], -3n);
  assert.deepEqual(call(id.hsm, 3n, 0n), [0n, 0n, true]);
  assert.equal(call(id.hsm, 3n, 0x8000_0000n)[0], -2n);
  assert.equal(call(id.hsm, 3n, 0x1000_0000n)[0], -2n);
  assert.equal(call(id.hsm, 3n, 1n)[0], -3n);
});

test("system reset names its kind and its reason", () => {
  const { call, events } = setup();
  assert.equal(call(id.srst, 0n, 0n, 0n)[2], true);
  call(id.srst, 0n, 0n, 1n);
  call(id.srst, 0n, 1n, 0n);
  call(id.srst, 0n, 2n, 0n);
  assert.equal(call(id.srst, 0n, 3n, 0n)[0], -3n);
  assert.equal(call(id.srst, 0n, 0n, 2n)[0], -3n);
  assert.deepEqual(events, ["off 0", "off 1", "reset", "reset"]);
});

test("the debug console takes and gives bytes of RAM only", () => {
  const { call, ram, events, type } = setup();
  ram.set(Buffer.from("hello"), 10);
  assert.deepEqual(call(dbcn, 0n, 5n, 10n, 0n), [0n, 5n, false]);
  assert.deepEqual(call(dbcn, 0n, 200n, 0n, 0n).slice(0, 2), [0n, 100n], "says how many were taken");
  assert.equal(events[0], "write hello");
  type("abc");
  assert.deepEqual(call(dbcn, 1n, 2n, 20n, 0n), [0n, 2n, false]);
  assert.deepEqual(call(dbcn, 1n, 10n, 22n, 0n), [0n, 1n, false]);
  assert.equal(Buffer.from(ram.subarray(20, 23)).toString(), "abc");
  assert.deepEqual(call(dbcn, 1n, 10n, 22n, 0n), [0n, 0n, false]);
  assert.deepEqual(call(dbcn, 2n, 0x141n), [0n, 0n, false]);
  assert.equal(events.at(-1), "write A");
  const before = events.length;
  for (const number of [0n, 1n]) {
    for (const args of [
      [1n, 256n, 0n],
      [257n, 0n, 0n],
      [1n, 0n, 1n],
      [all, 0n, 0n],
      [1n, all, 0n],
      [2n ** 63n, 2n ** 63n, 0n],
    ]) {
      assert.equal(call(dbcn, number, ...args)[0], -3n, `${number}(${args})`);
    }
  }
  assert.equal(events.length, before);
});

test("counters are those that the hart has", () => {
  const { call, hart } = setup();
  const count = Number(call(pmu, 0n)[1]);
  const present = [...Array(count).keys()].filter((index) => call(pmu, 1n, BigInt(index))[0] === 0n);
  assert.deepEqual(present, [0, 2]);
  assert.deepEqual(call(pmu, 1n, 2n), [0n, 0x3fc02n, false]);
  for (const index of [1n, 3n, 64n, all]) assert.equal(call(pmu, 1n, index)[0], -3n);

  assert.deepEqual(call(pmu, 4n, 0n, 0b101n, 1n)[0], 0n);
  assert.equal(hart.csrs.get(csr.mcountinhibit), 0b101n);
  assert.deepEqual(call(pmu, 4n, 0n, 0b100n, 0n)[0], -8n);
  // General hardware event 2 is instructions: clear and start.
  assert.deepEqual(call(pmu, 2n, 0n, 0b101n, 0b110n, 2n, 0n), [0n, 2n, false]);
  assert.equal(hart.csrs.get(csr.minstret), 0n);
  assert.equal(hart.csrs.get(csr.mcountinhibit), 0b001n);
  assert.deepEqual(call(pmu, 3n, 0n, 0b100n, 0n)[0], -7n);
  assert.deepEqual(call(pmu, 3n, 0n, 0b001n, 1n, 99n)[0], 0n);
  assert.equal(hart.csrs.get(csr.mcycle), 99n);
  assert.equal(call(pmu, 2n, 0n, 0b101n, 0n, 3n, 0n)[0], -2n, "cache references are not counted");
  assert.equal(call(pmu, 2n, 0n, 0b001n, 0n, 2n, 0n)[0], -2n);
  for (const [base, mask] of [
    [0n, 0n],
    [0n, 2n],
    [1n, 1n],
    [all, 1n],
    [0n, all],
  ]) {
    for (const number of [2n, 3n, 4n]) assert.equal(call(pmu, number, base, mask, 0n, 1n)[0], -3n);
  }
  assert.equal(call(pmu, 5n, 0n)[0], -3n);
  assert.equal(call(pmu, 7n)[0], -2n);
});

test("legacy calls return in a0 alone", () => {
  const { call, hart, events, type, block } = setup();
  assert.deepEqual(call(1n, 99n, 0x42n), [0n, 0xdeadn, false]);
  assert.deepEqual(call(2n, 99n), [-1n, 0xdeadn, false]);
  type("x");
  assert.deepEqual(call(2n, 99n), [0x78n, 0xdeadn, false]);
  call(0n, 99n, 777n);
  assert.equal(hart.csrs.get(csr.stimecmp), 777n);
  hart.csrs.set(csr.mip, 2n);
  call(3n, 0n);
  assert.equal(hart.csrs.get(csr.mip), 0n);
  call(8n, 0n);
  assert.deepEqual(events, ["write B", "off 0"]);
  block();
  assert.deepEqual(call(1n, 99n, 0x42n), [-1n, 0xdeadn, false], "a character that nobody took");
  assert.equal(call(dbcn, 2n, 0x42n)[0], -1n);
  assert.deepEqual(call(dbcn, 0n, 5n, 0n, 0n), [0n, 0n, false]);
});
