import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { instructions as defined } from "../../src/isa/riscv64/instructions.ts";
import { encode, loadConstant } from "../differential/assembler.ts";
import { runUsual } from "../differential/batches.ts";
import { resultOf } from "../differential/blob.ts";
import { groups } from "../differential/generate/groups.ts";
import { changedResults, hashCases, readGoldens } from "../differential/golden.ts";
import { resultSize } from "../differential/layout.ts";
import { ourMachine } from "../differential/machine.ts";
import { Random } from "../differential/random.ts";
import { integer } from "../differential/values.ts";

for (const tier of [0, 1] as const) test(`tier ${tier} does what QEMU did, in every case`, () => againstGoldens(tier));

async function againstGoldens(tier: 0 | 1): Promise<void> {
  const goldens = readGoldens();
  const ours = ourMachine(tier);
  const stale: string[] = [];
  const wrong: string[] = [];
  let count = 0;
  for (const { group, cases, results } of await runUsual(ours)) {
    const golden = goldens.get(group.name);
    if (golden?.input !== hashCases(cases)) stale.push(group.name);
    else for (const index of changedResults(golden, cases.length, results)) wrong.push(cases[index].id);
    count += cases.length;
  }
  assert.deepEqual(stale, [], "these groups have other cases than QEMU ran: npm run conform -- differential --accept");
  assert.equal(goldens.size, groups.length, "golden.txt has groups that are gone: npm run conform -- differential --accept");
  const repeat = "npm run conform -- differential --case ID explains one";
  assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} of ${count} cases differ; ${repeat}`);
  const { instructions, translated } = ours.counts;
  assert.ok(
    tier === 0 ? translated === 0 : translated > instructions / 2,
    `${translated} of ${instructions} instructions translated`,
  );
}

test("every instruction of the tables has cases", () => {
  const names = new Set(groups.map(({ name }) => name));
  const apart = ["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"];
  const privileged = ["ecall", "ebreak", "mret", "sret", "wfi", "wrs.nto", "wrs.sto", "sfence.vma", "sinval.vma"];
  const known = [...apart, ...privileged, "sfence.w.inval", "sfence.inval.ir"];
  assert.deepEqual(
    defined.map(({ name }) => name).filter((name) => !names.has(`inst/${name}`) && !known.includes(name)),
    [],
  );
});

test("a single wrong bit in a result is seen", () => {
  const group = groups[0];
  const golden = readGoldens().get(group.name)!;
  const results = new Uint8Array(group.weight * resultSize);
  assert.equal(changedResults(golden, group.weight, results).length, group.weight);
  assert.equal(resultOf(results, 1).length, resultSize);
});

test("constants are loaded as they are", () => {
  const random = new Random("constants");
  for (let i = 0; i < 2000; i++) {
    const wanted = integer(random);
    let value = 0n;
    for (const word of loadConstant(5, wanted)) {
      const immediate = BigInt((word | 0) >> 20);
      const opcode = word & 0x7f;
      if (opcode === 0x37) value = BigInt((word & 0xffff_f000) | 0);
      else if (opcode === 0x1b) value = BigInt.asIntN(32, value + immediate);
      else if (((word >>> 12) & 7) === 1) value = BigInt.asIntN(64, value << (immediate & 63n));
      else value = BigInt.asIntN(64, (((word >>> 15) & 31) === 0 ? 0n : value) + immediate);
    }
    assert.equal(BigInt.asUintN(64, value), wanted);
  }
});

test("encodings are those of binutils", (t) => {
  const [as, objcopy] = ["riscv64-linux-gnu-as", "riscv64-linux-gnu-objcopy"];
  if (spawnSync(as, ["--version"]).error) return t.skip("needs Debian's binutils-riscv64-linux-gnu");
  const sample: [number, string][] = [
    [encode.lui(10, 0x12345), "lui a0,0x12345"],
    [encode.auipc(10, 0xfffff), "auipc a0,0xfffff"],
    [encode.addi(5, 6, -7), "addi t0,t1,-7"],
    [encode.slli(5, 6, 63), "slli t0,t1,63"],
    [encode.srai(5, 6, 33), "srai t0,t1,33"],
    [encode.addiw(1, 2, 3), "addiw ra,sp,3"],
    [encode.ld(8, 9, -2048), "ld s0,-2048(s1)"],
    [encode.sd(8, 9, 2047), "sd s0,2047(s1)"],
    [encode.fld(31, 1, 8), "fld ft11,8(ra)"],
    [encode.fsd(0, 31, -8), "fsd ft0,-8(t6)"],
    [encode.beq(1, 2, 16), "beq ra,sp,.+16"],
    [encode.bgeu(3, 4, -4), "bgeu gp,tp,.-4"],
    [encode.jal(1, 2048), "jal ra,.+2048"],
    [encode.jalr(0, 5, 4), "jalr zero,4(t0)"],
    [encode.csrrw(1, 0x305, 2), "csrrw ra,mtvec,sp"],
    [encode.csrrci(3, 0x344, 21), "csrrci gp,mip,21"],
    [encode.mret(), "mret"],
    [encode.sret(), "sret"],
    [encode.sfenceVma(5, 6), "sfence.vma t0,t1"],
    [encode.sinvalVma(5, 6), "sinval.vma t0,t1"],
    [encode.sfenceWInval(), "sfence.w.inval"],
    [encode.sfenceInvalIr(), "sfence.inval.ir"],
    [encode.lrD(5, 6), "lr.d t0,(t1)"],
    [encode.scW(5, 6, 7), "sc.w t0,t2,(t1)"],
    [encode.amoaddD(5, 6, 7), "amoadd.d t0,t2,(t1)"],
    [encode.amoswapW(5, 6, 7), "amoswap.w t0,t2,(t1)"],
    [encode.cboZero(5), "cbo.zero 0(t0)"],
    [encode.cboInval(5), "cbo.inval 0(t0)"],
    [encode.cboClean(5), "cbo.clean 0(t0)"],
    [encode.cboFlush(5), "cbo.flush 0(t0)"],
    [encode.wfi(), "wfi"],
    [encode.fenceI(), "fence.i"],
  ];
  const folder = mkdtempSync(join(tmpdir(), "viv-encodings-"));
  try {
    const [source, object, binary] = ["s", "o", "bin"].map((name) => join(folder, name));
    writeFileSync(source, `.option norvc\n.option norelax\n${sample.map(([, text]) => text).join("\n")}\n`);
    execFileSync(as, ["-march=rv64gc_zicbom_zicboz_svinval", "-o", object, source]);
    execFileSync(objcopy, ["-O", "binary", "-j", ".text", object, binary]);
    const code = readFileSync(binary);
    const words = sample.map(([, text], i) => `${text}: ${code.readUInt32LE(i * 4).toString(16)}`);
    assert.deepEqual(
      sample.map(([word, text]) => `${text}: ${word.toString(16)}`),
      words,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
