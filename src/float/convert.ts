import type { FunctionBuilder } from "../wasm/function.ts";
import type { F32, F64, Func, I32, I64, Local, Value } from "../wasm/types.ts";
import type { Context } from "./context.ts";
import { binary32, binary64, type Format } from "./format.ts";
import { exponentOf, type Rounding, unpack } from "./round.ts";
import { type ConversionFunctions, Flag, RoundingMode } from "./types.ts";

/** binary64 to binary32. */
export function createNarrow(context: Context, rounding: Rounding): Func<readonly ["i64", "i32"], readonly ["i32"]> {
  return context.module.define("f64.toF32", ["i64", "i32"], ["i32"], (f, a, rm) => {
    const value = f.f64.let(f.f64.reinterpretI64(f.get(a)));
    const result = f.f32.let(f.f32.demoteF64(f.get(value)));
    const bits = () => f.i32.reinterpretF32(f.get(result));
    f.if(f.f64.eq(f.f64.promoteF32(f.get(result)), f.get(value)), () => f.return(bits()));
    f.if(f.f64.ne(f.get(value), f.get(value)), () => {
      const quiet = f.i64.let(f.call(context.nan, f.get(a), f.get(a)));
      if (context.canonical) f.return(binary32.const(f, binary32.canonicalNaN));
      const sign = f.i32.wrapI64(f.i64.shrU(binary64.signOf(f, quiet), f.i64.const(32)));
      const fraction = f.i32.wrapI64(f.i64.shrU(f.get(quiet), f.i64.const(29)));
      const payload = f.i32.and(fraction, binary32.const(f, binary32.fraction));
      f.return(f.i32.or(f.i32.or(sign, payload), binary32.const(f, binary32.infinity)));
    });
    // What is left is inexact.
    f.if(f.i32.eqz(f.get(rm)), () => {
      f.if(binary32.isPlainlyNormal(f, bits()), () => {
        context.raise(f, Flag.NX);
        f.return(bits());
      });
    });
    const { exponent, significand } = unpack(f, a);
    const sign = binary64.signOf(f, a);
    const rebiased = f.i32.sub(f.get(exponent), f.i32.const(binary64.bias - binary32.bias));
    return f.call(rounding.to32, sign, rebiased, f.i64.shl(f.get(significand), f.i64.const(11)), f.get(rm));
  });
}

export type IntegerName = "I32" | "U32" | "I64" | "U64";

interface IntegerType {
  /** Values from `least` to below `end` fit. Both formats hold both exactly. */
  readonly least: number;
  readonly end: number;
  readonly max: bigint;
  /** The host's saturating conversions. */
  readonly convert: { f32(f: FunctionBuilder, a: F32): I32 | I64; f64(f: FunctionBuilder, a: F64): I32 | I64 };
}

export const integers: Record<IntegerName, IntegerType> = {
  I32: {
    least: -(2 ** 31),
    end: 2 ** 31,
    max: 2n ** 31n - 1n,
    convert: { f32: (f, a) => f.i32.truncSatF32S(a), f64: (f, a) => f.i32.truncSatF64S(a) },
  },
  U32: {
    least: 0,
    end: 2 ** 32,
    max: 2n ** 32n - 1n,
    convert: { f32: (f, a) => f.i32.truncSatF32U(a), f64: (f, a) => f.i32.truncSatF64U(a) },
  },
  I64: {
    least: -(2 ** 63),
    end: 2 ** 63,
    max: 2n ** 63n - 1n,
    convert: { f32: (f, a) => f.i64.truncSatF32S(a), f64: (f, a) => f.i64.truncSatF64S(a) },
  },
  U64: {
    least: 0,
    end: 2 ** 64,
    max: 2n ** 64n - 1n,
    convert: { f32: (f, a) => f.i64.truncSatF32U(a), f64: (f, a) => f.i64.truncSatF64U(a) },
  },
};

