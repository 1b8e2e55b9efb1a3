import type { FunctionBuilder } from "../wasm/function.ts";
import type { F32, F64, Func, I32, I64, Local, Value, ValueType } from "../wasm/types.ts";
import { type IntegerName, integers } from "./convert.ts";
import { binary32, binary64, type Format } from "./format.ts";
import { createHostOperations, type HostOperation, type OperationName } from "./host.ts";
import { type FloatFunctions, RoundingMode } from "./types.ts";

type Binary<V extends "f32" | "f64"> = (f: FunctionBuilder, a: Local<V>, b: Local<V>) => Value<V>;
type Comparison<V extends "f32" | "f64"> = (f: FunctionBuilder, a: Local<V>, b: Local<V>) => I32;
type ToInteger<V extends "f32" | "f64", T extends ValueType> = (f: FunctionBuilder, a: Local<V>, rm: number) => Value<T>;

/**
 * Inline operations of one format, on values that translated code keeps in f64 or f32 locals: the host's own operation, a check
 * that its result is right, and a call of the room's function where it is not (a branch hinted unlikely).
 *
 * Only for code that runs with NX set already and, where no `rm` is given, in rounding mode RNE: the region checks both at its
 * entry. A value in a local must have come from bits by a reinterpretation, a load or one of these, so that its NaN is untouched.
 */
export interface FastEmitters<V extends "f32" | "f64"> {
  readonly add: Binary<V>;
  readonly sub: Binary<V>;
  readonly mul: Binary<V>;
  readonly div: Binary<V>;
  sqrt(f: FunctionBuilder, a: Local<V>): Value<V>;
  /** a * b + c; callers negate operands. */
  fma(f: FunctionBuilder, a: Local<V>, b: Local<V>, c: Local<V>): Value<V>;
  readonly eq: Comparison<V>;
  readonly lt: Comparison<V>;
  readonly le: Comparison<V>;
  /** Conversions in a rounding mode known now, any of them. */
  readonly toI32: ToInteger<V, "i32">;
  readonly toU32: ToInteger<V, "i32">;
  readonly toI64: ToInteger<V, "i64">;
  readonly toU64: ToInteger<V, "i64">;
  /** The host's conversions, which need no check. */
  fromI32(f: FunctionBuilder, a: I32): Value<V>;
  fromU32(f: FunctionBuilder, a: I32): Value<V>;
  fromI64(f: FunctionBuilder, a: I64): Value<V>;
  fromU64(f: FunctionBuilder, a: I64): Value<V>;
}

export interface FastOptions {
  /** As in `FloatOptions`. Without it `f64.fma` is always a call. */
  readonly fusedMultiplyAdd?: boolean;
  /**
   * Emits a call of one of the room's functions; its arguments are on the stack already. Default: `f.call`, for code in the module
   * that the functions are in. Other modules import them, or find them in a table by name.
   */
  readonly call?: (f: FunctionBuilder, func: Func, args: readonly Value[]) => Value;
}

