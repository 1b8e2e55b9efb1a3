import type { ModuleBuilder } from "../wasm/module.ts";
import { createArithmetic } from "./arithmetic.ts";
import { createComparisons } from "./compare.ts";
import { createContext } from "./context.ts";
import { createConversions, createNarrow } from "./convert.ts";
import { createExact } from "./exact.ts";
import { binary32, binary64 } from "./format.ts";
import { createHostOperations } from "./host.ts";
import { createRounding } from "./round.ts";
import type { FloatFunctions, FloatOptions } from "./types.ts";

/**
 * Adds exact IEEE 754-2019 arithmetic of binary32 and binary64 to a module: every result and every flag in every rounding mode.
 * The functions take and give raw bits, i32 or i64, never f32 or f64 values, whose NaNs the host may change.
 *
 * @example
 * const module = new ModuleBuilder();
 * const flags = module.global("i32", 0);
 * const float = createFloat(module, { flags: { global: flags } });
 * module.export("add", float.f64.add);
 */
export function createFloat(module: ModuleBuilder, options: FloatOptions): FloatFunctions {
  const context = createContext(module, options);
  const rounding = createRounding(context);
  const exact = createExact(context, rounding);
  const narrow = createNarrow(context, rounding);
  const arithmetic = createArithmetic(context, exact, createHostOperations(options.fusedMultiplyAdd ?? false), narrow);
  const conversions = createConversions(context, rounding, narrow);
  return {
    f64: {
      ...arithmetic.f64,
      ...createComparisons(context, binary64, narrow),
      ...conversions.f64,
      toF32: narrow,
      toI32Modular: conversions.toI32Modular,
    },
    f32: {
      ...arithmetic.f32,
      ...createComparisons(context, binary32, narrow),
      ...conversions.f32,
      toF64: conversions.toF64,
    },
  };
}
