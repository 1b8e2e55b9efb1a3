import type { FunctionBuilder } from "../wasm/function.ts";
import type { F32, F64, I32, I64, Local, Value } from "../wasm/types.ts";

/** The integer operators that code for both formats needs. */
interface BitOperators<B extends "i32" | "i64"> {
  and(a: Value<B>, b: Value<B>): Value<B>;
  sub(a: Value<B>, b: Value<B>): Value<B>;
  shl(a: Value<B>, b: Value<B>): Value<B>;
  eq(a: Value<B>, b: Value<B>): I32;
  ne(a: Value<B>, b: Value<B>): I32;
  ltS(a: Value<B>, b: Value<B>): I32;
  ltU(a: Value<B>, b: Value<B>): I32;
  gtU(a: Value<B>, b: Value<B>): I32;
  geU(a: Value<B>, b: Value<B>): I32;
  eqz(a: Value<B>): I32;
  select(a: Value<B>, b: Value<B>, condition: I32): Value<B>;
  let(value: Value<B>): Local<B>;
}

/** The host's float operators that code for both formats needs. */
interface FloatOperators<V extends "f32" | "f64"> {
  add(a: Value<V>, b: Value<V>): Value<V>;
  sub(a: Value<V>, b: Value<V>): Value<V>;
  mul(a: Value<V>, b: Value<V>): Value<V>;
  div(a: Value<V>, b: Value<V>): Value<V>;
  min(a: Value<V>, b: Value<V>): Value<V>;
  max(a: Value<V>, b: Value<V>): Value<V>;
  sqrt(a: Value<V>): Value<V>;
  neg(a: Value<V>): Value<V>;
  eq(a: Value<V>, b: Value<V>): I32;
  ne(a: Value<V>, b: Value<V>): I32;
  lt(a: Value<V>, b: Value<V>): I32;
  le(a: Value<V>, b: Value<V>): I32;
  ge(a: Value<V>, b: Value<V>): I32;
  nearest(a: Value<V>): Value<V>;
  trunc(a: Value<V>): Value<V>;
  floor(a: Value<V>): Value<V>;
  ceil(a: Value<V>): Value<V>;
  convertI32S(a: I32): Value<V>;
  convertI32U(a: I32): Value<V>;
  convertI64S(a: I64): Value<V>;
  convertI64U(a: I64): Value<V>;
  const(value: number): Value<V>;
  let(value: Value<V>): Local<V>;
}

/**
 * A binary interchange format (IEEE 754-2019, 3.4): its layout, and how to emit tests of its bits. Bits are an integer `B`,
 * the host's own value of the format a `V`.
 */
export class Format<B extends "i32" | "i64", V extends "f32" | "f64"> {
  readonly bits: B;
  readonly value: V;
  readonly width: bigint;
  readonly fractionWidth: bigint;
  readonly bias: number;
  readonly sign: bigint;
  readonly hidden: bigint;
  readonly fraction: bigint;
  readonly infinity: bigint;
  readonly quiet: bigint;
  readonly canonicalNaN: bigint;

  constructor(bits: B, value: V, width: bigint, fractionWidth: bigint) {
    this.bits = bits;
    this.value = value;
    this.width = width;
    this.fractionWidth = fractionWidth;
    this.sign = 1n << (width - 1n);
    this.hidden = 1n << fractionWidth;
    this.fraction = this.hidden - 1n;
    this.infinity = this.sign - this.hidden;
    this.quiet = this.hidden >> 1n;
    this.canonicalNaN = this.infinity | this.quiet;
    this.bias = Number(this.infinity >> (fractionWidth + 1n));
  }

  int(f: FunctionBuilder): BitOperators<B> {
    return f[this.bits] as unknown as BitOperators<B>;
  }

  float(f: FunctionBuilder): FloatOperators<V> {
    return f[this.value] as unknown as FloatOperators<V>;
  }

  const(f: FunctionBuilder, bits: bigint): Value<B> {
    return (
      this.bits === "i64" ? f.i64.const(BigInt.asIntN(64, bits)) : f.i32.const(Number(BigInt.asIntN(32, bits)))
    ) as Value<B>;
  }

  toValue(f: FunctionBuilder, bits: Value<B>): Value<V> {
    const value = this.bits === "i64" ? f.f64.reinterpretI64(bits as I64) : f.f32.reinterpretI32(bits as I32);
    return value as Value<V>;
  }

  toBits(f: FunctionBuilder, value: Value<V>): Value<B> {
    const bits = this.bits === "i64" ? f.i64.reinterpretF64(value as F64) : f.i32.reinterpretF32(value as F32);
    return bits as Value<B>;
  }

  /** The bits without the sign, one place up: they order as magnitudes do. */
  doubled(f: FunctionBuilder, bits: Local<B>): Value<B> {
    return this.int(f).shl(f.get(bits), this.const(f, 1n));
  }

  isZero(f: FunctionBuilder, bits: Local<B>): I32 {
    return this.int(f).eqz(this.doubled(f, bits));
  }

  isInfinite(f: FunctionBuilder, bits: Local<B>): I32 {
    return this.int(f).eq(this.doubled(f, bits), this.const(f, this.infinity << 1n));
  }

  isNaN(f: FunctionBuilder, bits: Local<B>): I32 {
    return this.int(f).gtU(this.doubled(f, bits), this.const(f, this.infinity << 1n));
  }

  /** Infinite or NaN. */
  isSpecial(f: FunctionBuilder, bits: Local<B>): I32 {
    return this.int(f).geU(this.doubled(f, bits), this.const(f, this.infinity << 1n));
  }

  isSignaling(f: FunctionBuilder, bits: Local<B>): I32 {
    const int = this.int(f);
    return f.i32.and(this.isNaN(f, bits), int.eqz(int.and(f.get(bits), this.const(f, this.quiet))));
  }

  signOf(f: FunctionBuilder, bits: Local<B>): Value<B> {
    return this.int(f).and(f.get(bits), this.const(f, this.sign));
  }

  /**
   * Whether a result is neither zero, subnormal, the least normal number (which a tiny value may have been rounded up to),
   * infinite nor NaN: whether it can have raised no flag but NX.
   */
  isPlainlyNormal(f: FunctionBuilder, bits: Value<B>): I32 {
    const int = this.int(f);
    const doubled = int.shl(bits, this.const(f, 1n));
    const least = this.hidden << 1n;
    const offset = int.sub(doubled, this.const(f, least + 1n));
    return int.ltU(offset, this.const(f, (this.infinity << 1n) - least - 1n));
  }
}

export const binary64 = new Format("i64", "f64", 64n, 52n);
export const binary32 = new Format("i32", "f32", 32n, 23n);
