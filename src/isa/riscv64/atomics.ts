import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32, I64, Local } from "../../wasm/types.ts";
import { access, type Core } from "./functions.ts";
import { dataTlb, type Layout } from "./layout.ts";
import { exception, stateAccess } from "./state-access.ts";
import { tlbSlot } from "./tlb.ts";

/** Where atomic operations are in memory, and load-reserved and store-conditional (Unprivileged spec, chapter 14). */

export function defineAtomics({ module, functions: fn }: Core, layout: Layout): void {
  const { state } = layout;
  const { load64, load32, trapped, bump, inRam } = stateAccess(layout);

  module.body(fn.amoAddress, (f, address, bytes) => {
    f.if(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.sub(f.get(bytes), f.i32.const(1))), () => {
      f.call(fn.raise, f.i32.const(exception.storeMisaligned), f.get(address));
      f.return(f.i32.const(0));
    });
    const slot = f.i32.let(tlbSlot(f, address, load32(f, state.dataTlb)));
    f.if(f.i64.eq(f.i64.load(f.get(slot), dataTlb.writeTag), f.i64.and(f.get(address), f.i64.const(-4096))), () =>
      f.return(f.i32.add(f.i32.wrapI64(f.get(address)), f.i32.load(f.get(slot), dataTlb.addend))),
    );
    bump(f, state.tlbMisses);
    const physical = f.i64.let(f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.get(bytes)));
    f.if(trapped(f), () => f.return(f.i32.const(0)));
    // Atomics work on RAM only; devices do not support them.
    f.if(f.i32.eqz(inRam(f, physical)), () => {
      f.call(fn.raise, f.i32.const(exception.accessFault[1]), f.get(address));
      f.return(f.i32.const(0));
    });
    const offset = f.i32.let(f.call(fn.physical, f.get(physical)));
    f.call(fn.forgetCode, f.get(offset));
    f.call(fn.refill, f.get(address), f.get(offset), f.i32.const(1));
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
      f.call(fn.raise, f.i32.const(exception.loadMisaligned), f.get(address));
      f.return(f.i64.const(0));
    });
    const physical = f.i64.let(f.call(fn.dataAddress, f.get(address), f.i32.const(access.read), f.get(bytes)));
    f.if(trapped(f), () => f.return(f.i64.const(0)));
    const offset = f.i32.let(f.call(fn.physical, f.get(physical)));
    f.if(f.i32.eqz(f.get(offset)), () => {
      f.call(fn.raise, f.i32.const(exception.accessFault[0]), f.get(address));
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
}
