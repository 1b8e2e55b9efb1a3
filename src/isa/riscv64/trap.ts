import type { FunctionBuilder } from "../../wasm/function.ts";
import type { Core } from "./functions.ts";
import type { Layout } from "./layout.ts";
import { status } from "./mstatus.ts";

/** Traps, interrupts and returns from them (Priv. spec 3.1.6 to 3.3). */

const mode = { U: 0, S: 1, M: 3 } as const;
const STCE = 1n << 63n;
/** Interrupts in the order in which they are taken: MEI, MSI, MTI, SEI, SSI, STI. */
const priority = [11, 3, 7, 9, 1, 5] as const;

export function defineTraps({ module, functions: fn, ports }: Core, { state }: Layout): void {
  const load = (f: FunctionBuilder, at: number) => f.i64.load(f.i32.const(at));
  const currentMode = (f: FunctionBuilder) => f.i32.load(f.i32.const(state.mode));
  const illegal = (f: FunctionBuilder) => f.call(fn.raise, f.i32.const(2), f.i64.const(0));

  module.body(fn.pendingInterrupts, (f) => {
    const pending = f.i64.let(f.i64.or(load(f, state.mipSoftware), load(f, state.mipExternal)));
    // Sstc: STIP follows the comparison of time with stimecmp.
    f.if(f.i64.ne(f.i64.and(load(f, state.menvcfg), f.i64.const(STCE)), f.i64.const(0)), () => {
      f.set(pending, f.i64.and(f.get(pending), f.i64.const(~(1n << 5n))));
      f.if(f.i64.ne(load(f, state.stimecmp), f.i64.const(-1)), () => {
        const now = f.i64.truncSatF64U(f.call(ports.time));
        f.if(f.i64.geU(now, load(f, state.stimecmp)), () => f.set(pending, f.i64.or(f.get(pending), f.i64.const(1n << 5n))));
      });
    });
    return f.get(pending);
  });

  module.body(fn.selectInterrupt, (f) => {
    // The timer is asked only where its interrupt could be taken.
    f.if(f.i64.eqz(load(f, state.mie)), () => f.return(f.i32.const(0)));
    const current = f.i32.let(currentMode(f));
    const mstatus = f.i64.let(load(f, state.mstatus));
    const delegated = f.i64.let(load(f, state.mideleg));
    const enabled = f.i64.local();
    f.if(
      f.i32.or(
        f.i32.ltU(f.get(current), f.i32.const(mode.M)),
        f.i64.ne(f.i64.and(f.get(mstatus), f.i64.const(status.MIE)), f.i64.const(0)),
      ),
      () => f.set(enabled, f.i64.xor(f.get(delegated), f.i64.const(-1))),
    );
    f.if(
      f.i32.or(
        f.i32.ltU(f.get(current), f.i32.const(mode.S)),
        f.i32.and(
          f.i32.eq(f.get(current), f.i32.const(mode.S)),
          f.i64.ne(f.i64.and(f.get(mstatus), f.i64.const(status.SIE)), f.i64.const(0)),
        ),
      ),
      () => f.set(enabled, f.i64.or(f.get(enabled), f.get(delegated))),
    );
    f.set(enabled, f.i64.and(f.get(enabled), load(f, state.mie)));
    f.if(f.i64.eqz(f.get(enabled)), () => f.return(f.i32.const(0)));
    f.set(enabled, f.i64.and(f.get(enabled), f.call(fn.pendingInterrupts)));
    f.if(f.i64.eqz(f.get(enabled)), () => f.return(f.i32.const(0)));
    // Those that stay in M come before those delegated to S.
    const machine = f.i64.let(f.i64.and(f.get(enabled), f.i64.xor(f.get(delegated), f.i64.const(-1))));
    f.if(f.i64.ne(f.get(machine), f.i64.const(0)), () => f.set(enabled, f.get(machine)));
    for (const bit of priority) {
      f.if(f.i64.ne(f.i64.and(f.get(enabled), f.i64.const(1n << BigInt(bit))), f.i64.const(0)), () =>
        f.return(f.i32.const(bit + 1)),
      );
    }
    return f.i32.const(0);
  });

  module.body(fn.enterTrap, (f, cause, isInterrupt, address, value) => {
    f.i32.store(f.i32.const(state.trap), f.i32.const(0));
    const counters = f.i32.let(
      f.i32.add(
        f.i32.select(f.i32.const(state.interrupts), f.i32.const(state.exceptions), f.get(isInterrupt)),
        f.i32.shl(f.get(cause), f.i32.const(3)),
      ),
    );
    f.i64.store(f.get(counters), f.i64.add(f.i64.load(f.get(counters)), f.i64.const(1)));

    const current = f.i32.let(currentMode(f));
    const mstatus = f.i64.let(load(f, state.mstatus));
    const code = f.i64.let(
      f.i64.or(f.i64.extendI32U(f.get(cause)), f.i64.shl(f.i64.extendI32U(f.get(isInterrupt)), f.i64.const(63))),
    );
    const delegation = f.i64.select(load(f, state.mideleg), load(f, state.medeleg), f.get(isInterrupt));
    const delegated = f.i64.and(f.i64.shrU(delegation, f.i64.extendI32U(f.get(cause))), f.i64.const(1));
    const toSupervisor = f.i32.let(f.i32.and(f.i32.wrapI64(delegated), f.i32.leU(f.get(current), f.i32.const(mode.S))));
    const vector = f.i64.local();
    const save = (fields: { epc: number; cause: number; tval: number; tvec: number }) => {
      f.i64.store(f.i32.const(fields.epc), f.get(address));
      f.i64.store(f.i32.const(fields.cause), f.get(code));
      f.i64.store(f.i32.const(fields.tval), f.get(value));
      f.set(vector, load(f, fields.tvec));
    };
    /** The previous-enable bit takes the enable bit, which is cleared; the previous mode is stored. */
    const stack = (enable: number, previous: number, previousMode: bigint, shift: number) => {
      const kept = f.i64.and(f.get(mstatus), f.i64.const(~((1n << BigInt(enable)) | (1n << BigInt(previous)) | previousMode)));
      const wasEnabled = f.i64.and(f.i64.shrU(f.get(mstatus), f.i64.const(enable)), f.i64.const(1));
      const next = f.i64.or(
        f.i64.or(kept, f.i64.shl(wasEnabled, f.i64.const(previous))),
        f.i64.shl(f.i64.extendI32U(f.get(current)), f.i64.const(shift)),
      );
      f.set(mstatus, next);
    };
    f.if(
      f.get(toSupervisor),
      () => {
        save({ epc: state.sepc, cause: state.scause, tval: state.stval, tvec: state.stvec });
        stack(1, 5, status.SPP, 8);
        f.i32.store(f.i32.const(state.mode), f.i32.const(mode.S));
      },
      () => {
        save({ epc: state.mepc, cause: state.mcause, tval: state.mtval, tvec: state.mtvec });
        stack(3, 7, status.MPP, status.MPPshift);
        f.i32.store(f.i32.const(state.mode), f.i32.const(mode.M));
      },
    );
    f.i64.store(f.i32.const(state.mstatus), f.get(mstatus));
    f.call(fn.updateContext);
    const base = f.i64.and(f.get(vector), f.i64.const(-4));
    const vectored = f.i32.and(f.i32.wrapI64(f.get(vector)), f.get(isInterrupt));
    const offset = f.i64.extendI32U(f.i32.shl(f.i32.mul(vectored, f.get(cause)), f.i32.const(2)));
    return f.i64.add(base, offset);
  });

  const returnFrom = (
    f: FunctionBuilder,
    bits: { enable: number; previous: number; mode: bigint; shift: number; epc: number },
  ) => {
    const mstatus = f.i64.let(load(f, state.mstatus));
    const target = f.i32.let(
      f.i32.wrapI64(f.i64.shrU(f.i64.and(f.get(mstatus), f.i64.const(bits.mode)), f.i64.const(bits.shift))),
    );
    const wasEnabled = f.i64.let(f.i64.and(f.i64.shrU(f.get(mstatus), f.i64.const(bits.previous)), f.i64.const(1)));
    const kept = f.i64.and(f.get(mstatus), f.i64.const(~((1n << BigInt(bits.enable)) | bits.mode)));
    f.set(
      mstatus,
      f.i64.or(f.i64.or(kept, f.i64.const(1n << BigInt(bits.previous))), f.i64.shl(f.get(wasEnabled), f.i64.const(bits.enable))),
    );
    // MPRV has effect in M only, and leaving M clears it.
    f.if(f.i32.ne(f.get(target), f.i32.const(mode.M)), () =>
      f.set(mstatus, f.i64.and(f.get(mstatus), f.i64.const(~status.MPRV))),
    );
    f.i64.store(f.i32.const(state.mstatus), f.get(mstatus));
    f.i32.store(f.i32.const(state.mode), f.get(target));
    f.call(fn.updateContext);
    f.if(f.call(fn.selectInterrupt), () => f.i32.store(f.i32.const(state.attention), f.i32.const(1)));
    return load(f, bits.epc);
  };

  module.body(fn.mret, (f) => {
    f.if(f.i32.ne(currentMode(f), f.i32.const(mode.M)), () => {
      illegal(f);
      f.return(f.i64.const(0));
    });
    return returnFrom(f, { enable: 3, previous: 7, mode: status.MPP, shift: status.MPPshift, epc: state.mepc });
  });

  module.body(fn.sret, (f) => {
    const refused = f.i32.or(
      f.i32.eqz(currentMode(f)),
      f.i32.and(
        f.i32.eq(currentMode(f), f.i32.const(mode.S)),
        f.i64.ne(f.i64.and(load(f, state.mstatus), f.i64.const(status.TSR)), f.i64.const(0)),
      ),
    );
    f.if(refused, () => {
      illegal(f);
      f.return(f.i64.const(0));
    });
    return returnFrom(f, { enable: 1, previous: 5, mode: status.SPP, shift: 8, epc: state.sepc });
  });

  /** Whether mstatus.TW forbids waiting in the current mode. */
  const waitingTraps = (f: FunctionBuilder) =>
    f.i32.and(
      f.i32.ltU(currentMode(f), f.i32.const(mode.M)),
      f.i64.ne(f.i64.and(load(f, state.mstatus), f.i64.const(status.TW)), f.i64.const(0)),
    );
  module.body(fn.wfiAllowed, (f) => {
    f.if(f.i32.or(waitingTraps(f), f.i32.eqz(currentMode(f))), () => illegal(f));
  });
  module.body(fn.wfiAllowedForWrs, (f) => {
    f.if(waitingTraps(f), () => illegal(f));
  });
  module.body(fn.requireSupervisor, (f) => {
    f.if(f.i32.eqz(currentMode(f)), () => illegal(f));
  });
}