/** Rounding to integers within binary64 and its conversions to and from integers; binary32 goes through binary64, which is exact. */
export function createConversions(
  context: Context,
  rounding: Rounding,
  narrow: Func<readonly ["i64", "i32"], readonly ["i32"]>,
): {
  f64: ConversionFunctions<"i64">;
  f32: ConversionFunctions<"i32">;
  toF64: Func<readonly ["i32"], readonly ["i64"]>;
  toI32Modular: Func<readonly ["i64"], readonly ["i32"]>;
} {
  const { module } = context;

  const toIntegral = module.define("float.toIntegral", ["f64", "i32"], ["f64"], (f, value, rm) => {
    f.block((nearestAway) => {
      f.block((up) => {
        f.block((down) => {
          f.block((toZero) => {
            f.block((nearestEven) => f.brTable(f.get(rm), [nearestEven, toZero, down, up], nearestAway));
            f.return(f.f64.nearest(f.get(value)));
          });
          f.return(f.f64.trunc(f.get(value)));
        });
        f.return(f.f64.floor(f.get(value)));
      });
      f.return(f.f64.ceil(f.get(value)));
    });
    const whole = f.f64.let(f.f64.trunc(f.get(value)));
    const isAway = f.f64.ge(f.f64.abs(f.f64.sub(f.get(value), f.get(whole))), f.f64.const(0.5));
    f.if(isAway, () => f.set(whole, f.f64.add(f.get(whole), f.f64.copysign(f.f64.const(1), f.get(value)))));
    return f.get(whole);
  });

  const toInteger = <T extends "i32" | "i64">(name: IntegerName, type: T) =>
    module.define(`float.to${name}`, ["f64", "i32"], [type] as [T], (f, value, rm) => {
      const { least, end, max, convert } = integers[name];
      const whole = f.f64.let(f.call(toIntegral, f.get(value), f.get(rm)));
      const saturated = () => convert.f64(f, f.get(whole)) as Value<T>;
      const isAbove = f.f64.ge(f.get(whole), f.f64.const(least));
      f.if(f.i32.and(isAbove, f.f64.lt(f.get(whole), f.f64.const(end))), () => {
        f.if(f.f64.ne(f.get(whole), f.get(value)), () => context.raise(f, Flag.NX));
        f.return(saturated());
      });
      context.raise(f, Flag.NV);
      f.if(f.f64.ne(f.get(value), f.get(value)), () => {
        f.return(type === "i32" ? f.i32.const(Number(BigInt.asIntN(32, max))) : f.i64.const(BigInt.asIntN(64, max)));
      });
      return saturated();
    }) as Func<readonly ["f64", "i32"], readonly [T]>;
  const toI32 = toInteger("I32", "i32");
  const toU32 = toInteger("U32", "i32");
  const toI64 = toInteger("I64", "i64");
  const toU64 = toInteger("U64", "i64");

  const asDouble = (f: FunctionBuilder, format: Format<"i32" | "i64", "f32" | "f64">, bits: Local) =>
    format.bits === "i64"
      ? f.f64.reinterpretI64(f.get(bits as Local<"i64">))
      : f.f64.promoteF32(f.f32.reinterpretI32(f.get(bits as Local<"i32">)));

  const formatConversions = <B extends "i32" | "i64">(format: Format<B, "f32" | "f64">) => {
    const to = <T extends "i32" | "i64">(name: IntegerName, target: Func<readonly ["f64", "i32"], readonly [T]>) =>
      module.define(`${format.value}.to${name}`, [format.bits, "i32"], target.results, (f, a, rm) =>
        f.call(target, asDouble(f, format as never, a), f.get(rm)),
      ) as unknown as Func<readonly [B, "i32"], readonly [T]>;
    const roundToInt = (name: string, isExact: boolean) =>
      module.define(`${format.value}.${name}`, [format.bits, "i32"], [format.bits], (f, a, rm) => {
        const value = f.f64.let(asDouble(f, format as never, a));
        f.if(f.f64.ne(f.get(value), f.get(value)), () => {
          if (format.bits === "i64") {
            const bits = a as Local<"i64">;
            f.return(f.call(context.nan, f.get(bits), f.get(bits)));
          } else {
            const bits = f.i64.let(f.call(context.widen, f.get(a as Local<"i32">)));
            f.return(f.call(narrow, f.call(context.nan, f.get(bits), f.get(bits)), f.get(rm)));
          }
        });
        const whole = f.f64.let(f.call(toIntegral, f.get(value), f.get(rm)));
        if (isExact) f.if(f.f64.ne(f.get(whole), f.get(value)), () => context.raise(f, Flag.NX));
        return format.bits === "i64" ? f.i64.reinterpretF64(f.get(whole)) : f.i32.reinterpretF32(f.f32.demoteF64(f.get(whole)));
      }) as unknown as Func<readonly [B, "i32"], readonly [B]>;
    return {
      roundToInt: roundToInt("roundToInt", false),
      roundToIntExact: roundToInt("roundToIntExact", true),
      toI32: to("I32", toI32),
      toU32: to("U32", toU32),
      toI64: to("I64", toI64),
      toU64: to("U64", toU64),
    };
  };

  /** An i64, signed or not, to a format: exact, or rounded by the host under RNE, or by hand. */
  const fromI64 = <B extends "i32" | "i64">(format: Format<B, "f32" | "f64">, isSigned: boolean) =>
    module.define(`${format.value}.from${isSigned ? "I64" : "U64"}`, ["i64", "i32"], [format.bits], (f, a, rm) => {
      const wide = format.bits === "i64";
      const converted = {
        I64: () => f.f64.convertI64S(f.get(a)),
        U64: () => f.f64.convertI64U(f.get(a)),
        I32: () => f.f64.promoteF32(f.f32.convertI64S(f.get(a))),
        U32: () => f.f64.promoteF32(f.f32.convertI64U(f.get(a))),
      }[`${isSigned ? "I" : "U"}${wide ? "64" : "32"}` as IntegerName];
      const value = f.f64.let(converted());
      const bits = () => (wide ? f.i64.reinterpretF64(f.get(value)) : f.i32.reinterpretF32(f.f32.demoteF64(f.get(value))));
      // The bound that a value can be rounded up to converts back to the greatest integer, which no format holds exactly.
      const back = isSigned ? f.i64.truncSatF64S(f.get(value)) : f.i64.truncSatF64U(f.get(value));
      const isSame = f.i64.eq(back, f.get(a));
      const isBelow = f.f64.lt(f.get(value), f.f64.const(integers[isSigned ? "I64" : "U64"].end));
      f.if(f.i32.and(isSame, isBelow), () => f.return(bits()));
      f.if(f.i32.eqz(f.get(rm)), () => {
        context.raise(f, Flag.NX);
        f.return(bits());
      });
      const sign = f.i64.let(isSigned ? binary64.signOf(f, a) : f.i64.const(0));
      f.if(f.i64.ne(f.get(sign), f.i64.const(0)), () => f.set(a, f.i64.sub(f.i64.const(0), f.get(a))));
      const target = wide ? rounding.to64 : rounding.to32;
      return f.call(target as typeof rounding.to64, f.get(sign), f.i32.const(format.bias + 63), f.get(a), f.get(rm)) as Value;
    }) as unknown as Func<readonly ["i64", "i32"], readonly [B]>;

  const f64FromI64 = fromI64(binary64, true);
  const f64FromU64 = fromI64(binary64, false);
  const f32FromI64 = fromI64(binary32, true);
  const f32FromU64 = fromI64(binary32, false);
  const from32 = <B extends "i32" | "i64">(
    name: string,
    type: B,
    build: (f: FunctionBuilder, a: I32, rm: Local<"i32">) => Value<B>,
  ) =>
    module.define(name, ["i32", "i32"], [type] as [B], (f, a, rm) => build(f, f.get(a), rm)) as Func<
      readonly ["i32", "i32"],
      readonly [B]
    >;
  const viaI64 = (extend: (f: FunctionBuilder, a: I32) => I64) => (f: FunctionBuilder, a: I32, rm: Local<"i32">) =>
    f.call(f32FromI64, extend(f, a), f.get(rm));

  const toF64 = module.define("f32.toF64", ["i32"], ["i64"], (f, a) => {
    f.if(binary32.isNaN(f, a), () => {
      const wide = f.i64.let(f.call(context.widen, f.get(a)));
      f.return(f.call(context.nan, f.get(wide), f.get(wide)));
    });
    return f.i64.reinterpretF64(f.f64.promoteF32(f.f32.reinterpretI32(f.get(a))));
  });

  const toI32Modular = module.define("f64.toI32Modular", ["i64"], ["i32"], (f, a) => {
    const value = () => f.f64.reinterpretI64(f.get(a));
    const saturated = f.i32.let(f.call(toI32, value(), f.i32.const(RoundingMode.RTZ)));
    const exponent = f.i32.let(f.i32.sub(exponentOf(f, a), f.i32.const(binary64.bias)));
    f.if(f.i32.ltS(f.get(exponent), f.i32.const(31)), () => f.return(f.get(saturated)));
    f.if(f.i32.ltS(f.get(exponent), f.i32.const(63)), () => f.return(f.i32.wrapI64(f.i64.truncSatF64S(value()))));
    // The last place of the significand has the weight 2^(exponent - 52); infinities and NaNs have the largest exponent.
    f.if(f.i32.geS(f.get(exponent), f.i32.const(52 + 32)), () => f.return(f.i32.const(0)));
    const magnitude = f.i32.let(f.i32.shl(f.i32.wrapI64(f.get(a)), f.i32.sub(f.get(exponent), f.i32.const(52))));
    const negative = f.i32.sub(f.i32.const(0), f.get(magnitude));
    return f.i32.select(negative, f.get(magnitude), f.i64.ltS(f.get(a), f.i64.const(0)));
  });

  return {
    f64: {
      ...formatConversions(binary64),
      fromI32: from32("f64.fromI32", "i64", (f, a) => f.i64.reinterpretF64(f.f64.convertI32S(a))),
      fromU32: from32("f64.fromU32", "i64", (f, a) => f.i64.reinterpretF64(f.f64.convertI32U(a))),
      fromI64: f64FromI64,
      fromU64: f64FromU64,
    },
    f32: {
      ...formatConversions(binary32),
      fromI32: from32(
        "f32.fromI32",
        "i32",
        viaI64((f, a) => f.i64.extendI32S(a)),
      ),
      fromU32: from32(
        "f32.fromU32",
        "i32",
        viaI64((f, a) => f.i64.extendI32U(a)),
      ),
      fromI64: f32FromI64,
      fromU64: f32FromU64,
    },
    toF64,
    toI32Modular,
  };
}
