import type { I64 } from "../../wasm/types.ts";
import type { Emitter } from "./emitter.ts";
import { type Immediate, inst, type X } from "./instruction.ts";

/** Zba, Zbb, Zbc, Zbs: bit manipulation (Unprivileged spec, chapter 28), and Zicond (chapter 12). */

type RegReg = { s: X; t: X; d: X };
type RegImm = { s: X; i: Immediate; d: X };
type Unary = { s: X; d: X };
const shamt = { i: "u5:0" };
const shamtW = { i: "u4:0" };

const regReg = (operate: (e: Emitter, a: I64, b: I64) => I64) => (o: RegReg, e: Emitter) =>
  e.setX(o.d, operate(e, e.x(o.s), e.x(o.t)));
const unary = (operate: (e: Emitter, a: I64) => I64) => (o: Unary, e: Emitter) => e.setX(o.d, operate(e, e.x(o.s)));
const shiftAdd = (shift: number) =>
  regReg((e, a, b) => {
    const addend = e.i64.let(b);
    return e.i64.add(e.i64.shl(a, e.i64.const(shift)), e.get(addend));
  });
const shiftAddUw =
  (shift: number) =>
  ({ s, t, d }: RegReg, e: Emitter) =>
    e.setX(d, e.i64.add(e.i64.shl(e.i64.extendI32U(e.xw(s)), e.i64.const(shift)), e.x(t)));
const select = (compare: (e: Emitter, a: I64, b: I64) => ReturnType<Emitter["i64"]["ltS"]>) =>
  regReg((e, a, b) => {
    const y = e.i64.let(b);
    const x = e.i64.let(a);
    return e.i64.select(e.get(x), e.get(y), compare(e, e.get(x), e.get(y)));
  });
/** One bit of `s`, chosen by the low 6 bits of a register or immediate. */
const oneBit = (e: Emitter, index: I64) => {
  const shift = e.i64.let(index);
  return e.i64.shl(e.i64.const(1), e.get(shift));
};
const complement = (e: Emitter, a: I64) => e.i64.xor(a, e.i64.const(-1));
/** 0 or -1, from 0 or 1. */
const mask = (e: Emitter, a: I64) => e.i64.shrS(e.i64.shl(a, e.i64.const(63)), e.i64.const(63));

/** Carry-less product, bits `from`.. of it: `from` 0 (clmul), 64 (clmulh) or 63 (clmulr). */
const carryless =
  (from: 0 | 63 | 64) =>
  ({ s, t, d }: RegReg, e: Emitter) => {
    const a = e.i64.let(e.x(s));
    const b = e.i64.let(e.x(t));
    const product = e.i64.let(e.i64.const(0));
    const i = e.i64.let(e.i64.const(from === 64 ? 1 : 0));
    e.loop((again) => {
      const shifted =
        from === 0
          ? e.i64.shl(e.get(a), e.get(i))
          : e.i64.shrU(e.get(a), e.i64.sub(e.i64.const(from === 64 ? 64 : 63), e.get(i)));
      const bit = e.i64.sub(e.i64.const(0), e.i64.and(e.i64.shrU(e.get(b), e.get(i)), e.i64.const(1)));
      const term = e.i64.let(e.i64.and(shifted, bit));
      e.set(product, e.i64.xor(e.get(product), e.get(term)));
      e.set(i, e.i64.add(e.get(i), e.i64.const(1)));
      e.brIf(again, e.i64.ltU(e.get(i), e.i64.const(64)));
    });
    e.setX(d, e.get(product));
  };

/** Swaps neighbouring groups of `width` bits. */
function swapGroups(e: Emitter, value: I64, width: number, groups: bigint): I64 {
  const v = e.i64.let(value);
  return e.i64.or(
    e.i64.and(e.i64.shrU(e.get(v), e.i64.const(width)), e.i64.const(groups)),
    e.i64.shl(e.i64.and(e.get(v), e.i64.const(groups)), e.i64.const(width)),
  );
}

