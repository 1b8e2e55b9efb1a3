import type { FunctionBuilder } from "../wasm/function.ts";
import type { F32, F64, Func, Global, Local } from "../wasm/types.ts";

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
   * `sse` (Intel SDM volume 1, table 4-7): the first NaN operand made quiet, or else the negative quiet NaN.
   */
  readonly nan?: "canonical" | "sse";
  /** When a result counts as tiny for UF (IEEE 754-2019, 7.5). Default `afterRounding` (RISC-V, x86). */
  readonly tininess?: "afterRounding" | "beforeRounding";
}

/** Operations of one format on raw bits `T` (i64 for binary64, i32 for binary32). The last i32 parameter, where there is one, is `rm`. */
export interface FormatFunctions<T extends "i32" | "i64"> {
  readonly add: Func<[T, T, "i32"], [T]>;
  readonly sub: Func<[T, T, "i32"], [T]>;
  readonly mul: Func<[T, T, "i32"], [T]>;
  readonly div: Func<[T, T, "i32"], [T]>;
  readonly sqrt: Func<[T, "i32"], [T]>;
  /** a * b + c, rounded once. Callers flip signs of operands for the other three forms. */
  readonly fma: Func<[T, T, T, "i32"], [T]>;
  /** IEEE 754-2019 minimumNumber and maximumNumber, -0 below +0 (RISC-V `fmin`, `fmax`). */
  readonly minimumNumber: Func<[T, T], [T]>;
  readonly maximumNumber: Func<[T, T], [T]>;
  /** IEEE 754-2019 minimum and maximum: a NaN operand makes the result NaN (Zfa `fminm`, `fmaxm`). */
  readonly minimum: Func<[T, T], [T]>;
  readonly maximum: Func<[T, T], [T]>;
  /** Quiet comparison: NV for signaling NaNs only. */
  readonly eq: Func<[T, T], ["i32"]>;
  /** Signaling comparisons: NV for every NaN. */
  readonly lt: Func<[T, T], ["i32"]>;
  readonly le: Func<[T, T], ["i32"]>;
  /** Quiet comparisons (Zfa `fltq`, `fleq`). */
  readonly ltq: Func<[T, T], ["i32"]>;
  readonly leq: Func<[T, T], ["i32"]>;
  /** The ten-bit mask of RISC-V's `fclass`. */
  readonly classify: Func<[T], ["i32"]>;
  /** Rounds to an integer in the same format; never sets NX (Zfa `fround`). */
  readonly roundToInt: Func<[T, "i32"], [T]>;
  /** The same, setting NX if the operand was no integer (Zfa `froundnx`). */
  readonly roundToIntExact: Func<[T, "i32"], [T]>;
  /** Conversions to integers. NaN and values out of range set NV alone and give the nearest bound, NaN the upper one. */
  readonly toI32: Func<[T, "i32"], ["i32"]>;
  readonly toU32: Func<[T, "i32"], ["i32"]>;
  readonly toI64: Func<[T, "i32"], ["i64"]>;
  readonly toU64: Func<[T, "i32"], ["i64"]>;
  readonly fromI32: Func<["i32", "i32"], [T]>;
  readonly fromU32: Func<["i32", "i32"], [T]>;
  readonly fromI64: Func<["i64", "i32"], [T]>;
  readonly fromU64: Func<["i64", "i32"], [T]>;
}

/**
 * Inline forms for translated code, on values that the translator keeps in f64 or f32 locals: the host's own operation, a
 * check that its result needs no flag but NX, and otherwise (hinted unlikely) a call of the exact function.
 *
 * Only for code that runs with NX already set and rounding mode RNE; the translated region checks that at its entry.
 */
export interface FastEmitters<V extends "f32" | "f64", R = V extends "f64" ? F64 : F32> {
  add(f: FunctionBuilder, a: Local<V>, b: Local<V>): R;
  sub(f: FunctionBuilder, a: Local<V>, b: Local<V>): R;
  mul(f: FunctionBuilder, a: Local<V>, b: Local<V>): R;
  div(f: FunctionBuilder, a: Local<V>, b: Local<V>): R;
  sqrt(f: FunctionBuilder, a: Local<V>): R;
  fma(f: FunctionBuilder, a: Local<V>, b: Local<V>, c: Local<V>): R;
}

export interface FloatFunctions {
  readonly f64: FormatFunctions<"i64"> & {
    readonly toF32: Func<["i64", "i32"], ["i32"]>;
    /** The integer part modulo 2^32, as an i32; NaN and infinities give 0 (Zfa `fcvtmod.w.d`). */
    readonly toI32Modular: Func<["i64"], ["i32"]>;
    readonly fast: FastEmitters<"f64">;
  };
  readonly f32: FormatFunctions<"i32"> & {
    readonly toF64: Func<["i32"], ["i64"]>;
    readonly fast: FastEmitters<"f32">;
  };
}
