import { type ExitReason, exitReason, type Hart, type InterruptBit, type Privilege, privilege } from "../hart.ts";

/** One step of a script: what happens in a `run`, and why it comes back. Instructions count as executed before it. */
export interface Step {
  readonly instructions?: number;
  /** A test may look at the hart and its machine here, as a device access in the middle of a run would. */
  readonly act?: (hart: FakeHart) => void;
  readonly exit: ExitReason;
}

/** A hart that follows a script; after its end it waits for ever. */
export class FakeHart implements Hart {
  readonly id = 0;
  pc = 0n;
  mode: Privilege = privilege.M;
  readonly x: bigint[] = new Array(32).fill(0n);
  readonly csrs = new Map<number, bigint>();
  readonly interrupts = new Set<InterruptBit>();
  readonly budgets: number[] = [];
  instret = 0;
  flushes = 0;
  exitRequests = 0;
  resets = 0;
  deadline = Number.POSITIVE_INFINITY;
  script: Iterator<Step>;

  constructor(script: Iterable<Step> = []) {
    this.script = script[Symbol.iterator]();
  }

  run(budget: number): ExitReason {
    this.budgets.push(budget);
    const next = this.script.next();
    if (next.done) return exitReason.wfi;
    const { instructions, act, exit } = next.value;
    this.instret += Math.min(budget, instructions ?? (exit === exitReason.budget ? budget : 1));
    act?.(this);
    return exit;
  }

  setInterrupt(bit: InterruptBit, level: boolean): void {
    if (level) this.interrupts.add(bit);
    else this.interrupts.delete(bit);
  }
  requestExit(): void {
    this.exitRequests++;
  }
  timerDeadline(): number {
    return this.deadline;
  }
  reset(start: { pc: bigint; a0?: bigint; a1?: bigint; a2?: bigint; mode: Privilege }): void {
    this.resets++;
    this.instret = 0;
    this.x.fill(0n);
    this.pc = start.pc;
    this.mode = start.mode;
    this.x[10] = start.a0 ?? 0n;
    this.x[11] = start.a1 ?? 0n;
  }
  getX(index: number): bigint {
    return this.x[index];
  }
  setX(index: number, value: bigint): void {
    this.x[index] = BigInt.asUintN(64, value);
  }
  getF(): bigint {
    return 0n;
  }
  setF(): void {}
  getCsr(number: number): bigint | undefined {
    return this.csrs.get(number);
  }
  setCsr(number: number, value: bigint): void {
    this.csrs.set(number, value);
  }
  invalidateCode(): void {}
  flushTranslations(): void {
    this.flushes++;
  }
}
