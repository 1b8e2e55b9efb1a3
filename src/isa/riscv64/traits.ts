import type { Func } from "../../wasm/types.ts";
import type { Core } from "./functions.ts";
import { type AnyInstruction, type Instruction, isCompressed } from "./instruction.ts";
import { type Frame, InterpreterEmitter, recordOperands } from "./interpreter-emitter.ts";
import type { Layout } from "./layout.ts";

/** What is known of an instruction from emitting it once: whether it jumps by a constant offset, whether only the interpreter does it. */
export interface Traits {
  readonly jumps: ReadonlySet<Instruction>;
  readonly interpreted: ReadonlySet<Instruction>;
  /** Those that always jump elsewhere than by a constant offset. */
  readonly ends: ReadonlySet<Instruction>;
  /** Functions that an instruction calls. */
  readonly calls: ReadonlyMap<Instruction, readonly Func[]>;
}

/** Finds the traits of all instructions, by emitting each into a function that is thrown away. */
export function findTraits(core: Core, layout: Layout, instructions: readonly AnyInstruction[]): Traits {
  const jumps = new Set<Instruction>();
  const interpreted = new Set<Instruction>();
  const ends = new Set<Instruction>();
  const calls = new Map<Instruction, readonly Func[]>();
  const e = new InterpreterEmitter([], core, layout);
  for (const any of instructions) {
    const instruction = isCompressed(any) ? any.base : any;
    e.restart([]);
    e.jumps = false;
    e.interpreted = false;
    e.ended = false;
    e.calls = [];
    withFrame(e, (frame) => {
      e.frame = frame;
      e.handler = { id: 0, instruction, length: 4, near: false };
      instruction.meaning(recordOperands, e);
    });
    if (e.jumps) jumps.add(instruction);
    if (e.interpreted) interpreted.add(instruction);
    if (e.ended && !e.jumps) ends.add(instruction);
    calls.set(instruction, e.calls);
  }
  return { jumps, interpreted, ends, calls };
}

function withFrame(e: InterpreterEmitter, body: (frame: Frame) => void): void {
  e.block((label) =>
    body({
      record: e.i32.local(),
      page: e.i32.local(),
      pcBase: e.i64.local(),
      target: e.i64.local(),
      budget: e.i32.local(),
      dataTlb: e.i32.local(),
      fetchTlb: e.i32.local(),
      reason: e.i32.local(),
      next: label,
      taken: label,
      restart: label,
      trap: label,
      illegal: label,
      leave: label,
    }),
  );
}
