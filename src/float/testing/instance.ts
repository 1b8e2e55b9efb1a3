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
  /** Export the inline forms in the place of the arithmetic functions, with the same signatures; `rm` and NX must be what they ask for. */
  readonly inline?: boolean;
};

/** Defines functions of the arithmetic's signatures, on bits, around the inline forms. */
function wrapInline(module: ModuleBuilder, functions: FloatFunctions, fusedMultiplyAdd: boolean) {
  const fast = createFastEmitters({ ...functions, fusedMultiplyAdd });
  const counts = { add: 2, sub: 2, mul: 2, div: 2, sqrt: 1, fma: 3 } as const;
  const wrap = <B extends "i32" | "i64", V extends "f32" | "f64">(format: Format<B, V>, emitters: FastEmitters<V>) =>
    Object.fromEntries(
      Object.entries(counts).map(([name, count]): [string, Func] => {
        const params = [...Array<B>(count).fill(format.bits), "i32" as const];
        const build = (f: FunctionBuilder, ...locals: Local[]) => {
          const operands = locals.slice(0, count).map((bits) => format.float(f).let(format.toValue(f, f.get(bits as Local<B>))));
          return format.toBits(
            f,
            (emitters[name as "add"] as (f: FunctionBuilder, ...operands: Local<V>[]) => Value<V>)(f, ...operands),
          );
        };
        return [name, module.define(`inline.${name}`, params, [format.bits], build as never)];
      }),
    );
  return { f64: wrap(binary64, fast.f64), f32: wrap(binary32, fast.f32) };
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
