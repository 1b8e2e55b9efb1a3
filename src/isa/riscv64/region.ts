import { emitStructured } from "../../translate/structure.ts";
import type { Handler, HandlerTable } from "./handlers.ts";
import { special } from "./handlers.ts";
import type { Instruction, Letter, Operands } from "./instruction.ts";
import { fetchTlb, type Layout, recordPage, regionEntry } from "./layout.ts";
import type { Traits } from "./traits.ts";
import type { TranslatorEmitter } from "./translator.ts";

/** fflags, frm and fcsr are 1 to 3. */
const lastFloatCsr = 3;
/** Most instructions of a region, and most calls followed inwards. */
const limits = { instructions: 256, depth: 2 } as const;

/** A call that the region followed: where it returns to, and in which call. */
interface Context {
  readonly id: number;
  readonly returnTo: number;
  readonly parent: Context | undefined;
  readonly depth: number;
}

/** Straight-line code; distances are in bytes from the start of the entry's page. */
interface Block {
  readonly start: number;
  readonly context: Context | undefined;
  readonly instructions: readonly { readonly offset: number; readonly record: number; readonly handler: Handler }[];
  /** Distance of what follows the last instruction. */
  readonly end: number;
}

/** What to translate: blocks, block 0 first, and the pages they are in. */
export interface Region {
  readonly record: number;
  readonly page: number;
  readonly bank: number;
  readonly blocks: readonly Block[];
  readonly instructionCount: number;
  readonly usesFloat: boolean;
  /** Pages other than the entry's: distance in pages, record page. */
  readonly otherPages: readonly { readonly distance: number; readonly records: number }[];
  /** The calls that were followed, by the key of the `jal`. */
  readonly calls: ReadonlyMap<number, Context>;
}

/** One number for a distance in a context. */
const keyOf = (offset: number, context: Context | undefined) => (context?.id ?? 0) * 2 ** 33 + offset + 2 ** 32;

/**
 * Reads decoded records and finds what belongs together. What is not decoded was never executed, and stays outside: most of
 * what the code of an operating system could do is such.
 */
export class RegionFormer {
  readonly #layout: Layout;
  readonly #handlers: HandlerTable;
  readonly #traits: Traits;
  readonly #view: DataView;
  readonly #operands: Record<Letter, number> = { d: 0, s: 0, t: 0, D: 0, S: 0, T: 0, U: 0, i: 0, k: 0, r: 0 };

  constructor(layout: Layout, memory: ArrayBuffer | SharedArrayBuffer, handlers: HandlerTable, traits: Traits) {
    this.#layout = layout;
    this.#handlers = handlers;
    this.#traits = traits;
    this.#view = new DataView(memory);
  }

  /** Whether the current translation context fetches the page of `address` from this record page. */
  isCurrent(page: number, address: bigint): boolean {
    return this.#recordPageOf(BigInt.asUintN(64, address & ~4095n)) === page;
  }

  /** Record page that the fetch TLB has for the address of a page. */
  #recordPageOf(address: bigint): number | undefined {
    const bank = this.#view.getInt32(this.#layout.state.fetchTlb, true);
    const slot = bank + (Number((address >> 12n) & BigInt(fetchTlb.entries - 1)) << 4);
    if (this.#view.getBigUint64(slot + fetchTlb.tag, true) !== address) return undefined;
    return this.#view.getInt32(slot + fetchTlb.recordPage, true);
  }

