import type { MachineClock } from "./clock.ts";
import { exitReason, type Hart } from "./hart.ts";
import type { MachineHost } from "./host.ts";

/** Milliseconds in nanoseconds. */
const ms = 1e6;
/** Host time of one slice of instructions: what input to the machine waits at most. */
const sliceTime = 3 * ms;
/** After this much host time the host has a turn; below `sliceTime`, which a slice that goes as planned just misses. */
const turnTime = sliceTime / 2;
/** Instructions of a slice, whatever the host's speed turns out to be. */
const sliceInstructions = { least: 2_000, first: 50_000, most: 8_000_000 } as const;
/** Instructions between two looks at the host when time is made of instructions; fixed, so that a run repeats. */
const icountSlice = 1_000_000;
/** The longest single sleep; hosts' timers have limits. */
const longestSleep = 3600e9;
/** Accesses to devices between two looks at the host's clock in a slice. */
const accessesPerLook = 256;

/** What the loop asks of the machine. */
export interface RunLoopPorts {
  readonly hart: Hart;
  readonly clock: MachineClock;
  readonly host: MachineHost;
  /** Nanoseconds of one tick of the `time` counter. */
  readonly tick: number;
  /** Answers a call of the hart; true if the hart shall wait for an interrupt. */
  ecall(): boolean;
  /** Whether an interrupt is pending and enabled, which ends a wait that a call asked for. */
  interruptPending(): boolean;
  /** Finishes what the host still does for devices; awaited at fixed instructions when time is made of them. */
  settle(): Promise<void>;
}

/** Counts, for reports. */
export interface RunLoopStats {
  /** Times that the hart was run. */
  slices: number;
  ecalls: number;
  /** Times that the guest waited for an interrupt. */
  waits: number;
  /** Nanoseconds of host time asleep meanwhile. */
  asleep: number;
}

/**
 * Drives one hart: runs it in slices that end where a timer is due, lets the host have its turn between them, and sleeps
 * while the guest waits. The loop runs from `run` until `halt`, and does nothing that a guest can prolong beyond a slice.
 */
export class RunLoop {
  readonly stats: RunLoopStats = { slices: 0, ecalls: 0, waits: 0, asleep: 0 };
  readonly #ports: RunLoopPorts;
  #halted = true;
  #running = false;
  /** An interrupt was raised since the hart last ran. */
  #interrupted = false;
  /** What is due next, and when, may have changed. */
  #stirred = false;
  #wakeSleeper: (() => void) | undefined;
  #sliceEnd = 0;
  #accesses = 0;
  #instructionsPerNanosecond = sliceInstructions.first / sliceTime;
  /** The hart's timer deadline which it has seen expired: it does not end another wait. */
  #expiredDeadline: number | undefined;

  constructor(ports: RunLoopPorts) {
    this.#ports = ports;
  }

