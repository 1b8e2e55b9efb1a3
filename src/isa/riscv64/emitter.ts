import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32, I64 } from "../../wasm/types.ts";
import type { Functions } from "./functions.ts";
import type { F, Immediate, RoundingMode, X } from "./instruction.ts";

export type LoadKind = "i8" | "u8" | "i16" | "u16" | "i32" | "u32" | "i64";
export type StoreKind = "8" | "16" | "32" | "64";

/**
 * What the meaning of an instruction is written against: WebAssembly's operators, and access to the hart. The interpreter
 * emits operands that it reads from a decoded record; the translator emits constants and locals.
 *
 * Values are used once and in the order they are made; keep those needed twice in locals (`e.i64.let`).
 */
export interface Emitter extends FunctionBuilder {
  /** The hart's larger operations. */
  readonly functions: Functions;

  /** Integer register, 64 bits. `x0` reads zero. */
  x(register: X): I64;
  /** Low word of an integer register. */
  xw(register: X): I32;
  /** Writes an integer register; a write of `x0` is lost. */
  setX(register: X, value: I64): void;
  /** Writes a word, sign-extended (the `*W` instructions). */
  setXw(register: X, value: I32): void;
  /** Register of a pair's second half: the one after `register` (`x0` if that is `x0`). */
  xNext(register: X): I64;
  setXNext(register: X, value: I64): void;

  imm(immediate: Immediate): I64;
  imm32(immediate: Immediate): I32;
  /** Whether a register operand is `x0`: part of the encoding for some instructions. 1 or 0. */
  isX0(register: X): I32;

  /** Address of this instruction. */
  pc(): I64;
  /** Address of the next instruction in sequence. */
  nextPc(): I64;
  /** Goes on at `pc + offset` if `condition` is not zero. Ends the instruction. */
  branch(condition: I32, offset: Immediate): void;
  /** Goes on at `pc + offset`. Ends the instruction. */
  jump(offset: Immediate): void;
  /** Goes on at `target`, whose bit 0 is clear. Ends the instruction. */
  jumpTo(target: I64): void;

  /** Loads from the virtual address, extended to 64 bits. A fault ends the instruction. */
  load(kind: LoadKind, address: I64): I64;
  /** Stores to the virtual address. A fault ends the instruction. */
  store(kind: StoreKind, address: I64, value: I64): void;
  /**
   * Atomic read-modify-write. `size` 32 or 64; the address must be aligned. `update` gets the old value (sign-extended) in a
   * local and yields the new one. Leaves the old value.
   */
  amo(size: 32 | 64, address: I64, update: (old: () => I64) => I64): I64;

  /** Raises an illegal-instruction exception if `condition` is not zero; ends the instruction then. */
  illegalIf(condition: I32): void;
  /** Ends the instruction if a function that was called left a trap pending. */
  checkTrap(): void;
  /** After an operation that may have changed the privilege mode or made an interrupt takeable; a jump follows. */
  modeChanged(): void;
  /** The same where address translation may have changed too: the next instruction is fetched anew then. Ends the instruction. */
  contextChanged(): void;

  /** Raises illegal-instruction if the floating-point unit is off (`mstatus.FS`). First thing in F and D instructions. */
  requireFloat(): void;
  /** Floating-point register, all 64 bits. */
  f(register: F): I64;
  /** Single in a floating-point register: the canonical NaN if it is not NaN-boxed. */
  fs(register: F): I32;
  /** Writes a double; marks the floating-point state dirty. */
  setF(register: F, value: I64): void;
  /** Writes a single, NaN-boxed. */
  setFs(register: F, value: I32): void;
  /** Effective rounding mode (0-4); raises illegal-instruction if it is dynamic and `frm` is invalid. */
  roundingMode(mode: RoundingMode): I32;

  /** Waits for an interrupt: leaves the run loop unless one is pending. Ends the instruction. */
  waitForInterrupt(): void;
  /** Environment call from the current mode. Ends the instruction. */
  environmentCall(): void;
}
