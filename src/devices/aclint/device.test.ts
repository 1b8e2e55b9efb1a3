import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock, FakeIrq } from "../testing/fakes.ts";
import { checkStateRefusals, checkStateRoundTrip, poke, Random } from "../testing/fuzz.ts";
import { checkResetValues, offsetsOf } from "../testing/registers.ts";
import { Aclint } from "./device.ts";

function make(count = 2) {
  const clock = new FakeClock();
  const harts = Array.from({ length: count }, () => ({ msip: new FakeIrq(), mtip: new FakeIrq() }));
  return { clock, harts, aclint: new Aclint({ clock, harts }) };
}
const mtime = 0xbff8;
const mtimecmp = (hart: number) => 0x4000 + 8 * hart;

describe("Aclint", () => {
  it("counts mtime at 10 MHz", () => {
    const { clock, aclint } = make();
    assert.equal(aclint.read64(mtime), 0n);
    clock.advance(1_000_000_099);
    assert.equal(aclint.read64(mtime), 10_000_000n);
    clock.advance(500e9);
    assert.equal(aclint.read(mtime, 4), 5_010_000_000 % 2 ** 32);
    assert.equal(aclint.read(mtime + 4, 4), 1);
  });

  it("raises MTIP when mtime reaches mtimecmp and lowers it when mtimecmp is moved", () => {
    const { clock, harts, aclint } = make();
    aclint.write64(mtimecmp(1), 100n);
    clock.advance(9_999);
    assert.equal(harts[1].mtip.level, false);
    clock.advance(1);
    assert.deepEqual([harts[0].mtip.level, harts[1].mtip.level], [false, true]);
    aclint.write64(mtimecmp(1), 200n);
    assert.equal(harts[1].mtip.level, false);
    clock.advance(10_000);
    assert.equal(harts[1].mtip.level, true);
    aclint.write64(mtimecmp(1), 0xffff_ffff_ffff_ffffn);
    assert.equal(harts[1].mtip.level, false);
    assert.equal(clock.pending, 0);
  });

  it("takes mtimecmp in halves, as a 32-bit driver writes it", () => {
    const { clock, harts, aclint } = make();
    aclint.write(mtimecmp(0), 4, 0xffff_ffff);
    aclint.write(mtimecmp(0) + 4, 4, 0);
    aclint.write(mtimecmp(0), 4, 10);
    assert.equal(aclint.read64(mtimecmp(0)), 10n);
    assert.equal(harts[0].mtip.raised, 0);
    clock.advance(1000);
    assert.equal(harts[0].mtip.level, true);
  });

  it("moves timers along when mtime is written", () => {
    const { clock, harts, aclint } = make();
    aclint.write64(mtimecmp(0), 1000n);
    aclint.write64(mtime, 900n);
    clock.advance(9_900);
    assert.equal(harts[0].mtip.level, false);
    clock.advance(100);
    assert.equal(harts[0].mtip.level, true);
    aclint.write64(mtime, 0n);
    assert.equal(harts[0].mtip.level, false);
    aclint.write64(mtime, 0xffff_ffff_ffff_ffffn);
    assert.equal(aclint.read64(mtime), (1n << 53n) - 1n);
  });

  it("drives MSIP from bit 0", () => {
    const { harts, aclint } = make();
    aclint.write(4, 4, 0xffff_ffff);
    assert.equal(aclint.read(4, 4), 1);
    assert.deepEqual([harts[0].msip.level, harts[1].msip.level], [false, true]);
    aclint.write(4, 4, 0xffff_fffe);
    assert.equal(harts[1].msip.level, false);
  });

  it("has the reset values of its table, and no timer left after reset", () => {
    const { clock, aclint, harts } = make();
    aclint.write64(mtimecmp(0), 5n);
    aclint.write(0, 4, 1);
    aclint.reset();
    assert.equal(clock.pending, 0);
    assert.equal(harts[0].msip.level, false);
    checkResetValues(aclint, aclint.table.registers);
  });

  it("takes its state to another machine, whose clock stands elsewhere", () => {
    const { clock, aclint } = make();
    clock.advance(12_345_600);
    aclint.write64(mtimecmp(1), 123_456n + 10n);
    aclint.write(0, 4, 1);
    const other = make();
    checkStateRoundTrip(aclint, other.aclint);
    assert.equal(other.harts[0].msip.level, true);
    other.clock.advance(1000);
    assert.equal(other.harts[1].mtip.level, true);
    checkStateRefusals(aclint);
    assert.throws(() => make(3).aclint.load(aclint.save()), { code: "BAD_STATE" });
  });

  it("survives rubbish", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { clock, harts, aclint } = make(3);
      const random = new Random(seed);
      const hot = offsetsOf(aclint.table);
      for (let step = 0; step < 500; step++) {
        poke(aclint, random, hot);
        clock.advance(random.below(10_000));
        for (const [index, hart] of harts.entries()) {
          assert.equal(hart.mtip.level, BigInt(aclint.mtime()) >= aclint.readMtimecmp(index), `seed ${seed}, step ${step}`);
        }
      }
      assert(clock.pending <= 3);
      checkStateRoundTrip(aclint, make(3).aclint);
    }
  });
});
