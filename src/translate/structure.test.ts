import assert from "node:assert/strict";
import { test } from "node:test";
import { ModuleBuilder } from "../wasm/module.ts";
import { webAssembly } from "../wasm/webassembly.ts";
import { type Edge, emitStructured } from "./structure.ts";

/** A small generator, so that failures repeat. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

type Blocks = readonly (readonly [number, number])[];

/** Interprets: from each block the first or second successor by the next bit; -1 leaves. Gives a hash of the path. */
function walk(blocks: Blocks, bits: number): number {
  let at = 0;
  let hash = 0;
  let rest = bits;
  for (let steps = 0; steps < 24; steps++) {
    hash = (Math.imul(hash, 31) + at + 1) | 0;
    const to = blocks[at][rest & 1];
    rest >>>= 1;
    if (to < 0) return hash;
    at = to;
  }
  return hash;
}

/** The same as structured WebAssembly. What leaves for an irreducible edge starts again at that block. */
function compile(blocks: Blocks): (bits: number) => number {
  const functions = blocks.map((_, entry) => {
    // Block `entry` becomes block 0.
    const index = (block: number) => (block === entry ? 0 : block === 0 ? entry : block);
    const module = new ModuleBuilder();
    const memory = module.importMemory("m", "memory", 1, 1, false);
    void memory;
    // Memory: 0 hash, 4 rest, 8 steps. Returns the block to go on at, or -1.
    const func = module.define("walk", [], ["i32"], (f) => {
      const load = (at: number) => f.i32.load(f.i32.const(at));
      const successors = blocks.map((_, i) => blocks[index(i)].filter((to) => to >= 0).map(index));
      const leave = (to: number) => () => f.return(f.i32.const(to));
      emitStructured(f, {
        successors,
        enterLoop: () => {},
        leaveTo: (block) => f.return(f.i32.const(index(block))),
        emit: (i) => {
          const block = index(i);
          const [even, odd] = blocks[block];
          f.if(f.i32.eq(load(8), f.i32.const(24)), () => f.return(f.i32.const(-1)));
          f.i32.store(f.i32.const(8), f.i32.add(load(8), f.i32.const(1)));
          f.i32.store(f.i32.const(0), f.i32.add(f.i32.mul(load(0), f.i32.const(31)), f.i32.const(block + 1)));
          const bit = f.i32.let(f.i32.and(load(4), f.i32.const(1)));
          f.i32.store(f.i32.const(4), f.i32.shrU(load(4), f.i32.const(1)));
          const edge = (to: number): Edge => (to < 0 ? leave(-1) : index(to));
          return { kind: "branch", condition: () => f.get(bit), taken: edge(odd), otherwise: edge(even) };
        },
      });
      return f.i32.const(-1);
    });
    module.export("walk", func);
    return module;
  });
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1 });
  const words = new Int32Array(memory.buffer);
  const walks = functions.map(
    (module) =>
      new webAssembly.Instance(new webAssembly.Module(module.toBytes()), { m: { memory } }).exports.walk as () => number,
  );
  return (bits) => {
    words.set([0, bits, 0]);
    for (let at = 0; at >= 0; ) at = walks[at]();
    return words[0];
  };
}

test("any graph, reducible or not, takes the same paths structured as interpreted", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const count = 1 + Math.floor(next() * 9);
    const successor = () => (next() < 0.12 ? -1 : Math.floor(next() * count));
    const blocks = Array.from({ length: count }, () => [successor(), successor()] as const);
    const structured = compile(blocks);
    for (let i = 0; i < 40; i++) {
      const bits = Math.floor(next() * 2 ** 31);
      assert.equal(structured(bits), walk(blocks, bits), `seed ${seed}, bits ${bits}: ${JSON.stringify(blocks)}`);
    }
  }
});
