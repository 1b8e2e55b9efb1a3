import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeCharacters } from "../testing/fakes.ts";
import { Random, rubbish } from "../testing/fuzz.ts";
import { VirtioBlock } from "./block/device.ts";
import { VirtioConsole } from "./console/device.ts";
import { VirtioRng } from "./rng/device.ts";
import { fuzzVirtio } from "./testing/fuzz.ts";
import { MemoryDisk, SlowDisk } from "./testing/memory-disk.ts";

const seeds = 12;
const steps = 3000;

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** Adds up what was counted over all seeds: a fuzz test that reaches nothing proves nothing. */
function collect(total: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [kind, count] of Object.entries(counts)) total[kind] = (total[kind] ?? 0) + count;
}

const brokenRings = [
  "descriptorLoop",
  "badDescriptorIndex",
  "badAvailableIndex",
  "badIndirectDescriptor",
  "descriptorOutsideRam",
];

describe("virtio devices under a mad driver", () => {
  const blockHeader = (random: Random) => {
    const sector = () => (random.chance(8) ? rubbish(random) : random.below(70));
    const high = () => (random.chance(30) ? 1 : 0);
    const type = random.pick([0, 0, 1, 1, 4, 8, 11, 13, rubbish(random)]);
    const ranges = type > 8 ? [sector(), high(), random.below(10), random.below(3)] : [];
    return words(type, 0, sector(), high(), ...ranges);
  };

  it("block, done at once", async () => {
    const total: Record<string, number> = {};
    const calls = new Set<string>();
    for (let seed = 0; seed < seeds; seed++) {
      const disk = new MemoryDisk(64);
      const errors: unknown[] = [];
      const make = () => new VirtioBlock(disk, { onError: (error) => errors.push(error) });
      const bench = await fuzzVirtio(make, { random: new Random(seed), steps, header: blockHeader });
      // The disk asserts its bounds, which would arrive here.
      assert.deepEqual(errors, []);
      for (const call of disk.calls) calls.add(call.split(" ")[0]);
      collect(total, bench.mmio.misuse.counts);
    }
    assert.deepEqual([...calls].sort(), ["discard", "flush", "read", "write", "zero"]);
    for (const kind of [...brokenRings, "outsideDisk", "partOfSector", "badRanges"]) assert(total[kind] > 0, kind);
  });

  it("block, waiting for its backend", async () => {
    for (let seed = 100; seed < 100 + seeds; seed++) {
      const disk = new SlowDisk(64);
      const errors: unknown[] = [];
      const make = () => new VirtioBlock(disk, { onError: (error) => errors.push(error) });
      await fuzzVirtio(make, {
        random: new Random(seed),
        steps,
        header: blockHeader,
        host: async (random) => {
          assert(disk.waiting <= 256);
          await disk.settle(random.below(10), (waiting) => random.below(waiting));
        },
      });
      await disk.settle();
      assert.deepEqual(errors, []);
      assert(disk.calls.length > 10);
    }
  });

  it("console", async () => {
    const total: Record<string, number> = {};
    for (let seed = 0; seed < seeds; seed++) {
      const hosts = [0, 1, 2].map(() => new FakeCharacters());
      let device: VirtioConsole | undefined;
      const make = () => {
        const made = new VirtioConsole(hosts.map((backend, i) => (i === 0 ? { backend } : { backend, name: `port${i}` })));
        device ??= made;
        return made;
      };
      const bench = await fuzzVirtio(make, {
        random: new Random(seed),
        steps,
        header: (random) => words(random.below(4), random.below(9) | (random.below(3) << 16), 0, 0),
        host: (random) => {
          const port = random.pick(device!.ports);
          const host = hosts[port.id];
          host.received = [];
          host.room = random.pick([0, 7, 1000, Number.POSITIVE_INFINITY]);
          const input = new Uint8Array(random.below(3000));
          const choice = random.below(6);
          if (choice === 0) port.open();
          else if (choice === 1) port.close();
          else if (choice === 2) port.resume();
          else if (choice === 3) device!.resize(random.below(1000), random.below(1000));
          else assert(port.push(input) <= input.length);
        },
      });
      collect(total, bench.mmio.misuse.counts);
    }
    for (const kind of [...brokenRings, "noSuchPort", "badControlMessage", "driverGaveUp"]) assert(total[kind] > 0, kind);
  });

  it("rng", async () => {
    const total: Record<string, number> = {};
    for (let seed = 0; seed < seeds; seed++) {
      const random = new Random(seed + 1000);
      const make = () =>
        new VirtioRng({
          fill: (bytes) => {
            assert(bytes.length > 0 && bytes.length <= 4096);
            bytes.fill(random.word());
          },
        });
      const bench = await fuzzVirtio(make, { random: new Random(seed), steps, header: (r) => words(r.word(), 0, 0, 0) });
      collect(total, bench.mmio.misuse.counts);
    }
    for (const kind of brokenRings) assert(total[kind] > 0, kind);
  });
});
