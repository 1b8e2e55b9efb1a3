import type { FunctionBuilder } from "../wasm/function.ts";
import type { Func, I32, Local, Value } from "../wasm/types.ts";
import type { Context } from "./context.ts";
import type { ExactFunctions } from "./exact.ts";
import { binary32, binary64, type Format } from "./format.ts";
import type { HostOperation, HostOperations, OperationName } from "./host.ts";
import { toOdd } from "./round.ts";
import type { ArithmeticFunctions } from "./types.ts";

/** Any of these functions: operands of format B and the rounding mode. */
type Operation<B extends "i32" | "i64"> = Func<readonly [...B[], "i32"], [B]>;

/**
 * The arithmetic that callers see: under `rm` = RNE the host's operation, if its result is right and NX either is set already or
 * not called for; else the exact function. So each time that NX is cleared, the exact function runs for one inexact operation.
 */
export function createArithmetic(
  context: Context,
  exact: ExactFunctions,
  host: HostOperations,
  narrow: Func<readonly ["i64", "i32"], readonly ["i32"]>,
): { f64: ArithmeticFunctions<"i64">; f32: ArithmeticFunctions<"i32"> } {
  const define = <B extends "i32" | "i64", V extends "f32" | "f64", Defined extends Func>(
    format: Format<B, V>,
    name: OperationName,
    operation: HostOperation<V>,
    slow: (f: FunctionBuilder, operands: Local<B>[], rm: Local<"i32">) => Value<B>,
  ): Defined => {
    const count = name === "sqrt" ? 1 : name === "fma" ? 3 : 2;
    const params = [...Array<B>(count).fill(format.bits), "i32" as const];
    const build = (f: FunctionBuilder, ...locals: Local[]): Value<B> => {
      const operands = locals.slice(0, count) as Local<B>[];
      const rm = locals[count] as Local<"i32">;
      f.if(f.i32.eqz(f.get(rm)), () => {
        const values = operands.map((operand) => format.float(f).let(format.toValue(f, f.get(operand))));
        const { result, isRight, isExact } = operation(f, ...values);
        const bits = () => format.toBits(f, f.get(result));
        f.if(isRight(), () => {
          f.if(context.inexact(f), () => f.return(bits()), undefined, "likely");
          f.if(isExact(), () => f.return(bits()));
        });
      });
      return slow(f, operands, rm);
    };
    return context.module.define(`${format.value}.${name}`, params, [format.bits], build as never) as never;
  };

  const slow64 = (target: Func) => (f: FunctionBuilder, operands: Local<"i64">[], rm: Local<"i32">) =>
    f.call(target as Operation<"i64">, ...(operands.map((operand) => f.get(operand)) as never[]), f.get(rm) as never);
  const odd = (f: FunctionBuilder, rm: Local<"i32">): I32 => f.i32.or(f.get(rm), f.i32.const(toOdd));
  const slow32 = (target: Func) => (f: FunctionBuilder, operands: Local<"i32">[], rm: Local<"i32">) => {
    const widened = operands.map((operand) => f.call(context.widen, f.get(operand)));
    return f.call(narrow, f.call(target as Operation<"i64">, ...(widened as never[]), odd(f, rm) as never), f.get(rm));
  };
  /** Subtraction adds the negated operand; a NaN keeps its sign. */
  const negated = (f: FunctionBuilder, bits: Local<"i64">) => {
    const flip = f.i64.shl(f.i64.extendI32U(f.i32.eqz(binary64.isNaN(f, bits))), f.i64.const(63));
    return f.i64.xor(flip, f.get(bits));
  };

  return {
    f64: {
      add: define(binary64, "add", host.f64.add, slow64(exact.add)),
      sub: define(binary64, "sub", host.f64.sub, (f, [a, b], rm) => f.call(exact.add, f.get(a), negated(f, b), f.get(rm))),
      mul: define(binary64, "mul", host.f64.mul, slow64(exact.mul)),
      div: define(binary64, "div", host.f64.div, slow64(exact.div)),
      sqrt: define(binary64, "sqrt", host.f64.sqrt, slow64(exact.sqrt)),
      fma: define(binary64, "fma", host.f64.fma, slow64(exact.fma)),
    },
    f32: {
      add: define(binary32, "add", host.f32.add, slow32(exact.add)),
      sub: define(binary32, "sub", host.f32.sub, (f, [a, b], rm) => {
        const first = f.call(context.widen, f.get(a));
        const second = f.i64.let(f.call(context.widen, f.get(b)));
        return f.call(narrow, f.call(exact.add, first, negated(f, second), odd(f, rm)), f.get(rm));
      }),
      mul: define(binary32, "mul", host.f32.mul, slow32(exact.mul)),
      div: define(binary32, "div", host.f32.div, slow32(exact.div)),
      sqrt: define(binary32, "sqrt", host.f32.sqrt, slow32(exact.sqrt)),
      fma: define(binary32, "fma", host.f32.fma, (f, [a, b, c], rm) => {
        const [x, y, z] = [a, b, c].map((operand) => f.i64.let(f.call(context.widen, f.get(operand))));
        // The product of two numbers is exact in binary64, so that addition alone rounds; the rest is for the general function.
        const product = f.f64.let(f.f64.mul(f.f64.reinterpretI64(f.get(x)), f.f64.reinterpretI64(f.get(y))));
        const isNumber = f.f64.eq(f.get(product), f.get(product));
        const wide = f.i64.if(
          isNumber,
          () => f.call(exact.add, f.i64.reinterpretF64(f.get(product)), f.get(z), odd(f, rm)),
          () => f.call(exact.fma, f.get(x), f.get(y), f.get(z), odd(f, rm)),
        );
        return f.call(narrow, wide, f.get(rm));
      }),
    },
  };
}
