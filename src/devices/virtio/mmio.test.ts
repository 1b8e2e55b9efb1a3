import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkStateRefusals, checkStateRoundTrip } from "../testing/fuzz.ts";
import { checkResetValues } from "../testing/registers.ts";
import { virtioMmioRegisters } from "./registers.ts";
import { VirtioRng } from "./rng/device.ts";
import { Bench, features } from "./testing/driver.ts";

const bench = () => new Bench(new VirtioRng({ fill: (bytes) => bytes.fill(1) }));
const reg = {
  DriverFeatures: 0x020,
  DriverFeaturesSel: 0x024,
  QueueSel: 0x030,
  QueueNumMax: 0x034,
  QueueNum: 0x038,
  QueueReady: 0x044,
  QueueNotify: 0x050,
  Status: 0x070,
  QueueDescLow: 0x080,
  QueueReset: 0x0c0,
};

describe("VirtioMmio", () => {
  it("identifies itself and has the reset values of its table", () => {
    const b = bench();
    checkResetValues(b.mmio, virtioMmioRegisters.registers);
    assert.equal(b.get(0x008), 4);
  });

  it("refuses a legacy driver: no FEATURES_OK without VIRTIO_F_VERSION_1", () => {
    const b = bench();
    b.put(reg.Status, 3);
    b.put(reg.Status, 11);
    assert.equal(b.get(reg.Status), 3);
    b.put(reg.Status, 7);
    assert.equal(b.get(reg.Status), 3, "DRIVER_OK needs FEATURES_OK");
    assert.deepEqual({ ...b.mmio.misuse.counts }, { badFeatures: 1, earlyDriverOk: 1 });
    // GuestPageSize and QueuePFN of the legacy interface are no registers.
    b.put(0x028, 4096);
    b.put(0x040, 1);
    assert.equal(b.mmio.misuse.counts.unmapped, 2);
  });

  it("refuses features that were not offered, and changes after FEATURES_OK", () => {
    const b = bench();
    b.put(reg.Status, 3);
    b.put(reg.DriverFeaturesSel, 1);
    b.put(reg.DriverFeatures, 1);
    b.put(reg.DriverFeaturesSel, 0);
    b.put(reg.DriverFeatures, 1);
    b.put(reg.Status, 11);
    assert.equal(b.get(reg.Status), 3);
    b.put(reg.DriverFeatures, 0);
    assert.equal(b.mmio.accepted, 0n);
    b.put(reg.Status, 11);
    assert.equal(b.get(reg.Status), 11);
    b.put(reg.DriverFeatures, 1 << 29);
    assert.equal(b.mmio.accepted, features.VERSION_1);
    assert.equal(b.mmio.misuse.counts.lateFeatures, 1);
  });

  it("offers no features beyond 64 bits and no queue beyond the last", () => {
    const b = bench();
    b.put(0x014, 2);
    assert.equal(b.get(0x010), 0);
    b.put(reg.QueueSel, 1);
    assert.equal(b.get(reg.QueueNumMax), 0);
    assert.equal(b.get(reg.QueueReady), 0);
    b.put(reg.QueueReady, 1);
    b.put(reg.QueueNum, 8);
    b.put(reg.QueueNotify, 1);
    assert.deepEqual(b.mmio.misuse.counts, { noSuchQueue: 3 });
  });

  it("needs a reset after a queue of impossible size or place", () => {
    for (const [offset, value, kind] of [
      [reg.QueueNum, 0, "badQueueSize"],
      [reg.QueueNum, 48, "badQueueSize"],
      [reg.QueueNum, 128, "badQueueSize"],
      [reg.QueueNum, 0x10001, "badQueueSize"],
      [reg.QueueDescLow, 8, "misalignedQueue"],
      [reg.QueueDescLow + 4, 1, "queueOutsideRam"],
      [reg.QueueDescLow + 4, 0xffff_ffff, "queueOutsideRam"],
      [reg.QueueDescLow, 0, "queueOutsideRam"],
    ] as const) {
      const b = bench().start();
      b.put(reg.QueueSel, 0);
      b.put(reg.QueueReady, 0);
      b.put(offset, value);
      b.put(reg.QueueReady, 1);
      assert.equal(b.get(reg.QueueReady), 0, kind);
      assert.equal(b.get(reg.Status), 0x4f);
      assert.equal(b.takeInterrupt(), 2);
      assert.deepEqual(b.mmio.misuse.counts, { [kind]: 1 });
      b.start();
      const request = b.queues[0].add([], [4]);
      b.queues[0].kick();
      assert.deepEqual([...b.queues[0].result(request)], [1, 1, 1, 1]);
    }
  });

  it("keeps the settings of a queue at work", () => {
    const b = bench().start();
    b.put(reg.QueueSel, 0);
    b.put(reg.QueueNum, 2);
    b.put(reg.QueueDescLow, 0);
    assert.deepEqual(b.mmio.misuse.counts, { queueInUse: 2 });
    b.queues[0].add([], [4]);
    b.queues[0].kick();
    assert.equal(b.queues[0].takeUsed().length, 1);
  });

  it("resets a single queue", () => {
    const b = bench().start();
    b.put(reg.QueueSel, 0);
    b.put(reg.QueueReset, 1);
    assert.deepEqual([b.get(reg.QueueReset), b.get(reg.QueueReady), b.get(reg.Status)], [0, 0, 15]);
    b.put(reg.QueueNotify, 0);
    assert.deepEqual(b.mmio.misuse.counts, { earlyNotify: 1 });
  });

  it("forgets everything when Status is set to zero", () => {
    const b = bench().start();
    b.queues[0].add([], [4]);
    b.queues[0].kick();
    assert.equal(b.irq.level, true);
    b.put(reg.Status, 0);
    assert.equal(b.irq.level, false);
    assert.deepEqual([b.get(reg.Status), b.get(0x060), b.get(reg.QueueReady)], [0, 0, 0]);
    assert.equal(b.mmio.accepted, 0n);
  });

  it("has no shared memory", () => {
    const b = bench();
    for (const offset of [0x0b0, 0x0b4, 0x0b8, 0x0bc]) assert.equal(b.get(offset), 0xffff_ffff);
  });

  it("takes its state along, and refuses a wrong one", () => {
    const b = bench().start();
    const request = b.queues[0].add([], [4]);
    b.queues[0].kick();
    b.queues[0].takeUsed();
    const other = bench();
    other.ram.bytes.set(b.ram.bytes);
    checkStateRoundTrip(b.mmio, other.mmio);
    assert.equal(other.irq.level, true);
    assert.equal(request.into.length, 1);
    checkStateRefusals(b.mmio);
    const state = JSON.parse(JSON.stringify(b.mmio.save()));
    state.queues[0].size = 3;
    assert.throws(() => other.mmio.load(state), { code: "BAD_STATE" });
  });
});
