import type { FunctionBuilder } from "../wasm/function.ts";
import { ModuleBuilder } from "../wasm/module.ts";
import type { I32, Local, Value } from "../wasm/types.ts";
import { webAssembly } from "../wasm/webassembly.ts";
import { binary32, binary64, type Format } from "./format.ts";

/**
 * What the host's own arithmetic, which rounds to nearest even, gives for an operation, and what can be said of it cheaply. The
 * two tests are emitted where they are called, at most once each.
 */
export interface HostResult<V extends "f32" | "f64"> {
  readonly result: Local<V>;
  /** Whether the result is right in RNE and raised no flag but NX. It may say no where it is, never yes where it is not. */
  isRight(): I32;
  /** Given that it is right, whether it is exact: no NX either. It may say no where it is, never yes where it is not. */
  isExact(): I32;
}

/** Emits the host's operation on values in locals. */
export type HostOperation<V extends "f32" | "f64"> = (f: FunctionBuilder, ...operands: Local<V>[]) => HostResult<V>;

export type OperationName = "add" | "sub" | "mul" | "div" | "sqrt" | "fma";

/** Product of two locals and its exact error (Dekker's algorithm, with Veltkamp's splitting). Overflow in it makes the error a NaN. */
function twoProduct(f: FunctionBuilder, a: Local<"f64">, b: Local<"f64">): { product: Local<"f64">; error: Local<"f64"> } {
  const split = (x: Local<"f64">) => {
    const scaled = f.f64.let(f.f64.mul(f.get(x), f.f64.const(2 ** 27 + 1)));
    const high = f.f64.let(f.f64.sub(f.get(scaled), f.f64.sub(f.get(scaled), f.get(x))));
    const low = f.f64.let(f.f64.sub(f.get(x), f.get(high)));
    return { high, low };
  };
  const product = f.f64.let(f.f64.mul(f.get(a), f.get(b)));
  const x = split(a);
  const y = split(b);
  const first = f.f64.sub(f.f64.mul(f.get(x.high), f.get(y.high)), f.get(product));
  const second = f.f64.add(first, f.f64.mul(f.get(x.high), f.get(y.low)));
  const third = f.f64.add(second, f.f64.mul(f.get(x.low), f.get(y.high)));
  const error = f.f64.let(f.f64.add(third, f.f64.mul(f.get(x.low), f.get(y.low))));
  return { product, error };
}

/** What both formats do alike. */
function common<B extends "i32" | "i64", V extends "f32" | "f64">(format: Format<B, V>) {
  /** The error of a sum (Knuth's TwoSum), exact unless it is a NaN. */
  const errorOfSum = (f: FunctionBuilder, sum: Local<V>, a: Local<V>, b: Local<V>): Value<V> => {
    const float = format.float(f);
    const part = float.let(float.sub(f.get(sum), f.get(a)));
    const errorOfA = float.sub(f.get(a), float.sub(f.get(sum), f.get(part)));
    return float.add(errorOfA, float.sub(f.get(b), f.get(part)));
  };
  const isZero = (f: FunctionBuilder, value: Value<V>) => format.float(f).eq(value, format.float(f).const(0));
  const isPlainlyNormal = (f: FunctionBuilder, result: Local<V>) => format.isPlainlyNormal(f, format.toBits(f, f.get(result)));
  /** A sum is exact when it is tiny, so it only must be finite. */
  const isBounded = (f: FunctionBuilder, result: Local<V>) => {
    const float = format.float(f);
    return isZero(f, float.sub(f.get(result), f.get(result)));
  };
  const add: HostOperation<V> = (f, a, b) => {
    const result = format.float(f).let(format.float(f).add(f.get(a), f.get(b)));
    return { result, isRight: () => isBounded(f, result), isExact: () => isZero(f, errorOfSum(f, result, a, b)) };
  };
  const sub: HostOperation<V> = (f, a, b) => {
    const result = format.float(f).let(format.float(f).sub(f.get(a), f.get(b)));
    const isExact = () => {
      const negated = format.float(f).let(format.float(f).neg(f.get(b)));
      return isZero(f, errorOfSum(f, result, a, negated));
    };
    return { result, isRight: () => isBounded(f, result), isExact };
  };
  return { errorOfSum, isZero, isPlainlyNormal, add, sub };
}

const double = common(binary64);
const single = common(binary32);

/** The significand of a normal number, its leading one in bit 52. */
function significandOf(f: FunctionBuilder, value: Local<"f64">): Value<"i64"> {
  const fraction = f.i64.and(f.i64.reinterpretF64(f.get(value)), f.i64.const(binary64.fraction));
  return f.i64.or(fraction, f.i64.const(binary64.hidden));
}
/** Whether a value is a normal number or larger. Significands of smaller ones are not what `significandOf` gives. */
function isNotTiny(f: FunctionBuilder, value: Local<"f64">): I32 {
  return f.f64.ge(f.f64.abs(f.get(value)), f.f64.const(2 ** -1022));
}

