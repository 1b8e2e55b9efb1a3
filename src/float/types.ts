import type { Func, Global } from "../wasm/types.ts";

/**
 * Rounding modes, as every function of this room takes them in its parameter `rm` (RISC-V unprivileged spec,
 * table "Rounding mode encoding"). Any other value is the caller's error: it is not checked.
 */
export const RoundingMode = { RNE: 0, RTZ: 1, RDN: 2, RUP: 3, RMM: 4 } as const;

/** Accrued exception flags, in the order of RISC-V's fflags. */
export const Flag = { NX: 1, UF: 2, OF: 4, DZ: 8, NV: 16 } as const;

export interface FloatOptions {
  /**
   * Where the accrued flags are kept: an i32 global of the module, or the constant address of an i32 in memory 0. Functions
   * only ever set bits in it; other bits of the word are left alone.
   */
  readonly flags: { readonly global: Global<"i32"> } | { readonly flagsAddress: number };
  /**
   * What an operation with a NaN result yields. `canonical` (default, RISC-V): the positive quiet NaN without payload.
   * `sse` (Intel SDM volume 1, table 4-7): the first NaN operand made quiet, or else the negative quiet NaN. The order of
   * operands for `fma` is a, b, c; infinity times zero plus a quiet NaN does not set NV there.
   */
  readonly nan?: "canonical" | "sse";
  /** When a result counts as tiny for UF (IEEE 754-2019, 7.5). Default `afterRounding` (RISC-V, x86). */
  readonly tininess?: "afterRounding" | "beforeRounding";
  /**
   * What `probeFusedMultiplyAdd` says of the host. True makes `f64.fma` several times faster where that is so, and wrong where it is
   * not. Default false.
   */
  readonly fusedMultiplyAdd?: boolean;
}

/** Each function works on the raw bits `T` of one format: i64 for binary64, i32 for binary32. Its last i32, where there is one more, is `rm`. */
export interface ArithmeticFunctions<T extends "i32" | "i64"> {
  readonly add: Func<readonly [T, T, "i32"], readonly [T]>;
  readonly sub: Func<readonly [T, T, "i32"], readonly [T]>;
  readonly mul: Func<readonly [T, T, "i32"], readonly [T]>;
  readonly div: Func<readonly [T, T, "i32"], readonly [T]>;
  readonly sqrt: Func<readonly [T, "i32"], readonly [T]>;
  /** a * b + c, rounded once. Callers flip signs of operands for the other three forms (not that of a NaN, if NaNs propagate). */
  readonly fma: Func<readonly [T, T, T, "i32"], readonly [T]>;
}

export interface ComparisonFunctions<T extends "i32" | "i64"> {
  /** IEEE 754-2019 minimumNumber and maximumNumber, -0 below +0 (RISC-V `fmin`, `fmax`). */
  readonly minimumNumber: Func<readonly [T, T], readonly [T]>;
  readonly maximumNumber: Func<readonly [T, T], readonly [T]>;
  /** IEEE 754-2019 minimum and maximum: a NaN operand makes the result NaN (Zfa `fminm`, `fmaxm`). */
  readonly minimum: Func<readonly [T, T], readonly [T]>;
  readonly maximum: Func<readonly [T, T], readonly [T]>;
  /** Quiet comparison: NV for signaling NaNs only. */
  readonly eq: Func<readonly [T, T], readonly ["i32"]>;
  /** Signaling comparisons: NV for every NaN. */
  readonly lt: Func<readonly [T, T], readonly ["i32"]>;
  readonly le: Func<readonly [T, T], readonly ["i32"]>;
  /** Quiet comparisons (Zfa `fltq`, `fleq`). */
  readonly ltq: Func<readonly [T, T], readonly ["i32"]>;
  readonly leq: Func<readonly [T, T], readonly ["i32"]>;
  /** The ten-bit mask of RISC-V's `fclass`. */
  readonly classify: Func<readonly [T], readonly ["i32"]>;
}

export interface ConversionFunctions<T extends "i32" | "i64"> {
  /** Rounds to an integer in the same format; never sets NX (Zfa `fround`). */
  readonly roundToInt: Func<readonly [T, "i32"], readonly [T]>;
  /** The same, setting NX if the operand was no integer (Zfa `froundnx`). */
  readonly roundToIntExact: Func<readonly [T, "i32"], readonly [T]>;
  /** Conversions to integers. NaN and values out of range set NV alone and give the nearest bound, NaN the upper one. */
  readonly toI32: Func<readonly [T, "i32"], readonly ["i32"]>;
  readonly toU32: Func<readonly [T, "i32"], readonly ["i32"]>;
  readonly toI64: Func<readonly [T, "i32"], readonly ["i64"]>;
  readonly toU64: Func<readonly [T, "i32"], readonly ["i64"]>;
  readonly fromI32: Func<readonly ["i32", "i32"], readonly [T]>;
  readonly fromU32: Func<readonly ["i32", "i32"], readonly [T]>;
  readonly fromI64: Func<readonly ["i64", "i32"], readonly [T]>;
  readonly fromU64: Func<readonly ["i64", "i32"], readonly [T]>;
}

export type FormatFunctions<T extends "i32" | "i64"> = ArithmeticFunctions<T> & ComparisonFunctions<T> & ConversionFunctions<T>;

export interface FloatFunctions {
  readonly f64: FormatFunctions<"i64"> & {
    readonly toF32: Func<readonly ["i64", "i32"], readonly ["i32"]>;
    /** The integer part modulo 2^32; NaN and infinities give 0. Flags as `toI32` in RTZ (Zfa `fcvtmod.w.d`). */
    readonly toI32Modular: Func<readonly ["i64"], readonly ["i32"]>;
  };
  readonly f32: FormatFunctions<"i32"> & {
    readonly toF64: Func<readonly ["i32"], readonly ["i64"]>;
  };
}