export function createFastEmitters(
  functions: FloatFunctions,
  options: FastOptions = {},
): {
  f64: FastEmitters<"f64"> & { toF32(f: FunctionBuilder, a: Local<"f64">): F32 };
  f32: FastEmitters<"f32"> & { toF64(f: FunctionBuilder, a: Local<"f32">): F64 };
} {
  const { fusedMultiplyAdd = false, call = (f, func, args) => f.call(func, ...(args as never[])) as unknown as Value } = options;
  const host = createHostOperations(fusedMultiplyAdd);
  const unless = (f: FunctionBuilder, isRight: I32, otherwise: () => void) =>
    f.if(f.i32.eqz(isRight), otherwise, undefined, "unlikely");

  const emitters = <B extends "i32" | "i64", V extends "f32" | "f64">(
    format: Format<B, V>,
    operations: Record<OperationName, HostOperation<V>>,
    isCalled: (name: OperationName) => boolean,
  ): FastEmitters<V> => {
    const named = functions[format.value];
    const callOnBits = (f: FunctionBuilder, func: Func, operands: readonly Local<V>[], rm?: number): Value => {
      const args: Value[] = operands.map((operand) => format.toBits(f, f.get(operand)));
      if (rm !== undefined) args.push(f.i32.const(rm));
      return call(f, func, args);
    };
    const arithmetic =
      (name: OperationName) =>
      (f: FunctionBuilder, ...operands: Local<V>[]): Value<V> => {
        const exact = () => format.toValue(f, callOnBits(f, named[name], operands, RoundingMode.RNE) as Value<B>);
        if (isCalled(name)) return exact();
        return f.scope(() => {
          const { result, isRight } = operations[name](f, ...operands);
          unless(f, isRight(), () => f.set(result, exact()));
          return f.get(result);
        });
      };
    const comparison =
      (name: "eq" | "lt" | "le"): Comparison<V> =>
      (f, a, b) =>
        f.scope(() => {
          const float = format.float(f);
          const result = f.i32.let(float[name](f.get(a), f.get(b)));
          const areNumbers = f.i32.and(float.eq(f.get(a), f.get(a)), float.eq(f.get(b), f.get(b)));
          unless(f, areNumbers, () => f.set(result, callOnBits(f, named[name], [a, b]) as I32));
          return f.get(result);
        });
    const toInteger =
      <T extends "i32" | "i64">(name: IntegerName, type: T): ToInteger<V, T> =>
      (f, a, rm) => {
        const exact = () => callOnBits(f, named[`to${name}`], [a], rm) as Value<T>;
        const rounding = (["nearest", "trunc", "floor", "ceil"] as const)[rm];
        // The host has no rounding to nearest away.
        if (rounding === undefined) return exact();
        return f.scope(() => {
          const float = format.float(f);
          const { least, end, convert } = integers[name];
          const whole = float.let(float[rounding](f.get(a)));
          const result = f.local(type);
          f.set(result, convert[format.value](f, f.get(whole) as never) as Value<T>);
          const isInRange = f.i32.and(float.ge(f.get(whole), float.const(least)), float.lt(f.get(whole), float.const(end)));
          unless(f, isInRange, () => f.set(result, exact()));
          return f.get(result);
        });
      };
    return {
      add: arithmetic("add"),
      sub: arithmetic("sub"),
      mul: arithmetic("mul"),
      div: arithmetic("div"),
      sqrt: arithmetic("sqrt"),
      fma: arithmetic("fma"),
      eq: comparison("eq"),
      lt: comparison("lt"),
      le: comparison("le"),
      toI32: toInteger("I32", "i32"),
      toU32: toInteger("U32", "i32"),
      toI64: toInteger("I64", "i64"),
      toU64: toInteger("U64", "i64"),
      fromI32: (f, a) => format.float(f).convertI32S(a),
      fromU32: (f, a) => format.float(f).convertI32U(a),
      fromI64: (f, a) => format.float(f).convertI64S(a),
      fromU64: (f, a) => format.float(f).convertI64U(a),
    };
  };

  const toF32 = (f: FunctionBuilder, a: Local<"f64">): F32 =>
    f.scope(() => {
      const result = f.f32.let(f.f32.demoteF64(f.get(a)));
      unless(f, binary32.isPlainlyNormal(f, f.i32.reinterpretF32(f.get(result))), () => {
        const args = [f.i64.reinterpretF64(f.get(a)), f.i32.const(RoundingMode.RNE)];
        f.set(result, f.f32.reinterpretI32(call(f, functions.f64.toF32, args) as I32));
      });
      return f.get(result);
    });
  const toF64 = (f: FunctionBuilder, a: Local<"f32">): F64 =>
    f.scope(() => {
      const result = f.f64.let(f.f64.promoteF32(f.get(a)));
      unless(f, f.f64.eq(f.get(result), f.get(result)), () => {
        const args = [f.i32.reinterpretF32(f.get(a))];
        f.set(result, f.f64.reinterpretI64(call(f, functions.f32.toF64, args) as I64));
      });
      return f.get(result);
    });

  return {
    f64: { ...emitters(binary64, host.f64, (name) => name === "fma" && !fusedMultiplyAdd), toF32 },
    f32: { ...emitters(binary32, host.f32, () => false), toF64 },
  };
}
