import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I64, Label, Local } from "../../wasm/types.ts";
import type { Core } from "./functions.ts";
import type { Layout } from "./layout.ts";
import { status } from "./mstatus.ts";
import { emitPmpAddressWrite, emitPmpConfigWrite, pmpEntries } from "./pmp.ts";

/** What the emitters of a CSR's reads and writes are given. */
export interface CsrContext {
  readonly f: FunctionBuilder;
  readonly core: Core;
  readonly layout: Layout;
  /** Branch here to make the access illegal. */
  readonly illegal: Label;
}

/** A control and status register. Privilege and read-only-ness follow from its number (Priv. spec 2.1). */
export interface Csr {
  readonly name: string;
  readonly number: number;
  /** Emits the value. May branch to `illegal`; it is emitted before any write too. */
  readonly read: (c: CsrContext) => I64;
  /** Emits a write of the value in the local; legalizes it. Absent: writes are ignored. */
  readonly write?: (c: CsrContext, value: Local<"i64">) => void;
  /** Whether a write may make an interrupt takeable. */
  readonly interrupts?: boolean;
}

const mode = { U: 0, S: 1, M: 3 } as const;
const STCE = 1n << 63n;
const supervisorInterrupts = 0x222n;
type Field = Exclude<keyof Layout["state"], "end">;

const load = ({ f, layout }: CsrContext, field: Field) => f.i64.load(f.i32.const(layout.state[field]));
const load32 = ({ f, layout }: CsrContext, field: Field) => f.i32.load(f.i32.const(layout.state[field]));
const constant =
  (value: bigint) =>
  ({ f }: CsrContext) =>
    f.i64.const(value);
/** Stores `(old & ~mask) | (value & mask)`. */
function storeMasked(c: CsrContext, field: Field, value: Local<"i64">, mask: bigint): void {
  const { f, layout } = c;
  const at = layout.state[field];
  if (BigInt.asUintN(64, mask) === 0xffff_ffff_ffff_ffffn) f.i64.store(f.i32.const(at), f.get(value));
  else {
    f.i64.store(
      f.i32.const(at),
      f.i64.or(f.i64.and(load(c, field), f.i64.const(~mask)), f.i64.and(f.get(value), f.i64.const(mask))),
    );
  }
}

/** A CSR that is a field of the state; bits outside `mask` keep their value. */
const plain = (name: string, number: number, field: Field, mask = -1n, more: Partial<Csr> = {}): Csr => ({
  name,
  number,
  read: (c) => load(c, field),
  write: (c, value) => storeMasked(c, field, value, mask),
  ...more,
});
const readOnly = (name: string, number: number, read: Csr["read"]): Csr => ({ name, number, read });

/** Illegal unless `mstatus.FS` lets floating-point state be used. */
function requireFloat(c: CsrContext): void {
  c.f.brIf(c.illegal, c.f.i32.eqz(load32(c, "fs")));
}
function storeFloat(c: CsrContext, field: "fflags" | "frm", value: I64, bits: number): void {
  const { f, layout } = c;
  const masked = f.i32.let(f.i32.and(f.i32.wrapI64(value), f.i32.const(bits)));
  f.i32.store(f.i32.const(layout.state[field]), f.get(masked));
  f.i32.store(f.i32.const(layout.state.fs), f.i32.const(3));
}

const floatField = (name: "fflags" | "frm", number: number, bits: number): Csr => ({
  name,
  number,
  read: (c) => {
    requireFloat(c);
    return c.f.i64.extendI32U(load32(c, name));
  },
  write: (c, value) => storeFloat(c, name, c.f.get(value), bits),
});

