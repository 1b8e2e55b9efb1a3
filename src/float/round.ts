import type { FunctionBuilder } from "../wasm/function.ts";
import type { Func, I32, Local } from "../wasm/types.ts";
import type { Context } from "./context.ts";
import { binary32, binary64, type Format } from "./format.ts";
import { Flag, RoundingMode } from "./types.ts";

/**
 * Bit of the parameter `mode` of the exact functions of binary64; the bits below are `rm`. With it a result is rounded to odd:
 * truncated, its last bit set if anything was cut off. Rounding that once more to binary32, with at least two bits less,
 * gives the correctly rounded result and its flags in every mode (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums:
 * proved algorithms using rounding to odd"). So binary32 needs no arithmetic of its own; its operands are too far from the
 * limits of binary64 to overflow or underflow there.
 */
export const toOdd = 8;

export interface Rounding {
  /** `value >> count`, the last bit set if a bit was lost. Any count that is not negative. */
  readonly shiftRightJam: Func<readonly ["i64", "i32"], readonly ["i64"]>;
  /**
   * Rounds (sign, exponent, significand, mode) to binary64. The significand is not zero and need not be normalized: its bit 63 has
   * the weight of 1.0 times 2^(exponent - 1023). The sign is in bit 63, the rest zero.
   */
  readonly to64: Func<readonly ["i64", "i32", "i64", "i32"], readonly ["i64"]>;
  /** The same to binary32; the exponent's bias is 127, and there is no rounding to odd. */
  readonly to32: Func<readonly ["i64", "i32", "i64", "i32"], readonly ["i32"]>;
}

