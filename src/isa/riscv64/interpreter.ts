import type { I32, I64, Label, Local } from "../../wasm/types.ts";
import type { Core } from "./functions.ts";
import { type HandlerTable, special } from "./handlers.ts";
import { type Frame, InterpreterEmitter, recordOperands } from "./interpreter-emitter.ts";
import { fetchTlb, hotness, type Layout, recordPage, regionEntry } from "./layout.ts";

/** Defines `run`: one function whose loop dispatches over decoded records. */
export function defineInterpreter(core: Core, layout: Layout, table: HandlerTable): void {
  // Table 0 is the imported one, with the regions.
  const { module, functions: fn } = core;
  const { state } = layout;
  const e = new InterpreterEmitter(["i32"], core, layout);
  const given = 0 as Local<"i32">;
  const locals = {
    record: e.i32.local(),
    page: e.i32.local(),
    pcBase: e.i64.local(),
    target: e.i64.local(),
    budget: e.i32.local(),
    dataTlb: e.i32.local(),
    fetchTlb: e.i32.local(),
    reason: e.i32.local(),
  };
  const { record, page, pcBase, target, budget, reason } = locals;
  const handlerId = e.i32.local();
  const at = (address: number) => e.i32.const(address);
  const load = (address: number) => e.i32.load(at(address));

  e.frame = locals as unknown as Frame;
  e.i32.store(at(state.runBudget), e.get(given));
  e.i32.store(at(state.deferred), e.i32.const(0));
  e.i32.store(at(state.attention), e.i32.const(0));
  e.set(budget, e.get(given));
  e.set(target, e.i64.load(at(state.pc)));
  const takeInterrupt = () => {
    const interrupt = e.i32.let(e.call(fn.selectInterrupt));
    e.if(e.get(interrupt), () =>
      e.set(
        target,
        e.call(fn.enterTrap, e.i32.sub(e.get(interrupt), e.i32.const(1)), e.i32.const(1), e.get(target), e.i64.const(0)),
      ),
    );
  };
  takeInterrupt();
  e.reloadContext();
  e.block((leave) => {
    e.loop((restart) => {
      const enterPendingTrap = (epc: () => I64) => {
        e.set(
          target,
          e.call(
            fn.enterTrap,
            e.i32.sub(load(state.trap), e.i32.const(1)),
            e.i32.const(0),
            epc(),
            e.i64.load(at(state.trapValue)),
          ),
        );
        e.reloadContext();
        e.br(restart);
      };
      e.scope(() => {
        const slot = e.i32.let(
          e.i32.add(
            e.i32.and(e.i32.shrU(e.i32.wrapI64(e.get(target)), e.i32.const(8)), e.i32.const((fetchTlb.entries - 1) << 4)),
            e.get(locals.fetchTlb),
          ),
        );
        const virtualPage = e.i64.let(e.i64.and(e.get(target), e.i64.const(-4096)));
        e.if(
          e.i64.eq(e.i64.load(e.get(slot), fetchTlb.tag), e.get(virtualPage)),
          () => e.set(page, e.i32.load(e.get(slot), fetchTlb.recordPage)),
          () => {
            e.set(page, e.call(fn.fetchPage, e.get(target)));
            e.if(e.i32.eqz(e.get(page)), () => {
              // Costs budget, so that a handler that cannot be fetched either does not keep us here.
              e.if(e.i32.eqz(e.get(budget)), () => {
                e.i32.store(at(state.trap), e.i32.const(0));
                e.br(leave);
              });
              e.set(budget, e.i32.sub(e.get(budget), e.i32.const(1)));
              enterPendingTrap(() => e.get(target));
            });
          },
          "likely",
        );
        e.set(
          record,
          e.i32.add(e.get(page), e.i32.shl(e.i32.and(e.i32.wrapI64(e.get(target)), e.i32.const(4095)), e.i32.const(3))),
        );
        e.set(pcBase, e.i64.sub(e.get(virtualPage), e.i64.extendI32U(e.i32.shrU(e.get(page), e.i32.const(3)))));
      });
      e.block((pause) => {
        e.block((trap) => {
          e.block((illegal) => {
            countJump();
            fetchHandler();
            e.if(load(state.interpretNext), () => {
              e.i32.store(at(state.interpretNext), e.i32.const(0));
              originalHandler();
            });
            e.loop((next) => {
              e.block((taken) => {
                e.frame = { ...locals, next, taken, restart, trap, illegal, leave };
                e.set(budget, e.i32.sub(e.get(budget), e.i32.const(1)));
                e.brIf(pause, e.i32.ltS(e.get(budget), e.i32.const(0)), "unlikely");
                e.loop((dispatch) => arms(next, restart, trap, illegal, dispatch));
              });
              countJump();
              fetchHandler();
              e.br(next);
            });
          });
          e.call(fn.raiseIllegal, e.get(record), e.get(page));
        });
        // Functions that find an instruction illegal do not know its encoding.
        e.if(e.i32.eq(load(state.trap), e.i32.const(3)), () => e.call(fn.raiseIllegal, e.get(record), e.get(page)));
        enterPendingTrap(() => e.pc());
      });
      e.set(target, e.pc());
      e.set(budget, e.i32.add(e.i32.add(e.get(budget), e.i32.const(1)), load(state.deferred)));
      e.i32.store(at(state.deferred), e.i32.const(0));
      e.i32.store(at(state.attention), e.i32.const(0));
      takeInterrupt();
      e.reloadContext();
      e.if(load(state.exitRequested), () => e.br(leave));
      e.brIf(restart, e.get(budget));
    });
  });
  e.i32.store(at(state.exitRequested), e.i32.const(0));
  e.i64.store(at(state.pc), e.get(target));
  e.set(budget, e.i32.add(e.get(budget), load(state.deferred)));
  e.i64.store(
    at(state.instret),
    e.i64.add(e.i64.load(at(state.instret)), e.i64.extendI32U(e.i32.sub(e.get(given), e.get(budget)))),
  );
  e.i32.store(at(state.runBudget), e.i32.const(0));
  e.i32.store(at(state.budget), e.i32.const(0));
  e.i32.store(at(state.deferred), e.i32.const(0));
  e.get(reason);
  module.builtBody(fn.run, e);

  /** Arms begin with the handler of the record known. */
  function fetchHandler(): void {
    e.set(handlerId, e.i32.load16U(e.get(record), recordPage.handler));
  }
  /** If a region starts at the record: the handler that it took the place of. */
  function originalHandler(): void {
    e.if(e.i32.eq(e.get(handlerId), e.i32.const(special.translated)), () =>
      e.set(handlerId, e.i32.load(regionOfRecord(), regionEntry.handler)),
    );
  }
  function regionOfRecord(): I32 {
    return e.i32.add(e.i32.shl(e.i32.load(e.get(record), recordPage.region), e.i32.const(6)), e.i32.const(layout.regions));
  }

  /** Counts a jump to the record; at the threshold it is put in the queue of what is worth translating. */
  function countJump(): void {
    e.scope(() => {
      const counter = e.i32.let(e.i32.and(e.i32.shrU(e.get(record), e.i32.const(2)), e.i32.const((hotness.counters - 1) << 2)));
      const count = e.i32.let(e.i32.add(e.i32.load(e.get(counter), layout.counters), e.i32.const(1)));
      e.i32.store(e.get(counter), e.get(count), layout.counters);
      e.if(
        e.i32.eq(e.get(count), load(state.hotThreshold)),
        () => {
          e.i32.store(e.get(counter), e.i32.const(0), layout.counters);
          const length = e.i32.let(load(layout.hotQueue));
          const known = e.i32.load(e.get(record), recordPage.region);
          e.if(e.i32.and(e.i32.eqz(known), e.i32.ltU(e.get(length), e.i32.const(hotness.queue))), () => {
            const entry = e.i32.let(e.i32.add(e.i32.shl(e.get(length), e.i32.const(4)), e.i32.const(layout.hotQueue + 16)));
            e.i32.store(e.get(entry), e.get(record));
            e.i32.store(e.get(entry), e.get(page), 4);
            e.i64.store(e.get(entry), e.pc(), 8);
            e.i32.store(at(layout.hotQueue), e.i32.add(e.get(length), e.i32.const(1)));
          });
        },
        undefined,
        "unlikely",
      );
    });
  }

  /** Enters the region that starts at the record, if nothing has changed since it was made; else goes on with `dispatch`. */
  function enterRegion(restart: Label, dispatch: Label): void {
    const region = e.i32.let(regionOfRecord());
    e.block((refused) => {
      e.block((outdated) => {
        tryRegion(region, refused, outdated, restart);
      });
      // What it reached into is not what it was: it will be translated anew if it stays busy.
      e.i32.store16(e.get(record), e.i32.load(e.get(region), regionEntry.handler), recordPage.handler);
      e.i32.store(e.get(record), e.i32.const(0), recordPage.region);
    });
    e.set(handlerId, e.i32.load(e.get(region), regionEntry.handler));
    e.br(dispatch);
  }

  /** Enters a region, or branches to what says why not. */
  function tryRegion(region: Local<"i32">, refused: Label, outdated: Label, restart: Label): void {
    const field = (offset: number) => e.i32.load(e.get(region), offset);
    // The instruction that the loop has counted already is the region's.
    const whole = e.i32.let(e.i32.add(e.get(budget), e.i32.const(1)));
    e.brIf(refused, e.i32.ltU(e.get(whole), field(regionEntry.longest)));
    e.brIf(refused, e.i32.ne(e.get(locals.dataTlb), field(regionEntry.dataTlb)));
    e.brIf(refused, e.i32.and(field(regionEntry.float), e.i32.eqz(load(state.fs))));
    const address = e.i64.let(e.i64.and(e.pc(), e.i64.const(-4096)));
    const others = e.i32.let(field(regionEntry.pageCount));
    e.if(e.get(others), () => {
      const other = e.i32.let(e.get(region));
      e.loop((again) => {
        const otherField = (offset: number) => e.i32.load(e.get(other), regionEntry.pages + offset);
        const otherAddress = e.i64.let(e.i64.add(e.get(address), e.i64.shl(e.i64.extendI32S(otherField(0)), e.i64.const(12))));
        const slot = e.i32.let(
          e.i32.add(
            e.i32.and(e.i32.shrU(e.i32.wrapI64(e.get(otherAddress)), e.i32.const(8)), e.i32.const((fetchTlb.entries - 1) << 4)),
            e.get(locals.fetchTlb),
          ),
        );
        e.brIf(refused, e.i64.ne(e.i64.load(e.get(slot), fetchTlb.tag), e.get(otherAddress)));
        e.brIf(outdated, e.i32.ne(e.i32.load(e.get(slot), fetchTlb.recordPage), otherField(4)));
        const epoch = e.i32.load(e.i32.sub(otherField(4), e.i32.const(recordPage.header)), recordPage.epoch + recordPage.header);
        e.brIf(outdated, e.i32.ne(epoch, otherField(8)));
        e.set(other, e.i32.add(e.get(other), e.i32.const(12)));
        e.brIf(again, e.tee(others, e.i32.sub(e.get(others), e.i32.const(1))));
      });
    });
    e.i32.store(at(state.budget), e.get(whole));
    const type = module.typeIndex(["i64"], ["i64"]);
    e.set(target, e.callIndirect(type, ["i64"] as const, [e.get(address)], field(regionEntry.func)));
    const left = e.i32.let(load(state.budget));
    e.i64.store(at(state.regionEntries), e.i64.add(e.i64.load(at(state.regionEntries)), e.i64.const(1)));
    e.i64.store(
      at(state.regionInstructions),
      e.i64.add(e.i64.load(at(state.regionInstructions)), e.i64.extendI32U(e.i32.sub(e.get(whole), e.get(left)))),
    );
    e.set(budget, e.get(left));
    e.modeChanged();
    e.br(restart);
  }

  function arms(next: Label, restart: Label, trap: Label, illegal: Label, dispatch: Label): void {
    const refund = () => e.set(budget, e.i32.add(e.get(budget), e.i32.const(1)));
    const specials: Record<number, () => void> = {
      [special.undecoded]: () => {
        refund();
        e.call(fn.decodeAt, e.get(record), e.get(page));
        fetchHandler();
        e.br(next);
      },
      [special.pageEnd]: () => {
        refund();
        e.set(target, e.pc());
        e.br(restart);
      },
      [special.crossing]: () => {
        const address = e.i64.let(e.pc());
        e.call(fn.decodeCrossing, e.get(address), e.get(page));
        e.brIf(trap, load(state.trap));
        refund();
        e.set(page, e.i32.const(layout.crossing));
        e.set(record, e.i32.const(layout.crossing + (recordPage.records - 1) * recordPage.recordSize));
        e.set(pcBase, e.i64.sub(e.get(address), e.i64.extendI32U(e.i32.shrU(e.get(record), e.i32.const(3)))));
        fetchHandler();
        e.br(next);
      },
      [special.illegal]: () => e.br(illegal),
      [special.translated]: () => enterRegion(restart, dispatch),
    };
    const count = Object.keys(specials).length + table.handlers.length;
    const emitArm = (id: number) => {
      if (id in specials) {
        specials[id]();
        return;
      }
      const handler = table.handlers[id - Object.keys(specials).length];
      e.handler = handler;
      e.ended = false;
      e.interpreted = false;
      handler.instruction.meaning(recordOperands, e);
      if (!e.ended) {
        e.set(record, e.i32.add(e.get(record), e.i32.const(handler.length * 8)));
        // Regions end before what only the interpreter does, so what follows it may be worth one of its own.
        if (e.interpreted) e.br(e.frame.taken);
        else {
          fetchHandler();
          e.br(next);
        }
      }
    };
    const nest = (remaining: number, labels: Label[]): void => {
      if (remaining === 0) {
        e.brTable(e.get(handlerId), labels, labels[special.illegal]);
        return;
      }
      const id = remaining - 1;
      e.block((label) => {
        const withLabel = labels.slice();
        withLabel[id] = label;
        nest(remaining - 1, withLabel);
      });
      e.scope(() => emitArm(id));
    };
    nest(count, []);
  }
}
