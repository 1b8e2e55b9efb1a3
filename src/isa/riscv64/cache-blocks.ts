import type { FunctionBuilder } from "../../wasm/function.ts";
import { access, type Core } from "./functions.ts";
import { dataTlb, type Layout } from "./layout.ts";
import { cacheBlockSize, exception, stateAccess } from "./state-access.ts";
import { tlbSlot } from "./tlb.ts";

/** Zicboz and Zicbom: zeroing works, management checks permissions only, for caches are not modelled. */

const mode = { M: 3 } as const;
const menvcfg = { CBZE: 1n << 7n } as const;

export function defineCacheBlocks({ module, functions: fn }: Core, layout: Layout): void {
  const { state } = layout;
  const { load64, load32, trapped, inRam } = stateAccess(layout);

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
    const block = f.i64.let(f.i64.and(f.get(address), f.i64.const(-cacheBlockSize)));
    const offset = f.i32.local();
    const slot = f.i32.let(tlbSlot(f, block, load32(f, state.dataTlb)));
    f.if(
      f.i64.eq(f.i64.load(f.get(slot), dataTlb.writeTag), f.i64.and(f.get(block), f.i64.const(-4096))),
      () => f.set(offset, f.i32.add(f.i32.wrapI64(f.get(block)), f.i32.load(f.get(slot), dataTlb.addend))),
      () => {
        // The faulting address is the one in the register (Zicboz 2.3).
        const physical = f.i64.let(
          f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.i32.const(cacheBlockSize)),
        );
        f.if(trapped(f), () => f.return());
        f.if(f.i32.eqz(inRam(f, physical)), () => {
          f.call(fn.raise, f.i32.const(exception.accessFault[1]), f.get(address));
          f.return();
        });
        f.set(offset, f.call(fn.physical, f.i64.and(f.get(physical), f.i64.const(-cacheBlockSize))));
        f.call(fn.forgetCode, f.get(offset));
        f.call(fn.refill, f.get(block), f.get(offset), f.i32.const(1));
      },
    );
    // Inline: a call of the host's fill costs more than this.
    for (let at = 0; at < cacheBlockSize; at += 8) f.i64.store(f.get(offset), f.i64.const(0), at);
  });

  module.body(fn.cacheBlockManage, (f, address, kind) => {
    f.if(
      f.get(kind),
      () => requireEnvironment(f, 1n << 6n),
      () => requireEnvironment(f, 3n << 4n),
    );
    // Needs permission to read or to write; what cannot be had faults as a store (Zicbom 2.5.3).
    const flags = f.i32.local();
    f.drop(f.call(fn.dataAddress, f.get(address), f.i32.const(access.read), f.i32.const(cacheBlockSize)));
    f.set(flags, trapped(f));
    f.if(f.get(flags), () => {
      f.i32.store(f.i32.const(state.trap), f.i32.const(0));
      f.drop(f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.i32.const(cacheBlockSize)));
    });
  });
}
