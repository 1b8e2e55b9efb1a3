import type { FunctionBuilder } from "../wasm/function.ts";
import type { Func, Local } from "../wasm/types.ts";
import type { Context } from "./context.ts";
import { binary64 } from "./format.ts";
import { exponentOf, type Rounding, toOdd, unpack } from "./round.ts";
import { Flag, RoundingMode } from "./types.ts";

/** The exact arithmetic of binary64: every operand, rounding mode and flag. The last parameter is `rm`, with `toOdd` added or not. */
export interface ExactFunctions {
  readonly add: Func<readonly ["i64", "i64", "i32"], readonly ["i64"]>;
  readonly mul: Func<readonly ["i64", "i64", "i32"], readonly ["i64"]>;
  readonly div: Func<readonly ["i64", "i64", "i32"], readonly ["i64"]>;
  readonly sqrt: Func<readonly ["i64", "i32"], readonly ["i64"]>;
  readonly fma: Func<readonly ["i64", "i64", "i64", "i32"], readonly ["i64"]>;
}

type Bits = Local<"i64">;

const { infinity, sign: signBit, hidden, fraction } = binary64;

export function createExact(context: Context, rounding: Rounding): ExactFunctions {
  const { module } = context;
  const { to64, shiftRightJam } = rounding;

  const returnNaNs = (f: FunctionBuilder, a: Bits, b: Bits) =>
    f.if(f.i32.or(binary64.isNaN(f, a), binary64.isNaN(f, b)), () => f.return(f.call(context.nan, f.get(a), f.get(b))));
  const returnInvalid = (f: FunctionBuilder) => f.return(f.call(context.invalid));
  const signOfProduct = (f: FunctionBuilder, a: Bits, b: Bits) =>
    f.i64.let(f.i64.and(f.i64.xor(f.get(a), f.get(b)), f.i64.const(-signBit)));
  /** The sign of an exact zero sum of two operands of unlike sign (IEEE 754-2019, 6.3). */
  const signOfCancellation = (f: FunctionBuilder, mode: Local<"i32">) =>
    f.i64.shl(
      f.i64.extendI32U(f.i32.eq(f.i32.and(f.get(mode), f.i32.const(toOdd - 1)), f.i32.const(RoundingMode.RDN))),
      f.i64.const(63),
    );
  const finite = (f: FunctionBuilder, significand: Bits) => f.f64.convertI64U(f.get(significand));

  const add = module.define("float.exactAdd", ["i64", "i64", "i32"], ["i64"], (f, a, b, mode) => {
    f.if(f.i32.or(binary64.isSpecial(f, a), binary64.isSpecial(f, b)), () => {
      returnNaNs(f, a, b);
      f.if(binary64.isInfinite(f, a), () => {
        f.if(f.i32.and(binary64.isInfinite(f, b), f.i64.ne(f.get(a), f.get(b))), () => returnInvalid(f));
        f.return(f.get(a));
      });
      f.return(f.get(b));
    });
    // The operand of the larger magnitude comes first.
    f.if(f.i64.ltU(binary64.doubled(f, a), binary64.doubled(f, b)), () => {
      const larger = f.i64.let(f.get(b));
      f.set(b, f.get(a));
      f.set(a, f.get(larger));
    });
    const part = (bits: Bits) => {
      const exponent = f.i32.let(exponentOf(f, bits));
      const significand = f.i64.let(f.i64.and(f.get(bits), f.i64.const(fraction)));
      f.if(
        f.get(exponent),
        () => f.set(significand, f.i64.or(f.get(significand), f.i64.const(hidden))),
        () => f.set(exponent, f.i32.const(1)),
      );
      // Leading one in bit 62: ten bits below the last place, one above for the carry.
      f.set(significand, f.i64.shl(f.get(significand), f.i64.const(10)));
      return { exponent, significand };
    };
    const x = part(a);
    const y = part(b);
    const smaller = f.get(y.significand);
    f.set(y.significand, f.call(shiftRightJam, smaller, f.i32.sub(f.get(x.exponent), f.get(y.exponent))));
    const isSum = f.i32.let(f.i64.geS(f.i64.xor(f.get(a), f.get(b)), f.i64.const(0)));
    f.if(
      f.get(isSum),
      () => f.set(x.significand, f.i64.add(f.get(x.significand), f.get(y.significand))),
      () => f.set(x.significand, f.i64.sub(f.get(x.significand), f.get(y.significand))),
    );
    f.if(f.i64.eqz(f.get(x.significand)), () => {
      f.return(f.i64.select(binary64.signOf(f, a), signOfCancellation(f, mode), f.get(isSum)));
    });
    const sign = binary64.signOf(f, a);
    return f.call(to64, sign, f.i32.add(f.get(x.exponent), f.i32.const(1)), f.get(x.significand), f.get(mode));
  });

  const mulHigh = module.define("float.mulHigh", ["i64", "i64"], ["i64"], (f, a, b) => {
    const low = (x: Bits) => f.i64.and(f.get(x), f.i64.const(0xffff_ffffn));
    const high = (x: Bits) => f.i64.shrU(f.get(x), f.i64.const(32));
    const carry = f.i64.let(f.i64.shrU(f.i64.mul(low(a), low(b)), f.i64.const(32)));
    const middle = f.i64.let(f.i64.add(f.i64.mul(high(a), low(b)), f.get(carry)));
    const other = f.i64.let(f.i64.add(f.i64.mul(low(a), high(b)), low(middle)));
    return f.i64.add(f.i64.add(f.i64.mul(high(a), high(b)), high(middle)), high(other));
  });

  const mul = module.define("float.exactMul", ["i64", "i64", "i32"], ["i64"], (f, a, b, mode) => {
    const sign = signOfProduct(f, a, b);
    const isZero = f.i32.let(f.i32.or(binary64.isZero(f, a), binary64.isZero(f, b)));
    f.if(f.i32.or(binary64.isSpecial(f, a), binary64.isSpecial(f, b)), () => {
      returnNaNs(f, a, b);
      f.if(f.get(isZero), () => returnInvalid(f));
      f.return(f.i64.or(f.get(sign), f.i64.const(infinity)));
    });
    f.if(f.get(isZero), () => f.return(f.get(sign)));
    const x = unpack(f, a);
    const y = unpack(f, b);
    f.set(x.significand, f.i64.shl(f.get(x.significand), f.i64.const(11)));
    f.set(y.significand, f.i64.shl(f.get(y.significand), f.i64.const(11)));
    const high = f.i64.let(f.call(mulHigh, f.get(x.significand), f.get(y.significand)));
    const low = f.i64.mul(f.get(x.significand), f.get(y.significand));
    f.set(high, f.i64.or(f.i64.extendI32U(f.i64.ne(low, f.i64.const(0))), f.get(high)));
    const arg = f.get(sign);
    const exponent = f.i32.sub(f.i32.add(f.get(x.exponent), f.get(y.exponent)), f.i32.const(binary64.bias - 1));
    return f.call(to64, arg, exponent, f.get(high), f.get(mode));
  });

  /**
   * Rounds `quotient`, the host's nearest quotient or root with its leading one in bit 52. The sign of `remainder` says on which side
   * of it the exact value is, less than half a unit away: one bit below the last place tells all that rounding needs.
   */
  const roundEstimate = (f: FunctionBuilder, quotient: Bits, remainder: Bits) => {
    const above = f.i64.gtS(f.get(remainder), f.i64.const(0));
    const below = f.i64.ltS(f.get(remainder), f.i64.const(0));
    const side = f.i64.let(f.i64.extendI32S(f.i32.sub(above, below)));
    return f.i64.add(f.i64.shl(f.get(quotient), f.i64.const(10)), f.get(side));
  };

  const div = module.define("float.exactDiv", ["i64", "i64", "i32"], ["i64"], (f, a, b, mode) => {
    const sign = signOfProduct(f, a, b);
    const returnInfinity = () => f.return(f.i64.or(f.get(sign), f.i64.const(infinity)));
    f.if(f.i32.or(binary64.isSpecial(f, a), binary64.isSpecial(f, b)), () => {
      returnNaNs(f, a, b);
      f.if(binary64.isInfinite(f, a), () => {
        f.if(binary64.isInfinite(f, b), () => returnInvalid(f));
        returnInfinity();
      });
      f.return(f.get(sign));
    });
    f.if(binary64.isZero(f, b), () => {
      f.if(binary64.isZero(f, a), () => returnInvalid(f));
      context.raise(f, Flag.DZ);
      returnInfinity();
    });
    f.if(binary64.isZero(f, a), () => f.return(f.get(sign)));
    const x = unpack(f, a);
    const y = unpack(f, b);
    // The quotient lies in [1, 2).
    f.if(f.i64.ltU(f.get(x.significand), f.get(y.significand)), () => {
      f.set(x.significand, f.i64.shl(f.get(x.significand), f.i64.const(1)));
      f.set(x.exponent, f.i32.sub(f.get(x.exponent), f.i32.const(1)));
    });
    const estimate = f.f64.div(finite(f, x.significand), finite(f, y.significand));
    const quotient = f.i64.let(f.i64.truncSatF64U(f.f64.mul(estimate, f.f64.const(2 ** 52))));
    // The remainder is smaller than 2^53, so its low 64 bits are all of it.
    const scaled = f.i64.shl(f.get(x.significand), f.i64.const(52));
    const remainder = f.i64.let(f.i64.sub(scaled, f.i64.mul(f.get(quotient), f.get(y.significand))));
    const arg = f.get(sign);
    const exponent = f.i32.add(f.i32.sub(f.get(x.exponent), f.get(y.exponent)), f.i32.const(binary64.bias + 1));
    return f.call(to64, arg, exponent, roundEstimate(f, quotient, remainder), f.get(mode));
  });

  const sqrt = module.define("float.exactSqrt", ["i64", "i32"], ["i64"], (f, a, mode) => {
    f.if(binary64.isNaN(f, a), () => f.return(f.call(context.nan, f.get(a), f.get(a))));
    f.if(binary64.isZero(f, a), () => f.return(f.get(a)));
    f.if(f.i64.ltS(f.get(a), f.i64.const(0)), () => returnInvalid(f));
    f.if(binary64.isInfinite(f, a), () => f.return(f.get(a)));
    const { exponent, significand } = unpack(f, a);
    f.set(exponent, f.i32.sub(f.get(exponent), f.i32.const(binary64.bias)));
    // An even exponent, the significand in [1, 4): its root lies in [1, 2).
    const isOdd = () => f.i64.extendI32U(f.i32.and(f.get(exponent), f.i32.const(1)));
    f.set(significand, f.i64.shl(f.get(significand), isOdd()));
    const estimate = f.f64.sqrt(finite(f, significand));
    const root = f.i64.let(f.i64.truncSatF64U(f.f64.mul(estimate, f.f64.const(2 ** 26))));
    const scaled = f.i64.shl(f.get(significand), f.i64.const(52));
    const remainder = f.i64.let(f.i64.sub(scaled, f.i64.mul(f.get(root), f.get(root))));
    const half = f.i32.let(f.i32.shrS(f.get(exponent), f.i32.const(1)));
    const sign = f.i64.const(0);
    const biased = f.i32.add(f.get(half), f.i32.const(binary64.bias + 1));
    return f.call(to64, sign, biased, roundEstimate(f, root, remainder), f.get(mode));
  });

  const fma = module.define("float.exactFma", ["i64", "i64", "i64", "i32"], ["i64"], (f, a, b, c, mode) => {
    const sign = signOfProduct(f, a, b);
    const isZero = f.i32.let(f.i32.or(binary64.isZero(f, a), binary64.isZero(f, b)));
    const isInfinite = f.i32.let(f.i32.or(binary64.isInfinite(f, a), binary64.isInfinite(f, b)));
    const eitherIsNaN = f.i32.let(f.i32.or(binary64.isNaN(f, a), binary64.isNaN(f, b)));
    f.if(f.i32.or(f.get(eitherIsNaN), binary64.isNaN(f, c)), () => {
      f.if(binary64.isSignaling(f, c), () => context.raise(f, Flag.NV));
      f.if(f.get(eitherIsNaN), () => f.return(f.call(context.nan, f.get(a), f.get(b))));
      // Whether infinity * 0 + quiet NaN sets NV is for the implementation to choose (IEEE 754-2019, 7.2c): RISC-V does, x86 does not.
      if (context.canonical) f.if(f.i32.and(f.get(isZero), f.get(isInfinite)), () => context.raise(f, Flag.NV));
      f.return(f.call(context.nan, f.get(c), f.get(c)));
    });
    f.if(f.get(isInfinite), () => {
      f.if(f.get(isZero), () => returnInvalid(f));
      f.set(sign, f.i64.or(f.get(sign), f.i64.const(infinity)));
    });
    // An infinite or zero product, or an infinite addend, needs no product: addition has the same rules.
    f.if(f.i32.or(f.i32.or(f.get(isZero), f.get(isInfinite)), binary64.isSpecial(f, c)), () => {
      f.return(f.call(add, f.get(sign), f.get(c), f.get(mode)));
    });
    f.if(binary64.isZero(f, c), () => f.return(f.call(mul, f.get(a), f.get(b), f.get(mode))));

    // Both terms as 128-bit significands with the leading one in bit 126 or 125, x the one of the larger exponent.
    const p = unpack(f, a);
    const q = unpack(f, b);
    f.set(p.significand, f.i64.shl(f.get(p.significand), f.i64.const(11)));
    f.set(q.significand, f.i64.shl(f.get(q.significand), f.i64.const(10)));
    const xHigh = f.i64.let(f.call(mulHigh, f.get(p.significand), f.get(q.significand)));
    const xLow = f.i64.let(f.i64.mul(f.get(p.significand), f.get(q.significand)));
    const exponent = f.i32.let(f.i32.sub(f.i32.add(f.get(p.exponent), f.get(q.exponent)), f.i32.const(binary64.bias - 1)));
    const addend = unpack(f, c);
    const yHigh = f.i64.let(f.i64.shl(f.get(addend.significand), f.i64.const(10)));
    const yLow = f.i64.local();
    const isSum = f.i32.let(f.i64.geS(f.i64.xor(f.get(sign), f.get(c)), f.i64.const(0)));
    const distance = f.i32.let(f.i32.sub(f.get(exponent), f.get(addend.exponent)));
    f.if(f.i32.ltS(f.get(distance), f.i32.const(0)), () => {
      const swap = f.i64.let(f.get(xHigh));
      f.set(xHigh, f.get(yHigh));
      f.set(yHigh, f.get(swap));
      f.set(yLow, f.get(xLow));
      f.set(xLow, f.i64.const(0));
      f.set(exponent, f.get(addend.exponent));
      f.set(sign, binary64.signOf(f, c));
      f.set(distance, f.i32.sub(f.i32.const(0), f.get(distance)));
    });
    // Shift y right by the distance, keeping a trace of what is lost.
    f.if(f.i32.geU(f.get(distance), f.i32.const(64)), () => {
      f.set(yLow, f.i64.or(f.get(yHigh), f.i64.extendI32U(f.i64.ne(f.get(yLow), f.i64.const(0)))));
      f.set(yHigh, f.i64.const(0));
      f.set(distance, f.i32.sub(f.get(distance), f.i32.const(64)));
    });
    f.if(f.get(distance), () => {
      const over = f.i64.shl(
        f.i64.shl(f.get(yHigh), f.i64.const(1)),
        f.i64.extendI32U(f.i32.sub(f.i32.const(63), f.get(distance))),
      );
      const shifted = f.call(shiftRightJam, f.get(yLow), f.get(distance));
      f.set(yLow, f.i64.or(over, shifted));
      f.set(yHigh, f.i64.shrU(f.get(yHigh), f.i64.extendI32U(f.get(distance))));
    });
    f.if(
      f.get(isSum),
      () => {
        f.set(xLow, f.i64.add(f.get(xLow), f.get(yLow)));
        const sum = f.i64.add(f.get(xHigh), f.get(yHigh));
        f.set(xHigh, f.i64.add(sum, f.i64.extendI32U(f.i64.ltU(f.get(xLow), f.get(yLow)))));
      },
      () => {
        const difference = f.i64.sub(f.get(xHigh), f.get(yHigh));
        f.set(xHigh, f.i64.sub(difference, f.i64.extendI32U(f.i64.ltU(f.get(xLow), f.get(yLow)))));
        f.set(xLow, f.i64.sub(f.get(xLow), f.get(yLow)));
        f.if(f.i64.eqz(f.i64.or(f.get(xHigh), f.get(xLow))), () => f.return(signOfCancellation(f, mode)));
        f.if(f.i64.ltS(f.get(xHigh), f.i64.const(0)), () => {
          f.set(xLow, f.i64.sub(f.i64.const(0), f.get(xLow)));
          const inverted = f.i64.sub(f.i64.const(0), f.get(xHigh));
          f.set(xHigh, f.i64.sub(inverted, f.i64.extendI32U(f.i64.ne(f.get(xLow), f.i64.const(0)))));
          f.set(sign, f.i64.xor(f.get(sign), f.i64.const(-signBit)));
        });
      },
    );
    f.if(f.i64.eqz(f.get(xHigh)), () => {
      f.set(xHigh, f.get(xLow));
      f.set(xLow, f.i64.const(0));
      f.set(exponent, f.i32.sub(f.get(exponent), f.i32.const(64)));
    });
    const zeros = f.i64.let(f.i64.clz(f.get(xHigh)));
    const top = f.i64.shl(f.get(xHigh), f.get(zeros));
    const next = f.i64.shrU(f.i64.shrU(f.get(xLow), f.i64.const(1)), f.i64.sub(f.i64.const(63), f.get(zeros)));
    const joined = f.i64.or(top, next);
    f.set(xHigh, f.i64.or(joined, f.i64.extendI32U(f.i64.ne(f.i64.shl(f.get(xLow), f.get(zeros)), f.i64.const(0)))));
    const finalSign = f.get(sign);
    const finalExponent = f.i32.sub(f.i32.add(f.get(exponent), f.i32.const(1)), f.i32.wrapI64(f.get(zeros)));
    return f.call(to64, finalSign, finalExponent, f.get(xHigh), f.get(mode));
  });

  return { add, mul, div, sqrt, fma };
}
