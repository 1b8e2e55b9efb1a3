import type { I64 } from "../../wasm/types.ts";
import type { Emitter } from "./emitter.ts";
import { type Immediate, inst, type X } from "./instruction.ts";

/** Zicsr, Zifencei, Zawrs, the privileged instructions, Svinval, and the cache-block operations of Zicbom and Zicboz. */

const csr = { i: "u11:0" };

/** Reads a CSR into a new local; ends the instruction if that is illegal. `writes` 1 if a write follows. */
function read(e: Emitter, number: Immediate, writes: () => ReturnType<Emitter["imm32"]>) {
  const old = e.i64.let(e.call(e.functions.csrRead, e.imm32(number), writes()));
  e.checkTrap();
  return old;
}
function write(e: Emitter, number: Immediate, value: () => I64) {
  e.call(e.functions.csrWrite, e.imm32(number), value());
  e.checkTrap();
}

/** `csrrw`: writes always. The spec's rule that `rd = x0` does not read matters only for CSRs with read effects; there are none. */
const exchange =
  (source: (e: Emitter) => I64) =>
  ({ d, i }: { d: X; i: Immediate }, e: Emitter) => {
    const old = read(e, i, () => e.i32.const(1));
    const value = e.i64.let(source(e));
    write(e, i, () => e.get(value));
    e.setX(d, e.get(old));
    e.contextChanged();
  };
/** `csrrs`, `csrrc`: write unless the source operand is `x0` or the immediate 0. */
const modify =
  (
    source: (e: Emitter) => I64,
    writes: (e: Emitter) => ReturnType<Emitter["imm32"]>,
    combine: (e: Emitter, old: I64, bits: I64) => I64,
  ) =>
  ({ d, i }: { d: X; i: Immediate }, e: Emitter) => {
    const old = read(e, i, () => writes(e));
    const bits = e.i64.let(source(e));
    e.if(writes(e), () => write(e, i, () => combine(e, e.get(old), e.get(bits))));
    e.setX(d, e.get(old));
    e.contextChanged();
  };
const set = (e: Emitter, old: I64, bits: I64) => e.i64.or(old, bits);
const clear = (e: Emitter, old: I64, bits: I64) => e.i64.and(old, e.i64.xor(bits, e.i64.const(-1)));
const isNotX0 = (e: Emitter, s: X) => e.i32.eqz(e.isX0(s));
const isNotZero = (e: Emitter, k: Immediate) => e.i32.ne(e.imm32(k), e.i32.const(0));

export const ebreak = inst("ebreak", "00000000000100000000000001110011", (_, e) => {
  e.call(e.functions.raise, e.i32.const(3), e.pc());
  e.checkTrap();
});

export const system = [
  inst("csrrw", "iiiiiiiiiiiisssss001ddddd1110011", (o, e) => exchange((e) => e.x(o.s))(o, e), csr),
  inst("csrrs", "iiiiiiiiiiiisssss010ddddd1110011", (o, e) => modify((e) => e.x(o.s), (e) => isNotX0(e, o.s), set)(o, e), csr),
  inst("csrrc", "iiiiiiiiiiiisssss011ddddd1110011", (o, e) => modify((e) => e.x(o.s), (e) => isNotX0(e, o.s), clear)(o, e), csr),
  inst("csrrwi", "iiiiiiiiiiiikkkkk101ddddd1110011", (o, e) => exchange((e) => e.imm(o.k))(o, e), csr),
  inst("csrrsi", "iiiiiiiiiiiikkkkk110ddddd1110011", (o, e) => modify((e) => e.imm(o.k), (e) => isNotZero(e, o.k), set)(o, e), csr),
  inst("csrrci", "iiiiiiiiiiiikkkkk111ddddd1110011", (o, e) => modify((e) => e.imm(o.k), (e) => isNotZero(e, o.k), clear)(o, e), csr),

  // Stores to code are noticed when they happen, so there is nothing to forget here.
  inst("fence.i", ".................001.....0001111", () => {}),
  inst("ecall", "00000000000000000000000001110011", (_, e) => e.environmentCall()),
  ebreak,
  inst("mret", "00110000001000000000000001110011", (_, e) => returnFrom(e, e.functions.mret)),
  inst("sret", "00010000001000000000000001110011", (_, e) => returnFrom(e, e.functions.sret)),
  inst("wfi", "00010000010100000000000001110011", (_, e) => {
    e.call(e.functions.wfiAllowed);
    e.checkTrap();
    e.waitForInterrupt();
  }),
  // Zawrs may resume at any time; this machine resumes at once.
  inst("wrs.nto", "00000000110100000000000001110011", (_, e) => {
    e.call(e.functions.wfiAllowedForWrs);
    e.checkTrap();
  }),
  inst("wrs.sto", "00000001110100000000000001110011", () => {}),
  inst("sfence.vma", "0001001tttttsssss000000001110011", (o, e) => fenceVma(e, o)),
  inst("sinval.vma", "0001011tttttsssss000000001110011", (o, e) => fenceVma(e, o)),
  inst("sfence.w.inval", "00011000000000000000000001110011", (_, e) => {
    e.call(e.functions.requireSupervisor);
    e.checkTrap();
  }),
  inst("sfence.inval.ir", "00011000000100000000000001110011", (_, e) => {
    e.call(e.functions.requireSupervisor);
    e.checkTrap();
  }),

  inst("cbo.inval", "000000000000sssss010000000001111", ({ s }, e) => cacheBlock(e, s, 0)),
  inst("cbo.clean", "000000000001sssss010000000001111", ({ s }, e) => cacheBlock(e, s, 1)),
  inst("cbo.flush", "000000000010sssss010000000001111", ({ s }, e) => cacheBlock(e, s, 1)),
  inst("cbo.zero", "000000000100sssss010000000001111", ({ s }, e) => {
    e.call(e.functions.cacheBlockZero, e.x(s));
    e.checkTrap();
  }),
];

function returnFrom(e: Emitter, operation: Emitter["functions"]["mret"]): void {
  const target = e.i64.let(e.call(operation));
  e.checkTrap();
  e.modeChanged();
  e.jumpTo(e.get(target));
}

function fenceVma(e: Emitter, { s, t }: { s: X; t: X }): void {
  e.call(e.functions.fenceVma, e.x(s), e.isX0(s), e.isX0(t));
  e.checkTrap();
  e.contextChanged();
}

/** Caches are not modelled: what is left of a cache-block operation is its permission checks. */
function cacheBlock(e: Emitter, s: X, kind: 0 | 1): void {
  e.call(e.functions.cacheBlockManage, e.x(s), e.i32.const(kind));
  e.checkTrap();
}