/** mstatus as software sees it: FS merged in, SD derived. */
function readStatus(c: CsrContext): Local<"i64"> {
  const { f } = c;
  const value = f.i64.let(
    f.i64.or(load(c, "mstatus"), f.i64.shl(f.i64.extendI32U(load32(c, "fs")), f.i64.const(status.FSshift))),
  );
  f.if(f.i32.eq(load32(c, "fs"), f.i32.const(3)), () => f.set(value, f.i64.or(f.get(value), f.i64.const(status.SD))));
  return value;
}
function writeStatus(c: CsrContext, value: Local<"i64">, mask: bigint): void {
  const { f, core, layout } = c;
  const old = f.i64.let(load(c, "mstatus"));
  // MPP = 2 is no mode: the field keeps what it had.
  f.if(f.i64.eq(f.i64.and(f.get(value), f.i64.const(status.MPP)), f.i64.const(2n << 11n)), () =>
    f.set(value, f.i64.or(f.i64.and(f.get(value), f.i64.const(~status.MPP)), f.i64.and(f.get(old), f.i64.const(status.MPP)))),
  );
  f.i32.store(
    f.i32.const(layout.state.fs),
    f.i32.and(f.i32.wrapI64(f.i64.shrU(f.get(value), f.i64.const(status.FSshift))), f.i32.const(3)),
  );
  storeMasked(c, "mstatus", value, mask);
  // Cached translations were made with the old MXR.
  f.if(f.i64.ne(f.i64.and(f.i64.xor(f.get(old), load(c, "mstatus")), f.i64.const(status.MXR)), f.i64.const(0)), () =>
    f.call(core.functions.flushTlb),
  );
  f.call(core.functions.updateContext);
}
const sstatusMask = status.SIE | status.SPIE | status.SPP | status.SUM | status.MXR;
const mstatusMask = sstatusMask | status.MIE | status.MPIE | status.MPP | status.MPRV | status.TVM | status.TW | status.TSR;

/** Instructions retired so far, this one not included. */
function retired(c: CsrContext): I64 {
  const { f } = c;
  return f.i64.add(
    load(c, "instret"),
    f.i64.extendI32U(f.i32.sub(f.i32.sub(load32(c, "runBudget"), load32(c, "budget")), load32(c, "deferred"))),
  );
}
/** Illegal for S and U without the counter's bit in mcounteren, for U also without that in scounteren. */
function requireCounter(c: CsrContext, index: number): void {
  const { f } = c;
  const bit = 1n << BigInt(index);
  f.if(f.i32.ltU(load32(c, "mode"), f.i32.const(mode.M)), () => {
    f.brIf(c.illegal, f.i64.eqz(f.i64.and(load(c, "mcounteren"), f.i64.const(bit))));
    f.if(f.i32.eqz(load32(c, "mode")), () => f.brIf(c.illegal, f.i64.eqz(f.i64.and(load(c, "scounteren"), f.i64.const(bit)))));
  });
}
const counter = (name: string, index: number, read: (c: CsrContext) => I64): Csr =>
  readOnly(name, 0xc00 + index, (c) => {
    requireCounter(c, index);
    return read(c);
  });
const cycles = (c: CsrContext) => c.f.i64.add(retired(c), load(c, "mcycleOffset"));
const instructions = (c: CsrContext) => c.f.i64.add(retired(c), load(c, "minstretOffset"));
const time = ({ f, core }: CsrContext) => f.i64.truncSatF64U(f.call(core.ports.time));
const writableCounter = (name: string, number: number, offset: "mcycleOffset" | "minstretOffset"): Csr => ({
  name,
  number,
  read: offset === "mcycleOffset" ? cycles : instructions,
  write: (c, value) => {
    // The write takes effect instead of this instruction's own increment.
    const { f, layout } = c;
    f.i64.store(f.i32.const(layout.state[offset]), f.i64.sub(f.i64.sub(f.get(value), retired(c)), f.i64.const(1)));
  },
});

/** Trap vectors: MODE 0 or 1; others are ignored. */
const vector = (name: string, number: number, field: "mtvec" | "stvec"): Csr => ({
  name,
  number,
  read: (c) => load(c, field),
  write: (c, value) => {
    const { f } = c;
    f.if(f.i64.ltU(f.i64.and(f.get(value), f.i64.const(3)), f.i64.const(2)), () => storeMasked(c, field, value, -1n));
  },
});