  /** Region that starts at a record; undefined if that is not worth it. `address` is the guest address of the instruction. */
  form(record: number, page: number, address: bigint): Region | undefined {
    const { state } = this.#layout;
    const bank = this.#view.getInt32(state.dataTlb, true);
    const pageAddress = BigInt.asIntN(64, address & ~4095n);
    const entry = Number(address & 4095n);
    const pages = new Map<number, number>([[0, page]]);
    const recordAt = (offset: number): number | undefined => {
      const distance = Math.floor(offset / 4096);
      let records = pages.get(distance);
      if (records === undefined) {
        if (pages.size > regionEntry.mostPages) return undefined;
        const other = BigInt.asUintN(64, pageAddress + BigInt(distance) * 4096n);
        records = this.#recordPageOf(other);
        if (records === undefined) return undefined;
        pages.set(distance, records);
      }
      return records + (offset - distance * 4096) * 8;
    };

    // First which instructions can be reached, and where blocks must start.
    const contexts: (Context | undefined)[] = [undefined];
    const found = new Map<number, { offset: number; record: number; handler: Handler; next: number }>();
    const leaders = new Map<number, { offset: number; context: Context | undefined }>();
    const called = new Map<number, Context>();
    const work: { offset: number; context: Context | undefined }[] = [];
    const lead = (offset: number, context: Context | undefined) => {
      const key = keyOf(offset, context);
      if (leaders.has(key)) return;
      leaders.set(key, { offset, context });
      if (!found.has(key)) work.push({ offset, context });
    };
    lead(entry, undefined);
    for (let at = 0; at < work.length; at++) {
      const { context } = work[at];
      let { offset } = work[at];
      for (;;) {
        const key = keyOf(offset, context);
        if (found.has(key)) {
          leaders.set(key, { offset, context });
          break;
        }
        if (found.size >= limits.instructions) break;
        const recordOffset = recordAt(offset);
        const handler = recordOffset === undefined ? undefined : this.#handlerOf(recordOffset);
        if (handler === undefined || recordOffset === undefined) break;
        const next = offset + handler.length;
        found.set(key, { offset, record: recordOffset, handler, next });
        const { name } = handler.instruction;
        if (this.#traits.jumps.has(handler.instruction)) {
          const target = offset + this.#view.getInt32(recordOffset + recordPage.imm, true);
          if (name === "jal") {
            const link = this.#register(recordOffset + recordPage.d);
            if (link === 1 && (context?.depth ?? 0) < limits.depth) {
              const inner = { id: contexts.length, returnTo: next, parent: context, depth: (context?.depth ?? 0) + 1 };
              contexts.push(inner);
              called.set(key, inner);
              lead(target, inner);
            } else if (link === 0) lead(target, context);
            break;
          }
          lead(target, context);
          lead(next, context);
          break;
        }
        if (this.#traits.ends.has(handler.instruction)) {
          if (name === "jalr" && context !== undefined && this.#isReturn(recordOffset)) lead(context.returnTo, context.parent);
          break;
        }
        offset = next;
      }
    }

    const blocks: Block[] = [];
    let instructionCount = 0;
    let usesFloat = false;
    for (const { offset, context } of leaders.values()) {
      const instructions: Block["instructions"][number][] = [];
      let at = offset;
      for (;;) {
        const item = found.get(keyOf(at, context));
        if (item === undefined) break;
        instructions.push(item);
        at = item.next;
        if (/[DSTU]/.test(item.handler.instruction.pattern)) usesFloat = true;
        if (this.#endsBlock(item.handler.instruction) || leaders.has(keyOf(at, context))) break;
      }
      if (instructions.length === 0) continue;
      instructionCount += instructions.length;
      blocks.push({ start: offset, context, instructions, end: at });
    }
    if (blocks.length === 0 || blocks[0].start !== entry || instructionCount < 4) return undefined;
    pages.delete(0);
    return {
      record,
      page,
      bank,
      blocks,
      instructionCount,
      usesFloat,
      calls: called,
      otherPages: [...pages].map(([distance, records]) => ({ distance, records })),
    };
  }

  /** Emits a region as the body of a function. */
  emit(region: Region, e: TranslatorEmitter): void {
    const { blocks } = region;
    const indices = new Map(blocks.map((block, index) => [keyOf(block.start, block.context), index]));
    const used = { x: 0, f: 0 };
    const written = { x: 0, f: 0 };
    for (const { instructions } of blocks) {
      for (const { record, handler } of instructions) {
        this.#readOperands(record);
        for (const letter of lettersOf(handler.instruction)) {
          if (!"dstDSTU".includes(letter)) continue;
          const bit = 1 << this.#operands[letter];
          const file = "DSTU".includes(letter) ? "f" : "x";
          used[file] |= bit;
          if (letter === "d" || letter === "D") written[file] |= bit;
        }
      }
    }
    const edgeIn = (context: Context | undefined) => (offset: number) => {
      const index = indices.get(keyOf(offset, context));
      return index ?? (() => e.leaveTo(offset));
    };
    const targetContext = (block: Block): Context | undefined => {
      const last = block.instructions[block.instructions.length - 1];
      return region.calls.get(keyOf(last.offset, block.context)) ?? block.context;
    };
    const successors = blocks.map((block) => {
      const last = block.instructions[block.instructions.length - 1];
      const { instruction } = last.handler;
      const next = indices.get(keyOf(block.end, block.context));
      const list: (number | undefined)[] = [];
      if (this.#traits.jumps.has(instruction)) {
        const target = last.offset + this.#view.getInt32(last.record + recordPage.imm, true);
        if (instruction.name === "jal" && this.#register(last.record + recordPage.d) > 1) return [];
        list.push(indices.get(keyOf(target, targetContext(block))));
        if (instruction.name !== "jal") list.push(next);
      } else if (this.#traits.ends.has(instruction)) {
        if (instruction.name === "jalr" && block.context !== undefined && this.#isReturn(last.record)) {
          list.push(indices.get(keyOf(block.context.returnTo, block.context.parent)));
        }
      } else list.push(next);
      return list.filter((index): index is number => index !== undefined);
    });
    e.region({ bank: region.bank, x: { used: used.x, written: written.x & ~1 }, f: { used: used.f, written: written.f } }, () =>
      emitStructured(e, {
        successors,
        enterLoop: (index) => e.checkBudget(region.instructionCount, blocks[index].start),
        leaveTo: (index) => e.leaveTo(blocks[index].start),
        emit: (index) => {
          const block = blocks[index];
          const count = block.instructions.length;
          e.ending = undefined;
          for (let i = 0; i < count; i++) {
            const { offset, record, handler } = block.instructions[i];
            e.offset = offset;
            e.length = handler.length;
            e.before = i;
            this.#readOperands(record);
            e.scope(() => handler.instruction.meaning(this.#operands as unknown as Operands, e));
            if (e.ending === undefined) e.afterInstruction();
          }
          if (e.ending === undefined) {
            e.spend(count);
            return { kind: "jump", to: edgeIn(block.context)(block.end) };
          }
          const last = block.instructions[count - 1];
          const { context } = block;
          if (last.handler.instruction.name === "jalr") {
            const back =
              context !== undefined && this.#isReturn(last.record)
                ? indices.get(keyOf(context.returnTo, context.parent))
                : undefined;
            return e.endingOfReturn(back, context?.returnTo ?? 0);
          }
          if (last.handler.instruction.name === "jal" && this.#register(last.record + recordPage.d) > 1) {
            return e.endingOf((offset) => () => e.leaveTo(offset));
          }
          return e.endingOf(edgeIn(targetContext(block)));
        },
      }),
    );
  }

  /** The instruction of a record; undefined for what was never executed, and for what only the interpreter does. */
  #handlerOf(record: number): Handler | undefined {
    let id = this.#view.getUint16(record, true);
    if (id === special.translated) {
      const region = this.#view.getInt32(record + recordPage.region, true);
      id = this.#view.getInt32(this.#layout.regions + region * regionEntry.size + regionEntry.handler, true);
    }
    const handler = this.#handlers.byId(id);
    if (handler === undefined || this.#traits.interpreted.has(handler.instruction)) return undefined;
    // A region counts on what fcsr was when it was entered.
    const { name } = handler.instruction;
    return name.startsWith("csr") && this.#view.getInt32(record + recordPage.imm, true) <= lastFloatCsr ? undefined : handler;
  }

  #endsBlock(instruction: Instruction): boolean {
    return this.#traits.jumps.has(instruction) || this.#traits.ends.has(instruction);
  }

  /** `jalr x0, 0(x1)` */
  #isReturn(record: number): boolean {
    return (
      this.#register(record + recordPage.d) === 0 &&
      this.#register(record + recordPage.s) === 1 &&
      this.#view.getInt32(record + recordPage.imm, true) === 0
    );
  }

  /** Number of the integer register at an address of the state; that which takes writes of x0 counts as x0. */
  #register(slot: number): number {
    return ((this.#view.getUint16(slot, true) - this.#layout.state.x) >> 3) & 31;
  }

  #readOperands(record: number): void {
    const view = this.#view;
    const { x, f } = this.#layout.state;
    const o = this.#operands;
    const d = view.getUint16(record + recordPage.d, true);
    const s = view.getUint16(record + recordPage.s, true);
    const t = view.getUint16(record + recordPage.t, true);
    o.d = ((d - x) >> 3) & 31;
    o.D = (d - f) >> 3;
    o.s = ((s - x) >> 3) & 31;
    o.S = (s - f) >> 3;
    o.k = s;
    o.t = ((t - x) >> 3) & 31;
    o.T = (t - f) >> 3;
    o.i = view.getInt32(record + recordPage.imm, true);
    o.U = (view.getUint16(record + recordPage.u, true) - f) >> 3;
    o.r = view.getUint16(record + recordPage.k, true);
  }
}

const lettersByInstruction = new Map<Instruction, readonly Letter[]>();
function lettersOf(instruction: Instruction): readonly Letter[] {
  let letters = lettersByInstruction.get(instruction);
  if (letters === undefined) {
    letters = [...new Set(instruction.pattern)].filter((c) => !"01.".includes(c)) as Letter[];
    lettersByInstruction.set(instruction, letters);
  }
  return letters;
}
