import { type CompressedInstruction, compressed, type Instruction } from "./instruction.ts";
import * as base from "./rv64i.ts";

/**
 * C: compressed instructions (Unprivileged spec, chapter 27), each by the instruction it stands for. More specific encodings win
 * over less specific ones (`c.jr` over `c.mv`).
 */
export function compressedInstructions(
  float: { fld: Instruction; fsd: Instruction },
  ebreak: Instruction,
): CompressedInstruction[] {
  const { add, addi, addiw, addw, and, andi, beq, bne, jal, jalr, ld, lui, lw, or, sd, slli, srai, srli, sub, subw, sw, xor } =
    base;
  const { fld, fsd } = float;
  const sp = 2;
  const wordAt = { i: "u5:3|2|6" };
  const doubleAt = { i: "u5:3|7:6" };
  const wordFromSp = { i: "u5|4:2|7:6" };
  const doubleFromSp = { i: "u5|4:3|8:6" };
  const shamt = { i: "u5|4:0" };
  const six = { i: "5|4:0" };
  const branch = { i: "8|4:3|7:6|2:1|5" };
  return [
    compressed("c.addi4spn", "000iiiiiiiiddd00", addi, { s: sp }, { i: "u5:4|9:6|2|3", nonzero: ["i"] }),
    compressed("c.fld", "001iiisssiiDDD00", fld, {}, doubleAt),
    compressed("c.lw", "010iiisssiiddd00", lw, {}, wordAt),
    compressed("c.ld", "011iiisssiiddd00", ld, {}, doubleAt),
    compressed("c.fsd", "101iiisssiiTTT00", fsd, {}, doubleAt),
    compressed("c.sw", "110iiisssiittt00", sw, {}, wordAt),
    compressed("c.sd", "111iiisssiittt00", sd, {}, doubleAt),
    compressed("c.addi", "000idddddiiiii01", addi, { s: "d" }, six),
    compressed("c.addiw", "001idddddiiiii01", addiw, { s: "d" }, { ...six, nonzero: ["d"] }),
    compressed("c.li", "010idddddiiiii01", addi, { s: 0 }, six),
    compressed("c.addi16sp", "011i00010iiiii01", addi, { s: sp, d: sp }, { i: "9|4|6|8:7|5", nonzero: ["i"] }),
    compressed("c.lui", "011idddddiiiii01", lui, {}, { i: "17|16:12", nonzero: ["i"] }),
    compressed("c.srli", "100i00dddiiiii01", srli, { s: "d" }, shamt),
    compressed("c.srai", "100i01dddiiiii01", srai, { s: "d" }, shamt),
    compressed("c.andi", "100i10dddiiiii01", andi, { s: "d" }, six),
    compressed("c.sub", "100011ddd00ttt01", sub, { s: "d" }),
    compressed("c.xor", "100011ddd01ttt01", xor, { s: "d" }),
    compressed("c.or", "100011ddd10ttt01", or, { s: "d" }),
    compressed("c.and", "100011ddd11ttt01", and, { s: "d" }),
    compressed("c.subw", "100111ddd00ttt01", subw, { s: "d" }),
    compressed("c.addw", "100111ddd01ttt01", addw, { s: "d" }),
    compressed("c.j", "101iiiiiiiiiii01", jal, { d: 0 }, { i: "11|4|9:8|10|6|7|3:1|5" }),
    compressed("c.beqz", "110iiisssiiiii01", beq, { t: 0 }, branch),
    compressed("c.bnez", "111iiisssiiiii01", bne, { t: 0 }, branch),
    compressed("c.slli", "000idddddiiiii10", slli, { s: "d" }, shamt),
    compressed("c.fldsp", "001iDDDDDiiiii10", fld, { s: sp }, doubleFromSp),
    compressed("c.lwsp", "010idddddiiiii10", lw, { s: sp }, { ...wordFromSp, nonzero: ["d"] }),
    compressed("c.ldsp", "011idddddiiiii10", ld, { s: sp }, { ...doubleFromSp, nonzero: ["d"] }),
    compressed("c.jr", "1000sssss0000010", jalr, { d: 0, i: 0 }, { nonzero: ["s"] }),
    compressed("c.mv", "1000dddddttttt10", add, { s: 0 }),
    compressed("c.ebreak", "1001000000000010", ebreak),
    compressed("c.jalr", "1001sssss0000010", jalr, { d: 1, i: 0 }, { nonzero: ["s"] }),
    compressed("c.add", "1001dddddttttt10", add, { s: "d" }),
    compressed("c.fsdsp", "101iiiiiiTTTTT10", fsd, { s: sp }, { i: "u5:3|8:6" }),
    compressed("c.swsp", "110iiiiiittttt10", sw, { s: sp }, { i: "u5:2|7:6" }),
    compressed("c.sdsp", "111iiiiiittttt10", sd, { s: sp }, { i: "u5:3|8:6" }),
  ];
}
