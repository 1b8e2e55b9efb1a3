import type { FunctionBuilder } from "../wasm/function.ts";
import type { ModuleBuilder } from "../wasm/module.ts";
import type { Func, I32 } from "../wasm/types.ts";
import { binary32, binary64 } from "./format.ts";
import { Flag, type FloatOptions } from "./types.ts";

/** What every part of the room shares: the module, the flags word, and the functions that make NaNs. */
export interface Context {
  readonly module: ModuleBuilder;
  readonly canonical: boolean;
  readonly tinyBeforeRounding: boolean;
  /** Sets accrued flags. */
  raise(f: FunctionBuilder, flags: number): void;
  /** Sets NX, and UF too if `tiny` is 1 rather than 0. */
  raiseInexact(f: FunctionBuilder, tiny: () => I32): void;
  /** Not zero if NX is set already. */
  inexact(f: FunctionBuilder): I32;
  /** Sets NV; yields the NaN of an invalid operation. */
  readonly invalid: Func<readonly [], readonly ["i64"]>;
  /** The result of an operation one or both of whose operands are NaNs; sets NV if one is signaling. */
  readonly nan: Func<readonly ["i64", "i64"], readonly ["i64"]>;
  /** binary32 to binary64 without flags: a signaling NaN stays signaling. */
  readonly widen: Func<readonly ["i32"], readonly ["i64"]>;
}

export function createContext(module: ModuleBuilder, options: FloatOptions): Context {
  const canonical = (options.nan ?? "canonical") === "canonical";
  const { flags } = options;

  const load = (f: FunctionBuilder): I32 =>
    "global" in flags ? f.globalGet(flags.global) : f.i32.load(f.i32.const(0), flags.flagsAddress);
  const update = (f: FunctionBuilder, bits: () => I32): void => {
    if ("global" in flags) f.globalSet(flags.global, f.i32.or(load(f), bits()));
    else {
      const base = f.i32.const(0);
      f.i32.store(base, f.i32.or(load(f), bits()), flags.flagsAddress);
    }
  };
  const raise = (f: FunctionBuilder, bits: number) => update(f, () => f.i32.const(bits));

  const invalid = module.define("float.invalid", [], ["i64"], (f) => {
    raise(f, Flag.NV);
    return binary64.const(f, canonical ? binary64.canonicalNaN : binary64.canonicalNaN | binary64.sign);
  });

  const nan = module.define("float.nan", ["i64", "i64"], ["i64"], (f, a, b) => {
    f.if(f.i32.or(binary64.isSignaling(f, a), binary64.isSignaling(f, b)), () => raise(f, Flag.NV));
    if (canonical) return binary64.const(f, binary64.canonicalNaN);
    return f.i64.or(f.i64.select(f.get(a), f.get(b), binary64.isNaN(f, a)), binary64.const(f, binary64.quiet));
  });

  const widen = module.define("float.widen", ["i32"], ["i64"], (f, a) => {
    f.if(binary32.isNaN(f, a), () => {
      const sign = f.i64.shl(f.i64.extendI32U(binary32.signOf(f, a)), f.i64.const(32));
      const payload = f.i32.and(f.get(a), binary32.const(f, binary32.fraction));
      const fraction = f.i64.or(sign, f.i64.shl(f.i64.extendI32U(payload), f.i64.const(29)));
      f.return(f.i64.or(fraction, binary64.const(f, binary64.infinity)));
    });
    return f.i64.reinterpretF64(f.f64.promoteF32(f.f32.reinterpretI32(f.get(a))));
  });

  return {
    module,
    canonical,
    tinyBeforeRounding: options.tininess === "beforeRounding",
    raise,
    raiseInexact: (f, tiny) =>
      update(f, () => f.i32.or(f.i32.const(Flag.NX), f.i32.shl(tiny(), f.i32.const(Math.log2(Flag.UF))))),
    inexact: (f) => f.i32.and(load(f), f.i32.const(Flag.NX)),
    invalid,
    nan,
    widen,
  };
}
