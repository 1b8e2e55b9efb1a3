import { type AnyInstruction, type Instruction, isCompressed } from "./instruction.ts";

/** Handlers of records that are no instruction. */
export const special = {
  /** Not decoded yet: what a cleared record says. */
  undecoded: 0,
  /** Past the last record of a page. */
  pageEnd: 1,
  /** A 32-bit instruction whose second half is in the next page. */
  crossing: 2,
  illegal: 3,
  /** A translated region starts here; its number is in the record. */
  translated: 4,
} as const;
const firstInstruction = 5;

/** One arm of the interpreter: an instruction of a certain length; jumps apart by whether they stay in their page. */
export interface Handler {
  readonly id: number;
  readonly instruction: Instruction;
  readonly length: 2 | 4;
  /** For jumps with a constant offset: whether the target is in the same page. */
  readonly near: boolean;
}

/** Handlers of all instructions. A jump has two, the near one first. */
export class HandlerTable {
  readonly handlers: readonly Handler[];
  readonly #ids = new Map<string, number>();
  readonly #jumps: ReadonlySet<Instruction>;

  /** @param traits `jumps`: the instructions that jump by a constant offset */
  constructor(instructions: readonly AnyInstruction[], { jumps }: { readonly jumps: ReadonlySet<Instruction> }) {
    this.#jumps = jumps;
    const handlers: Handler[] = [];
    for (const any of instructions) {
      const instruction = isCompressed(any) ? any.base : any;
      const length = any.pattern.length === 16 ? 2 : 4;
      const key = `${instruction.name}/${length}`;
      if (this.#ids.has(key)) continue;
      this.#ids.set(key, firstInstruction + handlers.length);
      for (const near of jumps.has(instruction) ? [true, false] : [false]) {
        handlers.push({ id: firstInstruction + handlers.length, instruction, length, near });
      }
    }
    this.handlers = handlers;
  }

  /** The handler with an id; undefined for those that are no instruction. */
  byId(id: number): Handler | undefined {
    return this.handlers[id - firstInstruction];
  }

  /** The handler of an encoding: for jumps the near one; the far one follows it. */
  idOf(any: AnyInstruction): number {
    const instruction = isCompressed(any) ? any.base : any;
    return this.#ids.get(`${instruction.name}/${any.pattern.length === 16 ? 2 : 4}`)!;
  }

  isJump(any: AnyInstruction): boolean {
    return this.#jumps.has(isCompressed(any) ? any.base : any);
  }
}
