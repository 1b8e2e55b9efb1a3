import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkStateRefusals, checkStateRoundTrip, poke, Random } from "../testing/fuzz.ts";
import { checkResetValues } from "../testing/registers.ts";
import { TestFinisher } from "./device.ts";
import { finisherRegisters } from "./registers.ts";

function make() {
  const asked: string[] = [];
  const device = new TestFinisher({ off: (code) => asked.push(`off ${code}`), reset: () => asked.push("reset") });
  return { asked, device };
}

describe("TestFinisher", () => {
  it("passes, fails with a code, and resets", () => {
    const { asked, device } = make();
    device.write(0, 4, 0x5555);
    device.write(0, 4, 0x0007_3333);
    device.write(0, 4, 0x3333);
    device.write(0, 4, 0x7777);
    device.write(0, 2, 0x5555);
    assert.deepEqual(asked, ["off 0", "off 7", "off 1", "reset", "off 0"]);
    assert.equal(device.read(0, 4), 0);
  });

  it("counts any other value", () => {
    const { asked, device } = make();
    device.write(0, 4, 0);
    assert.deepEqual(asked, []);
    assert.deepEqual(device.misuse.counts, { badValue: 1 });
  });

  it("has the reset values of its table, and a state", () => {
    const { device } = make();
    checkResetValues(device, finisherRegisters.registers);
    checkStateRoundTrip(device, make().device);
    checkStateRefusals(device);
  });

  it("survives rubbish", () => {
    const { device } = make();
    const random = new Random(1);
    for (let step = 0; step < 5000; step++) poke(device, random, [0]);
    assert(Object.keys(device.misuse.counts).length > 1);
  });
});
