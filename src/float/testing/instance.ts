import type { FunctionBuilder } from "../../wasm/function.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import type { Func, Local, Value } from "../../wasm/types.ts";
import { webAssembly } from "../../wasm/webassembly.ts";
import { createFastEmitters, type FastEmitters } from "../fast.ts";
import { createFloat } from "../float.ts";
import { binary32, binary64, type Format } from "../format.ts";
import type { FloatFunctions, FloatOptions } from "../types.ts";

/** A function of the room as JavaScript calls it: i64 operands and results are BigInts, i32 ones signed numbers. */
export type Callable = (...operands: (bigint | number)[]) => bigint | number;

export interface FloatInstance {
  readonly f64: Record<string, Callable>;
  readonly f32: Record<string, Callable>;
  getFlags(): number;
  setFlags(flags: number): void;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Where the flags word of an instance in memory is. */
const flagsAddress = 4096;

export type InstanceOptions = Omit<FloatOptions, "flags"> & {
  /** Keep the flags in memory rather than in a global. */
  readonly inMemory?: boolean;
  /** Export the inline forms in the place of the functions that have one, with the same signatures; `rm` and NX must be what they ask for. */
  readonly inline?: boolean;
};

/** Defines functions of the room's signatures, on bits, around the inline forms. */
function wrapInline(module: ModuleBuilder, functions: FloatFunctions, fusedMultiplyAdd: boolean) {
  const fast = createFastEmitters(functions, { fusedMultiplyAdd });
  const wrap = <B extends "i32" | "i64", V extends "f32" | "f64">(format: Format<B, V>) => {
    const emitters = fast[format.value] as unknown as FastEmitters<V>;
    const named = functions[format.value] as unknown as Record<string, Func>;
    const value = (f: FunctionBuilder, bits: Local) => format.float(f).let(format.toValue(f, f.get(bits as Local<B>)));
    const wrapped: Record<string, Func> = {};
    const define = (name: string, build: (f: FunctionBuilder, ...locals: Local[]) => Value) => {
      const { params, results } = named[name];
      wrapped[name] = module.define(`inline.${name}`, params, results, build as never);
    };
    for (const name of ["add", "sub", "mul", "div"] as const) {
      define(name, (f, a, b) => format.toBits(f, emitters[name](f, value(f, a), value(f, b))));
    }
    define("sqrt", (f, a) => format.toBits(f, emitters.sqrt(f, value(f, a))));
    define("fma", (f, a, b, c) => format.toBits(f, emitters.fma(f, value(f, a), value(f, b), value(f, c))));
    for (const name of ["eq", "lt", "le"] as const) define(name, (f, a, b) => emitters[name](f, value(f, a), value(f, b)));
    for (const name of ["toI32", "toU32", "toI64", "toU64"] as const) {
      define(name, (f, a, rm) => {
        const operand = value(f, a);
        for (const mode of [1, 2, 3, 4]) {
          f.if(f.i32.eq(f.get(rm as Local<"i32">), f.i32.const(mode)), () => f.return(emitters[name](f, operand, mode)));
        }
        return emitters[name](f, operand, 0);
      });
    }
    for (const name of ["fromI32", "fromU32"] as const) {
      define(name, (f, a) => format.toBits(f, emitters[name](f, f.get(a as Local<"i32">))));
    }
    for (const name of ["fromI64", "fromU64"] as const) {
      define(name, (f, a) => format.toBits(f, emitters[name](f, f.get(a as Local<"i64">))));
    }
    if (format.value === "f64") {
      define("toF32", (f, a) => f.i32.reinterpretF32(fast.f64.toF32(f, value(f, a) as Local<"f64">)));
    } else define("toF64", (f, a) => f.i64.reinterpretF64(fast.f32.toF64(f, value(f, a) as Local<"f32">)));
    return wrapped;
  };
  return { f64: wrap(binary64), f32: wrap(binary32) };
}

/** Instantiates the room with every function exported. */
export function instantiateFloat(options: InstanceOptions = {}): FloatInstance {
  const module = new ModuleBuilder();
  module.importMemory("host", "memory", 1, 1, false);
  const global = module.global("i32", 0);
  const { inMemory = false, inline = false, ...rest } = options;
  const functions = createFloat(module, { ...rest, flags: inMemory ? { flagsAddress } : { global } });
  const inlined = inline ? wrapInline(module, functions, options.fusedMultiplyAdd ?? false) : { f64: {}, f32: {} };
  for (const format of ["f64", "f32"] as const) {
    for (const [name, func] of Object.entries({ ...functions[format], ...inlined[format] }))
      module.export(`${format}.${name}`, func as Func);
  }
  module.export(
    "getFlags",
    module.define("getFlags", [], ["i32"], (f) => f.globalGet(global)),
  );
  module.export(
    "setFlags",
    module.define("setFlags", ["i32"], [], (f, flags) => f.globalSet(global, f.get(flags)) as undefined),
  );
  const bytes = module.toBytes();
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1 });
  const word = new Int32Array(memory.buffer, flagsAddress, 1);
  const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), { host: { memory } });
  const ofFormat = (format: string) =>
    Object.fromEntries(
      Object.entries(exports)
        .filter(([name]) => name.startsWith(`${format}.`))
        .map(([name, callable]) => [name.slice(format.length + 1), callable as Callable]),
    );
  return {
    f64: ofFormat("f64"),
    f32: ofFormat("f32"),
    getFlags: inMemory ? () => word[0] : (exports.getFlags as () => number),
    setFlags: inMemory
      ? (flags) => {
          word[0] = flags;
        }
      : (exports.setFlags as (flags: number) => void),
    bytes,
  };
}
