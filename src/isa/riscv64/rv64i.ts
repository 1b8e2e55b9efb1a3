import type { I32, I64 } from "../../wasm/types.ts";
import type { Emitter, LoadKind, StoreKind } from "./emitter.ts";
import { type Immediate, inst, type X } from "./instruction.ts";

/** RV32I and RV64I base instructions (Unprivileged spec, chapters 2 and 4). */

const B = { i: "12|10:5|4:1|11" };
const S = { i: "11:5|4:0" };
const U = { i: "31:12" };
const J = { i: "20|10:1|11|19:12" };
const shamt = { i: "u5:0" };
const shamtW = { i: "u4:0" };

type RegReg = { s: X; t: X; d: X };
type RegImm = { s: X; i: Immediate; d: X };
const branchIf = (compare: (e: Emitter, a: I64, b: I64) => I32) => (o: { s: X; t: X; i: Immediate }, e: Emitter) =>
  e.branch(compare(e, e.x(o.s), e.x(o.t)), o.i);
const load = (kind: LoadKind) => (o: RegImm, e: Emitter) => e.setX(o.d, e.load(kind, e.i64.add(e.x(o.s), e.imm(o.i))));
const store = (kind: StoreKind) => (o: { s: X; t: X; i: Immediate }, e: Emitter) =>
  e.store(kind, e.i64.add(e.x(o.s), e.imm(o.i)), e.x(o.t));
const regReg = (operate: (e: Emitter, a: I64, b: I64) => I64) => (o: RegReg, e: Emitter) =>
  e.setX(o.d, operate(e, e.x(o.s), e.x(o.t)));
const regImm = (operate: (e: Emitter, a: I64, b: I64) => I64) => (o: RegImm, e: Emitter) =>
  e.setX(o.d, operate(e, e.x(o.s), e.imm(o.i)));
const regRegW = (operate: (e: Emitter, a: I32, b: I32) => I32) => (o: RegReg, e: Emitter) =>
  e.setXw(o.d, operate(e, e.xw(o.s), e.xw(o.t)));
const regImmW = (operate: (e: Emitter, a: I32, b: I32) => I32) => (o: RegImm, e: Emitter) =>
  e.setXw(o.d, operate(e, e.xw(o.s), e.imm32(o.i)));

export const lui = inst("lui", "iiiiiiiiiiiiiiiiiiiiddddd0110111", ({ d, i }, e) => e.setX(d, e.imm(i)), U);
export const jal = inst(
  "jal",
  "iiiiiiiiiiiiiiiiiiiiddddd1101111",
  ({ d, i }, e) => {
    e.setX(d, e.nextPc());
    e.jump(i);
  },
  J,
);
export const jalr = inst("jalr", "iiiiiiiiiiiisssss000ddddd1100111", ({ d, s, i }, e) => {
  const target = e.i64.let(e.i64.and(e.i64.add(e.x(s), e.imm(i)), e.i64.const(-2)));
  e.setX(d, e.nextPc());
  e.jumpTo(e.get(target));
});
export const beq = inst("beq", "iiiiiiitttttsssss000iiiii1100011", branchIf((e, a, b) => e.i64.eq(a, b)), B);
export const bne = inst("bne", "iiiiiiitttttsssss001iiiii1100011", branchIf((e, a, b) => e.i64.ne(a, b)), B);

export const lw = inst("lw", "iiiiiiiiiiiisssss010ddddd0000011", load("i32"));
export const ld = inst("ld", "iiiiiiiiiiiisssss011ddddd0000011", load("i64"));
export const lbu = inst("lbu", "iiiiiiiiiiiisssss100ddddd0000011", load("u8"));
export const lh = inst("lh", "iiiiiiiiiiiisssss001ddddd0000011", load("i16"));
export const lhu = inst("lhu", "iiiiiiiiiiiisssss101ddddd0000011", load("u16"));
export const sb = inst("sb", "iiiiiiitttttsssss000iiiii0100011", store("8"), S);
export const sh = inst("sh", "iiiiiiitttttsssss001iiiii0100011", store("16"), S);
export const sw = inst("sw", "iiiiiiitttttsssss010iiiii0100011", store("32"), S);
export const sd = inst("sd", "iiiiiiitttttsssss011iiiii0100011", store("64"), S);

export const addi = inst("addi", "iiiiiiiiiiiisssss000ddddd0010011", regImm((e, a, b) => e.i64.add(a, b)));
export const andi = inst("andi", "iiiiiiiiiiiisssss111ddddd0010011", regImm((e, a, b) => e.i64.and(a, b)));
export const slli = inst("slli", "000000iiiiiisssss001ddddd0010011", regImm((e, a, b) => e.i64.shl(a, b)), shamt);
export const srli = inst("srli", "000000iiiiiisssss101ddddd0010011", regImm((e, a, b) => e.i64.shrU(a, b)), shamt);
export const srai = inst("srai", "010000iiiiiisssss101ddddd0010011", regImm((e, a, b) => e.i64.shrS(a, b)), shamt);
export const addiw = inst("addiw", "iiiiiiiiiiiisssss000ddddd0011011", regImmW((e, a, b) => e.i32.add(a, b)));

