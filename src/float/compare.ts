import type { FunctionBuilder } from "../wasm/function.ts";
import type { Func, Local, Value } from "../wasm/types.ts";
import type { Context } from "./context.ts";
import type { Format } from "./format.ts";
import { type ComparisonFunctions, Flag } from "./types.ts";

/** Comparisons, minimum and maximum, and classification: operations that never round. */
export function createComparisons<B extends "i32" | "i64", V extends "f32" | "f64">(
  context: Context,
  format: Format<B, V>,
  narrow: Func<readonly ["i64", "i32"], readonly ["i32"]>,
): ComparisonFunctions<B> {
  const { module } = context;
  const name = (operation: string) => `${format.value}.${operation}`;
  const value = (f: FunctionBuilder, bits: Local<B>) => format.toValue(f, f.get(bits));

  const compare = (operation: "eq" | "lt" | "le", isQuiet: boolean, label: string = operation) =>
    module.define(name(label), [format.bits, format.bits], ["i32"], (f, a: Local<B>, b: Local<B>) => {
      const result = f.i32.let(format.float(f)[operation](value(f, a), value(f, b)));
      const isReason = isQuiet ? format.isSignaling : format.isNaN;
      f.if(f.i32.eqz(f.get(result)), () => {
        f.if(f.i32.or(isReason.call(format, f, a), isReason.call(format, f, b)), () => context.raise(f, Flag.NV));
      });
      return f.get(result);
    }) as unknown as Func<readonly [B, B], readonly ["i32"]>;

  const returnNaN = (f: FunctionBuilder, a: Local<B>, b: Local<B>) => {
    if (format.bits === "i64") f.return(f.call(context.nan, f.get(a as Local<"i64">), f.get(b as Local<"i64">)));
    else {
      const [x, y] = [a, b].map((bits) => f.call(context.widen, f.get(bits as Local<"i32">)));
      f.return(f.call(narrow, f.call(context.nan, x, y), f.i32.const(0)));
    }
  };
  /** The host orders -0 below +0 and yields a NaN if an operand is one. */
  const choose = (label: string, operation: "min" | "max", onNaN: (f: FunctionBuilder, a: Local<B>, b: Local<B>) => void) =>
    module.define(name(label), [format.bits, format.bits], [format.bits], (f, a: Local<B>, b: Local<B>) => {
      const float = format.float(f);
      const result = float.let(float[operation](value(f, a), value(f, b)));
      f.if(float.ne(f.get(result), f.get(result)), () => onNaN(f, a, b));
      return format.toBits(f, f.get(result));
    }) as unknown as Func<readonly [B, B], readonly [B]>;
  const returnNumber = (f: FunctionBuilder, a: Local<B>, b: Local<B>) => {
    f.if(f.i32.and(format.isNaN(f, a), format.isNaN(f, b)), () => returnNaN(f, a, b));
    f.if(f.i32.or(format.isSignaling(f, a), format.isSignaling(f, b)), () => context.raise(f, Flag.NV));
    f.return(format.int(f).select(f.get(b), f.get(a), format.isNaN(f, a)));
  };

  const classify = module.define(name("classify"), [format.bits], ["i32"], (f, a: Local<B>) => {
    const int = format.int(f);
    const bit = (index: () => Value<"i32">) => f.i32.shl(f.i32.const(1), index());
    f.if(format.isNaN(f, a), () => {
      const isQuiet = () => int.ne(int.and(f.get(a), format.const(f, format.quiet)), format.const(f, 0n));
      f.return(bit(() => f.i32.add(f.i32.const(8), isQuiet())));
    });
    // Positive zero, subnormal, normal, infinity are 4 to 7; the negative ones mirror them, 3 to 0.
    const atLeast = (bound: bigint) => int.geU(format.doubled(f, a), format.const(f, bound << 1n));
    const zeroOrSubnormal = f.i32.add(f.i32.const(4), atLeast(1n));
    const normal = f.i32.add(zeroOrSubnormal, atLeast(format.hidden));
    const index = f.i32.let(f.i32.add(normal, atLeast(format.infinity)));
    f.if(int.ltS(f.get(a), format.const(f, 0n)), () => f.set(index, f.i32.sub(f.i32.const(7), f.get(index))));
    return bit(() => f.get(index));
  }) as unknown as Func<readonly [B], readonly ["i32"]>;

  return {
    minimumNumber: choose("minimumNumber", "min", returnNumber),
    maximumNumber: choose("maximumNumber", "max", returnNumber),
    minimum: choose("minimum", "min", returnNaN),
    maximum: choose("maximum", "max", returnNaN),
    eq: compare("eq", true),
    lt: compare("lt", false),
    le: compare("le", false),
    ltq: compare("lt", true, "ltq"),
    leq: compare("le", true, "leq"),
    classify,
  };
}
