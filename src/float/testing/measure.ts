// Measures the room: `node dist/src/float/testing/measure.js [--relaxed-simd]`. For each operation, nanoseconds of the host's
// plain operation (for fma: a product and a sum), the inline form, the function with NX set, the function with NX clear on
// operands whose results are exact, and the exact function (any other rounding mode); then what the module costs to make.
// The variants take turns within one run, and each number is the median of its turns.
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import type { FunctionBuilder } from "../../wasm/function.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import type { Func, Local, Value } from "../../wasm/types.ts";
import { webAssembly } from "../../wasm/webassembly.ts";
import { createFastEmitters } from "../fast.ts";
import { createFloat } from "../float.ts";
import { binary32, binary64, type Format } from "../format.ts";
import { type OperationName, probeFusedMultiplyAdd } from "../host.ts";
import { Flag, type FloatFunctions, RoundingMode } from "../types.ts";

const entries = 512;
const rounds = 200;
const turns = 21;
const operandBytes = entries * 8;
const flagsAddress = 3 * operandBytes;

type Kind = "host" | "inline" | "function";
/** Any emitter of this script: the formats and operations vary, the values are right by construction. */
type Emitter = (...args: unknown[]) => Value;

const operations: Record<OperationName, number> = { add: 2, sub: 2, mul: 2, div: 2, sqrt: 1, fma: 3 };

/** A loop over the operands in memory that adds up the bits of the results, so that operations overlap as far as the host can. */
function defineKernel<B extends "i32" | "i64", V extends "f32" | "f64">(
  module: ModuleBuilder,
  format: Format<B, V>,
  name: string,
  count: number,
  operate: (f: FunctionBuilder, values: Local<V>[], rm: Local<"i32">) => Value<B>,
): void {
  const size = format.bits === "i64" ? 8 : 4;
  const kernel = module.define(name, ["i32"], ["i64"], (f, rm) => {
    const total = f.i64.local();
    const address = f.i32.let(f.i32.const(0));
    f.loop((again) => {
      const values = Array.from({ length: count }, (_, i) => {
        const loaded = (f[format.value].load as Emitter)(f.get(address), i * operandBytes);
        return format.float(f).let(loaded as Value<V>);
      });
      const bits = format.int(f).let(operate(f, values, rm));
      const wide = () => (size === 8 ? f.get(bits as Local<"i64">) : f.i64.extendI32U(f.get(bits as Local<"i32">)));
      f.set(total, f.i64.add(f.get(total), wide()));
      f.set(address, f.i32.add(f.get(address), f.i32.const(size)));
      f.brIf(again, f.i32.ltU(f.get(address), f.i32.const(entries * size)));
    });
    return f.get(total);
  });
  module.export(name, kernel);
}

function defineKernels(module: ModuleBuilder, functions: FloatFunctions, fusedMultiplyAdd: boolean): void {
  const fast = createFastEmitters(functions, { fusedMultiplyAdd });
  const ofFormat = <B extends "i32" | "i64", V extends "f32" | "f64">(format: Format<B, V>) => {
    for (const [name, count] of Object.entries(operations)) {
      const kernel = (kind: Kind, operate: (f: FunctionBuilder, values: Local<V>[], rm: Local<"i32">) => Value<B>) =>
        defineKernel(module, format, `${format.value}.${name}.${kind}`, count, operate);
      kernel("host", (f, values) => {
        const float = format.float(f);
        if (name === "fma") return format.toBits(f, float.add(float.mul(f.get(values[0]), f.get(values[1])), f.get(values[2])));
        const result = (float[name as "add"] as Emitter)(...values.map((value) => f.get(value)));
        return format.toBits(f, result as Value<V>);
      });
      kernel("inline", (f, values) => format.toBits(f, (fast[format.value][name as "add"] as Emitter)(f, ...values) as Value<V>));
      kernel("function", (f, values, rm) => {
        const bits = values.map((value) => format.toBits(f, f.get(value)));
        return (f.call as Emitter)(functions[format.value][name as "add"], ...bits, f.get(rm)) as Value<B>;
      });
    }
  };
  ofFormat(binary64);
  ofFormat(binary32);
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1];
}

