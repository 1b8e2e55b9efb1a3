/**
 * Translates without end: a program whose code changes all the time, on tier 1. Prints what it took, as JSON.
 *
 * Arguments: how many regions to translate.
 */
import { Riscv64Hart } from "../../src/engine/emulator/riscv64-hart.ts";
import { reservedBytes } from "../../src/isa/riscv64/layout.ts";
import { createMemory } from "../../src/machine/memory-layout.ts";
import { encode, reg } from "../differential/assembler.ts";

const base = 0x8000_0000;
/** Loops, one after another, each in 8 instructions. */
const loops = 3000;
const rounds = 4;

const wanted = Number(process.argv[2]);
const memory = createMemory({ reserved: reservedBytes, ram: { base, size: 16 * 2 ** 20 }, rom: { base: 0x1000, size: 4096 } });
const ports = { mmioRead: () => 0, mmioRead64: () => 0n, mmioWrite: () => true, mmioWrite64: () => true, time: () => 0 };
const hart = new Riscv64Hart(ports, memory, { id: 0, sbi: false, tier: 1 });
const code = new DataView(memory.memory.buffer, memory.ram.offset, loops * 32 + 4);
hart.reset({ pc: BigInt(base), mode: 3 });

const rss = () => process.memoryUsage().rss;
let settled = 0;
let most = 0;
let sum = 0n;
for (let pass = 0; hart.translation!.regions < wanted; pass++) {
  // Every loop is another one than in the pass before.
  for (let i = 0; i < loops; i++) {
    const body = [
      encode.addi(reg.a1, 0, rounds),
      encode.addi(reg.a0, reg.a0, (pass * 7 + i) & 0x7ff),
      encode.xori(reg.a2, reg.a0, i & 0x7ff),
      encode.add(reg.a3, reg.a3, reg.a2),
      encode.addi(reg.a1, reg.a1, -1),
      encode.bne(reg.a1, 0, -16),
      encode.addi(0, 0, 0),
      encode.addi(0, 0, 0),
    ];
    for (const [j, word] of body.entries()) code.setUint32(i * 32 + j * 4, word, true);
  }
  code.setUint32(loops * 32, encode.jal(0, 0), true);
  hart.invalidateCode(0, code.byteLength);
  hart.pc = BigInt(base);
  // In small runs: after each, what is hot is translated.
  for (let i = 0; i < loops * (3 + rounds * 5); i += 2000) hart.run(2000);
  sum = hart.getX(reg.a3);
  most = Math.max(most, rss());
  if (hart.translation!.flushes <= 2) settled = most;
  // The host's turn, as between the runs of a machine: engines free code then.
  await new Promise((resolve) => setImmediate(resolve));
}
const { regions, flushes, bytes } = hart.translation!;
process.stdout.write(
  `${JSON.stringify({ node: process.versions.node, regions, flushes, bytes, settled, most, sum: `${sum}` })}\n`,
);
