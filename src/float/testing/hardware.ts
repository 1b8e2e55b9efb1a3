// Checks the room, with NaNs as in SSE, against an x86-64 processor with FMA: `node dist/src/float/testing/hardware.js [CASES]`.
// Compiles hardware.c with gcc and asks it for results and flags. The processor has no RMM and no unsigned conversions, and its
// conversions to integers answer differently when the operand does not fit: of those only the flags are compared.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Flag, RoundingMode } from "../types.ts";
import { instantiateFloat } from "./instance.ts";
import { corners, Random, randomOperand } from "./operands.ts";
import { b32, b64 } from "./reference.ts";

const modes = [RoundingMode.RNE, RoundingMode.RTZ, RoundingMode.RDN, RoundingMode.RUP];

/** Operations in the order of hardware.c's numbers, from 0 for f64, from 20 for f32: operands, width of the result, takes `rm`. */
const operations = (format: "f64" | "f32") => {
  const width = format === "f64" ? 64 : 32;
  return [
    ...["add", "sub", "mul", "div"].map((name) => ({ name, count: 2, width, isRounded: true })),
    { name: "sqrt", count: 1, width, isRounded: true },
    { name: "fma", count: 3, width, isRounded: true },
    { name: format === "f64" ? "toF32" : "toF64", count: 1, width: 96 - width, isRounded: format === "f64" },
    { name: "toI32", count: 1, width: 32, isRounded: true },
    { name: "toI64", count: 1, width: 64, isRounded: true },
    { name: "fromI64", count: 1, width, isRounded: true },
    { name: "roundToIntExact", count: 1, width, isRounded: true },
    { name: "roundToInt", count: 1, width, isRounded: true },
    { name: "eq", count: 2, width: 32, isRounded: false },
    { name: "lt", count: 2, width: 32, isRounded: false },
  ];
};

function compile(): { program: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "viv-float-"));
  const program = join(folder, "hardware");
  // The source is not copied to dist/.
  const source = join(dirname(fileURLToPath(import.meta.url)).replace("/dist/src/", "/src/"), "hardware.c");
  const result = spawnSync("gcc", ["-O1", "-mavx", "-mfma", "-msse4.1", "-o", program, source], { stdio: "inherit" });
  if (result.status !== 0) throw new Error("gcc did not compile hardware.c");
  return { program, folder };
}

const cases = Number(process.argv[2] ?? 20_000);
const random = new Random(BigInt(process.env.VIV_FLOAT_SEED ?? 0x2545f4914f6cdd1dn));
const float = instantiateFloat({ nan: "sse" });
const { program, folder } = compile();
let total = 0;
let wrong = 0;
try {
  for (const format of ["f64", "f32"] as const) {
    const layout = format === "f64" ? b64 : b32;
    const known = corners(layout);
    const asOperand = (bits: bigint, width: number) => (width === 64 ? BigInt.asIntN(64, bits) : Number(BigInt.asIntN(32, bits)));
    for (const [index, { name, count, width, isRounded }] of operations(format).entries()) {
      const isFromInteger = name === "fromI64";
      const sets: bigint[][] = [];
      if (count === 2) for (const a of known) for (const b of known) sets.push([a, b]);
      else
        for (let i = 0; i < 4 * known.length ** (count === 3 ? 2 : 1); i++)
          sets.push(Array.from({ length: count }, () => random.pick(known)));
      for (let i = 0; i < cases; i++) sets.push(Array.from({ length: count }, () => randomOperand(random, layout, known)));
      const requests = Buffer.alloc(sets.length * modes.length * 32);
      let at = 0;
      for (const set of sets) {
        for (const rm of modes) {
          requests.writeUInt32LE(index + (format === "f64" ? 0 : 20), at);
          requests.writeUInt32LE(rm, at + 4);
          for (const [i, bits] of set.entries()) requests.writeBigUInt64LE(bits, at + 8 + 8 * i);
          at += 32;
        }
      }
      const { stdout, status } = spawnSync(program, { input: requests, maxBuffer: 2 ** 30 });
      if (status !== 0 || stdout.length !== requests.length / 2) throw new Error("hardware.c did not answer every request");
      at = 0;
      let failures = 0;
      for (const set of sets) {
        const operands = set.map((bits) => asOperand(bits, isFromInteger ? 64 : layout.width));
        for (const rm of modes) {
          const bits = asOperand(stdout.readBigUInt64LE(at), width);
          const flags = stdout.readUInt32LE(at + 8);
          at += 16;
          for (const before of [0, Flag.NX]) {
            float.setFlags(before);
            const result = float[format][name](...operands, ...(isRounded ? [rm] : []));
            const isUnbounded = name.startsWith("toI") && flags === Flag.NV;
            if ((result === bits || isUnbounded) && float.getFlags() === (flags | before)) continue;
            if (failures++ < 5) {
              const hex = (value: bigint | number) => BigInt.asUintN(64, BigInt(value)).toString(16);
              console.log(
                `${format}.${name}(${set.map(hex).join(", ")}) mode ${rm}, flags before ${before}: ` +
                  `got ${hex(result)} ${float.getFlags()}, the processor ${hex(bits)} ${flags}`,
              );
            }
          }
        }
      }
      console.log(`${format}.${name}: ${sets.length * modes.length} cases, ${failures} wrong`);
      total += sets.length * modes.length;
      wrong += failures;
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${total} cases, ${wrong} wrong`);
process.exitCode = wrong === 0 ? 0 : 1;
