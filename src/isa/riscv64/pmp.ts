import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32, I64, Local } from "../../wasm/types.ts";
import { access, type Core } from "./functions.ts";
import type { Layout } from "./layout.ts";

/** Physical memory protection (Priv. spec 3.7): 16 entries, granularity of 4 bytes. */

export const pmpEntries = 16;
const config = { R: 1, W: 2, X: 4, A: 0x18, L: 0x80 } as const;
const matching = { OFF: 0, TOR: 1, NA4: 2, NAPOT: 3 } as const;
const modeM = 3;

export function definePmp({ module, functions: fn }: Core, { state }: Layout): void {
  const configAt = (f: FunctionBuilder, index: Local<"i32">): I32 => f.i32.load8U(f.get(index), state.pmpcfg);
  const addressAt = (f: FunctionBuilder, index: I32): I64 => f.i64.load(f.i32.shl(index, f.i32.const(3)), state.pmpaddr);

  module.body(fn.pmpCheck, (f, address, kind, mode, bytes) => {
    f.if(f.i32.load(f.i32.const(state.pmpOpen)), () => f.return(f.i32.const(1)));
    const count = f.i32.let(f.i32.load(f.i32.const(state.pmpCount)));
    const page = f.i64.let(f.i64.and(f.get(address), f.i64.const(-4096)));
    const end = f.i64.let(f.i64.add(f.get(address), f.i64.extendI32U(f.get(bytes))));
    const index = f.i32.let(f.i32.const(0));
    const verdict = f.i32.let(f.i32.const(1));
    const cfg = f.i32.local();
    const low = f.i64.local();
    const high = f.i64.local();
    f.block((unmatched) => {
      f.loop((next) => {
        f.brIf(unmatched, f.i32.geU(f.get(index), f.get(count)));
        f.set(cfg, configAt(f, index));
        const how = f.i32.let(f.i32.and(f.i32.shrU(f.get(cfg), f.i32.const(3)), f.i32.const(3)));
        const own = f.i64.let(addressAt(f, f.get(index)));
        f.block((skip) => {
          f.brIf(skip, f.i32.eqz(f.get(how)));
          f.if(
            f.i32.eq(f.get(how), f.i32.const(matching.TOR)),
            () => {
              f.set(
                low,
                f.i64.if(
                  f.get(index),
                  () => f.i64.shl(addressAt(f, f.i32.sub(f.get(index), f.i32.const(1))), f.i64.const(2)),
                  () => f.i64.const(0),
                ),
              );
              f.set(high, f.i64.shl(f.get(own), f.i64.const(2)));
            },
            () => {
              // NA4 is 4 bytes; NAPOT's size is 8 doubled by each trailing one of the address.
              const ones = f.i64.let(
                f.i64.if(
                  f.i32.eq(f.get(how), f.i32.const(matching.NA4)),
                  () => f.i64.const(0),
                  () => f.i64.xor(f.get(own), f.i64.add(f.get(own), f.i64.const(1))),
                ),
              );
              f.set(low, f.i64.shl(f.i64.and(f.get(own), f.i64.xor(f.get(ones), f.i64.const(-1))), f.i64.const(2)));
              f.set(high, f.i64.add(f.get(low), f.i64.shl(f.i64.add(f.get(ones), f.i64.const(1)), f.i64.const(2))));
            },
          );
          f.brIf(skip, f.i64.leU(f.get(high), f.get(page)));
          f.brIf(skip, f.i64.geU(f.get(low), f.i64.add(f.get(page), f.i64.const(4096))));
          f.if(
            f.i32.or(f.i64.gtU(f.get(low), f.get(page)), f.i64.ltU(f.get(high), f.i64.add(f.get(page), f.i64.const(4096)))),
            () => f.set(verdict, f.i32.const(2)),
          );
          f.brIf(skip, f.i32.or(f.i64.leU(f.get(end), f.get(low)), f.i64.geU(f.get(address), f.get(high))));
          // The first entry that matches any byte decides, and fails in every mode if it does not match all (Priv. spec 3.7.1.3).
          f.if(f.i32.or(f.i64.ltU(f.get(address), f.get(low)), f.i64.gtU(f.get(end), f.get(high))), () =>
            f.return(f.i32.const(0)),
          );
          // M-mode is bound by locked entries only.
          f.if(
            f.i32.and(f.i32.eq(f.get(mode), f.i32.const(modeM)), f.i32.eqz(f.i32.and(f.get(cfg), f.i32.const(config.L)))),
            () => f.return(f.get(verdict)),
          );
          const needed = f.i32.select(
            f.i32.const(config.X),
            f.i32.select(f.i32.const(config.W), f.i32.const(config.R), f.i32.eq(f.get(kind), f.i32.const(access.write))),
            f.i32.eq(f.get(kind), f.i32.const(access.execute)),
          );
          const granted = f.i32.let(f.i32.and(needed, f.get(cfg)));
          f.return(f.i32.select(f.get(verdict), f.i32.const(0), f.get(granted)));
        });
        f.set(index, f.i32.add(f.get(index), f.i32.const(1)));
        f.br(next);
      });
    });
    return f.i32.select(f.get(verdict), f.i32.const(0), f.i32.eq(f.get(mode), f.i32.const(modeM)));
  });
}

