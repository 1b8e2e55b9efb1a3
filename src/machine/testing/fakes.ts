import type { MachineHost } from "../host.ts";

const longestSleep = 3600e9;

/** A host whose time passes only when a test says so, or when the machine sleeps. */
export class FakeHost implements MachineHost {
  time = 0;
  /** Delays for which the machine slept. */
  readonly sleeps: number[] = [];
  yields = 0;
  /** Runs at each yield: what the host would do meanwhile. */
  onYield: (() => void) | undefined;
  /** Runs when the machine falls asleep: what could wake it. */
  onSleep: ((delay: number) => void) | undefined;
  readonly #timers = new Set<{ at: number; callback: () => void }>();

  monotonic(): number {
    return this.time;
  }

  wall(): bigint {
    return 1_700_000_000_000_000_000n + BigInt(Math.floor(this.time));
  }

  async yieldToHost(): Promise<void> {
    this.yields++;
    this.onYield?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  after(delay: number, callback: () => void): () => void {
    this.sleeps.push(delay);
    setImmediate(() => this.onSleep?.(delay));
    // Nothing but an interrupt ends the longest sleep.
    if (delay >= longestSleep) return () => {};
    const timer = { at: this.time + delay, callback };
    this.#timers.add(timer);
    setImmediate(() => {
      if (!this.#timers.delete(timer)) return;
      this.time = Math.max(this.time, timer.at);
      callback();
    });
    return () => this.#timers.delete(timer);
  }

  randomBytes(length: number): Uint8Array {
    return new Uint8Array(length).fill(0xa5);
  }
}