  /** Something may have become due: whoever waits or runs looks again. */
  stir(): void {
    this.#stirred = true;
    this.#wakeSleeper?.();
    // From inside a slice: its end was computed from what is not true any more.
    if (this.#running) this.#ports.hart.requestExit();
  }

  /** An interrupt line was raised: a sleeping hart wakes; a running one sees it by itself. */
  interrupt(): void {
    this.#interrupted = true;
    this.#stirred = true;
    this.#wakeSleeper?.();
  }

  /** Called at each access to a device: many in a slice make it slower than was planned. */
  accessed(): void {
    if (++this.#accesses % accessesPerLook !== 0 || this.#ports.clock.source.icount) return;
    if (this.#ports.host.monotonic() > this.#sliceEnd) this.#ports.hart.requestExit();
  }

  /** Makes `run` come back as soon as the slice in progress lets it. */
  halt(): void {
    this.#halted = true;
    this.stir();
  }

  /** The hart was reset: what is remembered of it is void. */
  reset(): void {
    this.#expiredDeadline = undefined;
  }

  /** Runs until `halt`. Rejects with what a device or the host threw. */
  async run(): Promise<void> {
    const { hart, clock, host } = this.#ports;
    const { icount } = clock.source;
    this.#halted = false;
    let turn = host.monotonic() + turnTime;
    let turnInstructions = hart.instret;
    while (!this.#halted) {
      clock.runDue();
      const reason = this.#slice(this.#budget(turnInstructions));
      let waits = false;
      if (reason === exitReason.wfi) waits = true;
      else if (reason === exitReason.ecall) {
        this.stats.ecalls++;
        waits = this.#ports.ecall() && !this.#halted && !this.#ports.interruptPending();
      }
      if (this.#halted) break;
      if (icount) {
        if (waits) await this.#wait();
        else if (hart.instret - turnInstructions < icountSlice) continue;
        else await this.#settle();
        turnInstructions = hart.instret;
        continue;
      }
      const slept = waits && (await this.#wait());
      if (!slept && host.monotonic() < turn) continue;
      if (!slept) await host.yieldToHost();
      turn = host.monotonic() + turnTime;
    }
  }

  /** Runs the hart once and learns its speed. */
  #slice(budget: number): number {
    const { hart, host } = this.#ports;
    const begin = host.monotonic();
    const before = hart.instret;
    this.#sliceEnd = begin + sliceTime;
    this.#interrupted = false;
    this.#running = true;
    let reason: number;
    try {
      reason = hart.run(budget);
    } finally {
      this.#running = false;
    }
    this.stats.slices++;
    const executed = hart.instret - before;
    if (executed >= sliceInstructions.least) {
      const speed = executed / Math.max(1, host.monotonic() - begin);
      // Slower counts at once, faster by and by: a slice that is too long is worse than one that is too short.
      this.#instructionsPerNanosecond = Math.min(speed, (this.#instructionsPerNanosecond * 3 + speed) / 4);
    }
    return reason;
  }

  /** Instructions until the next timer is due or the host wants its turn. */
  #budget(turnInstructions: number): number {
    const { hart, clock } = this.#ports;
    const now = clock.now();
    const { icount } = clock.source;
    const timer = hart.timerDeadline() * this.#ports.tick;
    // A deadline that is past is an interrupt pending: it needs no end of a slice.
    const remaining = Math.min(clock.nextEvent(), timer > now ? timer : Number.POSITIVE_INFINITY) - now;
    if (icount) {
      const turn = Math.max(1, icountSlice - (hart.instret - turnInstructions));
      return Math.min(turn, Math.max(1, Math.ceil(remaining / icount.nanosecondsPerInstruction)));
    }
    const { least, most } = sliceInstructions;
    const planned = Math.min(sliceTime, remaining) * this.#instructionsPerNanosecond;
    return Math.floor(Math.min(most, Math.max(least, planned)));
  }

  /** Waits until an interrupt is raised or a timer is due. Returns whether it slept for that, and the host had its turn. */
  async #wait(): Promise<boolean> {
    const { hart, clock, host, tick } = this.#ports;
    const { icount } = clock.source;
    this.stats.waits++;
    let slept = false;
    for (;;) {
      clock.runDue();
      if (this.#interrupted || this.#halted) return slept;
      if (icount) {
        this.#stirred = false;
        await this.#settle();
        if (this.#stirred) continue;
      }
      const now = clock.now();
      const ticks = hart.timerDeadline();
      let deadline = clock.nextEvent();
      if (ticks !== this.#expiredDeadline) {
        if (ticks * tick <= now) {
          this.#expiredDeadline = ticks;
          return slept;
        }
        deadline = Math.min(deadline, ticks * tick);
      }
      if (icount && deadline < Number.POSITIVE_INFINITY) icount.skipTo(deadline);
      else {
        slept = true;
        const begin = host.monotonic();
        await this.#sleep(Math.min(deadline - now, longestSleep));
        this.stats.asleep += host.monotonic() - begin;
      }
    }
  }

  /** Lets the host have its turn where time is made of instructions: what it began for devices is over afterwards. */
  async #settle(): Promise<void> {
    await this.#ports.host.yieldToHost();
    await this.#ports.settle();
  }

  #sleep(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#ports.host.after(delay, () => this.#wakeSleeper?.());
      this.#wakeSleeper = () => {
        this.#wakeSleeper = undefined;
        cancel();
        resolve();
      };
    });
  }
}