export const zextH = inst("zext.h", "000010000000sssss100ddddd0111011", unary((e, a) => e.i64.and(a, e.i64.const(0xffff))));
export const sextB = inst("sext.b", "011000000100sssss001ddddd0010011", unary((e, a) => e.i64.extend8S(a)));
export const sextH = inst("sext.h", "011000000101sssss001ddddd0010011", unary((e, a) => e.i64.extend16S(a)));
export const addUw = inst("add.uw", "0000100tttttsssss000ddddd0111011", shiftAddUw(0));

export const zba = [
  addUw,
  inst("sh1add", "0010000tttttsssss010ddddd0110011", shiftAdd(1)),
  inst("sh2add", "0010000tttttsssss100ddddd0110011", shiftAdd(2)),
  inst("sh3add", "0010000tttttsssss110ddddd0110011", shiftAdd(3)),
  inst("sh1add.uw", "0010000tttttsssss010ddddd0111011", shiftAddUw(1)),
  inst("sh2add.uw", "0010000tttttsssss100ddddd0111011", shiftAddUw(2)),
  inst("sh3add.uw", "0010000tttttsssss110ddddd0111011", shiftAddUw(3)),
  inst("slli.uw", "000010iiiiiisssss001ddddd0011011", ({ s, i, d }, e) => e.setX(d, e.i64.shl(e.i64.extendI32U(e.xw(s)), e.imm(i))), shamt),
];

export const zbb = [
  inst("andn", "0100000tttttsssss111ddddd0110011", regReg((e, a, b) => e.i64.and(a, complement(e, b)))),
  inst("orn", "0100000tttttsssss110ddddd0110011", regReg((e, a, b) => e.i64.or(a, complement(e, b)))),
  inst("xnor", "0100000tttttsssss100ddddd0110011", regReg((e, a, b) => e.i64.xor(a, complement(e, b)))),
  inst("clz", "011000000000sssss001ddddd0010011", unary((e, a) => e.i64.clz(a))),
  inst("ctz", "011000000001sssss001ddddd0010011", unary((e, a) => e.i64.ctz(a))),
  inst("cpop", "011000000010sssss001ddddd0010011", unary((e, a) => e.i64.popcnt(a))),
  inst("clzw", "011000000000sssss001ddddd0011011", ({ s, d }, e) => e.setXw(d, e.i32.clz(e.xw(s)))),
  inst("ctzw", "011000000001sssss001ddddd0011011", ({ s, d }, e) => e.setXw(d, e.i32.ctz(e.xw(s)))),
  inst("cpopw", "011000000010sssss001ddddd0011011", ({ s, d }, e) => e.setXw(d, e.i32.popcnt(e.xw(s)))),
  inst("max", "0000101tttttsssss110ddddd0110011", select((e, a, b) => e.i64.gtS(a, b))),
  inst("maxu", "0000101tttttsssss111ddddd0110011", select((e, a, b) => e.i64.gtU(a, b))),
  inst("min", "0000101tttttsssss100ddddd0110011", select((e, a, b) => e.i64.ltS(a, b))),
  inst("minu", "0000101tttttsssss101ddddd0110011", select((e, a, b) => e.i64.ltU(a, b))),
  sextB,
  sextH,
  zextH,
  inst("rol", "0110000tttttsssss001ddddd0110011", regReg((e, a, b) => e.i64.rotl(a, b))),
  inst("ror", "0110000tttttsssss101ddddd0110011", regReg((e, a, b) => e.i64.rotr(a, b))),
  inst("rori", "011000iiiiiisssss101ddddd0010011", ({ s, i, d }: RegImm, e) => e.setX(d, e.i64.rotr(e.x(s), e.imm(i))), shamt),
  inst("rolw", "0110000tttttsssss001ddddd0111011", ({ s, t, d }, e) => e.setXw(d, e.i32.rotl(e.xw(s), e.xw(t)))),
  inst("rorw", "0110000tttttsssss101ddddd0111011", ({ s, t, d }, e) => e.setXw(d, e.i32.rotr(e.xw(s), e.xw(t)))),
  inst("roriw", "0110000iiiiisssss101ddddd0011011", ({ s, i, d }, e) => e.setXw(d, e.i32.rotr(e.xw(s), e.imm32(i))), shamtW),
  // Per byte: 0xff if any bit is set. Adding 0x7f to the low seven bits carries into bit 7; bit 7 itself is or-ed in.
  inst("orc.b", "001010000111sssss101ddddd0010011", ({ s, d }, e) => {
    const low = 0x7f7f_7f7f_7f7f_7f7fn;
    const any = e.i64.or(e.i64.add(e.i64.and(e.x(s), e.i64.const(low)), e.i64.const(low)), e.x(s));
    const bits = e.i64.and(e.i64.shrU(any, e.i64.const(7)), e.i64.const(0x0101_0101_0101_0101n));
    e.setX(d, e.i64.mul(bits, e.i64.const(0xff)));
  }),
  inst("rev8", "011010111000sssss101ddddd0010011", ({ s, d }, e) => {
    const bytes = swapGroups(e, e.x(s), 8, 0x00ff_00ff_00ff_00ffn);
    const halves = swapGroups(e, bytes, 16, 0x0000_ffff_0000_ffffn);
    e.setX(d, e.i64.rotl(halves, e.i64.const(32)));
  }),
];

