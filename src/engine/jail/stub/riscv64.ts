/** The stub for riscv64. Encodings: RISC-V unprivileged specification, "RV32/64G Instruction Set Listings". */
import { record, type Stub } from "./record.ts";
import { words } from "./words.ts";

const zero = 0;
const ra = 1;
const sp = 2;
const s1 = 9;
const a0 = 10;
const a1 = 11;
const a7 = 17;
const s2 = 18;

const iType = (opcode: number, funct3: number, rd: number, rs1: number, immediate: number) =>
  ((immediate & 0xfff) << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode;
const ld = (rd: number, rs1: number, immediate: number) => iType(0x03, 3, rd, rs1, immediate);
const addi = (rd: number, rs1: number, immediate: number) => iType(0x13, 0, rd, rs1, immediate);
const slli = (rd: number, rs1: number, shift: number) => iType(0x13, 1, rd, rs1, shift);
const sd = (rs2: number, rs1: number, immediate: number) =>
  (((immediate >> 5) & 0x7f) << 25) | (rs2 << 20) | (rs1 << 15) | (3 << 12) | ((immediate & 0x1f) << 7) | 0x23;
const ecall = 0x73;
const jalr = (rd: number, rs1: number) => iType(0x67, 0, rd, rs1, 0);
const bType = (funct3: number, rs1: number, rs2: number, offset: number) =>
  (((offset >> 12) & 1) << 31) |
  (((offset >> 5) & 0x3f) << 25) |
  (rs2 << 20) |
  (rs1 << 15) |
  (funct3 << 12) |
  (((offset >> 1) & 0xf) << 8) |
  (((offset >> 11) & 1) << 7) |
  0x63;
const beqz = (rs1: number, offset: number) => bType(0, rs1, zero, offset);
const bltz = (rs1: number, offset: number) => bType(4, rs1, zero, offset);
const j = (offset: number) =>
  (((offset >> 20) & 1) << 31) |
  (((offset >> 1) & 0x3ff) << 21) |
  (((offset >> 11) & 1) << 20) |
  (((offset >> 12) & 0xff) << 12) |
  0x6f;

export const riscv64: Stub = {
  code: words((a) => {
    a.emit(addi(sp, sp, -16));
    a.emit(sd(s1, sp, 0));
    a.emit(sd(s2, sp, 8));
    a.emit(addi(s1, a0, 0));
    a.emit(addi(s2, a1, 0));
    a.mark("loop");
    a.emit(ld(a7, s1, record.nr));
    a.branch("done", (offset) => bltz(a7, offset));
    for (let index = 0; index < 6; index++) {
      a.emit(ld(a0 + index, s1, record.args + 8 * index));
      a.emit(ld(a0 + index, a0 + index, 0));
    }
    a.emit(ecall);
    a.emit(sd(a0, s1, record.result));
    a.emit(ld(a1, s1, record.dest));
    a.emit(sd(a0, a1, 0));
    a.branch("error", (offset) => bltz(a0, offset));
    a.branch("zero", (offset) => beqz(a0, offset));
    a.emit(ld(s1, s1, record.onPositive));
    a.branch("loop", j);
    a.mark("zero");
    a.emit(ld(s1, s1, record.onZero));
    a.branch("loop", j);
    a.mark("error");
    a.emit(sd(s1, s2, 0));
    a.emit(ld(s1, s1, record.onError));
    a.branch("loop", j);
    a.mark("done");
    a.emit(ld(s1, sp, 0));
    a.emit(ld(s2, sp, 8));
    a.emit(addi(sp, sp, 16));
    a.emit(jalr(zero, ra));
  }),
  enter: (firstRecord, header) =>
    words((a) => {
      for (const [register, value] of [
        [a0, firstRecord],
        [a1, header],
      ] as const) {
        // Eleven bits at a time: ADDI sign-extends its twelve.
        a.emit(addi(register, zero, Number((value >> 55n) & 0x1ffn)));
        for (const at of [44n, 33n, 22n, 11n, 0n]) {
          a.emit(slli(register, register, 11));
          a.emit(addi(register, register, Number((value >> at) & 0x7ffn)));
        }
      }
    }),
};
