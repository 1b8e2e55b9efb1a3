import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32, I64, Local } from "../../wasm/types.ts";
import { access, type Core } from "./functions.ts";
import { dataTlb, fetchTlb, type Layout, pageEntry, pageIndex, recordPage, walkCache } from "./layout.ts";
import { status } from "./mstatus.ts";
import { walkFlag } from "./state.ts";

/** Address translation (Priv. spec, chapters 10 to 12), loads and stores that miss the TLB, atomics. */

const mode = { U: 0, S: 1, M: 3 } as const;
const cause = {
  accessFault: [5, 7, 1],
  pageFault: [13, 15, 12],
  loadMisaligned: 4,
  storeMisaligned: 6,
} as const;
const pte = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const;
const menvcfg = { CBZE: 1n << 7n, PBMTE: 1n << 62n, ADUE: 1n << 61n } as const;

/** Bytes of a cache block, for Zicbom and Zicboz. */
const blockSize = 64;

export function defineMmu({ module, functions: fn, ports }: Core, layout: Layout): void {
  const { state } = layout;
  const load64 = (f: FunctionBuilder, at: number) => f.i64.load(f.i32.const(at));
  const load32 = (f: FunctionBuilder, at: number) => f.i32.load(f.i32.const(at));
  const trapped = (f: FunctionBuilder) => load32(f, state.trap);
  const bump = (f: FunctionBuilder, at: number) => f.i64.store(f.i32.const(at), f.i64.add(load64(f, at), f.i64.const(1)));
  const inRam = (f: FunctionBuilder, address: Local<"i64">) =>
    f.i64.ltU(f.i64.sub(f.get(address), load64(f, state.ramBase)), load64(f, state.ramSize));
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

  const walkCacheSlot = (f: FunctionBuilder, address: Local<"i64">) =>
    f.i32.add(
      f.i32.const(layout.walkCache),
      f.i32.and(
        f.i32.wrapI64(f.i64.shrU(f.get(address), f.i64.const(21 - 4))),
        f.i32.const((walkCache.entries - 1) * walkCache.entrySize),
      ),
    );

  module.body(fn.translate, (f, address, kind, privilege) => {
    const satp = f.i64.let(load64(f, state.satp));
    const levels = f.i32.local();
    f.i32.store(f.i32.const(state.walkFlags), f.i32.const(0));
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
        const cached = f.i32.let(walkCacheSlot(f, address));
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
            f.i32.select(f.i32.const(walkFlag.superpage), f.i32.const(0), f.i64.gtU(f.get(pageMask), f.i64.const(0xfff))),
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
      fault(f, kind, cause.accessFault, address);
      f.return(f.i64.const(-1));
    });
    fault(f, kind, cause.pageFault, address);
    return f.i64.const(-1);
  });

  module.body(fn.dataAddress, (f, address, kind, bytes) => {
    const privilege = f.i32.let(f.call(fn.dataMode));
    const physical = f.i64.let(f.call(fn.translate, f.get(address), f.get(kind), f.get(privilege)));
    f.if(trapped(f), () => f.return(f.i64.const(-1)));
    // Permission to access a cache block is that to all its bytes (Zicbom 2.5.2), wherever in it the address lies.
    const first = f.i64.let(f.get(physical));
    f.if(f.i32.eq(f.get(bytes), f.i32.const(blockSize)), () => f.set(first, f.i64.and(f.get(physical), f.i64.const(-blockSize))));
    const allowed = f.i32.let(f.call(fn.pmpCheck, f.get(first), f.get(kind), f.get(privilege), f.get(bytes)));
    f.if(f.i32.eqz(f.get(allowed)), () => {
      fault(f, kind, cause.accessFault, address);
      f.return(f.i64.const(-1));
    });
    f.if(f.i32.eq(f.get(allowed), f.i32.const(2)), () =>
      f.i32.store(f.i32.const(state.walkFlags), f.i32.or(load32(f, state.walkFlags), f.i32.const(walkFlag.notCacheable))),
    );
    return f.get(physical);
  });

  const slotOf = (f: FunctionBuilder, address: Local<"i64">, bank: I32) =>
    f.i32.add(
      bank,
      f.i32.and(f.i32.shrU(f.i32.wrapI64(f.get(address)), f.i32.const(7)), f.i32.const((dataTlb.entries - 1) << 5)),
    );
  /** A tag that no address of the slot can have: the neighbouring slot's index. */
  const invalidTag = (f: FunctionBuilder, slot: Local<"i32">) =>
    f.i64.shl(
      f.i64.extendI32U(
        f.i32.and(
          f.i32.xor(f.i32.shrU(f.i32.sub(f.get(slot), f.i32.const(layout.dataTlb)), f.i32.const(5)), f.i32.const(1)),
          f.i32.const(dataTlb.entries - 1),
        ),
      ),
      f.i64.const(12),
    );
  const pageOf = (f: FunctionBuilder, offset: Local<"i32">): I32 => pageIndex(f, layout, f.get(offset));
  const pageEntryOf = (f: FunctionBuilder, page: I32) => f.i32.add(f.i32.shl(page, f.i32.const(3)), f.i32.const(layout.pages));

  /** Enters a translation in the TLB. `offset` is where the address `address` is in memory. */
  const refill = module.define("refill", ["i64", "i32", "i32"], [], (f, address, offset, kind) => {
    const flags = f.i32.let(load32(f, state.walkFlags));
    f.if(f.i32.and(f.get(flags), f.i32.const(walkFlag.notCacheable)), () => f.return());
    const slot = f.i32.let(slotOf(f, address, load32(f, state.dataTlb)));
    const page = f.i64.let(f.i64.and(f.get(address), f.i64.const(-4096)));
    f.i32.store(f.get(slot), f.i32.sub(f.get(offset), f.i32.wrapI64(f.get(address))), dataTlb.addend);
    f.if(
      f.get(kind),
      () => {
        f.if(f.i64.ne(f.i64.load(f.get(slot), dataTlb.readTag), f.get(page)), () =>
          f.i64.store(f.get(slot), invalidTag(f, slot), dataTlb.readTag),
        );
        f.i64.store(f.get(slot), f.get(page), dataTlb.writeTag);
        // Note the slot with the page, so that decoding code from it can take the permission back.
        const entry = f.i32.let(pageEntryOf(f, pageOf(f, offset)));
        const known = f.i32.let(f.i32.load(f.get(entry), pageEntry.writeSlot));
        f.if(f.i32.ne(f.get(known), f.get(slot)), () =>
          f.i32.store(f.get(entry), f.i32.select(f.get(slot), f.i32.const(-1), f.i32.eqz(f.get(known))), pageEntry.writeSlot),
        );
      },
      () => {
        f.if(f.i64.ne(f.i64.load(f.get(slot), dataTlb.writeTag), f.get(page)), () =>
          f.i64.store(f.get(slot), invalidTag(f, slot), dataTlb.writeTag),
        );
        f.i64.store(f.get(slot), f.get(page), dataTlb.readTag);
      },
    );
    // The bank of S with SUM clear survives a change of satp as long as all it holds is global.
    f.if(
      f.i32.and(
        f.i32.shrU(f.i32.and(f.get(flags), f.i32.const(walkFlag.notGlobal)), f.i32.const(1)),
        f.i32.eq(load32(f, state.dataTlb), f.i32.const(layout.dataTlb + dataTlb.banks.S * dataTlb.bankSize)),
      ),
      () => f.i32.store(f.i32.const(state.supervisorNotGlobal), f.i32.const(1)),
    );
  });

  module.body(fn.protectPage, (f, page) => {
    const entry = f.i32.let(pageEntryOf(f, f.get(page)));
    const slot = f.i32.let(f.i32.load(f.get(entry), pageEntry.writeSlot));
    f.if(f.i32.eqz(f.get(slot)), () => f.return());
    f.i32.store(f.get(entry), f.i32.const(0), pageEntry.writeSlot);
    f.if(
      f.i32.eq(f.get(slot), f.i32.const(-1)),
      () => f.call(fn.flushTlb),
      () => f.i64.store(f.get(slot), invalidTag(f, slot), dataTlb.writeTag),
    );
  });

  module.body(fn.forgetCode, (f, offset) => {
    const records = f.i32.let(f.i32.load(pageEntryOf(f, pageOf(f, offset)), pageEntry.recordPage));
    f.if(f.get(records), () => forgetRecords(f, records, layout));
  });

  module.body(fn.loadSlow, (f, address, kind) => {
    bump(f, state.tlbMisses);
    const bytes = f.i32.let(f.i32.shl(f.i32.const(1), f.i32.and(f.get(kind), f.i32.const(3))));
    const value = f.i64.local();
    const physical = f.i64.local();
    const offset = f.i32.local();
    f.block((extend) => {
      // Across a page: byte by byte, highest first; the fault names the first byte that cannot be had.
      f.if(
        f.i32.gtU(f.i32.add(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.const(4095)), f.get(bytes)), f.i32.const(4096)),
        () => {
          const i = f.i64.let(f.i64.const(0));
          f.loop((next) => {
            const at = f.i64.let(f.i64.add(f.get(address), f.get(i)));
            const byte = f.i64.let(f.call(fn.loadSlow, f.get(at), f.i32.const(0)));
            f.if(trapped(f), () => f.return(f.i64.const(0)));
            f.set(value, f.i64.or(f.get(value), f.i64.shl(f.get(byte), f.i64.shl(f.get(i), f.i64.const(3)))));
            f.set(i, f.i64.add(f.get(i), f.i64.const(1)));
            f.brIf(next, f.i64.ltU(f.get(i), f.i64.extendI32U(f.get(bytes))));
          });
          f.br(extend);
        },
      );
      f.set(physical, f.call(fn.dataAddress, f.get(address), f.i32.const(access.read), f.get(bytes)));
      f.if(trapped(f), () => f.return(f.i64.const(0)));
      f.set(offset, f.call(fn.physical, f.get(physical)));
      f.if(f.get(offset), () => {
        f.call(refill, f.get(address), f.get(offset), f.i32.const(0));
        sizes(f, kind, [
          () => f.set(value, f.i64.load8U(f.get(offset))),
          () => f.set(value, f.i64.load16U(f.get(offset))),
          () => f.set(value, f.i64.load32U(f.get(offset))),
          () => f.set(value, f.i64.load(f.get(offset))),
        ]);
        f.br(extend);
      });
      f.block((refused) => {
        f.brIf(refused, f.i64.gtU(f.get(physical), f.i64.const(0xffff_ffff)));
        f.brIf(refused, f.i32.and(f.i32.wrapI64(f.get(physical)), f.i32.sub(f.get(bytes), f.i32.const(1))));
        const at = f.i32.let(f.i32.wrapI64(f.get(physical)));
        f.if(
          f.i32.eq(f.get(bytes), f.i32.const(8)),
          () => {
            f.brIf(refused, f.i32.eqz(f.call(ports.mmioRead64, f.get(at))));
            f.set(value, load64(f, state.mailbox));
          },
          () => {
            const result = f.f64.let(f.call(ports.mmioRead, f.get(at), f.get(bytes)));
            f.brIf(refused, f.f64.lt(f.get(result), f.f64.const(0)));
            f.set(value, f.i64.truncSatF64U(f.get(result)));
          },
        );
        f.br(extend);
      });
      f.call(fn.raise, f.i32.const(cause.accessFault[0]), f.get(address));
      f.return(f.i64.const(0));
    });
    f.if(f.i32.and(f.get(kind), f.i32.const(4)), () =>
      sizes(f, kind, [
        () => f.set(value, f.i64.extend8S(f.get(value))),
        () => f.set(value, f.i64.extend16S(f.get(value))),
        () => f.set(value, f.i64.extend32S(f.get(value))),
        () => {},
      ]),
    );
    return f.get(value);
  });

  module.body(fn.storeSlow, (f, address, size, value) => {
    bump(f, state.tlbMisses);
    const bytes = f.i32.let(f.i32.shl(f.i32.const(1), f.get(size)));
    const physical = f.i64.local();
    const offset = f.i32.local();
    f.if(
      f.i32.gtU(f.i32.add(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.const(4095)), f.get(bytes)), f.i32.const(4096)),
      () => {
        // Both pages must be writable before a byte is stored.
        f.drop(f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.i32.const(1)));
        f.if(trapped(f), () => f.return());
        const second = f.i64.let(f.i64.and(f.i64.add(f.get(address), f.i64.const(4095)), f.i64.const(-4096)));
        f.drop(f.call(fn.dataAddress, f.get(second), f.i32.const(access.write), f.i32.const(1)));
        f.if(trapped(f), () => f.return());
        const i = f.i64.let(f.i64.const(0));
        f.loop((next) => {
          const at = f.i64.let(f.i64.add(f.get(address), f.get(i)));
          const byte = f.i64.let(f.i64.shrU(f.get(value), f.i64.shl(f.get(i), f.i64.const(3))));
          f.call(fn.storeSlow, f.get(at), f.i32.const(0), f.get(byte));
          f.if(trapped(f), () => f.return());
          f.set(i, f.i64.add(f.get(i), f.i64.const(1)));
          f.brIf(next, f.i64.ltU(f.get(i), f.i64.extendI32U(f.get(bytes))));
        });
        f.return();
      },
    );
    f.set(physical, f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.get(bytes)));
    f.if(trapped(f), () => f.return());
    f.if(inRam(f, physical), () => {
      f.set(offset, f.call(fn.physical, f.get(physical)));
      f.call(fn.forgetCode, f.get(offset));
      f.call(refill, f.get(address), f.get(offset), f.i32.const(1));
      sizes(f, size, [
        () => f.i64.store8(f.get(offset), f.get(value)),
        () => f.i64.store16(f.get(offset), f.get(value)),
        () => f.i64.store32(f.get(offset), f.get(value)),
        () => f.i64.store(f.get(offset), f.get(value)),
      ]);
      f.return();
    });
    f.block((refused) => {
      f.brIf(refused, f.i64.gtU(f.get(physical), f.i64.const(0xffff_ffff)));
      f.brIf(refused, f.i32.and(f.i32.wrapI64(f.get(physical)), f.i32.sub(f.get(bytes), f.i32.const(1))));
      const at = f.i32.let(f.i32.wrapI64(f.get(physical)));
      f.if(
        f.i32.eq(f.get(bytes), f.i32.const(8)),
        () => {
          f.i64.store(f.i32.const(state.mailbox), f.get(value));
          f.brIf(refused, f.i32.eqz(f.call(ports.mmioWrite64, f.get(at))));
        },
        () => f.brIf(refused, f.i32.eqz(f.call(ports.mmioWrite, f.get(at), f.get(bytes), f.i32.wrapI64(f.get(value))))),
      );
      f.return();
    });
    f.call(fn.raise, f.i32.const(cause.accessFault[1]), f.get(address));
  });

  module.body(fn.fillTlb, (f, address, bytes, kind) => {
    f.if(f.i32.gtU(f.i32.add(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.const(4095)), f.get(bytes)), f.i32.const(4096)), () =>
      f.return(f.i32.const(0)),
    );
    bump(f, state.tlbMisses);
    const physical = f.i64.let(f.call(fn.dataAddress, f.get(address), f.get(kind), f.get(bytes)));
    f.if(trapped(f), () => {
      f.i32.store(f.i32.const(state.trap), f.i32.const(0));
      f.return(f.i32.const(0));
    });
    f.if(f.i32.eqz(inRam(f, physical)), () => f.return(f.i32.const(0)));
    const offset = f.i32.let(f.call(fn.physical, f.get(physical)));
    f.if(f.get(kind), () => {
      const records = f.i32.let(f.i32.load(pageEntryOf(f, pageOf(f, offset)), pageEntry.recordPage));
      f.if(f.get(records), () => {
        const header = f.i32.sub(f.get(records), f.i32.const(recordPage.header));
        f.if(f.i32.load(header, recordPage.decoded + recordPage.header), () => f.return(f.i32.const(0)));
      });
    });
    f.call(refill, f.get(address), f.get(offset), f.get(kind));
    return f.get(offset);
  });

  module.body(fn.amoAddress, (f, address, bytes) => {
    f.if(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.sub(f.get(bytes), f.i32.const(1))), () => {
      f.call(fn.raise, f.i32.const(cause.storeMisaligned), f.get(address));
      f.return(f.i32.const(0));
    });
    const slot = f.i32.let(slotOf(f, address, load32(f, state.dataTlb)));
    f.if(f.i64.eq(f.i64.load(f.get(slot), dataTlb.writeTag), f.i64.and(f.get(address), f.i64.const(-4096))), () =>
      f.return(f.i32.add(f.i32.wrapI64(f.get(address)), f.i32.load(f.get(slot), dataTlb.addend))),
    );
    bump(f, state.tlbMisses);
    const physical = f.i64.let(f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.get(bytes)));
    f.if(trapped(f), () => f.return(f.i32.const(0)));
    // Atomics work on RAM only; devices do not support them.
    f.if(f.i32.eqz(inRam(f, physical)), () => {
      f.call(fn.raise, f.i32.const(cause.accessFault[1]), f.get(address));
      f.return(f.i32.const(0));
    });
    const offset = f.i32.let(f.call(fn.physical, f.get(physical)));
    f.call(fn.forgetCode, f.get(offset));
    f.call(refill, f.get(address), f.get(offset), f.i32.const(1));
    return f.get(offset);
  });

  const loadSized = (f: FunctionBuilder, at: () => I32, bytes: Local<"i32">): I64 =>
    f.i64.if(
      f.i32.eq(f.get(bytes), f.i32.const(8)),
      () => f.i64.load(at()),
      () => f.i64.load32S(at()),
    );

  module.body(fn.loadReserved, (f, address, bytes) => {
    f.if(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.sub(f.get(bytes), f.i32.const(1))), () => {
      f.call(fn.raise, f.i32.const(cause.loadMisaligned), f.get(address));
      f.return(f.i64.const(0));
    });
    const physical = f.i64.let(f.call(fn.dataAddress, f.get(address), f.i32.const(access.read), f.get(bytes)));
    f.if(trapped(f), () => f.return(f.i64.const(0)));
    const offset = f.i32.let(f.call(fn.physical, f.get(physical)));
    f.if(f.i32.eqz(f.get(offset)), () => {
      f.call(fn.raise, f.i32.const(cause.accessFault[0]), f.get(address));
      f.return(f.i64.const(0));
    });
    const value = f.i64.let(loadSized(f, () => f.get(offset), bytes));
    f.i64.store(f.i32.const(state.reservationAddress), f.get(physical));
    f.i64.store(f.i32.const(state.reservationValue), f.get(value));
    f.i32.store(f.i32.const(state.reservationSize), f.get(bytes));
    return f.get(value);
  });

  module.body(fn.storeConditional, (f, address, value, bytes) => {
    const offset = f.i32.let(f.call(fn.amoAddress, f.get(address), f.get(bytes)));
    f.if(trapped(f), () => f.return(f.i64.const(1)));
    // The reservation holds if the same bytes still have the value that was loaded.
    const physical = f.i64.let(f.i64.extendI32U(f.i32.sub(f.get(offset), f.i32.const(layout.ramOffset))));
    f.set(physical, f.i64.add(f.get(physical), load64(f, state.ramBase)));
    const held = f.i32.let(
      f.i32.and(
        f.i32.and(
          f.i32.eq(load32(f, state.reservationSize), f.get(bytes)),
          f.i64.eq(load64(f, state.reservationAddress), f.get(physical)),
        ),
        f.i64.eq(
          loadSized(f, () => f.get(offset), bytes),
          load64(f, state.reservationValue),
        ),
      ),
    );
    f.i32.store(f.i32.const(state.reservationSize), f.i32.const(0));
    f.if(f.i32.eqz(f.get(held)), () => f.return(f.i64.const(1)));
    f.if(
      f.i32.eq(f.get(bytes), f.i32.const(8)),
      () => f.i64.store(f.get(offset), f.get(value)),
      () => f.i64.store32(f.get(offset), f.get(value)),
    );
    return f.i64.const(0);
  });

  /** Whether the environment configuration lets the current mode use a cache-block operation: mask of the enabling bits. */
  const requireEnvironment = (f: FunctionBuilder, mask: bigint) => {
    const current = f.i32.let(load32(f, state.mode));
    const illegal = () => {
      f.call(fn.raise, f.i32.const(2), f.i64.const(-1));
      f.return();
    };
    f.if(
      f.i32.and(
        f.i32.ltU(f.get(current), f.i32.const(mode.M)),
        f.i64.eqz(f.i64.and(load64(f, state.menvcfg), f.i64.const(mask))),
      ),
      illegal,
    );
    f.if(f.i32.and(f.i32.eqz(f.get(current)), f.i64.eqz(f.i64.and(load64(f, state.senvcfg), f.i64.const(mask)))), illegal);
  };

  module.body(fn.cacheBlockZero, (f, address) => {
    requireEnvironment(f, menvcfg.CBZE);
    const block = f.i64.let(f.i64.and(f.get(address), f.i64.const(-blockSize)));
    const offset = f.i32.local();
    const slot = f.i32.let(slotOf(f, block, load32(f, state.dataTlb)));
    f.if(
      f.i64.eq(f.i64.load(f.get(slot), dataTlb.writeTag), f.i64.and(f.get(block), f.i64.const(-4096))),
      () => f.set(offset, f.i32.add(f.i32.wrapI64(f.get(block)), f.i32.load(f.get(slot), dataTlb.addend))),
      () => {
        // The faulting address is the one in the register (Zicboz 2.3).
        const physical = f.i64.let(f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.i32.const(blockSize)));
        f.if(trapped(f), () => f.return());
        f.if(f.i32.eqz(inRam(f, physical)), () => {
          f.call(fn.raise, f.i32.const(cause.accessFault[1]), f.get(address));
          f.return();
        });
        f.set(offset, f.call(fn.physical, f.i64.and(f.get(physical), f.i64.const(-blockSize))));
        f.call(fn.forgetCode, f.get(offset));
        f.call(refill, f.get(block), f.get(offset), f.i32.const(1));
      },
    );
    // Inline: a call of the host's fill costs more than this.
    for (let at = 0; at < blockSize; at += 8) f.i64.store(f.get(offset), f.i64.const(0), at);
  });

  module.body(fn.cacheBlockManage, (f, address, kind) => {
    f.if(
      f.get(kind),
      () => requireEnvironment(f, 1n << 6n),
      () => requireEnvironment(f, 3n << 4n),
    );
    // Needs permission to read or to write; what cannot be had faults as a store (Zicbom 2.5.3).
    const flags = f.i32.local();
    f.drop(f.call(fn.dataAddress, f.get(address), f.i32.const(access.read), f.i32.const(blockSize)));
    f.set(flags, trapped(f));
    f.if(f.get(flags), () => {
      f.i32.store(f.i32.const(state.trap), f.i32.const(0));
      f.drop(f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.i32.const(blockSize)));
    });
  });

  const fillBanks = (f: FunctionBuilder, first: number, count: number) => {
    const start = layout.dataTlb + first * dataTlb.bankSize;
    f.memoryFill(f.i32.const(start), f.i32.const(0x80), f.i32.const(count * dataTlb.bankSize));
    // The filler is a tag that addresses of one slot could have (non-canonical ones); that slot gets another.
    const slot = (0x80808080 >>> 12) & (dataTlb.entries - 1);
    for (let bank = 0; bank < count; bank++) {
      const at = start + bank * dataTlb.bankSize + slot * dataTlb.entrySize;
      f.i64.store(f.i32.const(at), f.i64.const(0), dataTlb.readTag);
      f.i64.store(f.i32.const(at), f.i64.const(0), dataTlb.writeTag);
    }
  };
  const fillFetchBanks = (f: FunctionBuilder, first: number, count: number) =>
    f.memoryFill(
      f.i32.const(layout.fetchTlb + first * fetchTlb.bankSize),
      f.i32.const(1),
      f.i32.const(count * fetchTlb.bankSize),
    );

  /** A shifted address has its upper bits alike, which the filler has not. */
  const fillWalkCache = (f: FunctionBuilder) =>
    f.memoryFill(f.i32.const(layout.walkCache), f.i32.const(0x80), f.i32.const(walkCache.entries * walkCache.entrySize));

  module.body(fn.flushTlb, (f) => {
    fillWalkCache(f);
    bump(f, state.flushesOfAll);
    f.i32.store(f.i32.const(state.refetch), f.i32.const(1));
    fillBanks(f, 0, dataTlb.bankCount);
    fillFetchBanks(f, 0, fetchTlb.bankCount);
    f.i64.store(f.i32.const(state.superpageLow), f.i64.const(-1));
    f.i64.store(f.i32.const(state.superpageHigh), f.i64.const(0));
    f.i32.store(f.i32.const(state.supervisorNotGlobal), f.i32.const(0));
  });

  module.body(fn.flushTranslations, (f, keepGlobal) => {
    fillWalkCache(f);
    f.i32.store(f.i32.const(state.refetch), f.i32.const(1));
    f.if(
      f.i32.and(f.get(keepGlobal), f.i32.eqz(load32(f, state.supervisorNotGlobal))),
      () => {
        bump(f, state.flushesOfSpace);
        fillBanks(f, dataTlb.banks.U, 1);
        fillBanks(f, dataTlb.banks.SSum, 1);
        fillFetchBanks(f, fetchTlb.banks.U, 1);
      },
      () => {
        bump(f, state.flushesOfSpaces);
        fillBanks(f, 0, 3);
        fillFetchBanks(f, 0, 2);
        f.i64.store(f.i32.const(state.superpageLow), f.i64.const(-1));
        f.i64.store(f.i32.const(state.superpageHigh), f.i64.const(0));
        f.i32.store(f.i32.const(state.supervisorNotGlobal), f.i32.const(0));
      },
    );
  });

  module.body(fn.fenceVma, (f, address, allAddresses, allSpaces) => {
    f.call(fn.requireSupervisor);
    f.if(trapped(f), () => f.return());
    f.if(
      f.i32.and(
        f.i32.eq(load32(f, state.mode), f.i32.const(mode.S)),
        f.i64.ne(f.i64.and(load64(f, state.mstatus), f.i64.const(status.TVM)), f.i64.const(0)),
      ),
      () => {
        f.call(fn.raise, f.i32.const(2), f.i64.const(-1));
        f.return();
      },
    );
    const inSuperpage = f.i32.let(
      f.i32.and(
        f.i64.geU(f.get(address), load64(f, state.superpageLow)),
        f.i64.leU(f.get(address), load64(f, state.superpageHigh)),
      ),
    );
    f.if(f.i32.or(f.get(allAddresses), f.get(inSuperpage)), () => {
      f.call(fn.flushTranslations, f.i32.eqz(f.get(allSpaces)));
      f.return();
    });
    f.i32.store(f.i32.const(state.refetch), f.i32.const(1));
    const page = f.i64.let(f.i64.and(f.get(address), f.i64.const(-4096)));
    for (let bank = 0; bank < 3; bank++) {
      const slot = f.i32.let(slotOf(f, address, f.i32.const(layout.dataTlb + bank * dataTlb.bankSize)));
      for (const tag of [dataTlb.readTag, dataTlb.writeTag]) {
        f.if(f.i64.eq(f.i64.load(f.get(slot), tag), f.get(page)), () => f.i64.store(f.get(slot), invalidTag(f, slot), tag));
      }
    }
    bump(f, state.flushesOfPage);
    f.i64.store(walkCacheSlot(f, address), f.i64.const(0x8080_8080_8080_8080n), walkCache.tag);
    for (let bank = 0; bank < 2; bank++) {
      const slot = f.i32.let(
        f.i32.add(
          f.i32.const(layout.fetchTlb + bank * fetchTlb.bankSize),
          f.i32.and(f.i32.shrU(f.i32.wrapI64(f.get(address)), f.i32.const(8)), f.i32.const((fetchTlb.entries - 1) << 4)),
        ),
      );
      f.if(f.i64.eq(f.i64.load(f.get(slot), fetchTlb.tag), f.get(page)), () =>
        f.i64.store(f.get(slot), f.i64.const(1), fetchTlb.tag),
      );
    }
  });

  module.body(fn.updateContext, (f) => {
    const privilege = f.i32.let(f.call(fn.dataMode));
    const bank = (index: number) => f.i32.const(layout.dataTlb + index * dataTlb.bankSize);
    const supervisor = () =>
      f.i32.select(
        bank(dataTlb.banks.SSum),
        bank(dataTlb.banks.S),
        f.i64.ne(f.i64.and(load64(f, state.mstatus), f.i64.const(status.SUM)), f.i64.const(0)),
      );
    f.i32.store(
      f.i32.const(state.dataTlb),
      f.i32.if(
        f.i32.eq(f.get(privilege), f.i32.const(mode.M)),
        () => bank(dataTlb.banks.M),
        () => f.i32.if(f.get(privilege), supervisor, () => bank(dataTlb.banks.U)),
      ),
    );
    const current = f.i32.let(load32(f, state.mode));
    const fetchBank = (index: number) => f.i32.const(layout.fetchTlb + index * fetchTlb.bankSize);
    f.i32.store(
      f.i32.const(state.fetchTlb),
      f.i32.select(
        fetchBank(fetchTlb.banks.M),
        f.i32.select(fetchBank(fetchTlb.banks.S), fetchBank(fetchTlb.banks.U), f.get(current)),
        f.i32.eq(f.get(current), f.i32.const(mode.M)),
      ),
    );
  });

  function sizes(f: FunctionBuilder, kind: Local<"i32">, arms: readonly (() => void)[]): void {
    f.block((done) => {
      f.block((eight) => {
        f.block((four) => {
          f.block((two) => {
            f.block((one) => {
              f.brTable(f.i32.and(f.get(kind), f.i32.const(3)), [one, two, four], eight);
            });
            arms[0]();
            f.br(done);
          });
          arms[1]();
          f.br(done);
        });
        arms[2]();
        f.br(done);
      });
      arms[3]();
    });
  }
}

/** Forgets the records of a page, if any was decoded. */
export function forgetRecords(f: FunctionBuilder, records: Local<"i32">, { state }: Layout): void {
  const header = () => f.i32.sub(f.get(records), f.i32.const(recordPage.header));
  f.if(f.i32.load(header(), recordPage.decoded + recordPage.header), () => {
    f.i32.store(header(), f.i32.const(0), recordPage.decoded + recordPage.header);
    f.i32.store(
      header(),
      f.i32.add(f.i32.load(header(), recordPage.epoch + recordPage.header), f.i32.const(1)),
      recordPage.epoch + recordPage.header,
    );
    f.memoryFill(f.get(records), f.i32.const(0), f.i32.const(recordPage.size));
    // A region may be executing what was in the page.
    f.i32.store(f.i32.const(state.attention), f.i32.const(1));
  });
}