export const add = inst("add", "0000000tttttsssss000ddddd0110011", regReg((e, a, b) => e.i64.add(a, b)));
export const sub = inst("sub", "0100000tttttsssss000ddddd0110011", regReg((e, a, b) => e.i64.sub(a, b)));
export const xor = inst("xor", "0000000tttttsssss100ddddd0110011", regReg((e, a, b) => e.i64.xor(a, b)));
export const or = inst("or", "0000000tttttsssss110ddddd0110011", regReg((e, a, b) => e.i64.or(a, b)));
export const and = inst("and", "0000000tttttsssss111ddddd0110011", regReg((e, a, b) => e.i64.and(a, b)));
export const addw = inst("addw", "0000000tttttsssss000ddddd0111011", regRegW((e, a, b) => e.i32.add(a, b)));
export const subw = inst("subw", "0100000tttttsssss000ddddd0111011", regRegW((e, a, b) => e.i32.sub(a, b)));

export const rv64i = [
  lui,
  jal,
  jalr,
  beq,
  bne,
  lw,
  ld,
  lbu,
  lh,
  lhu,
  sb,
  sh,
  sw,
  sd,
  addi,
  andi,
  slli,
  srli,
  srai,
  addiw,
  add,
  sub,
  xor,
  or,
  and,
  addw,
  subw,
  inst("auipc", "iiiiiiiiiiiiiiiiiiiiddddd0010111", ({ d, i }, e) => e.setX(d, e.i64.add(e.pc(), e.imm(i))), U),
  inst("blt", "iiiiiiitttttsssss100iiiii1100011", branchIf((e, a, b) => e.i64.ltS(a, b)), B),
  inst("bge", "iiiiiiitttttsssss101iiiii1100011", branchIf((e, a, b) => e.i64.geS(a, b)), B),
  inst("bltu", "iiiiiiitttttsssss110iiiii1100011", branchIf((e, a, b) => e.i64.ltU(a, b)), B),
  inst("bgeu", "iiiiiiitttttsssss111iiiii1100011", branchIf((e, a, b) => e.i64.geU(a, b)), B),
  inst("lb", "iiiiiiiiiiiisssss000ddddd0000011", load("i8")),
  inst("lwu", "iiiiiiiiiiiisssss110ddddd0000011", load("u32")),
  inst("slti", "iiiiiiiiiiiisssss010ddddd0010011", regImm((e, a, b) => e.i64.extendI32U(e.i64.ltS(a, b)))),
  inst("sltiu", "iiiiiiiiiiiisssss011ddddd0010011", regImm((e, a, b) => e.i64.extendI32U(e.i64.ltU(a, b)))),
  inst("xori", "iiiiiiiiiiiisssss100ddddd0010011", regImm((e, a, b) => e.i64.xor(a, b))),
  // The prefetch hints of Zicbop are `ori x0, ...` encodings and do nothing here.
  inst("ori", "iiiiiiiiiiiisssss110ddddd0010011", regImm((e, a, b) => e.i64.or(a, b))),
  inst("slliw", "0000000iiiiisssss001ddddd0011011", regImmW((e, a, b) => e.i32.shl(a, b)), shamtW),
  inst("srliw", "0000000iiiiisssss101ddddd0011011", regImmW((e, a, b) => e.i32.shrU(a, b)), shamtW),
  inst("sraiw", "0100000iiiiisssss101ddddd0011011", regImmW((e, a, b) => e.i32.shrS(a, b)), shamtW),
  inst("sll", "0000000tttttsssss001ddddd0110011", regReg((e, a, b) => e.i64.shl(a, b))),
  inst("slt", "0000000tttttsssss010ddddd0110011", regReg((e, a, b) => e.i64.extendI32U(e.i64.ltS(a, b)))),
  inst("sltu", "0000000tttttsssss011ddddd0110011", regReg((e, a, b) => e.i64.extendI32U(e.i64.ltU(a, b)))),
  inst("srl", "0000000tttttsssss101ddddd0110011", regReg((e, a, b) => e.i64.shrU(a, b))),
  inst("sra", "0100000tttttsssss101ddddd0110011", regReg((e, a, b) => e.i64.shrS(a, b))),
  inst("sllw", "0000000tttttsssss001ddddd0111011", regRegW((e, a, b) => e.i32.shl(a, b))),
  inst("srlw", "0000000tttttsssss101ddddd0111011", regRegW((e, a, b) => e.i32.shrU(a, b))),
  inst("sraw", "0100000tttttsssss101ddddd0111011", regRegW((e, a, b) => e.i32.shrS(a, b))),
  // One hart executes in program order, and other harts see sequential consistency.
  inst("fence", ".................000.....0001111", () => {}),
];