export const zbc = [
  inst("clmul", "0000101tttttsssss001ddddd0110011", carryless(0)),
  inst("clmulr", "0000101tttttsssss010ddddd0110011", carryless(63)),
  inst("clmulh", "0000101tttttsssss011ddddd0110011", carryless(64)),
];

export const zbs = [
  inst("bclr", "0100100tttttsssss001ddddd0110011", regReg((e, a, b) => e.i64.and(a, complement(e, oneBit(e, b))))),
  inst("bset", "0010100tttttsssss001ddddd0110011", regReg((e, a, b) => e.i64.or(a, oneBit(e, b)))),
  inst("binv", "0110100tttttsssss001ddddd0110011", regReg((e, a, b) => e.i64.xor(a, oneBit(e, b)))),
  inst("bext", "0100100tttttsssss101ddddd0110011", regReg((e, a, b) => e.i64.and(e.i64.shrU(a, b), e.i64.const(1)))),
  inst("bclri", "010010iiiiiisssss001ddddd0010011", ({ s, i, d }, e) => e.setX(d, e.i64.and(e.x(s), complement(e, oneBit(e, e.imm(i))))), shamt),
  inst("bseti", "001010iiiiiisssss001ddddd0010011", ({ s, i, d }, e) => e.setX(d, e.i64.or(e.x(s), oneBit(e, e.imm(i)))), shamt),
  inst("binvi", "011010iiiiiisssss001ddddd0010011", ({ s, i, d }, e) => e.setX(d, e.i64.xor(e.x(s), oneBit(e, e.imm(i)))), shamt),
  inst("bexti", "010010iiiiiisssss101ddddd0010011", ({ s, i, d }, e) => e.setX(d, e.i64.and(e.i64.shrU(e.x(s), e.imm(i)), e.i64.const(1))), shamt),
];

export const zicond = [
  inst("czero.eqz", "0000111tttttsssss101ddddd0110011", ({ s, t, d }, e) =>
    e.setX(d, e.i64.and(e.x(s), mask(e, e.i64.extendI32U(e.i64.ne(e.x(t), e.i64.const(0)))))),
  ),
  inst("czero.nez", "0000111tttttsssss111ddddd0110011", ({ s, t, d }, e) =>
    e.setX(d, e.i64.and(e.x(s), mask(e, e.i64.extendI32U(e.i64.eqz(e.x(t)))))),
  ),
];
