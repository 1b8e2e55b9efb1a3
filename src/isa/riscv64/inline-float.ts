import { createFastEmitters } from "../../float/fast.ts";
import { probeFusedMultiplyAdd } from "../../float/host.ts";
import type { FloatFunctions } from "../../float/types.ts";
import type { FunctionBuilder } from "../../wasm/function.ts";
import type { Func, Local, Value } from "../../wasm/types.ts";

let fusedMultiplyAdd: boolean | undefined;
/** Whether the host's relaxed multiply-add rounds once; found out once. */
export function hostFusesMultiplyAdd(): boolean {
  fusedMultiplyAdd ??= probeFusedMultiplyAdd();
  return fusedMultiplyAdd;
}

/** What a translated region does in place of calling a float function. */
export interface InlineFloat {
  /** Whether it rounds to nearest even only. */
  readonly needsNearest: boolean;
  /** Whether the function's last parameter is a rounding mode. */
  readonly takesRounding: boolean;
  /** Emits it on raw bits in locals; leaves raw bits. For code with NX set; `rm` is known now. */
  readonly emit: (f: FunctionBuilder, operands: readonly Local[], rm: number) => Value;
}

/** The float functions that have an inline form. Functions that a module did not import are left out. */
export function inlineFloat(
  functions: FloatFunctions,
  fusedMultiplyAdd: boolean,
  call: (func: Func, args: readonly Value[]) => Value,
): ReadonlyMap<Func, InlineFloat> {
  const inline = new Map<Func, InlineFloat>();
  const fast = createFastEmitters(functions, { fusedMultiplyAdd, call: (_, func, args) => call(func, args) });
  const add = (func: unknown, entry: InlineFloat) => {
    if (func !== undefined) inline.set(func as Func, entry);
  };
  for (const format of ["f64", "f32"] as const) {
    const named = functions[format];
    const forms = fast[format] as unknown as Record<string, (f: FunctionBuilder, ...operands: unknown[]) => Value>;
    const toValue = (f: FunctionBuilder, bits: Local) => {
      if (format === "f64") return f.f64.let(f.f64.reinterpretI64(f.get(bits as Local<"i64">)));
      return f.f32.let(f.f32.reinterpretI32(f.get(bits as Local<"i32">)));
    };
    const toBits = (f: FunctionBuilder, value: Value): Value =>
      format === "f64" ? f.i64.reinterpretF64(value as never) : f.i32.reinterpretF32(value as never);
    for (const name of ["add", "sub", "mul", "div", "sqrt", "fma"] as const) {
      if (name === "fma" && format === "f64" && !fusedMultiplyAdd) continue;
      add(named[name], {
        needsNearest: true,
        takesRounding: true,
        emit: (f, operands) => toBits(f, forms[name](f, ...operands.map((operand) => toValue(f, operand)))),
      });
    }
    for (const name of ["eq", "lt", "le"] as const) {
      add(named[name], {
        needsNearest: false,
        takesRounding: false,
        emit: (f, operands) => forms[name](f, ...operands.map((operand) => toValue(f, operand))),
      });
    }
    for (const name of ["toI32", "toU32", "toI64", "toU64"] as const) {
      add(named[name], {
        needsNearest: false,
        takesRounding: true,
        emit: (f, [operand], rm) => forms[name](f, toValue(f, operand), rm),
      });
    }
    for (const name of ["fromI32", "fromU32", "fromI64", "fromU64"] as const) {
      add(named[name], {
        needsNearest: true,
        takesRounding: true,
        emit: (f, [operand]) => toBits(f, forms[name](f, f.get(operand))),
      });
    }
  }
  add(functions.f64.toF32, {
    needsNearest: true,
    takesRounding: true,
    emit: (f, [operand]) =>
      f.i32.reinterpretF32(fast.f64.toF32(f, f.f64.let(f.f64.reinterpretI64(f.get(operand as Local<"i64">))))),
  });
  add(functions.f32.toF64, {
    needsNearest: false,
    takesRounding: false,
    emit: (f, [operand]) =>
      f.i64.reinterpretF64(fast.f32.toF64(f, f.f32.let(f.f32.reinterpretI32(f.get(operand as Local<"i32">))))),
  });
  return inline;
}