const host64: Record<Exclude<OperationName, "fma">, HostOperation<"f64">> = {
  add: double.add,
  sub: double.sub,
  mul: (f, a, b) => {
    const result = f.f64.let(f.f64.mul(f.get(a), f.get(b)));
    const isExact = () => {
      // The product of the significands has 105 or 106 bits; if its low 53 are zero, the result holds all of it.
      const low = f.i64.shl(f.i64.mul(significandOf(f, a), significandOf(f, b)), f.i64.const(11));
      return f.i32.and(f.i32.and(f.i64.eqz(low), isNotTiny(f, a)), isNotTiny(f, b));
    };
    return { result, isRight: () => double.isPlainlyNormal(f, result), isExact };
  },
  div: (f, a, b) => {
    const result = f.f64.let(f.f64.div(f.get(a), f.get(b)));
    const isExact = () => {
      // The remainder, dividend - result * divisor, in integers. It is less than 2^53, so 64 bits tell whether it is zero.
      const dividend = f.i64.let(significandOf(f, a));
      const divisor = f.i64.let(significandOf(f, b));
      const product = f.i64.mul(significandOf(f, result), f.get(divisor));
      const shift = f.i64.add(f.i64.const(52), f.i64.extendI32U(f.i64.ltU(f.get(dividend), f.get(divisor))));
      const places = f.i64.let(shift);
      const isWhole = f.i64.eq(product, f.i64.shl(f.get(dividend), f.get(places)));
      return f.i32.and(f.i32.and(isWhole, isNotTiny(f, a)), isNotTiny(f, b));
    };
    return { result, isRight: () => double.isPlainlyNormal(f, result), isExact };
  },
  sqrt: (f, a) => {
    const result = f.f64.let(f.f64.sqrt(f.get(a)));
    const isExact = () => {
      const root = f.i64.let(significandOf(f, result));
      const square = f.i64.mul(f.get(root), f.get(root));
      // The biased exponent is odd where the exponent is even: then the root's square has one place less.
      const isEven = () => f.i64.and(f.i64.shrU(f.i64.reinterpretF64(f.get(a)), f.i64.const(52)), f.i64.const(1));
      const places = f.i64.let(f.i64.sub(f.i64.const(53), isEven()));
      return f.i32.and(f.i64.eq(square, f.i64.shl(significandOf(f, a), f.get(places))), isNotTiny(f, a));
    };
    // A root never over- or underflows, and only that of a NaN or a negative number is a NaN. (binary32 tests the operand instead:
    // the host's instruction waits for its target register, and these are the forms that measured best.)
    return { result, isRight: () => f.f64.eq(f.get(result), f.get(result)), isExact };
  },
};

/** Products from here on have an error that does not underflow. */
const leastProduct = 2 ** -900;

/** By error-free transformations, the last addition but one rounding to odd (Boldo and Melquiond, see `toOdd`). */
const fmaOfParts: HostOperation<"f64"> = (f, a, b, c) => {
  const sum = (x: Local<"f64">, y: Local<"f64">) => {
    const total = f.f64.let(f.f64.add(f.get(x), f.get(y)));
    return { total, error: f.f64.let(double.errorOfSum(f, total, x, y)) };
  };
  const { product, error } = twoProduct(f, a, b);
  const low = sum(c, error);
  const high = sum(product, low.total);
  const rest = sum(low.error, high.error);
  // Round the rest to odd: if it is inexact and even, take its neighbour on the side of the error.
  const isInexact = f.f64.ne(f.get(rest.error), f.f64.const(0));
  const odd = f.i64.let(f.i64.reinterpretF64(f.get(rest.total)));
  f.if(f.i32.and(isInexact, f.i32.eqz(f.i32.wrapI64(f.i64.and(f.get(odd), f.i64.const(1))))), () => {
    const isOutward = f.i64.geS(f.i64.xor(f.i64.reinterpretF64(f.get(rest.error)), f.get(odd)), f.i64.const(0));
    const step = f.i64.let(f.i64.extendI32S(f.i32.sub(f.i32.shl(isOutward, f.i32.const(1)), f.i32.const(1))));
    f.set(odd, f.i64.add(f.get(odd), f.get(step)));
  });
  const result = f.f64.let(f.f64.add(f.get(high.total), f.f64.reinterpretI64(f.get(odd))));
  return {
    result,
    // Overflow anywhere above has made the result infinite or a NaN.
    isRight: () => {
      const isLarge = f.f64.ge(f.f64.abs(f.get(product)), f.f64.const(leastProduct));
      return f.i32.and(isLarge, double.isPlainlyNormal(f, result));
    },
    isExact: () => f.i64.eqz(f.i64.shl(f.get(odd), f.i64.const(1))),
  };
};

