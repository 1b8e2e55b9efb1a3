/**
 * A small RISC-V assembler: what the harness and the cases are written in. Its encodings come from the tables of the
 * Unpriv. spec, chapter "Instruction Set Listings", and on purpose not from `src/isa`, whose encodings are under test.
 */

/** ABI names of the integer registers. */
// biome-ignore format: a table
export const reg = {
  zero: 0, ra: 1, sp: 2, gp: 3, tp: 4, t0: 5, t1: 6, t2: 7, s0: 8, s1: 9, a0: 10, a1: 11, a2: 12, a3: 13, a4: 14, a5: 15,
  a6: 16, a7: 17, s2: 18, s3: 19, s4: 20, s5: 21, s6: 22, s7: 23, s8: 24, s9: 25, s10: 26, s11: 27, t3: 28, t4: 29, t5: 30, t6: 31,
} as const;

/** CSR numbers (Priv. spec 2.2; Sstc, Smstateen and the rest from their own chapters). */
// biome-ignore format: a table
export const csr = {
  fflags: 0x001, frm: 0x002, fcsr: 0x003, cycle: 0xc00, time: 0xc01, instret: 0xc02,
  sstatus: 0x100, sie: 0x104, stvec: 0x105, scounteren: 0x106, senvcfg: 0x10a, scountinhibit: 0x120,
  sscratch: 0x140, sepc: 0x141, scause: 0x142, stval: 0x143, sip: 0x144, stimecmp: 0x14d, satp: 0x180,
  mvendorid: 0xf11, marchid: 0xf12, mimpid: 0xf13, mhartid: 0xf14, mconfigptr: 0xf15,
  mstatus: 0x300, misa: 0x301, medeleg: 0x302, mideleg: 0x303, mie: 0x304, mtvec: 0x305, mcounteren: 0x306, menvcfg: 0x30a,
  mcountinhibit: 0x320, mhpmevent3: 0x323, mscratch: 0x340, mepc: 0x341, mcause: 0x342, mtval: 0x343, mip: 0x344, pmpcfg0: 0x3a0,
  pmpcfg2: 0x3a2, pmpaddr0: 0x3b0, mcycle: 0xb00, minstret: 0xb02, mhpmcounter3: 0xb03, hpmcounter3: 0xc03,
} as const;

type R = (rd: number, rs1: number, rs2: number) => number;
type I = (rd: number, rs1: number, imm: number) => number;

function field(value: number, bits: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** bits)
    throw new RangeError(`${what} ${value} does not fit ${bits} bits`);
  return value;
}
function signed(value: number, bits: number, what: string): number {
  if (!Number.isInteger(value) || value < -(2 ** (bits - 1)) || value >= 2 ** (bits - 1)) {
    throw new RangeError(`${what} ${value} does not fit ${bits} signed bits`);
  }
  return value;
}
const register = (value: number) => field(value, 5, "register");

const rType =
  (opcode: number, funct3: number, funct7: number): R =>
  (rd, rs1, rs2) =>
    ((funct7 << 25) | (register(rs2) << 20) | (register(rs1) << 15) | (funct3 << 12) | (register(rd) << 7) | opcode) >>> 0;
const iType =
  (opcode: number, funct3: number): I =>
  (rd, rs1, imm) =>
    ((signed(imm, 12, "immediate") << 20) | (register(rs1) << 15) | (funct3 << 12) | (register(rd) << 7) | opcode) >>> 0;
const shift =
  (funct3: number, high: number): I =>
  (rd, rs1, amount) =>
    ((high << 26) | (field(amount, 6, "shift") << 20) | (register(rs1) << 15) | (funct3 << 12) | (register(rd) << 7) | 0x13) >>>
    0;
const sType =
  (opcode: number, funct3: number) =>
  (rs2: number, rs1: number, imm: number): number => {
    signed(imm, 12, "immediate");
    return (
      (((imm >> 5) << 25) | (register(rs2) << 20) | (register(rs1) << 15) | (funct3 << 12) | ((imm & 31) << 7) | opcode) >>> 0
    );
  };
const csrType =
  (funct3: number) =>
  (rd: number, number: number, source: number): number =>
    ((field(number, 12, "CSR") << 20) | (register(source) << 15) | (funct3 << 12) | (register(rd) << 7) | 0x73) >>> 0;
