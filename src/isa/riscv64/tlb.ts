import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32, Local } from "../../wasm/types.ts";
import type { Core } from "./functions.ts";
import { dataTlb, fetchTlb, type Layout, pageEntry, pageIndex, recordPage, walkCache } from "./layout.ts";
import { status } from "./mstatus.ts";
import { walkCacheSlot } from "./page-walk.ts";
import { walkFlag } from "./state.ts";
import { stateAccess } from "./state-access.ts";

/** The translation caches: filling, flushing, and taking back the permission to write where code was decoded. */

const mode = { S: 1, M: 3 } as const;

/** Emits the address of the data TLB's entry for an address. */
export function tlbSlot(f: FunctionBuilder, address: Local<"i64">, bank: I32): I32 {
  return f.i32.add(
    bank,
    f.i32.and(f.i32.shrU(f.i32.wrapI64(f.get(address)), f.i32.const(7)), f.i32.const((dataTlb.entries - 1) << 5)),
  );
}

export function defineTlb({ module, functions: fn }: Core, layout: Layout): void {
  const { state } = layout;
  const { load64, load32, trapped, bump, inRam, pageEntryOf } = stateAccess(layout);
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

  /** Distance of an offset in memory from RAM's first byte. */
  const ramDistance = (f: FunctionBuilder, offset: Local<"i32">) =>
    f.i64.extendI32U(f.i32.sub(f.get(offset), f.i32.const(layout.ramOffset)));

  // `offset` is where the address is in memory.
  module.body(fn.refill, (f, address, offset, kind) => {
    const flags = f.i32.let(load32(f, state.walkFlags));
    f.if(f.i32.and(f.get(flags), f.i32.const(walkFlag.notCacheable)), () => f.return());
    const slot = f.i32.let(tlbSlot(f, address, load32(f, state.dataTlb)));
    const page = f.i64.let(f.i64.and(f.get(address), f.i64.const(-4096)));
    f.i32.store(f.get(slot), f.i32.sub(f.get(offset), f.i32.wrapI64(f.get(address))), dataTlb.addend);
    const entry = f.i32.let(pageEntryOf(f, pageIndex(f, layout, f.get(offset))));
    // A load prepares for stores too where nothing stands against them: W and D, PMP, ROM, code.
    const writes = f.i32.let(f.get(kind));
    const records = f.i32.let(f.i32.load(f.get(entry), pageEntry.recordPage));
    f.if(
      f.i32.and(
        f.i32.and(f.i32.and(f.get(flags), f.i32.const(walkFlag.writable)), load32(f, state.pmpOpen)),
        f.i32.and(f.i32.eqz(f.get(records)), f.i64.ltU(ramDistance(f, offset), load64(f, state.ramSize))),
      ),
      () => f.set(writes, f.i32.const(1)),
    );
    f.if(
      f.i32.eqz(f.get(kind)),
      () => f.i64.store(f.get(slot), f.get(page), dataTlb.readTag),
      () =>
        f.if(f.i64.ne(f.i64.load(f.get(slot), dataTlb.readTag), f.get(page)), () =>
          f.i64.store(f.get(slot), invalidTag(f, slot), dataTlb.readTag),
        ),
    );
    f.if(
      f.get(writes),
      () => {
        f.i64.store(f.get(slot), f.get(page), dataTlb.writeTag);
        // Note the slot with the page, so that decoding code from it can take the permission back.
        const known = f.i32.let(f.i32.load(f.get(entry), pageEntry.writeSlot));
        f.if(f.i32.ne(f.get(known), f.get(slot)), () =>
          f.i32.store(f.get(entry), f.i32.select(f.get(slot), f.i32.const(-1), f.i32.eqz(f.get(known))), pageEntry.writeSlot),
        );
      },
      () =>
        f.if(f.i64.ne(f.i64.load(f.get(slot), dataTlb.writeTag), f.get(page)), () =>
          f.i64.store(f.get(slot), invalidTag(f, slot), dataTlb.writeTag),
        ),
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
      const records = f.i32.let(f.i32.load(pageEntryOf(f, pageIndex(f, layout, f.get(offset))), pageEntry.recordPage));
      f.if(f.get(records), () => {
        const header = f.i32.sub(f.get(records), f.i32.const(recordPage.header));
        f.if(f.i32.load(header, recordPage.decoded + recordPage.header), () => f.return(f.i32.const(0)));
      });
    });
    f.call(fn.refill, f.get(address), f.get(offset), f.get(kind));
    return f.get(offset);
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
    const records = f.i32.let(f.i32.load(pageEntryOf(f, pageIndex(f, layout, f.get(offset))), pageEntry.recordPage));
    f.if(f.get(records), () => forgetRecords(f, records, layout));
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
      const slot = f.i32.let(tlbSlot(f, address, f.i32.const(layout.dataTlb + bank * dataTlb.bankSize)));
      for (const tag of [dataTlb.readTag, dataTlb.writeTag]) {
        f.if(f.i64.eq(f.i64.load(f.get(slot), tag), f.get(page)), () => f.i64.store(f.get(slot), invalidTag(f, slot), tag));
      }
    }
    bump(f, state.flushesOfPage);
    f.i64.store(walkCacheSlot(f, layout, address), f.i64.const(0x8080_8080_8080_8080n), walkCache.tag);
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
