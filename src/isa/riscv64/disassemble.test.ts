import assert from "node:assert/strict";
import { test } from "node:test";
import { disassemble } from "./disassemble.ts";
import { instructions } from "./instructions.ts";

/** As Debian's objdump 2.44 has them; `npm run conform -- disassembler` compares many more. */
const listing: readonly (readonly [number, string])[] = [
  [0x43d3_9037, "lui zero,0x43d39"],
  [0x26a7_2def, "jal s11,7226a"],
  [0x0e8a_0667, "jalr a2,232(s4)"],
  [0xd42e_9d63, "bne t4,sp,fffffffffffff55a"],
  [0xffe2_3b03, "ld s6,-2(tp)"],
  [0xd117_8fa3, "sb a7,-737(a5)"],
  [0x03a0_1193, "slli gp,zero,0x3a"],
  [0x0330_000f, "fence rw,rw"],
  [0x8330_000f, "fence.tso"],
  [0x0100_000f, "pause"],
  [0x0000_100f, "fence.i"],
  [0x0066_ad2f, "amoadd.w s10,t1,(a3)"],
  [0x1e20_b1af, "sc.d.aqrl gp,sp,(ra)"],
  [0x100b_a82f, "lr.w a6,(s7)"],
  [0x006e_2c53, "fadd.s fs8,ft8,ft6,rdn"],
  [0x006e_7c53, "fadd.s fs8,ft8,ft6"],
  [0x9a18_43c3, "fmadd.d ft7,fa6,ft1,fs3,rmm"],
  [0xd200_0853, "fcvt.d.w fa6,zero"],
  [0xc287_17d3, "fcvtmod.w.d a5,fa4,rtz"],
  [0xf217_0fd3, "fli.d ft11,0x1.8p-1"],
  [0xf010_0ad3, "fli.s fs5,-0x1p+0"],
  [0x3004_1073, "csrrw zero,mstatus,s0"],
  [0x8266_3e73, "csrrc t3,0x826,a2"],
  [0x3007_d073, "csrrwi zero,mstatus,15"],
  [0x1209_8073, "sfence.vma s3,zero"],
  [0x0045_a00f, "cbo.zero (a1)"],
  [0x0015_6013, "prefetch.r 0(a0)"],
  [0x1141, "c.addi sp,-16"],
  [0xe406, "c.sdsp ra,8(sp)"],
  [0x8082, "c.jr ra"],
  [0x614d, "c.addi16sp sp,176"],
  [0x600d, "c.lui zero,0x3"],
  [0xc85d, "c.beqz s0,b6"],
  [0x0000, ".insn 2, 0x0000"],
  [0xffff_ffff, ".insn 4, 0xffffffff"],
];

test("disassembles as objdump does", () => {
  assert.deepEqual(
    listing.map(([word]) => disassemble(word, 0n)),
    listing.map(([, text]) => text),
  );
});

test("targets are addresses of 64 bits", () => {
  assert.equal(disassemble(0xfe00_0ee3, 0xffff_ffff_8000_0000n), "beq zero,zero,ffffffff7ffffffc");
  assert.equal(disassemble(0x0000_0463, 0xffff_ffff_ffff_fffcn), "beq zero,zero,4");
});

test("every instruction has a text", () => {
  for (const { name, pattern } of instructions) {
    const word = [...pattern].reduce((bits, c) => bits * 2 + (c === "0" || c === "." ? 0 : 1), 0);
    assert.doesNotMatch(disassemble(word, 0n), /undefined|NaN|broken/, name);
  }
});