const bType =
  (funct3: number) =>
  (rs1: number, rs2: number, offset: number): number => {
    signed(offset, 13, "branch offset");
    const high = (((offset >> 12) & 1) << 31) | (((offset >> 5) & 63) << 25);
    const low = (((offset >> 1) & 15) << 8) | (((offset >> 11) & 1) << 7);
    return (high | (register(rs2) << 20) | (register(rs1) << 15) | (funct3 << 12) | low | 0x63) >>> 0;
  };
const amo =
  (funct3: number, funct5: number): R =>
  (rd, address, source) =>
    rType(0x2f, funct3, funct5 << 2)(rd, address, source);

/** Encoders of single instructions, by mnemonic; operands in the order of assembly language. */
export const encode = {
  lui: (rd: number, imm20: number) => ((field(imm20, 20, "immediate") << 12) | (register(rd) << 7) | 0x37) >>> 0,
  auipc: (rd: number, imm20: number) => ((field(imm20, 20, "immediate") << 12) | (register(rd) << 7) | 0x17) >>> 0,
  jal: (rd: number, offset: number) => {
    signed(offset, 21, "jump offset");
    const high = (((offset >> 20) & 1) << 31) | (((offset >> 1) & 0x3ff) << 21) | (((offset >> 11) & 1) << 20);
    return (high | (((offset >> 12) & 0xff) << 12) | (register(rd) << 7) | 0x6f) >>> 0;
  },
  jalr: iType(0x67, 0),
  beq: bType(0),
  bne: bType(1),
  blt: bType(4),
  bge: bType(5),
  bltu: bType(6),
  bgeu: bType(7),
  lb: iType(0x03, 0),
  lh: iType(0x03, 1),
  lw: iType(0x03, 2),
  ld: iType(0x03, 3),
  lbu: iType(0x03, 4),
  lhu: iType(0x03, 5),
  lwu: iType(0x03, 6),
  sb: sType(0x23, 0),
  sh: sType(0x23, 1),
  sw: sType(0x23, 2),
  sd: sType(0x23, 3),
  fld: iType(0x07, 3),
  fsd: sType(0x27, 3),
  addi: iType(0x13, 0),
  xori: iType(0x13, 4),
  ori: iType(0x13, 6),
  andi: iType(0x13, 7),
  slli: shift(1, 0),
  srli: shift(5, 0),
  srai: shift(5, 16),
  addiw: iType(0x1b, 0),
  add: rType(0x33, 0, 0),
  sub: rType(0x33, 0, 32),
  sll: rType(0x33, 1, 0),
  xor: rType(0x33, 4, 0),
  or: rType(0x33, 6, 0),
  and: rType(0x33, 7, 0),
  csrrw: csrType(1),
  csrrs: csrType(2),
  csrrc: csrType(3),
  csrrwi: csrType(5),
  csrrsi: csrType(6),
  csrrci: csrType(7),
  ecall: () => 0x0000_0073,
  ebreak: () => 0x0010_0073,
  mret: () => 0x3020_0073,
  sret: () => 0x1020_0073,
  wfi: () => 0x1050_0073,
  fence: () => 0x0ff0_000f,
  fenceI: () => 0x0000_100f,
  sfenceVma: (rs1: number, rs2: number) => rType(0x73, 0, 9)(0, rs1, rs2),
  sinvalVma: (rs1: number, rs2: number) => rType(0x73, 0, 11)(0, rs1, rs2),
  sfenceWInval: () => rType(0x73, 0, 12)(0, 0, 0),
  sfenceInvalIr: () => rType(0x73, 0, 12)(0, 0, 1),
  lrW: (rd: number, rs1: number) => amo(2, 2)(rd, rs1, 0),
  lrD: (rd: number, rs1: number) => amo(3, 2)(rd, rs1, 0),
  scW: amo(2, 3),
  scD: amo(3, 3),
  amoaddD: amo(3, 0),
  amoswapW: amo(2, 1),
  cboZero: (rs1: number) => iType(0x0f, 2)(0, rs1, 4),
  cboInval: (rs1: number) => iType(0x0f, 2)(0, rs1, 0),
  cboClean: (rs1: number) => iType(0x0f, 2)(0, rs1, 1),
  cboFlush: (rs1: number) => iType(0x0f, 2)(0, rs1, 2),
};

