import type { Clock } from "../devices/ports.ts";
import type { MachineHost } from "./host.ts";

/** Where guest time comes from. */
export interface TimeSource {
  /** Nanoseconds since `reset`. */
  now(): number;
  /** Nanoseconds since 1970-01-01 UTC. */
  wallTime(): bigint;
  /** Starts at 0 again. */
  reset(): void;
  /** Guest time stands still between `stop` and `start`; it does so before the first `start`. */
  start(): void;
  stop(): void;
  /**
   * Present if guest time is made of instructions: how many nanoseconds one takes. Such time does not pass by itself while
   * the guest waits, so it is set forward to what the guest waits for.
   */
  readonly icount?: { readonly nanosecondsPerInstruction: number; skipTo(at: number): void };
}

/** Guest time that follows the host's clock. */
export class HostTime implements TimeSource {
  readonly #host: MachineHost;
  /** Guest time at the last `start` or `stop`. */
  #base = 0;
  /** The host's clock at the last `start`, if time runs. */
  #started: number | undefined;

  constructor(host: MachineHost) {
    this.#host = host;
  }

  now(): number {
    return this.#started === undefined ? this.#base : this.#base + this.#host.monotonic() - this.#started;
  }

  wallTime(): bigint {
    return this.#host.wall();
  }

  reset(): void {
    this.#base = 0;
    if (this.#started !== undefined) this.#started = this.#host.monotonic();
  }

  start(): void {
    this.#started ??= this.#host.monotonic();
  }

  stop(): void {
    this.#base = this.now();
    this.#started = undefined;
  }
}

/** Wall time at the start of a run whose time is made of instructions: 2026-01-01 00:00:00 UTC. */
const icountEpoch = 1_767_225_600_000_000_000n;

/** Guest time that is the number of instructions executed, so that a run repeats bit for bit. */
export class InstructionTime implements TimeSource {
  readonly #instret: () => number;
  #skipped = 0;
  readonly icount: { readonly nanosecondsPerInstruction: number; skipTo(at: number): void };

  /** @param instret instructions retired since reset, exact at any time */
  constructor(instret: () => number, nanosecondsPerInstruction: number) {
    this.#instret = instret;
    this.icount = {
      nanosecondsPerInstruction,
      skipTo: (at) => {
        this.#skipped += Math.max(0, at - this.now());
      },
    };
  }

  now(): number {
    return this.#instret() * this.icount.nanosecondsPerInstruction + this.#skipped;
  }

  wallTime(): bigint {
    return icountEpoch + BigInt(Math.floor(this.now()));
  }

  reset(): void {
    this.#skipped = 0;
  }

  start(): void {}
  stop(): void {}
}

interface Event {
  readonly at: number;
  /** Counts up in the order of scheduling. */
  readonly serial: number;
  readonly callback: () => void;
}

/** Guest time with what is to happen in it. */
export class MachineClock implements Clock {
  readonly source: TimeSource;
  readonly #tick: number;
  readonly #changed: () => void;
  /** Soonest first; events of the same time in the order in which they were scheduled. */
  readonly #events: Event[] = [];
  #scheduled = 0;

  /**
   * @param tick nanoseconds of one tick of the `time` counter
   * @param changed called when an event is scheduled before all others: whoever waits or runs must look again
   */
  constructor(source: TimeSource, tick: number, changed: () => void) {
    this.source = source;
    this.#tick = tick;
    this.#changed = changed;
  }

  now(): number {
    return this.source.now();
  }

  wallTime(): bigint {
    return this.source.wallTime();
  }

  /** The `time` counter. */
  ticks(): number {
    return Math.floor(this.source.now() / this.#tick);
  }

  schedule(at: number, callback: () => void): () => void {
    const event = { at, callback, serial: this.#scheduled++ };
    let index = this.#events.length;
    while (index > 0 && this.#events[index - 1].at > at) index--;
    this.#events.splice(index, 0, event);
    if (index === 0) this.#changed();
    return () => {
      const found = this.#events.indexOf(event);
      if (found >= 0) this.#events.splice(found, 1);
    };
  }

  /** Guest time of the soonest event; `Infinity` if there is none. */
  nextEvent(): number {
    return this.#events.length > 0 ? this.#events[0].at : Number.POSITIVE_INFINITY;
  }

  /** Runs the events whose time has come. What they schedule is left for the next call, so that this one comes to an end. */
  runDue(): void {
    const end = this.#scheduled;
    for (let index = 0; index < this.#events.length && this.#events[index].at <= this.now(); ) {
      if (this.#events[index].serial >= end) index++;
      else this.#events.splice(index, 1)[0].callback();
    }
  }

  /** Time 0 again, and nothing to happen. */
  reset(): void {
    this.#events.length = 0;
    this.source.reset();
  }
}