/** Environment configuration; CBIE = 2 is reserved and taken as 0. */
function writeEnvironment(c: CsrContext, field: "menvcfg" | "senvcfg", value: Local<"i64">, mask: bigint): void {
  const { f } = c;
  f.if(f.i64.eq(f.i64.and(f.get(value), f.i64.const(0x30)), f.i64.const(0x20)), () =>
    f.set(value, f.i64.and(f.get(value), f.i64.const(~0x30n))),
  );
  storeMasked(c, field, value, mask);
}
const environmentBits = 0xf1n;

const pendingBits = ({ f, core }: CsrContext) => f.call(core.functions.pendingInterrupts);
const allCounters = 0xffff_ffffn;

/** All CSRs of the hart. */
export const csrTable: readonly Csr[] = [
  floatField("fflags", 0x001, 31),
  floatField("frm", 0x002, 7),
  {
    name: "fcsr",
    number: 0x003,
    read: (c) => {
      requireFloat(c);
      return c.f.i64.extendI32U(c.f.i32.or(load32(c, "fflags"), c.f.i32.shl(load32(c, "frm"), c.f.i32.const(5))));
    },
    write: (c, value) => {
      storeFloat(c, "fflags", c.f.get(value), 31);
      storeFloat(c, "frm", c.f.i64.shrU(c.f.get(value), c.f.i64.const(5)), 7);
    },
  },

  {
    name: "sstatus",
    number: 0x100,
    read: (c) => c.f.i64.and(c.f.get(readStatus(c)), c.f.i64.const(sstatusMask | status.FS | status.SD | (3n << 32n))),
    write: (c, value) => writeStatus(c, value, sstatusMask),
    interrupts: true,
  },
  {
    name: "sie",
    number: 0x104,
    read: (c) => c.f.i64.and(load(c, "mie"), load(c, "mideleg")),
    write: (c, value) => {
      const { f, layout } = c;
      const delegated = f.i64.let(load(c, "mideleg"));
      f.i64.store(
        f.i32.const(layout.state.mie),
        f.i64.or(
          f.i64.and(load(c, "mie"), f.i64.xor(f.get(delegated), f.i64.const(-1))),
          f.i64.and(f.i64.and(f.get(value), f.get(delegated)), f.i64.const(supervisorInterrupts)),
        ),
      );
    },
    interrupts: true,
  },
  vector("stvec", 0x105, "stvec"),
  plain("scounteren", 0x106, "scounteren", allCounters),
  {
    name: "senvcfg",
    number: 0x10a,
    read: (c) => load(c, "senvcfg"),
    write: (c, v) => writeEnvironment(c, "senvcfg", v, environmentBits),
  },
  plain("sscratch", 0x140, "sscratch"),
  plain("sepc", 0x141, "sepc", ~1n),
  plain("scause", 0x142, "scause"),
  plain("stval", 0x143, "stval"),
  {
    name: "sip",
    number: 0x144,
    read: (c) => c.f.i64.and(pendingBits(c), load(c, "mideleg")),
    write: (c, value) => {
      const { f, layout } = c;
      const writable = f.i64.let(f.i64.and(load(c, "mideleg"), f.i64.const(1n << 1n)));
      f.i64.store(
        f.i32.const(layout.state.mipSoftware),
        f.i64.or(
          f.i64.and(load(c, "mipSoftware"), f.i64.xor(f.get(writable), f.i64.const(-1))),
          f.i64.and(f.get(value), f.get(writable)),
        ),
      );
    },
    interrupts: true,
  },
  {
    name: "stimecmp",
    number: 0x14d,
    read: (c) => {
      const { f } = c;
      f.if(f.i32.ltU(load32(c, "mode"), f.i32.const(mode.M)), () => {
        f.brIf(c.illegal, f.i64.eqz(f.i64.and(load(c, "mcounteren"), f.i64.const(2))));
        f.brIf(c.illegal, f.i64.eqz(f.i64.and(load(c, "menvcfg"), f.i64.const(STCE))));
      });
      return load(c, "stimecmp");
    },
    write: (c, value) => {
      storeMasked(c, "stimecmp", value, -1n);
      // Whoever runs the hart chose its budget by the old deadline.
      for (const field of ["exitRequested", "attention"] as const) {
        c.f.i32.store(c.f.i32.const(c.layout.state[field]), c.f.i32.const(1));
      }
    },
    interrupts: true,
  },
  {
    name: "satp",
    number: 0x180,
    read: (c) => {
      const { f } = c;
      f.brIf(
        c.illegal,
        f.i32.and(
          f.i32.eq(load32(c, "mode"), f.i32.const(mode.S)),
          f.i64.ne(f.i64.and(load(c, "mstatus"), f.i64.const(status.TVM)), f.i64.const(0)),
        ),
      );
      return load(c, "satp");
    },
    write: (c, value) => {
      const { f, core } = c;
      const scheme = f.i64.let(f.i64.shrU(f.get(value), f.i64.const(60)));
      // Bare, Sv39, Sv48, Sv57; a write with another MODE has no effect.
      const known = f.i32.or(f.i64.eqz(f.get(scheme)), f.i64.leU(f.i64.sub(f.get(scheme), f.i64.const(8)), f.i64.const(2)));
      f.if(known, () => {
        const old = f.i64.let(load(c, "satp"));
        f.if(f.i64.ne(f.get(old), f.get(value)), () => {
          storeMasked(c, "satp", value, -1n);
          // Global mappings stay when only the address space changes, not when the scheme does.
          const sameScheme = f.i64.eq(f.i64.shrU(f.get(old), f.i64.const(60)), f.get(scheme));
          f.call(core.functions.flushTranslations, sameScheme);
        });
      });
    },
  },

  readOnly("mvendorid", 0xf11, constant(0n)),
  readOnly("marchid", 0xf12, constant(0n)),
  readOnly("mimpid", 0xf13, constant(0n)),
  readOnly("mhartid", 0xf14, (c) => load(c, "hartId")),
  readOnly("mconfigptr", 0xf15, constant(0n)),
  {
    name: "mstatus",
    number: 0x300,
    read: (c) => c.f.get(readStatus(c)),
    write: (c, v) => writeStatus(c, v, mstatusMask),
    interrupts: true,
  },
  // Extensions cannot be switched off; writes are ignored.
  { name: "misa", number: 0x301, read: (c) => load(c, "misa") },
  plain("medeleg", 0x302, "medeleg", 0xb3ffn),
  plain("mideleg", 0x303, "mideleg", supervisorInterrupts, { interrupts: true }),
  plain("mie", 0x304, "mie", 0xaaan, { interrupts: true }),
  vector("mtvec", 0x305, "mtvec"),
  plain("mcounteren", 0x306, "mcounteren", allCounters),
  {
    name: "menvcfg",
    number: 0x30a,
    read: (c) => load(c, "menvcfg"),
    write: (c, value) => {
      writeEnvironment(c, "menvcfg", value, environmentBits | (7n << 61n));
      c.f.call(c.core.functions.flushTlb);
    },
    interrupts: true,
  },
  // Counters cannot be inhibited.
  { name: "mcountinhibit", number: 0x320, read: constant(0n) },
  ...Array.from({ length: 29 }, (_, i): Csr => ({ name: `mhpmevent${i + 3}`, number: 0x323 + i, read: constant(0n) })),
  plain("mscratch", 0x340, "mscratch"),
  plain("mepc", 0x341, "mepc", ~1n),
  plain("mcause", 0x342, "mcause"),
  plain("mtval", 0x343, "mtval"),
  {
    name: "mip",
    number: 0x344,
    read: pendingBits,
    write: (c, value) => {
      const { f } = c;
      // STIP belongs to stimecmp while menvcfg.STCE is set.
      f.if(
        f.i64.eqz(f.i64.and(load(c, "menvcfg"), f.i64.const(STCE))),
        () => storeMasked(c, "mipSoftware", value, supervisorInterrupts),
        () => storeMasked(c, "mipSoftware", value, supervisorInterrupts & ~(1n << 5n)),
      );
    },
    interrupts: true,
  },
  ...[0, 8].map(
    (first): Csr => ({
      name: `pmpcfg${first / 4}`,
      number: 0x3a0 + first / 4,
      read: ({ f, layout }) => f.i64.load(f.i32.const(layout.state.pmpcfg + first)),
      write: ({ f, core, layout }, value) => emitPmpConfigWrite(f, core, layout, first, value),
    }),
  ),
  ...Array.from(
    { length: pmpEntries },
    (_, i): Csr => ({
      name: `pmpaddr${i}`,
      number: 0x3b0 + i,
      read: ({ f, layout }) => f.i64.load(f.i32.const(layout.state.pmpaddr + 8 * i)),
      write: ({ f, core, layout }, value) => emitPmpAddressWrite(f, core, layout, i, value),
    }),
  ),

  // Sdtrig: tselect finds one index, whose tdata1 says that there is no trigger.
  { name: "tselect", number: 0x7a0, read: constant(0n) },
  { name: "tdata1", number: 0x7a1, read: constant(0n) },
  { name: "tdata2", number: 0x7a2, read: constant(0n) },
  { name: "tdata3", number: 0x7a3, read: constant(0n) },
  readOnly("tinfo", 0x7a4, constant(1n)),

  writableCounter("mcycle", 0xb00, "mcycleOffset"),
  writableCounter("minstret", 0xb02, "minstretOffset"),
  counter("cycle", 0, cycles),
  counter("time", 1, time),
  counter("instret", 2, instructions),
  // Hardware performance counters beyond the basic three count nothing.
  ...Array.from({ length: 29 }, (_, i): Csr => ({ name: `mhpmcounter${i + 3}`, number: 0xb03 + i, read: constant(0n) })),
  ...Array.from({ length: 29 }, (_, i) => counter(`hpmcounter${i + 3}`, i + 3, constant(0n))),
];