export type Branch = "beq" | "bne" | "blt" | "bge" | "bltu" | "bgeu";
/** Mnemonics that take a register, a base register and an offset. */
export type MemoryOp = "lb" | "lh" | "lw" | "ld" | "lbu" | "lhu" | "lwu" | "sb" | "sh" | "sw" | "sd" | "fld" | "fsd";

/** The 32-bit words that load a 64-bit constant into a register. */
export function loadConstant(rd: number, value: bigint): number[] {
  const wanted = BigInt.asIntN(64, value);
  if (wanted >= -2048n && wanted < 2048n) return [encode.addi(rd, 0, Number(wanted))];
  const low = Number(BigInt.asIntN(12, wanted));
  if (wanted >= -0x8000_0000n && wanted < 0x8000_0000n) {
    const high = Number(((wanted - BigInt(low)) >> 12n) & 0xfffffn);
    return low === 0 ? [encode.lui(rd, high)] : [encode.lui(rd, high), encode.addiw(rd, rd, low)];
  }
  let rest = (wanted - BigInt(low)) >> 12n;
  let amount = 12;
  while ((rest & 1n) === 0n && amount < 63) {
    rest >>= 1n;
    amount++;
  }
  const words = [...loadConstant(rd, rest), encode.slli(rd, rd, amount)];
  if (low !== 0) words.push(encode.addi(rd, rd, low));
  return words;
}

/** Puts instructions of 32 bits one after another and resolves labels. */
export class Assembler {
  readonly base: bigint;
  readonly #words: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: { at: number; label: string; make: (offset: number) => number[] }[] = [];

  /** @param base address at which the code will run */
  constructor(base = 0n) {
    this.base = base;
  }

  /** Offset of the next instruction from the base, in bytes. */
  get here(): number {
    return this.#words.length * 4;
  }

  emit(...words: number[]): this {
    this.#words.push(...words);
    return this;
  }
  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label ${name} is defined twice`);
    this.#labels.set(name, this.here);
    return this;
  }
  /** Fills with `nop` up to a multiple of `bytes`. */
  align(bytes: number): this {
    while (this.here % bytes !== 0) this.emit(encode.addi(0, 0, 0));
    return this;
  }
  branch(name: Branch, rs1: number, rs2: number, label: string): this {
    return this.#fixup(label, (offset) => [encode[name](rs1, rs2, offset)], 1);
  }
  jump(label: string, link = 0): this {
    return this.#fixup(label, (offset) => [encode.jal(link, offset)], 1);
  }
  loadAddress(rd: number, label: string): this {
    const parts = (offset: number) => [
      encode.auipc(rd, ((offset + 0x800) >> 12) & 0xfffff),
      encode.addi(rd, rd, (offset << 20) >> 20),
    ];
    return this.#fixup(label, parts, 2);
  }
  load(rd: number, value: bigint | number): this {
    return this.emit(...loadConstant(rd, BigInt(value)));
  }
  csrw(number: number, source: number): this {
    return this.emit(encode.csrrw(0, number, source));
  }
  csrr(rd: number, number: number): this {
    return this.emit(encode.csrrs(rd, number, 0));
  }
  /** Writes a constant to a CSR, through `t0`. */
  setCsr(number: number, value: bigint | number): this {
    return this.load(reg.t0, value).csrw(number, reg.t0);
  }
  address(label: string): bigint {
    const offset = this.#labels.get(label);
    if (offset === undefined) throw new Error(`label ${label} is not defined`);
    return this.base + BigInt(offset);
  }
  finish(): Uint8Array {
    for (const { at, label, make } of this.#fixups) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`label ${label} is not defined`);
      make(target - at * 4).forEach((word, i) => {
        this.#words[at + i] = word;
      });
    }
    const bytes = new Uint8Array(this.#words.length * 4);
    const view = new DataView(bytes.buffer);
    this.#words.forEach((word, i) => {
      view.setUint32(i * 4, word, true);
    });
    return bytes;
  }

  #fixup(label: string, make: (offset: number) => number[], words: number): this {
    this.#fixups.push({ at: this.#words.length, label, make });
    for (let i = 0; i < words; i++) this.#words.push(0);
    return this;
  }
}
