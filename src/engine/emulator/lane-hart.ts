import type { ExitReason, Hart, InterruptBit, Privilege } from "../../machine/hart.ts";

/** Runs a hart on behalf of who asked; `isAskedToExit`: whether `requestExit` was called since this began. */
export type Drive = (hart: Hart, budget: number, isAskedToExit: () => boolean) => ExitReason;

/** A hart that is driven in another way than its machine thinks: everything but `run` goes to it as it is. */
export class LaneHart implements Hart {
  readonly id: number;
  readonly #hart: Hart;
  readonly #drive: Drive;
  #askedToExit = false;

  constructor(hart: Hart, drive: Drive) {
    this.id = hart.id;
    this.#hart = hart;
    this.#drive = drive;
  }

  run(budget: number): ExitReason {
    this.#askedToExit = false;
    return this.#drive(this.#hart, budget, () => this.#askedToExit);
  }
  requestExit(): void {
    this.#askedToExit = true;
    this.#hart.requestExit();
  }

  get instret(): number {
    return this.#hart.instret;
  }
  setInterrupt(bit: InterruptBit, level: boolean): void {
    this.#hart.setInterrupt(bit, level);
  }
  timerDeadline(): number {
    return this.#hart.timerDeadline();
  }
  reset(start: Parameters<Hart["reset"]>[0]): void {
    this.#hart.reset(start);
  }
  getX(index: number): bigint {
    return this.#hart.getX(index);
  }
  setX(index: number, value: bigint): void {
    this.#hart.setX(index, value);
  }
  getF(index: number): bigint {
    return this.#hart.getF(index);
  }
  setF(index: number, value: bigint): void {
    this.#hart.setF(index, value);
  }
  get pc(): bigint {
    return this.#hart.pc;
  }
  set pc(value: bigint) {
    this.#hart.pc = value;
  }
  get mode(): Privilege {
    return this.#hart.mode;
  }
  getCsr(number: number): bigint | undefined {
    return this.#hart.getCsr(number);
  }
  setCsr(number: number, value: bigint): void {
    this.#hart.setCsr(number, value);
  }
  invalidateCode(offset: number, length: number): void {
    this.#hart.invalidateCode(offset, length);
  }
  flushTranslations(): void {
    this.#hart.flushTranslations();
  }
}
