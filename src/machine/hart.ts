/** Why `Hart.run` came back. */
export const exitReason = {
  /** The instruction budget is used up, or `requestExit` was called. */
  budget: 0,
  /** The hart waits for an interrupt, and none is pending and enabled. */
  wfi: 1,
  /** A call from S-mode to the supervisor execution environment, when the machine provides it itself (`sbi: true`). */
  ecall: 2,
  /** A breakpoint or watchpoint of the debugger. */
  debug: 3,
} as const;
export type ExitReason = (typeof exitReason)[keyof typeof exitReason];

/** Bits of `mip`, as `Hart.setInterrupt` takes them (Priv. spec 3.1.9). */
export const interruptBit = { SSIP: 1, MSIP: 3, STIP: 5, MTIP: 7, SEIP: 9, MEIP: 11 } as const;
export type InterruptBit = (typeof interruptBit)[keyof typeof interruptBit];

/** Privilege modes, as encoded in `mstatus.MPP`. */
export const privilege = { U: 0, S: 1, M: 3 } as const;
export type Privilege = (typeof privilege)[keyof typeof privilege];

/**
 * What executes guest instructions: the emulator's, or a vCPU of the host's processor. A hart is driven: nothing
 * happens between two calls of `run`.
 */
export interface Hart {
  readonly id: number;
  /**
   * Executes at most `budget` instructions (exactly as many as asked for unless it comes back earlier), taking traps and
   * enabled interrupts on the way.
   */
  run(budget: number): ExitReason;
  /** Instructions retired since reset. Exact; below 2^53. */
  readonly instret: number;
  /** Drives an interrupt-pending bit of `mip` from outside (interrupt controllers, timers). */
  setInterrupt(bit: InterruptBit, level: boolean): void;
  /** Makes a `run` in progress (called from a device) come back after the current instruction. */
  requestExit(): void;
  /**
   * Guest time, in ticks of `time`, at which the hart's own timer (`stimecmp`) wants service; `Infinity` if none. A `run` in
   * which the guest sets it comes back early.
   */
  timerDeadline(): number;
  /** After power-on or reset: registers zero, `pc`, `a0` and `a1` as given, in `mode`. Memory is untouched. */
  reset(start: { pc: bigint; a0?: bigint; a1?: bigint; a2?: bigint; mode: Privilege }): void;
  /** Integer register `x0`..`x31`, unsigned. */
  getX(index: number): bigint;
  setX(index: number, value: bigint): void;
  getF(index: number): bigint;
  setF(index: number, value: bigint): void;
  pc: bigint;
  readonly mode: Privilege;
  /** A CSR by its number, as an M-mode read sees it; `undefined` if there is no such CSR. */
  getCsr(number: number): bigint | undefined;
  setCsr(number: number, value: bigint): void;
  /** Forgets what was decoded or translated from RAM (a device or debugger wrote there). Offsets in RAM, in bytes. */
  invalidateCode(offset: number, length: number): void;
  /** `sfence.vma` with no operands: forgets all address translations. */
  flushTranslations(): void;
}

/** What a hart needs of the machine around it. */
export interface HartPorts {
  /** Loads from what is not memory. `undefined` if no device is there or it does not allow the access: an access fault. */
  mmioRead(address: number, size: 1 | 2 | 4): number | undefined;
  mmioRead64(address: number): bigint | undefined;
  /** Stores to what is not memory; false for an access fault. */
  mmioWrite(address: number, size: 1 | 2 | 4, value: number): boolean;
  mmioWrite64(address: number, value: bigint): boolean;
  /** The `time` counter, in ticks; below 2^53. */
  time(): number;
}