/** Defines `csrRead` and `csrWrite`. The index bytes that they look up are written by `csrIndexBytes`. */
export function defineCsrs(core: Core, layout: Layout, table: readonly Csr[]): void {
  const { module, functions: fn } = core;
  const { state } = layout;

  /** One arm for each CSR; `arm` must leave the function or the block. */
  const dispatch = (f: FunctionBuilder, number: Local<"i32">, none: Label, arm: (csr: Csr) => void) => {
    const index = f.i32.let(f.i32.load8U(f.get(number), layout.csrIndex));
    const nest = (depth: number, labels: Label[]): void => {
      if (depth === table.length) {
        f.brTable(f.get(index), [none, ...labels.toReversed()], none);
        return;
      }
      f.block((label) => nest(depth + 1, [...labels, label]));
      f.scope(() => arm(table[table.length - 1 - depth]));
    };
    nest(0, []);
  };

  module.body(fn.csrRead, (f, number, writes) => {
    f.block((illegal) => {
      f.brIf(
        illegal,
        f.i32.gtU(f.i32.and(f.i32.shrU(f.get(number), f.i32.const(8)), f.i32.const(3)), f.i32.load(f.i32.const(state.mode))),
      );
      f.brIf(illegal, f.i32.and(f.get(writes), f.i32.eq(f.i32.shrU(f.get(number), f.i32.const(10)), f.i32.const(3))));
      dispatch(f, number, illegal, (csr) => f.return(csr.read({ f, core, layout, illegal })));
    });
    f.call(fn.raise, f.i32.const(2), f.i64.const(0));
    return f.i64.const(0);
  });

  module.body(fn.csrWrite, (f, number, value) => {
    f.block((done) => {
      f.block((interrupts) => {
        dispatch(f, number, done, (csr) => {
          csr.write?.({ f, core, layout, illegal: done }, value);
          f.br(csr.interrupts ? interrupts : done);
        });
      });
      f.if(f.call(fn.selectInterrupt), () => f.i32.store(f.i32.const(state.attention), f.i32.const(1)));
    });
  });
}

/** Number of each CSR to its index in the table, plus 1. */
export function csrIndexBytes(table: readonly Csr[]): Uint8Array {
  const bytes = new Uint8Array(4096);
  for (const [index, { number }] of table.entries()) bytes[number] = index + 1;
  return bytes;
}
