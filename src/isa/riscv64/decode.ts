import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32, Label, Local } from "../../wasm/types.ts";
import { access, type Core } from "./functions.ts";
import { type HandlerTable, special } from "./handlers.ts";
import { type AnyInstruction, type Field, fieldsOf, fixedBits, isCompressed, type Letter } from "./instruction.ts";
import { fetchTlb, type Layout, pageEntry, pageIndex, recordPage } from "./layout.ts";
import { walkFlag } from "./state.ts";
import { forgetRecords } from "./tlb.ts";

/** From memory to decoded records: fetch translation, record pages, and the decoder, which is generated from the patterns. */

/** Where in a record an operand goes. */
export const operandSlot: Readonly<Record<Letter, number>> = {
  d: recordPage.d,
  D: recordPage.d,
  s: recordPage.s,
  S: recordPage.s,
  k: recordPage.s,
  t: recordPage.t,
  T: recordPage.t,
  i: recordPage.imm,
  U: recordPage.u,
  r: recordPage.k,
};

/** Halfword index that makes no jump near: for the record of an instruction that crosses pages. */
const nowhere = 0x10000;

interface Candidate {
  readonly instruction: AnyInstruction;
  readonly mask: number;
  readonly match: number;
}

export function defineDecoder(core: Core, layout: Layout, instructions: readonly AnyInstruction[], handlers: HandlerTable): void {
  const { module, functions: fn } = core;
  const { state } = layout;
  const xAt = (register: number) => state.x + 8 * register;
  const discard = xAt(32);

  module.body(fn.decode, (f, word, record, half) => {
    f.i64.store(f.get(record), f.i64.const(0), recordPage.imm);
    f.block((illegal) => {
      const wide = candidates(instructions, 32);
      const narrow = candidates(instructions, 16);
      f.if(
        f.i32.eq(f.i32.and(f.get(word), f.i32.const(3)), f.i32.const(3)),
        () => tree(f, wide, illegal),
        () => tree(f, narrow, illegal),
      );

      function tree(f: FunctionBuilder, list: readonly Candidate[], otherwise: Label, decided = 0): void {
        const common = list.reduce((mask, c) => mask & c.mask, -1) & ~decided;
        if (list.length <= 2 || common === 0) {
          for (const candidate of list) {
            f.block((next) => {
              f.brIf(next, f.i32.ne(f.i32.and(f.get(word), f.i32.const(candidate.mask)), f.i32.const(candidate.match)));
              leaf(f, candidate.instruction, illegal);
            });
          }
          f.br(otherwise);
          return;
        }
        // A table on the longest run (up to 7 bits) that all candidates fix.
        const { from, width } = longestRun(common >>> 0);
        const groups = new Map<number, Candidate[]>();
        for (const candidate of list) {
          const key = (candidate.match >>> from) & (2 ** width - 1);
          groups.set(key, [...(groups.get(key) ?? []), candidate]);
        }
        const index = f.i32.and(f.i32.shrU(f.get(word), f.i32.const(from)), f.i32.const(2 ** width - 1));
        const chosen = f.i32.let(index);
        const keys = [...groups.keys()];
        const seen = decided | ((2 ** width - 1) << from);
        const nest = (depth: number, labels: Map<number, Label>): void => {
          if (depth === keys.length) {
            const targets = Array.from({ length: Math.max(...keys) + 1 }, (_, key) => labels.get(key) ?? otherwise);
            f.brTable(f.get(chosen), targets, otherwise);
            return;
          }
          f.block((label) => nest(depth + 1, new Map([...labels, [keys[depth], label]])));
          f.scope(() => tree(f, groups.get(keys[depth])!, otherwise, seen));
        };
        nest(0, new Map());
      }

      function leaf(f: FunctionBuilder, instruction: AnyInstruction, illegal: Label): void {
        const fields = fieldsOf(instruction);
        const values = new Map<Letter, Local<"i32">>();
        for (const field of fields) values.set(field.letter, f.i32.let(extract(f, field)));
        for (const letter of instruction.options.nonzero ?? []) f.brIf(illegal, f.i32.eqz(f.get(values.get(letter)!)));
        for (const letter of instruction.options.even ?? []) {
          f.brIf(illegal, f.i32.and(f.get(values.get(letter)!), f.i32.const(1)));
        }
        const put = (letter: Letter, value: () => I32) => writeOperand(f, letter, value);
        for (const { letter } of fields) put(letter, () => f.get(values.get(letter)!));
        if (isCompressed(instruction)) {
          for (const [letter, source] of Object.entries(instruction.fixed) as [Letter, number | Letter][]) {
            put(letter, () => (typeof source === "number" ? f.i32.const(source) : f.get(values.get(source)!)));
          }
        }
        const id = handlers.idOf(instruction);
        if (handlers.isJump(instruction)) {
          const target = f.i32.add(f.i32.shl(f.get(half), f.i32.const(1)), f.get(values.get("i")!));
          const far = f.i32.let(f.i32.geU(target, f.i32.const(4096)));
          f.i32.store16(f.get(record), f.i32.add(f.i32.const(id), f.get(far)), recordPage.handler);
        } else f.i32.store16(f.get(record), f.i32.const(id), recordPage.handler);
        f.return();
      }

      function extract(f: FunctionBuilder, { runs, width, signed, bias }: Field): I32 {
        const parts = runs.map(({ from, width, to }) => () => {
          const bits = f.i32.and(f.i32.shrU(f.get(word), f.i32.const(from)), f.i32.const(2 ** width - 1));
          return to === 0 ? bits : f.i32.shl(bits, f.i32.const(to));
        });
        let value = parts[0]();
        for (const part of parts.slice(1)) value = f.i32.or(value, part());
        if (signed) value = f.i32.shrS(f.i32.shl(value, f.i32.const(32 - width)), f.i32.const(32 - width));
        return bias === 0 ? value : f.i32.add(value, f.i32.const(bias));
      }

      function writeOperand(f: FunctionBuilder, letter: Letter, value: () => I32): void {
        const slot = operandSlot[letter];
        if (letter === "i") f.i32.store(f.get(record), value(), slot);
        else if (letter === "k" || letter === "r") f.i32.store16(f.get(record), value(), slot);
        else {
          const base = "DSTU".includes(letter) ? state.f : state.x;
          const at = f.i32.let(f.i32.add(f.i32.shl(value(), f.i32.const(3)), f.i32.const(base)));
          // Writes of x0 go where nobody reads.
          if (letter === "d") {
            f.set(at, f.i32.select(f.i32.const(discard), f.get(at), f.i32.eq(f.get(at), f.i32.const(xAt(0)))));
          }
          f.i32.store16(f.get(record), f.get(at), slot);
        }
      }
    });
    f.i32.store16(f.get(record), f.i32.const(special.illegal), recordPage.handler);
  });

  const header = (f: FunctionBuilder, page: Local<"i32">) => f.i32.sub(f.get(page), f.i32.const(recordPage.header));
  const headerField = (at: number) => at + recordPage.header;

  module.body(fn.decodeAt, (f, record, page) => {
    const half = f.i32.let(f.i32.shrU(f.i32.sub(f.get(record), f.get(page)), f.i32.const(4)));
    f.if(f.i32.eqz(f.i32.load(header(f, page), headerField(recordPage.decoded))), () => {
      f.i32.store(header(f, page), f.i32.const(1), headerField(recordPage.decoded));
      f.call(fn.protectPage, f.i32.load(header(f, page), headerField(recordPage.pageIndex)));
    });
    const at = f.i32.let(
      f.i32.add(f.i32.load(header(f, page), headerField(recordPage.codeOffset)), f.i32.shl(f.get(half), f.i32.const(1))),
    );
    const word = f.i32.let(f.i32.load16U(f.get(at)));
    f.if(f.i32.eq(f.i32.and(f.get(word), f.i32.const(3)), f.i32.const(3)), () => {
      f.if(f.i32.eq(f.get(half), f.i32.const(recordPage.records - 1)), () => {
        f.i32.store16(f.get(record), f.i32.const(special.crossing), recordPage.handler);
        f.return();
      });
      f.set(word, f.i32.load(f.get(at)));
    });
    f.i64.store(f.i32.const(state.decoded), f.i64.add(f.i64.load(f.i32.const(state.decoded)), f.i64.const(1)));
    f.call(fn.decode, f.get(word), f.get(record), f.get(half));
  });

  /** Translates an instruction address and checks PMP; 0 with a trap pending if it cannot be fetched from. */
  const codeAddress = module.define("codeAddress", ["i64"], ["i32"], (f, address) => {
    const mode = f.i32.let(f.i32.load(f.i32.const(state.mode)));
    const physical = f.i64.let(f.call(fn.translate, f.get(address), f.i32.const(access.execute), f.get(mode)));
    f.if(f.i32.load(f.i32.const(state.trap)), () => f.return(f.i32.const(0)));
    const offset = f.i32.let(f.call(fn.physical, f.get(physical)));
    const allowed = f.i32.let(f.call(fn.pmpCheck, f.get(physical), f.i32.const(access.execute), f.get(mode), f.i32.const(2)));
    f.if(f.i32.or(f.i32.eqz(f.get(allowed)), f.i32.eqz(f.get(offset))), () => {
      f.call(fn.raise, f.i32.const(1), f.get(address));
      f.return(f.i32.const(0));
    });
    f.if(f.i32.eq(f.get(allowed), f.i32.const(2)), () =>
      f.i32.store(
        f.i32.const(state.walkFlags),
        f.i32.or(f.i32.load(f.i32.const(state.walkFlags)), f.i32.const(walkFlag.notCacheable)),
      ),
    );
    return f.get(offset);
  });

  module.body(fn.decodeCrossing, (f, address, page) => {
    const second = f.i64.let(f.i64.add(f.get(address), f.i64.const(2)));
    const offset = f.i32.let(f.call(codeAddress, f.get(second)));
    f.if(f.i32.eqz(f.get(offset)), () => f.return());
    const low = f.i32.load16U(f.i32.add(f.i32.load(header(f, page), headerField(recordPage.codeOffset)), f.i32.const(4094)));
    const word = f.i32.let(f.i32.or(low, f.i32.shl(f.i32.load16U(f.get(offset)), f.i32.const(16))));
    f.i32.store(f.i32.const(layout.crossingBytes), f.get(word));
    f.call(
      fn.decode,
      f.get(word),
      f.i32.const(layout.crossing + (recordPage.records - 1) * recordPage.recordSize),
      f.i32.const(nowhere),
    );
  });

  module.body(fn.raiseIllegal, (f, record, page) => {
    const at = f.i32.let(
      f.i32.add(
        f.i32.load(header(f, page), headerField(recordPage.codeOffset)),
        f.i32.shrU(f.i32.sub(f.get(record), f.get(page)), f.i32.const(3)),
      ),
    );
    const word = f.i32.let(f.i32.load16U(f.get(at)));
    f.if(f.i32.eq(f.i32.and(f.get(word), f.i32.const(3)), f.i32.const(3)), () =>
      f.set(word, f.i32.or(f.get(word), f.i32.shl(f.i32.load16U(f.get(at), 2), f.i32.const(16)))),
    );
    f.call(fn.raise, f.i32.const(2), f.i64.extendI32U(f.get(word)));
  });

  module.body(fn.allocateRecordPage, (f, index, codeOffset) => {
    const next = f.i32.let(f.i32.load(f.i32.const(layout.recordPool)));
    const page = f.i32.let(
      f.i32.add(f.i32.const(layout.recordPages + recordPage.header), f.i32.mul(f.get(next), f.i32.const(recordPage.stride))),
    );
    f.i32.store(
      f.i32.const(layout.recordPool),
      f.i32.remU(f.i32.add(f.get(next), f.i32.const(1)), f.i32.const(layout.recordPageCount)),
    );
    const entryOf = (index: I32) => f.i32.add(f.i32.shl(index, f.i32.const(3)), f.i32.const(layout.pages));
    const used = f.i32.let(f.i32.load(f.i32.const(layout.recordPool), 4));
    f.if(
      f.i32.ltU(f.get(used), f.i32.const(layout.recordPageCount)),
      () => f.i32.store(f.i32.const(layout.recordPool), f.i32.add(f.get(used), f.i32.const(1)), 4),
      () => {
        // The oldest page makes room; nothing may lead to it any more.
        f.i32.store(
          entryOf(f.i32.load(header(f, page), headerField(recordPage.pageIndex))),
          f.i32.const(0),
          pageEntry.recordPage,
        );
        forgetRecords(f, page, layout);
        f.memoryFill(f.i32.const(layout.fetchTlb), f.i32.const(1), f.i32.const(fetchTlb.bankSize * fetchTlb.bankCount));
      },
    );
    f.i32.store(header(f, page), f.get(codeOffset), headerField(recordPage.codeOffset));
    f.i32.store(header(f, page), f.i32.const(0), headerField(recordPage.decoded));
    f.i32.store(header(f, page), f.get(index), headerField(recordPage.pageIndex));
    for (const past of [0, 1]) {
      f.i32.store16(f.get(page), f.i32.const(special.pageEnd), recordPage.size + past * recordPage.recordSize);
    }
    f.i32.store(entryOf(f.get(index)), f.get(page), pageEntry.recordPage);
    return f.get(page);
  });

  /**
   * Decodes one instruction in a record page of its own, which leads on to nothing: the next one is fetched anew. For pages that
   * PMP allows in part only. 0 with a trap pending if the instruction's second half is not allowed.
   */
  const decodeSingle = module.define("decodeSingle", ["i64", "i32"], ["i32"], (f, address, offset) => {
    const page = f.i32.let(f.i32.const(layout.single));
    const past = 2 * recordPage.recordSize;
    f.memoryFill(f.get(page), f.i32.const(0), f.i32.const(recordPage.size + past));
    f.i32.store(header(f, page), f.i32.and(f.get(offset), f.i32.const(-4096)), headerField(recordPage.codeOffset));
    const at = () => f.i32.shl(f.i32.and(f.get(offset), f.i32.const(4095)), f.i32.const(3));
    const record = f.i32.let(f.i32.add(f.get(page), at()));
    for (const next of [1, 2]) {
      f.i32.store16(f.get(record), f.i32.const(special.pageEnd), next * recordPage.recordSize + recordPage.handler);
    }
    const word = f.i32.let(f.i32.load16U(f.get(offset)));
    f.if(f.i32.eq(f.i32.and(f.get(word), f.i32.const(3)), f.i32.const(3)), () => {
      f.if(f.i32.eq(f.i32.and(f.get(offset), f.i32.const(4095)), f.i32.const(4094)), () => {
        f.i32.store16(f.get(record), f.i32.const(special.crossing), recordPage.handler);
        f.return(f.get(page));
      });
      const second = f.i64.let(f.i64.add(f.get(address), f.i64.const(2)));
      f.if(f.i32.eqz(f.call(codeAddress, f.get(second))), () => f.return(f.i32.const(0)));
      f.set(word, f.i32.load(f.get(offset)));
    });
    f.call(fn.decode, f.get(word), f.get(record), f.i32.const(nowhere));
    return f.get(page);
  });

  module.body(fn.fetchPage, (f, address) => {
    f.i64.store(f.i32.const(state.fetchMisses), f.i64.add(f.i64.load(f.i32.const(state.fetchMisses)), f.i64.const(1)));
    const offset = f.i32.let(f.call(codeAddress, f.get(address)));
    f.if(f.i32.eqz(f.get(offset)), () => f.return(f.i32.const(0)));
    f.if(f.i32.and(f.i32.load(f.i32.const(state.walkFlags)), f.i32.const(walkFlag.notCacheable)), () =>
      f.return(f.call(decodeSingle, f.get(address), f.get(offset))),
    );
    f.set(offset, f.i32.and(f.get(offset), f.i32.const(-4096)));
    const index = f.i32.let(pageIndex(f, layout, f.get(offset)));
    const page = f.i32.let(
      f.i32.load(f.i32.add(f.i32.shl(f.get(index), f.i32.const(3)), f.i32.const(layout.pages)), pageEntry.recordPage),
    );
    f.if(f.i32.eqz(f.get(page)), () => f.set(page, f.call(fn.allocateRecordPage, f.get(index), f.get(offset))));
    const slot = f.i32.let(
      f.i32.add(
        f.i32.load(f.i32.const(state.fetchTlb)),
        f.i32.and(f.i32.shrU(f.i32.wrapI64(f.get(address)), f.i32.const(8)), f.i32.const((fetchTlb.entries - 1) << 4)),
      ),
    );
    f.i64.store(f.get(slot), f.i64.and(f.get(address), f.i64.const(-4096)), fetchTlb.tag);
    f.i32.store(f.get(slot), f.get(page), fetchTlb.recordPage);
    return f.get(page);
  });
}

/** Encodings of a width, those that fix more bits first. */
function candidates(instructions: readonly AnyInstruction[], width: 16 | 32): Candidate[] {
  const weight = (mask: number) => mask.toString(2).replaceAll("0", "").length;
  return instructions
    .filter(({ pattern }) => pattern.length === width)
    .map((instruction) => ({ instruction, ...fixedBits(instruction.pattern) }))
    .sort((a, b) => weight(b.mask) - weight(a.mask))
    .map(({ instruction, mask, match }) => ({ instruction, mask: mask | 0, match: match | 0 }));
}

function longestRun(mask: number): { from: number; width: number } {
  let best = { from: 0, width: 0 };
  for (let from = 0; from < 32; from++) {
    let width = 0;
    while (from + width < 32 && width < 7 && ((mask >>> (from + width)) & 1) === 1) width++;
    if (width > best.width) best = { from, width };
  }
  return best;
}
