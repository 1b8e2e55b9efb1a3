import type { FunctionBuilder } from "../../wasm/function.ts";
import type { Local } from "../../wasm/types.ts";
import { access, type Core } from "./functions.ts";
import { type Layout, walkCache } from "./layout.ts";
import { status } from "./mstatus.ts";
import { walkFlag } from "./state.ts";
import { cacheBlockSize, exception, stateAccess } from "./state-access.ts";

/** From virtual addresses to physical ones, and from these to memory (Priv. spec, chapters 10 to 12). */

const mode = { U: 0, S: 1, M: 3 } as const;
const pte = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const;
const menvcfg = { PBMTE: 1n << 62n, ADUE: 1n << 61n } as const;

/** Emits the address of the walk cache's entry for an address. */
export function walkCacheSlot(f: FunctionBuilder, layout: Layout, address: Local<"i64">) {
  return f.i32.add(
    f.i32.const(layout.walkCache),
    f.i32.and(
      f.i32.wrapI64(f.i64.shrU(f.get(address), f.i64.const(21 - 4))),
      f.i32.const((walkCache.entries - 1) * walkCache.entrySize),
    ),
  );
}

export function definePageWalk({ module, functions: fn }: Core, layout: Layout): void {
  const { state } = layout;
  const { load64, load32, trapped, bump, inRam } = stateAccess(layout);
  const has = (f: FunctionBuilder, bits: Local<"i64">, mask: number | bigint) =>
    f.i64.ne(f.i64.and(f.get(bits), f.i64.const(mask)), f.i64.const(0));

  const lacks = (f: FunctionBuilder, bits: Local<"i64">, mask: number | bigint) =>
    f.i64.eqz(f.i64.and(f.get(bits), f.i64.const(mask)));

  /** Raises the fault of the access's kind: three causes by access, from a table. */
  const fault = (f: FunctionBuilder, kind: Local<"i32">, causes: readonly [number, number, number], address: Local<"i64">) =>
    f.call(
      fn.raise,
      f.i32.select(
        f.i32.const(causes[2]),
        f.i32.select(f.i32.const(causes[1]), f.i32.const(causes[0]), f.i32.eq(f.get(kind), f.i32.const(access.write))),
        f.i32.eq(f.get(kind), f.i32.const(access.execute)),
      ),
      f.get(address),
    );

  module.body(fn.raise, (f, code, value) => {
    f.i32.store(f.i32.const(state.trap), f.i32.add(f.get(code), f.i32.const(1)));
    f.i64.store(f.i32.const(state.trapValue), f.get(value));
  });

  module.body(fn.physical, (f, address) => {
    const at = f.i64.let(f.i64.sub(f.get(address), load64(f, state.ramBase)));
    f.if(f.i64.ltU(f.get(at), load64(f, state.ramSize)), () =>
      f.return(f.i32.add(f.i32.wrapI64(f.get(at)), f.i32.const(layout.ramOffset))),
    );
    f.set(at, f.i64.sub(f.get(address), load64(f, state.romBase)));
    f.if(f.i64.ltU(f.get(at), load64(f, state.romSize)), () =>
      f.return(f.i32.wrapI64(f.i64.add(f.i64.add(f.get(at), load64(f, state.ramSize)), f.i64.const(layout.ramOffset)))),
    );
    return f.i32.const(0);
  });

  module.body(fn.dataMode, (f) => {
    const mstatus = f.i64.let(load64(f, state.mstatus));
    return f.i32.if(
      has(f, mstatus, status.MPRV),
      () => f.i32.wrapI64(f.i64.and(f.i64.shrU(f.get(mstatus), f.i64.const(status.MPPshift)), f.i64.const(3))),
      () => load32(f, state.mode),
    );
  });

  module.body(fn.translate, (f, address, kind, privilege) => {
    const satp = f.i64.let(load64(f, state.satp));
    const levels = f.i32.local();
    f.i32.store(f.i32.const(state.walkFlags), f.i32.const(walkFlag.writable));
    f.if(f.i32.or(f.i32.eq(f.get(privilege), f.i32.const(mode.M)), f.i64.eqz(f.i64.shrU(f.get(satp), f.i64.const(60)))), () =>
      f.return(f.get(address)),
    );
    bump(f, state.pageWalks);
    // satp.MODE 8, 9, 10: Sv39, Sv48, Sv57.
    f.set(levels, f.i32.sub(f.i32.wrapI64(f.i64.shrU(f.get(satp), f.i64.const(60))), f.i32.const(5)));
    f.block((pageFault) => {
      f.block((accessFault) => {
        // Bits above the translated ones must all equal the highest translated one.
        const unused = f.i64.let(f.i64.extendI32U(f.i32.sub(f.i32.const(52), f.i32.mul(f.get(levels), f.i32.const(9)))));
        f.brIf(pageFault, f.i64.ne(f.i64.shrS(f.i64.shl(f.get(address), f.get(unused)), f.get(unused)), f.get(address)));
        const table = f.i64.let(f.i64.shl(f.get(satp), f.i64.const(12)));
        f.set(table, f.i64.and(f.get(table), f.i64.const((1n << 56n) - 1n)));
        const level = f.i32.let(f.i32.sub(f.get(levels), f.i32.const(1)));
        const entryAt = f.i64.local();
        const pointer = f.i32.local();
        const entry = f.i64.local();
        const shift = f.i64.local();
        const cached = f.i32.let(walkCacheSlot(f, layout, address));
        f.if(f.i64.eq(f.i64.load(f.get(cached), walkCache.tag), f.i64.shrS(f.get(address), f.i64.const(21))), () => {
          f.set(level, f.i32.const(0));
          f.set(table, f.i64.load(f.get(cached), walkCache.table));
        });
        f.block((leaf) => {
          f.loop((next) => {
            f.set(shift, f.i64.extendI32U(f.i32.add(f.i32.const(12), f.i32.mul(f.get(level), f.i32.const(9)))));
            f.set(
              entryAt,
              f.i64.add(
                f.get(table),
                f.i64.shl(f.i64.and(f.i64.shrU(f.get(address), f.get(shift)), f.i64.const(511)), f.i64.const(3)),
              ),
            );
            f.set(pointer, f.call(fn.physical, f.get(entryAt)));
            f.brIf(accessFault, f.i32.eqz(f.get(pointer)), "unlikely");
            f.brIf(
              accessFault,
              f.i32.if(
                load32(f, state.pmpOpen),
                () => f.i32.const(0),
                () =>
                  f.i32.eqz(f.call(fn.pmpCheck, f.get(entryAt), f.i32.const(access.read), f.i32.const(mode.S), f.i32.const(8))),
              ),
              "unlikely",
            );
            f.set(entry, f.i64.load(f.get(pointer)));
            f.brIf(pageFault, lacks(f, entry, pte.V));
            f.brIf(pageFault, f.i64.eq(f.i64.and(f.get(entry), f.i64.const(pte.R | pte.W)), f.i64.const(pte.W)));
            // Reserved bits; PBMT is reserved unless menvcfg.PBMTE, and its value 3 always.
            f.brIf(pageFault, has(f, entry, 0x1fc0_0000_0000_0000n));
            f.if(has(f, entry, 3n << 61n), () => {
              f.brIf(pageFault, f.i64.eqz(f.i64.and(load64(f, state.menvcfg), f.i64.const(menvcfg.PBMTE))));
              f.brIf(pageFault, f.i64.eq(f.i64.and(f.get(entry), f.i64.const(3n << 61n)), f.i64.const(3n << 61n)));
            });
            f.brIf(leaf, has(f, entry, pte.R | pte.X));
            f.brIf(pageFault, has(f, entry, BigInt(pte.D | pte.A | pte.U) | (7n << 61n)));
            f.brIf(pageFault, f.i32.eqz(f.get(level)));
            f.set(level, f.i32.sub(f.get(level), f.i32.const(1)));
            f.set(table, f.i64.and(f.i64.shl(f.get(entry), f.i64.const(2)), f.i64.const(0x00ff_ffff_ffff_f000n)));
            f.if(f.i32.eqz(f.get(level)), () => {
              f.i64.store(f.get(cached), f.i64.shrS(f.get(address), f.i64.const(21)), walkCache.tag);
              f.i64.store(f.get(cached), f.get(table), walkCache.table);
            });
            f.br(next);
          });
        });

        const mstatus = f.i64.let(load64(f, state.mstatus));
        f.if(
          has(f, entry, pte.U),
          () => {
            f.if(f.i32.eq(f.get(privilege), f.i32.const(mode.S)), () => {
              f.brIf(pageFault, f.i32.eq(f.get(kind), f.i32.const(access.execute)));
              f.brIf(pageFault, lacks(f, mstatus, status.SUM));
            });
          },
          () => f.brIf(pageFault, f.i32.eq(f.get(privilege), f.i32.const(mode.U))),
        );
        f.block((permitted) => {
          f.if(f.i32.eq(f.get(kind), f.i32.const(access.execute)), () => {
            f.brIf(permitted, has(f, entry, pte.X));
            f.br(pageFault);
          });
          f.if(f.i32.eq(f.get(kind), f.i32.const(access.write)), () => {
            f.brIf(permitted, has(f, entry, pte.W));
            f.br(pageFault);
          });
          f.brIf(permitted, has(f, entry, pte.R));
          f.brIf(pageFault, lacks(f, entry, pte.X));
          f.brIf(pageFault, lacks(f, mstatus, status.MXR));
        });

        const ppn = f.i64.let(f.i64.and(f.i64.shrU(f.get(entry), f.i64.const(10)), f.i64.const((1n << 44n) - 1n)));
        const pageMask = f.i64.let(f.i64.sub(f.i64.shl(f.i64.const(1), f.get(shift)), f.i64.const(1)));
        f.if(f.get(level), () => {
          f.brIf(pageFault, f.i64.ne(f.i64.and(f.i64.shl(f.get(ppn), f.i64.const(12)), f.get(pageMask)), f.i64.const(0)));
        });
        // Svnapot: 64 KiB, encoded by ppn[3:0] = 8.
        f.if(f.i64.ltS(f.get(entry), f.i64.const(0)), () => {
          f.brIf(pageFault, f.get(level));
          f.brIf(pageFault, f.i64.ne(f.i64.and(f.get(ppn), f.i64.const(15)), f.i64.const(8)));
          f.set(ppn, f.i64.and(f.get(ppn), f.i64.const(-16)));
          f.set(pageMask, f.i64.const(0xffff));
        });

        // A, and D for stores: set by hardware if menvcfg.ADUE (Svadu), else a page fault.
        const wanted = f.i64.let(
          f.i64.select(f.i64.const(pte.A | pte.D), f.i64.const(pte.A), f.i32.eq(f.get(kind), f.i32.const(access.write))),
        );
        f.if(f.i64.ne(f.i64.and(f.get(entry), f.get(wanted)), f.get(wanted)), () => {
          f.brIf(pageFault, f.i64.eqz(f.i64.and(load64(f, state.menvcfg), f.i64.const(menvcfg.ADUE))));
          f.brIf(
            accessFault,
            f.i32.eqz(f.call(fn.pmpCheck, f.get(entryAt), f.i32.const(access.write), f.i32.const(mode.S), f.i32.const(8))),
          );
          // A page table in ROM can be read, not updated.
          f.brIf(accessFault, f.i32.eqz(inRam(f, entryAt)));
          f.set(entry, f.i64.or(f.get(entry), f.get(wanted)));
          f.call(fn.forgetCode, f.get(pointer));
          f.i64.store(f.get(pointer), f.get(entry));
        });

        f.i32.store(
          f.i32.const(state.walkFlags),
          f.i32.or(
            f.i32.select(
              f.i32.const(walkFlag.writable),
              f.i32.const(0),
              f.i64.eq(f.i64.and(f.get(entry), f.i64.const(pte.W | pte.D)), f.i64.const(pte.W | pte.D)),
            ),
            f.i32.select(f.i32.const(walkFlag.notGlobal), f.i32.const(0), lacks(f, entry, pte.G)),
          ),
        );
        f.if(f.i64.gtU(f.get(pageMask), f.i64.const(0xfff)), () => {
          const start = f.i64.let(f.i64.and(f.get(address), f.i64.xor(f.get(pageMask), f.i64.const(-1))));
          f.if(f.i64.ltU(f.get(start), load64(f, state.superpageLow)), () =>
            f.i64.store(f.i32.const(state.superpageLow), f.get(start)),
          );
          const last = f.i64.let(f.i64.or(f.get(start), f.get(pageMask)));
          f.if(f.i64.gtU(f.get(last), load64(f, state.superpageHigh)), () =>
            f.i64.store(f.i32.const(state.superpageHigh), f.get(last)),
          );
        });
        f.return(
          f.i64.or(
            f.i64.and(f.i64.shl(f.get(ppn), f.i64.const(12)), f.i64.xor(f.get(pageMask), f.i64.const(-1))),
            f.i64.and(f.get(address), f.get(pageMask)),
          ),
        );
      });
      fault(f, kind, exception.accessFault, address);
      f.return(f.i64.const(-1));
    });
    fault(f, kind, exception.pageFault, address);
    return f.i64.const(-1);
  });

  module.body(fn.dataAddress, (f, address, kind, bytes) => {
    const privilege = f.i32.let(f.call(fn.dataMode));
    const physical = f.i64.let(f.call(fn.translate, f.get(address), f.get(kind), f.get(privilege)));
    f.if(trapped(f), () => f.return(f.i64.const(-1)));
    // Permission to access a cache block is that to all its bytes (Zicbom 2.5.2), wherever in it the address lies.
    const first = f.i64.let(f.get(physical));
    f.if(f.i32.eq(f.get(bytes), f.i32.const(cacheBlockSize)), () =>
      f.set(first, f.i64.and(f.get(physical), f.i64.const(-cacheBlockSize))),
    );
    const allowed = f.i32.let(f.call(fn.pmpCheck, f.get(first), f.get(kind), f.get(privilege), f.get(bytes)));
    f.if(f.i32.eqz(f.get(allowed)), () => {
      fault(f, kind, exception.accessFault, address);
      f.return(f.i64.const(-1));
    });
    f.if(f.i32.eq(f.get(allowed), f.i32.const(2)), () =>
      f.i32.store(f.i32.const(state.walkFlags), f.i32.or(load32(f, state.walkFlags), f.i32.const(walkFlag.notCacheable))),
    );
    return f.get(physical);
  });
}