const host32: Record<OperationName, HostOperation<"f32">> = {
  add: single.add,
  sub: single.sub,
  mul: (f, a, b) => {
    const result = f.f32.let(f.f32.mul(f.get(a), f.get(b)));
    const isExact = () => {
      const product = f.f64.mul(f.f64.promoteF32(f.get(a)), f.f64.promoteF32(f.get(b)));
      return f.f64.eq(product, f.f64.promoteF32(f.get(result)));
    };
    return { result, isRight: () => single.isPlainlyNormal(f, result), isExact };
  },
  div: (f, a, b) => {
    const result = f.f32.let(f.f32.div(f.get(a), f.get(b)));
    const isExact = () => {
      const product = f.f64.mul(f.f64.promoteF32(f.get(result)), f.f64.promoteF32(f.get(b)));
      return f.f64.eq(product, f.f64.promoteF32(f.get(a)));
    };
    return { result, isRight: () => single.isPlainlyNormal(f, result), isExact };
  },
  sqrt: (f, a) => {
    const result = f.f32.let(f.f32.sqrt(f.get(a)));
    const isExact = () => {
      const square = f.f64.mul(f.f64.promoteF32(f.get(result)), f.f64.promoteF32(f.get(result)));
      return f.f64.eq(square, f.f64.promoteF32(f.get(a)));
    };
    return { result, isRight: () => f.f32.ge(f.get(a), f.f32.const(0)), isExact };
  },
  fma: (f, a, b, c) => {
    // The product is exact in binary64. Rounding the sum twice goes wrong only if the first rounding yields a tie of the second.
    const product = f.f64.let(f.f64.mul(f.f64.promoteF32(f.get(a)), f.f64.promoteF32(f.get(b))));
    const addend = f.f64.let(f.f64.promoteF32(f.get(c)));
    const sum = f.f64.let(f.f64.add(f.get(product), f.get(addend)));
    const result = f.f32.let(f.f32.demoteF64(f.get(sum)));
    const isRight = () => {
      const cut = f.i32.and(f.i32.wrapI64(f.i64.reinterpretF64(f.get(sum))), f.i32.const(0x1fff_ffff));
      const isNoTie = f.i32.ne(cut, f.i32.const(0x1000_0000));
      return f.i32.and(isNoTie, single.isPlainlyNormal(f, result));
    };
    const isExact = () => {
      const isWhole = f.f64.eq(f.f64.promoteF32(f.get(result)), f.get(sum));
      return f.i32.and(isWhole, double.isZero(f, double.errorOfSum(f, sum, product, addend)));
    };
    return { result, isRight, isExact };
  },
};

/** By the host's fused multiplication and addition. */
const fusedFma: HostOperation<"f64"> = (f, a, b, c) => {
  const result = f.f64.let(f.relaxedMadd(a, b, c));
  const isExact = () => {
    const product = f.f64.let(f.f64.mul(f.get(a), f.get(b)));
    const negated = f.f64.let(f.f64.neg(f.get(product)));
    const isWhole = double.isZero(f, f.relaxedMadd(a, b, negated));
    const isLarge = f.f64.ge(f.f64.abs(f.get(product)), f.f64.const(leastProduct));
    return f.i32.and(f.i32.and(isWhole, isLarge), double.isZero(f, double.errorOfSum(f, result, product, c)));
  };
  return { result, isRight: () => double.isPlainlyNormal(f, result), isExact };
};

export interface HostOperations {
  readonly f64: Record<OperationName, HostOperation<"f64">>;
  readonly f32: Record<OperationName, HostOperation<"f32">>;
}

export function createHostOperations(fusedMultiplyAdd: boolean): HostOperations {
  return { f64: { ...host64, fma: fusedMultiplyAdd ? fusedFma : fmaOfParts }, f32: host32 };
}

/**
 * Whether the host compiles `f64x2.relaxed_madd` and it rounds once: Node 24 and today's browsers on a processor with fused
 * multiplication and addition.
 */
export function probeFusedMultiplyAdd(): boolean {
  const module = new ModuleBuilder();
  module.export(
    "madd",
    module.define("madd", ["f64", "f64", "f64"], ["f64"], (f, a, b, c) => f.relaxedMadd(a, b, c)),
  );
  const bytes = module.toBytes();
  if (!webAssembly.validate(bytes)) return false;
  const { madd } = new webAssembly.Instance(new webAssembly.Module(bytes)).exports;
  const nearOne = 1 + 2 ** -27;
  // The product is 1 + 2^-26 + 2^-54; rounded first, it loses its last term.
  return (madd as (a: number, b: number, c: number) => number)(nearOne, nearOne, -(1 + 2 ** -26)) === 2 ** -54;
}
