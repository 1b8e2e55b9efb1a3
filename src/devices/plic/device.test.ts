import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeIrq } from "../testing/fakes.ts";
import { checkStateRefusals, checkStateRoundTrip, poke, Random, rubbish } from "../testing/fuzz.ts";
import { checkResetValues, offsetsOf } from "../testing/registers.ts";
import { Plic } from "./device.ts";

function make(count = 4) {
  const contexts = Array.from({ length: count }, () => new FakeIrq());
  return { contexts, plic: new Plic({ contexts }) };
}

/** As a driver sets up a source for a context. */
function enable(plic: Plic, context: number, source: number, priority: number) {
  const word = 0x2000 + context * 0x80 + 4 * (source >> 5);
  plic.write(word, 4, plic.read(word, 4) | (1 << (source & 31)));
  plic.write(4 * source, 4, priority);
}
const threshold = (context: number) => 0x200000 + context * 0x1000;
const claim = (context: number) => threshold(context) + 4;

describe("Plic", () => {
  it("asks for service, is claimed and completed", () => {
    const { contexts, plic } = make();
    const line = plic.input(10);
    enable(plic, 1, 10, 1);
    line.set(true);
    assert.deepEqual(
      contexts.map((context) => context.level),
      [false, true, false, false],
    );
    assert.equal(plic.read(0x1000, 4), 1 << 10);
    assert.equal(plic.read(claim(1), 4), 10);
    assert.equal(contexts[1].level, false);
    assert.equal(plic.read(0x1000, 4), 0);
    assert.equal(plic.read(claim(1), 4), 0);
    line.set(false);
    plic.write(claim(1), 4, 10);
    assert.equal(contexts[1].level, false);
  });

  it("asks again after completion while the line is high, and not before", () => {
    const { contexts, plic } = make();
    const line = plic.input(33);
    enable(plic, 0, 33, 7);
    line.set(true);
    assert.equal(plic.read(claim(0), 4), 33);
    line.set(false);
    line.set(true);
    assert.equal(contexts[0].level, false);
    plic.write(claim(0), 4, 33);
    assert.equal(contexts[0].level, true);
  });

  it("keeps a request whose line has fallen", () => {
    const { plic } = make();
    const line = plic.input(3);
    enable(plic, 0, 3, 1);
    line.set(true);
    line.set(false);
    assert.equal(plic.read(claim(0), 4), 3);
    plic.write(claim(0), 4, 3);
    assert.equal(plic.read(claim(0), 4), 0);
  });

  it("serves the highest priority first, then the lowest source", () => {
    const { plic } = make();
    for (const [source, priority] of [
      [40, 2],
      [95, 5],
      [7, 2],
      [64, 5],
    ]) {
      enable(plic, 2, source, priority);
      plic.input(source).set(true);
    }
    assert.deepEqual(
      [1, 2, 3, 4, 5].map(() => plic.read(claim(2), 4)),
      [64, 95, 7, 40, 0],
    );
  });

  it("keeps what is not above the threshold from the hart, though not from a claim", () => {
    const { contexts, plic } = make();
    enable(plic, 0, 5, 3);
    plic.write(threshold(0), 4, 3);
    plic.input(5).set(true);
    assert.equal(contexts[0].level, false);
    plic.write(threshold(0), 4, 2);
    assert.equal(contexts[0].level, true);
    plic.write(threshold(0), 4, 7);
    assert.equal(contexts[0].level, false);
    assert.equal(plic.read(claim(0), 4), 5);
  });

  it("never serves priority 0, and keeps three bits of priorities and thresholds", () => {
    const { contexts, plic } = make();
    enable(plic, 0, 5, 8);
    assert.equal(plic.read(20, 4), 0);
    plic.input(5).set(true);
    assert.equal(contexts[0].level, false);
    assert.equal(plic.read(claim(0), 4), 0);
    plic.write(threshold(1), 4, 0xffff_ffff);
    assert.equal(plic.read(threshold(1), 4), 7);
  });

  it("has no source 0", () => {
    const { plic } = make();
    plic.write(0, 4, 7);
    plic.write(0x2000, 4, 0xffff_ffff);
    assert.equal(plic.read(0, 4), 0);
    assert.equal(plic.read(0x2000, 4), 0xffff_fffe);
    assert.throws(() => plic.input(0), /no source 0/);
    assert.throws(() => plic.input(96), /no source 96/);
  });

  it("ignores completion of what the context did not enable or nobody claimed", () => {
    const { contexts, plic } = make();
    enable(plic, 0, 5, 1);
    plic.input(5).set(true);
    assert.equal(plic.read(claim(0), 4), 5);
    plic.write(claim(1), 4, 5);
    plic.write(claim(0), 4, 6);
    plic.write(claim(0), 4, 0xffff_ffff);
    assert.equal(contexts[0].level, false);
    assert.deepEqual(plic.misuse.counts, { completedUnclaimed: 3 });
    plic.write(claim(0), 4, 5);
    assert.equal(contexts[0].level, true);
  });

  it("has the reset values of its table; a line that is high asks again after reset", () => {
    const { contexts, plic } = make();
    checkResetValues(plic, plic.table.registers);
    enable(plic, 0, 5, 1);
    plic.input(5).set(true);
    assert.equal(plic.read(claim(0), 4), 5);
    plic.reset();
    assert.equal(contexts[0].level, false);
    enable(plic, 0, 5, 1);
    assert.equal(contexts[0].level, true);
  });

  it("takes its state along", () => {
    const { plic } = make();
    enable(plic, 0, 5, 1);
    enable(plic, 0, 31, 1);
    plic.input(5).set(true);
    plic.read(claim(0), 4);
    plic.input(31).set(true);
    const other = make();
    checkStateRoundTrip(plic, other.plic);
    assert.equal(other.contexts[0].level, true);
    checkStateRefusals(plic);
    assert.throws(() => make(2).plic.load(plic.save()), { code: "BAD_STATE" });
  });

  it("survives rubbish", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { contexts, plic } = make();
      const random = new Random(seed);
      const hot = offsetsOf(plic.table);
      const inputs = Array.from({ length: 95 }, (_, index) => plic.input(index + 1));
      for (let step = 0; step < 1000; step++) {
        const choice = random.below(4);
        if (choice === 0) random.pick(inputs).set(random.chance(2));
        else if (choice === 1) plic.write(4 * random.below(96), 4, rubbish(random));
        else if (choice === 2) plic.write(claim(random.below(4)), 4, random.below(100));
        else poke(plic, random, hot);
      }
      for (const [context, line] of contexts.entries()) {
        plic.write(threshold(context), 4, 0);
        const wanted = line.level;
        assert.equal(plic.read(claim(context), 4) !== 0, wanted, `seed ${seed}`);
      }
      checkStateRoundTrip(plic, make().plic);
    }
  });
});