export function createRounding(context: Context): Rounding {
  const { module } = context;
  const shiftRightJam = module.define("float.shiftRightJam", ["i64", "i32"], ["i64"], (f, value, count) => {
    f.if(f.i32.gtU(f.get(count), f.i32.const(63)), () => f.return(f.i64.extendI32U(f.i64.ne(f.get(value), f.i64.const(0)))));
    const shifted = f.i64.shrU(f.get(value), f.i64.extendI32U(f.get(count)));
    const twice = f.i64.shl(f.get(value), f.i64.const(1));
    const lost = f.i64.shl(twice, f.i64.extendI32U(f.i32.sub(f.i32.const(63), f.get(count))));
    return f.i64.or(shifted, f.i64.extendI32U(f.i64.ne(lost, f.i64.const(0))));
  });

  const round = (
    format: Format<"i64" | "i32", "f64" | "f32">,
    f: FunctionBuilder,
    sign: Local<"i64">,
    exponent: Local<"i32">,
    significand: Local<"i64">,
    mode: Local<"i32">,
  ) => {
    // Bit 62 is the leading one, so that adding the increment cannot overflow.
    const dropped = 62n - format.fractionWidth;
    const half = 1n << (dropped - 1n);
    const mask = (1n << dropped) - 1n;

    const zeros = f.i64.let(f.i64.clz(f.get(significand)));
    f.set(exponent, f.i32.sub(f.get(exponent), f.i32.wrapI64(f.get(zeros))));
    f.set(significand, f.i64.shl(f.get(significand), f.get(zeros)));
    f.set(significand, f.i64.or(f.i64.shrU(f.get(significand), f.i64.const(1)), f.i64.and(f.get(significand), f.i64.const(1))));

    const increment = f.i64.local();
    const isNearest = f.i32.eqz(f.i32.and(f.get(mode), f.i32.const(toOdd | 3)));
    f.if(
      isNearest,
      () => f.set(increment, f.i64.const(half)),
      () => {
        const outward = f.i32.let(
          f.i32.sub(f.i32.const(RoundingMode.RUP), f.i32.wrapI64(f.i64.shrU(f.get(sign), f.i64.const(63)))),
        );
        f.set(increment, f.i64.select(f.i64.const(mask), f.i64.const(0), f.i32.eq(f.get(outward), f.get(mode))));
      },
    );

    const tiny = f.i32.local();
    f.set(tiny, f.i32.const(0));
    f.if(
      f.i32.ltS(f.get(exponent), f.i32.const(1)),
      () => {
        if (context.tinyBeforeRounding) f.set(tiny, f.i32.const(1));
        else {
          const farBelow = f.i32.ltS(f.get(exponent), f.i32.const(0));
          const staysBelow = f.i64.geS(f.i64.add(f.get(significand), f.get(increment)), f.i64.const(0));
          f.set(tiny, f.i32.or(farBelow, staysBelow));
        }
        const value = f.get(significand);
        f.set(significand, f.call(shiftRightJam, value, f.i32.sub(f.i32.const(1), f.get(exponent))));
        f.set(exponent, f.i32.const(1));
      },
      undefined,
      "unlikely",
    );

    const lost = f.i64.let(f.i64.and(f.get(significand), f.i64.const(mask)));
    const result = f.i64.let(f.i64.shrU(f.i64.add(f.get(significand), f.get(increment)), f.i64.const(dropped)));
    f.if(f.i64.ne(f.get(lost), f.i64.const(0)), () => {
      context.raiseInexact(f, () => f.get(tiny));
      const isTie = f.i64.eq(f.get(lost), f.i64.const(half));
      f.if(f.i32.and(isTie, f.i32.eqz(f.get(mode))), () => {
        f.set(result, f.i64.and(f.get(result), f.i64.const(-2)));
      });
      if (format.bits === "i64") {
        const isOdd = () => f.i64.extendI32U(f.i32.shrU(f.get(mode), f.i32.const(Math.log2(toOdd))));
        f.set(result, f.i64.or(f.get(result), isOdd()));
      }
    });
    // The significand's leading one adds itself to the exponent; a subnormal number has none.
    const below = f.i64.extendI32S(f.i32.sub(f.get(exponent), f.i32.const(1)));
    f.set(result, f.i64.add(f.i64.shl(below, f.i64.const(format.fractionWidth)), f.get(result)));
    f.if(
      f.i64.geU(f.get(result), f.i64.const(format.infinity)),
      () => {
        context.raise(f, Flag.OF | Flag.NX);
        const infinity = f.i64.const(format.infinity);
        f.set(result, f.i64.sub(infinity, f.i64.extendI32U(f.i64.eqz(f.get(increment)))));
      },
      undefined,
      "unlikely",
    );
    return result;
  };

  const params = ["i64", "i32", "i64", "i32"] as const;
  return {
    shiftRightJam,
    to64: module.define("float.round64", params, ["i64"], (f, sign, exponent, significand, mode) => {
      const result = round(binary64, f, sign, exponent, significand, mode);
      return f.i64.or(f.get(result), f.get(sign));
    }),
    to32: module.define("float.round32", params, ["i32"], (f, sign, exponent, significand, mode) => {
      const result = round(binary32, f, sign, exponent, significand, mode);
      return f.i32.wrapI64(f.i64.or(f.get(result), f.i64.shrU(f.get(sign), f.i64.const(32))));
    }),
  };
}

/** The biased exponent of a binary64. */
export function exponentOf(f: FunctionBuilder, bits: Local<"i64">): I32 {
  return f.i32.and(f.i32.wrapI64(f.i64.shrU(f.get(bits), f.i64.const(52))), f.i32.const(0x7ff));
}

/** Splits a finite binary64 that is not zero: significand with its leading one in bit 52, and biased exponent, below 1 if subnormal. */
export function unpack(f: FunctionBuilder, bits: Local<"i64">): { exponent: Local<"i32">; significand: Local<"i64"> } {
  const exponent = f.i32.let(exponentOf(f, bits));
  const significand = f.i64.let(f.i64.and(f.get(bits), binary64.const(f, binary64.fraction)));
  f.if(
    f.i32.eqz(f.get(exponent)),
    () => {
      const zeros = f.i64.let(f.i64.sub(f.i64.clz(f.get(significand)), f.i64.const(11)));
      f.set(significand, f.i64.shl(f.get(significand), f.get(zeros)));
      f.set(exponent, f.i32.sub(f.i32.const(1), f.i32.wrapI64(f.get(zeros))));
    },
    () => f.set(significand, f.i64.or(f.get(significand), binary64.const(f, binary64.hidden))),
  );
  return { exponent, significand };
}
