import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeRam } from "../testing/fakes.ts";
import { VirtioRng } from "./rng/device.ts";
import { Bench, type DriverQueue, features } from "./testing/driver.ts";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

function start(options: { refuse?: bigint; size?: number } = {}) {
  let fills = 0;
  const bench = new Bench(new VirtioRng({ fill: (bytes) => bytes.fill(++fills) }));
  bench.start({ size: 8, ...options });
  return { bench, queue: bench.queues[0], fills: () => fills };
}
const somewhere = FakeRam.base + 0x100;
const set = (queue: DriverQueue, index: number, flags: number, next = 0, address = somewhere, length = 16) =>
  queue.writeDescriptor(queue.descriptors + 16 * index, { address, length, flags, next });

describe("VirtQueue", () => {
  it("serves chains in order, direct and indirect, with rings that wrap", () => {
    for (const indirect of [false, true]) {
      const { bench, queue } = start();
      for (let round = 1; round <= 20; round++) {
        const requests = Array.from({ length: 3 }, () => queue.add([], [3, 5], indirect));
        queue.kick();
        assert.deepEqual(
          queue.takeUsed(),
          requests.map(({ head }) => ({ head, written: 8 })),
        );
        assert.deepEqual(
          requests.map((request) => [...new Set(queue.result(request))]),
          [[3 * round - 2], [3 * round - 1], [3 * round]],
        );
      }
      assert.deepEqual(bench.mmio.misuse.counts, {});
    }
  });

  it("carries the 16-bit indices over their end", () => {
    const { queue, bench } = start();
    for (let i = 0; i < 66_000; i++) {
      if (i % 1000 === 0) bench.irq.raised = 0;
      set(queue, 0, WRITE);
      queue.push(0);
      queue.kick();
    }
    assert.equal(bench.get(0x070), 15);
    assert.equal(queue.view(queue.used, 4).getUint16(2, true), 66_000 & 0xffff);
  });

  it("interrupts when the driver wants it: EVENT_IDX", () => {
    const { bench, queue } = start();
    queue.interruptAfter(3);
    for (let i = 0; i < 2; i++) {
      queue.add([], [1]);
      queue.kick();
    }
    assert.equal(bench.irq.level, false);
    assert.equal(queue.availableEvent, 2);
    queue.add([], [1]);
    queue.add([], [1]);
    queue.kick();
    assert.equal(bench.takeInterrupt(), 1);
    assert.equal(queue.takeUsed().length, 4);
    queue.add([], [1]);
    queue.kick();
    assert.equal(bench.irq.level, false);
  });

  it("interrupts when the driver wants it: flags", () => {
    const { bench, queue } = start({ refuse: features.EVENT_IDX | features.INDIRECT_DESC });
    queue.suppressInterrupts(true);
    queue.add([], [1]);
    queue.kick();
    assert.equal(bench.irq.level, false);
    queue.suppressInterrupts(false);
    for (let i = 0; i < 4; i++) queue.add([], [1]);
    queue.kick();
    assert.equal(bench.irq.raised, 1);
    assert.equal(bench.takeInterrupt(), 1);
    assert.equal(queue.takeUsed().length, 5);
  });

  const broken: [string, string, (queue: DriverQueue) => void][] = [
    ["a head outside the table", "badDescriptorIndex", (queue) => queue.push(8)],
    [
      "a next outside the table",
      "badDescriptorIndex",
      (queue) => {
        set(queue, 0, NEXT | WRITE, 0xffff);
        queue.push(0);
      },
    ],
    [
      "a loop",
      "descriptorLoop",
      (queue) => {
        set(queue, 0, NEXT | WRITE, 1);
        set(queue, 1, NEXT | WRITE, 0);
        queue.push(0);
      },
    ],
    [
      "a buffer outside RAM",
      "descriptorOutsideRam",
      (queue) => {
        set(queue, 0, WRITE, 0, 0x1000);
        queue.push(0);
      },
    ],
    [
      "a buffer that ends outside RAM",
      "descriptorOutsideRam",
      (queue) => {
        set(queue, 0, WRITE, 0, FakeRam.base, 0xffff_ffff);
        queue.push(0);
      },
    ],
    [
      "a buffer at the end of the address space",
      "descriptorOutsideRam",
      (queue) => {
        set(queue, 0, WRITE, 0, 0, 16);
        queue.view(queue.descriptors, 8).setBigUint64(0, 0xffff_ffff_ffff_fff8n, true);
        queue.push(0);
      },
    ],
    [
      "readable after writable",
      "readableAfterWritable",
      (queue) => {
        set(queue, 0, NEXT | WRITE, 1);
        set(queue, 1, 0);
        queue.push(0);
      },
    ],
    [
      "an indirect table of half a descriptor",
      "badIndirectDescriptor",
      (queue) => {
        set(queue, 0, INDIRECT, 0, somewhere, 24);
        queue.push(0);
      },
    ],
    [
      "an empty indirect table",
      "badIndirectDescriptor",
      (queue) => {
        set(queue, 0, INDIRECT, 0, somewhere, 0);
        queue.push(0);
      },
    ],
    [
      "an indirect table that goes on",
      "badIndirectDescriptor",
      (queue) => {
        set(queue, 0, INDIRECT | NEXT, 1, somewhere, 16);
        queue.push(0);
      },
    ],
    [
      "an indirect table outside RAM",
      "descriptorOutsideRam",
      (queue) => {
        set(queue, 0, INDIRECT, 0, 0x2000, 16);
        queue.push(0);
      },
    ],
    [
      "an indirect table within an indirect table",
      "badIndirectDescriptor",
      (queue) => {
        queue.writeDescriptor(somewhere, { address: somewhere, length: 16, flags: INDIRECT, next: 0 });
        set(queue, 0, INDIRECT, 0, somewhere, 16);
        queue.push(0);
      },
    ],
    ["an available index too far ahead", "badAvailableIndex", (queue) => queue.setAvailableIndex(9)],
    ["an available index that goes back", "badAvailableIndex", (queue) => queue.setAvailableIndex(-1)],
  ];
  for (const [what, kind, spoil] of broken) {
    it(`stops the device at ${what}`, () => {
      const { bench, queue, fills } = start();
      spoil(queue);
      queue.kick();
      assert.deepEqual(bench.mmio.misuse.counts, { [kind]: 1 });
      assert.equal(bench.get(0x070), 0x4f);
      assert.equal(bench.takeInterrupt(), 2);
      assert.equal(fills(), 0);
      queue.kick();
      assert.deepEqual(bench.mmio.misuse.counts, { [kind]: 1, earlyNotify: 1 });
    });
  }

  it("does not take an indirect table that was not negotiated", () => {
    const { bench, queue } = start({ refuse: features.INDIRECT_DESC });
    set(queue, 0, INDIRECT, 0, somewhere, 16);
    queue.push(0);
    queue.kick();
    assert.deepEqual(bench.mmio.misuse.counts, { badIndirectDescriptor: 1 });
  });

  it("refuses a chain of more than 4 GiB, and an indirect table without end", () => {
    // 64 MiB of RAM a hundred times: each descriptor is in order.
    const bench = new Bench(new VirtioRng({ fill: () => assert.fail("served") }), 64 << 20).start({ size: 8 });
    const queue = bench.queues[0];
    const table = bench.allocate(16 * 100);
    for (let i = 0; i < 100; i++) {
      queue.writeDescriptor(table + 16 * i, { address: FakeRam.base, length: 64 << 20, flags: NEXT | WRITE, next: i + 1 });
    }
    set(queue, 0, INDIRECT, 0, table, 1600);
    queue.push(0);
    queue.kick();
    assert.deepEqual(bench.mmio.misuse.counts, { chainTooLong: 1 });
  });

  it("gives the guest its turn when a queue refills itself", () => {
    // The buffer of the one chain is the available ring's index: the device itself moves it on, for ever.
    let index = 1;
    const bench = new Bench(
      new VirtioRng({
        fill: (bytes) => {
          index = (index + 1) & 0xffff;
          new DataView(bytes.buffer, bytes.byteOffset).setUint16(0, index, true);
        },
      }),
    );
    const queue = bench.start({ size: 8 }).queues[0];
    set(queue, 0, WRITE, 0, queue.available + 2, 2);
    queue.push(0);
    queue.kick();
    assert.equal(index, 33);
    queue.kick();
    assert.equal(index, 65);
    assert.equal(bench.clock.pending, 1);
    bench.clock.advance(10_000);
    assert.equal(index, 97);
    assert.equal(bench.clock.pending, 1);
    bench.put(0x070, 0);
    bench.clock.advance(10_000);
    assert.equal(index, 97);
    assert.equal(bench.clock.pending, 0);
  });
});
