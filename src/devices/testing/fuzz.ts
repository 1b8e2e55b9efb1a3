// Rubbish for a device's registers, from a seed so that a failure repeats.
import assert from "node:assert/strict";
import type { MmioDevice } from "../ports.ts";

/** A small generator of repeatable numbers (xorshift32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  }

  /** 32 random bits, unsigned. */
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#state = x) >>> 0;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor((this.word() / 2 ** 32) * limit);
  }

  chance(one: number): boolean {
    return this.below(one) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

/** Values that devices trip over, and any others. */
export function rubbish(random: Random): number {
  const special = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x8000_1000];
  if (random.chance(2)) return random.pick(special);
  return random.word() >>> random.below(32);
}

/** One access of any size at any offset, mostly where there are registers (`hot` offsets). Checks what is read. */
export function poke(device: MmioDevice, random: Random, hot: readonly number[]): void {
  const anywhere = random.chance(8) || hot.length === 0;
  const size = random.pick([1, 2, 4, 4, 4, 8] as const);
  const start = anywhere ? random.below(device.size) : random.pick(hot) + (random.chance(8) ? random.below(4) : 0);
  const offset = Math.min(start, device.size - size);
  if (size === 8) {
    if (random.chance(2)) device.write64?.(offset, (BigInt(rubbish(random)) << 32n) | BigInt(rubbish(random)));
    else if (device.read64) {
      const value = device.read64(offset);
      assert(value >= 0n && value < 1n << 64n, `${device.name} read ${value} at ${offset}`);
    }
  } else if (random.chance(2)) {
    device.write(offset, size, rubbish(random));
  } else {
    const value = device.read(offset, size);
    assert(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size), `${device.name} read ${value} at ${offset}`);
  }
}

/** State as it comes back from a file: saving, writing, reading and loading must change nothing. */
export function checkStateRoundTrip(from: MmioDevice, to: MmioDevice): void {
  const saved = JSON.parse(JSON.stringify(from.save()));
  to.load(saved);
  assert.deepEqual(JSON.parse(JSON.stringify(to.save())), saved);
}

/** Every field of a state, replaced by rubbish or left out, must be refused with BAD_STATE or be harmless, and never half loaded. */
export function checkStateRefusals(device: MmioDevice): void {
  const good = JSON.parse(JSON.stringify(device.save()));
  const refused = (state: unknown) => assert.throws(() => device.load(state as never), { code: "BAD_STATE" });
  refused({ ...good, schema: "something-else" });
  refused({ ...good, version: good.version + 1 });
  refused({ ...good, surplus: 1 });
  refused(null);
  for (const field of Object.keys(good)) {
    const { [field]: _, ...without } = good;
    refused(without);
    refused({ ...good, [field]: { rubbish: true } });
  }
  assert.deepEqual(JSON.parse(JSON.stringify(device.save())), good);
}