async function measure(fusedMultiplyAdd: boolean): Promise<void> {
  const module = new ModuleBuilder();
  module.importMemory("host", "memory", 1, 1, false);
  defineKernels(module, createFloat(module, { flags: { flagsAddress }, fusedMultiplyAdd }), fusedMultiplyAdd);
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new webAssembly.Instance(new webAssembly.Module(module.toBytes()), { host: { memory } });
  const flags = new Int32Array(memory.buffer, flagsAddress, 1);

  const fill = (format: "f64" | "f32", isExact: boolean) => {
    const Values = format === "f64" ? Float64Array : Float32Array;
    for (let i = 0; i < 3; i++) {
      const values = new Values(memory.buffer as ArrayBuffer, i * operandBytes, entries);
      // Squares of powers of two have exact products, quotients and roots; other operands have none.
      for (let j = 0; j < entries; j++) values[j] = isExact ? 4 ** ((j * 7 + i) % 9) : 1 + Math.random();
    }
  };
  for (const format of ["f64", "f32"] as const) {
    for (const name of Object.keys(operations)) {
      const variants: [label: string, kind: Kind, rm: number, flags: number, isExact: boolean][] = [
        ["host", "host", RoundingMode.RNE, Flag.NX, false],
        ["inline", "inline", RoundingMode.RNE, Flag.NX, false],
        ["NX set", "function", RoundingMode.RNE, Flag.NX, false],
        ["NX clear", "function", RoundingMode.RNE, 0, true],
        ["exact", "function", RoundingMode.RTZ, Flag.NX, false],
      ];
      const times = variants.map((): number[] => []);
      for (let turn = 0; turn < turns; turn++) {
        for (const [i, [, kind, rm, before, isExact]] of variants.entries()) {
          const kernel = exports[`${format}.${name}.${kind}`] as (rm: number) => bigint;
          fill(format, isExact);
          flags[0] = before;
          const start = performance.now();
          for (let round = 0; round < rounds; round++) kernel(rm);
          times[i].push(((performance.now() - start) * 1e6) / (rounds * entries));
        }
        // Let the host's optimizing compiler, which works in the background, catch up.
        await setTimeout(turn < turns >> 1 ? 20 : 0);
      }
      const row = variants.map(([label], i) => `${label} ${median(times[i].slice(turns >> 1)).toFixed(2)}`);
      console.log(`${format}.${name}${fusedMultiplyAdd ? " (fused)" : ""}: ${row.join(", ")} ns`);
    }
  }
}

function measureModule(): void {
  const emitting: number[] = [];
  const compiling: number[] = [];
  let size = 0;
  for (let turn = 0; turn < turns; turn++) {
    const start = performance.now();
    const module = new ModuleBuilder();
    // Another constant each time, lest the host remember the compiled module.
    const functions = createFloat(module, { flags: { global: module.global("i32", turn) } });
    for (const format of ["f64", "f32"] as const) {
      for (const [name, func] of Object.entries(functions[format])) module.export(`${format}.${name}`, func as Func);
    }
    const bytes = module.toBytes();
    const middle = performance.now();
    new webAssembly.Module(bytes);
    compiling.push(performance.now() - middle);
    emitting.push(middle - start);
    size = bytes.length;
  }
  const show = (times: number[]) => `${times[0].toFixed(1)} ms the first time, then ${median(times.slice(1)).toFixed(1)} ms`;
  console.log(`module: ${size} bytes; emitted in ${show(emitting)}; compiled in ${show(compiling)}`);
}

setFlagsFromString("--experimental-wasm-branch-hinting");
console.log(`Node ${process.version}`);
measureModule();
await measure(false);
if (process.argv.includes("--relaxed-simd") && !probeFusedMultiplyAdd()) setFlagsFromString("--experimental-wasm-relaxed-simd");
if (probeFusedMultiplyAdd()) await measure(true);
