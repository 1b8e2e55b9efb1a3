import type { FunctionBuilder } from "../wasm/function.ts";
import type { Local, Value } from "../wasm/types.ts";
import { binary32, binary64, type Format } from "./format.ts";
import { createHostOperations, type HostOperation, type OperationName } from "./host.ts";
import { type ArithmeticFunctions, RoundingMode } from "./types.ts";

/**
 * Inline arithmetic of one format, on values that translated code keeps in f64 or f32 locals: the host's own operation, a check
 * that its result is right, and a call of the room's function where it is not (a branch hinted unlikely).
 *
 * Only for code that runs in rounding mode RNE and with NX set already: the region checks both at its entry. A value
 * in a local must have come from bits by a reinterpretation, a load or one of these emitters, so that its NaN is untouched.
 */
export type FastEmitters<V extends "f32" | "f64"> = Record<"add" | "sub" | "mul" | "div", BinaryEmitter<V>> & {
  sqrt(f: FunctionBuilder, a: Local<V>): Value<V>;
  /** a * b + c; callers negate operands. */
  fma(f: FunctionBuilder, a: Local<V>, b: Local<V>, c: Local<V>): Value<V>;
};
type BinaryEmitter<V extends "f32" | "f64"> = (f: FunctionBuilder, a: Local<V>, b: Local<V>) => Value<V>;

export interface FastOptions {
  /** The room's functions as the module under construction can call them: its own or imported. */
  readonly f64: ArithmeticFunctions<"i64">;
  readonly f32: ArithmeticFunctions<"i32">;
  /** As in `FloatOptions`. Without it `f64.fma` is always a call. */
  readonly fusedMultiplyAdd?: boolean;
}

export function createFastEmitters(options: FastOptions): { f64: FastEmitters<"f64">; f32: FastEmitters<"f32"> } {
  const { fusedMultiplyAdd = false } = options;
  const host = createHostOperations(fusedMultiplyAdd);

  const emitters = <B extends "i32" | "i64", V extends "f32" | "f64">(
    format: Format<B, V>,
    functions: ArithmeticFunctions<B>,
    operations: Record<OperationName, HostOperation<V>>,
    calledOnly: readonly OperationName[],
  ): FastEmitters<V> => {
    const call = (f: FunctionBuilder, name: OperationName, operands: Local<V>[]): Value<V> => {
      const bits = operands.map((operand) => format.toBits(f, f.get(operand)));
      const args = [...bits, f.i32.const(RoundingMode.RNE)];
      return format.toValue(
        f,
        f.call(functions[name] as ArithmeticFunctions<B>["sqrt"], ...(args as [never, never])) as Value<B>,
      );
    };
    const emitter =
      (name: OperationName) =>
      (f: FunctionBuilder, ...operands: Local<V>[]) => {
        if (calledOnly.includes(name)) return call(f, name, operands);
        return f.scope(() => {
          const { result, isRight } = operations[name](f, ...operands);
          f.if(f.i32.eqz(isRight()), () => f.set(result, call(f, name, operands)), undefined, "unlikely");
          return f.get(result);
        });
      };
    const names: OperationName[] = ["add", "sub", "mul", "div", "sqrt", "fma"];
    return Object.fromEntries(names.map((name) => [name, emitter(name)])) as FastEmitters<V>;
  };

  return {
    f64: emitters(binary64, options.f64, host.f64, fusedMultiplyAdd ? [] : ["fma"]),
    f32: emitters(binary32, options.f32, host.f32, []),
  };
}