/** Emits what follows a write of any PMP register: the summary that `pmpCheck` starts from, and a flush. */
export function emitPmpUpdate(f: FunctionBuilder, { functions: fn }: Core, { state }: Layout): void {
  const count = f.i32.let(f.i32.const(pmpEntries));
  f.block((done) => {
    f.loop((next) => {
      f.brIf(done, f.i32.eqz(f.get(count)));
      const cfg = f.i32.load8U(f.i32.sub(f.get(count), f.i32.const(1)), state.pmpcfg);
      f.brIf(done, f.i32.and(cfg, f.i32.const(config.A)));
      f.set(count, f.i32.sub(f.get(count), f.i32.const(1)));
      f.br(next);
    });
  });
  f.i32.store(f.i32.const(state.pmpCount), f.get(count));
  // Entry 0 as NAPOT over all 56 bits with all rights refuses nothing to anyone.
  const rights = config.R | config.W | config.X;
  f.i32.store(
    f.i32.const(state.pmpOpen),
    f.i32.and(
      f.i32.eq(
        f.i32.and(f.i32.load8U(f.i32.const(state.pmpcfg)), f.i32.const(config.A | rights)),
        f.i32.const((matching.NAPOT << 3) | rights),
      ),
      f.i64.geU(f.i64.load(f.i32.const(state.pmpaddr)), f.i64.const((1n << 53n) - 1n)),
    ),
  );
  f.call(fn.flushTlb);
}

/** Emits a write of `pmpcfg0` or `pmpcfg2` (`first` = 0 or 8): eight entries, of which locked ones stay. */
export function emitPmpConfigWrite(f: FunctionBuilder, core: Core, layout: Layout, first: number, value: Local<"i64">): void {
  const { state } = layout;
  for (let i = 0; i < 8; i++) {
    const at = state.pmpcfg + first + i;
    f.if(f.i32.eqz(f.i32.and(f.i32.load8U(f.i32.const(at)), f.i32.const(config.L))), () => {
      const cfg = f.i32.let(
        f.i32.and(f.i32.wrapI64(f.i64.shrU(f.get(value), f.i64.const(8 * i))), f.i32.const(config.L | config.A | 7)),
      );
      // W without R is reserved; it is taken as neither.
      f.if(f.i32.eq(f.i32.and(f.get(cfg), f.i32.const(config.R | config.W)), f.i32.const(config.W)), () =>
        f.set(cfg, f.i32.and(f.get(cfg), f.i32.const(~config.W))),
      );
      f.i32.store8(f.i32.const(at), f.get(cfg));
    });
  }
  emitPmpUpdate(f, core, layout);
}

/** Emits a write of `pmpaddr<index>`: not if it is locked, nor if it is the base of a locked TOR entry. */
export function emitPmpAddressWrite(f: FunctionBuilder, core: Core, layout: Layout, index: number, value: Local<"i64">): void {
  const { state } = layout;
  f.block((locked) => {
    f.brIf(locked, f.i32.and(f.i32.load8U(f.i32.const(state.pmpcfg + index)), f.i32.const(config.L)));
    if (index + 1 < pmpEntries) {
      const next = f.i32.and(f.i32.load8U(f.i32.const(state.pmpcfg + index + 1)), f.i32.const(config.L | config.A));
      f.brIf(locked, f.i32.eq(next, f.i32.const(config.L | (matching.TOR << 3))));
    }
    f.i64.store(f.i32.const(state.pmpaddr + 8 * index), f.i64.and(f.get(value), f.i64.const((1n << 54n) - 1n)));
    emitPmpUpdate(f, core, layout);
  });
}
