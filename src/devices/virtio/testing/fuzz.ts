// A driver that has lost its mind: registers, rings and descriptors full of rubbish, some of it nearly right.
import assert from "node:assert/strict";
import { FakeRam } from "../../testing/fakes.ts";
import { checkStateRoundTrip, poke, type Random, rubbish } from "../../testing/fuzz.ts";
import { offsetsOf } from "../../testing/registers.ts";
import type { VirtioDevice } from "../mmio.ts";
import { virtioMmioRegisters } from "../registers.ts";
import { Bench, type DriverQueue } from "./driver.ts";

const ramSize = 1 << 18;
/** Where rings are; buffers may lie on them, too. */
const ringSpace = 1 << 16;

function address(random: Random): number {
  switch (random.below(12)) {
    case 0:
      return rubbish(random);
    case 1:
      return FakeRam.base + ramSize - random.below(64);
    case 2:
      return FakeRam.base - random.below(64);
    case 3:
      return rubbish(random) + random.word() * 2 ** 32;
    case 4:
      return FakeRam.base + random.below(ringSpace);
    default:
      return FakeRam.base + ringSpace + random.below(ramSize - ringSpace - 8192);
  }
}

const length = (random: Random) =>
  random.chance(20) ? rubbish(random) : random.pick([0, 1, 8, 15, 16, 17, 512, 513, 4096, 8192]);

function descriptor(queue: DriverQueue, at: number, entries: number, random: Random): void {
  const flags = random.chance(20) ? random.word() & 0xffff : random.pick([0, 1, 1, 2, 2, 3, 3, 4]);
  const next = random.chance(20) ? random.word() & 0xffff : random.below(entries);
  queue.writeDescriptor(at, { address: address(random), length: length(random), flags, next });
}

/** A chain that is in order, with rubbish in it behind what `header` makes. */
function chain(bench: Bench, queue: DriverQueue, random: Random, header: (random: Random) => Uint8Array): void {
  const count = 1 + random.below(Math.min(6, queue.size));
  const first = random.below(queue.size);
  const readable = random.below(count + 1);
  for (let i = 0; i < count; i++) {
    const last = i === count - 1;
    const place = FakeRam.base + ringSpace + random.below(ramSize - ringSpace - 8192);
    const begin = i === 0 && readable > 0 ? header(random) : undefined;
    if (begin !== undefined) bench.bytes(place, begin.length).set(begin);
    queue.writeDescriptor(queue.descriptors + 16 * ((first + i) % queue.size), {
      address: place,
      length: begin?.length ?? random.pick([1, 16, 32, 512, 513, 1024, 4096]),
      flags: (i < readable ? 0 : 2) | (last ? 0 : 1),
      next: (first + i + 1) % queue.size,
    });
  }
  queue.push(first);
}

export interface FuzzOptions {
  readonly random: Random;
  readonly steps: number;
  /** The first bytes of requests that are nearly right. */
  readonly header: (random: Random) => Uint8Array;
  /** What the host does meanwhile. */
  readonly host?: (random: Random) => void | Promise<void>;
}

/** Runs the device under such a driver; fails if it throws, writes outside RAM, or leaves a state that does not load. */
export async function fuzzVirtio(make: () => VirtioDevice, options: FuzzOptions): Promise<Bench> {
  const { random, steps, header, host } = options;
  const bench = new Bench(make(), ramSize);
  const hot = [...offsetsOf(virtioMmioRegisters), 0x100, 0x104, 0x108, 0x10c, 0x120, 0x138];
  const start = () => {
    bench.restartAllocation();
    bench.start({ refuse: random.chance(2) ? BigInt(random.word()) & ~1n : 0n, size: random.pick([1, 2, 8, 128]) });
  };
  start();
  for (let step = 0; step < steps; step++) {
    if (bench.get(0x070) !== 15 && random.chance(4)) start();
    const queue = random.pick(bench.queues);
    const choice = random.below(40);
    if (choice < 12) {
      chain(bench, queue, random, header);
      queue.kick();
    } else if (choice < 20) {
      descriptor(queue, queue.descriptors + 16 * random.below(queue.size), queue.size, random);
    } else if (choice < 22) {
      const table = FakeRam.base + ringSpace;
      for (let i = 0; i < 8; i++) descriptor(queue, table + 16 * i, 8, random);
      queue.writeDescriptor(queue.descriptors, { address: table, length: 128, flags: 4, next: 0 });
      queue.push(0);
    } else if (choice < 24) {
      queue.push(random.chance(10) ? random.word() & 0xffff : random.below(queue.size));
    } else if (choice < 30) queue.kick();
    else if (choice < 31) queue.setAvailableIndex(random.word());
    else if (choice < 32) bench.bytes(FakeRam.base + random.below(ringSpace), 1)[0] = random.word();
    else if (choice < 34) poke(bench.mmio, random, hot);
    else if (choice < 35) bench.clock.advance(random.below(50_000));
    else if (choice < 38) await host?.(random);
    else bench.takeInterrupt();
    assert.equal(bench.irq.level, bench.get(0x060) !== 0);
    assert(bench.clock.pending < 100, "timers pile up");
  }
  bench.ram.checkWalls();
  checkStateRoundTrip(bench.mmio, new Bench(make(), ramSize).mmio);
  return bench;
}
