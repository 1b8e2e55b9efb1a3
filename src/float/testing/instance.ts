import { ModuleBuilder } from "../../wasm/module.ts";
import type { Func } from "../../wasm/types.ts";
import { webAssembly } from "../../wasm/webassembly.ts";
import { createFloat } from "../float.ts";
import type { FloatOptions } from "../types.ts";

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

/** Instantiates the room with every function exported. */
export function instantiateFloat(options: Omit<FloatOptions, "flags"> & { readonly inMemory?: boolean } = {}): FloatInstance {
  const module = new ModuleBuilder();
  module.importMemory("host", "memory", 1, 1, false);
  const global = module.global("i32", 0);
  const { inMemory = false, ...rest } = options;
  const functions = createFloat(module, { ...rest, flags: inMemory ? { flagsAddress } : { global } });
  for (const format of ["f64", "f32"] as const) {
    for (const [name, func] of Object.entries(functions[format])) module.export(`${format}.${name}`, func as Func);
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
