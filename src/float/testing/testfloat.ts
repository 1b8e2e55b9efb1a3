// Checks the room against Berkeley TestFloat: `node dist/src/float/testing/testfloat.js GENERATOR [LEVEL] [FUNCTION...]`, where
// GENERATOR is the path of a `testfloat_gen` linked with SoftFloat's RISCV specialization (both are by John Hauser, releases
// 3e and later). It is in no distribution, so `npm test` does not use it; it is the independent judge that the tests' own
// reference is held against.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { probeFusedMultiplyAdd } from "../host.ts";
import { type Callable, type FloatInstance, instantiateFloat } from "./instance.ts";

const modes = ["near_even", "minMag", "min", "max", "near_maxMag"];
const names: Record<string, string> = {
  mulAdd: "fma",
  eq: "eq",
  lt: "lt",
  le: "le",
  lt_quiet: "ltq",
  le_quiet: "leq",
  to_i32: "toI32",
  to_ui32: "toU32",
  to_i64: "toI64",
  to_ui64: "toU64",
  to_f32: "toF32",
  to_f64: "toF64",
};
const integers: Record<string, string> = { i32: "I32", ui32: "U32", i64: "I64", ui64: "U64" };
const unrounded = new Set(["eq", "lt", "le", "lt_quiet", "le_quiet", "to_f64"]);

interface Job {
  readonly generated: string;
  readonly isExact: boolean;
  readonly name: string;
  readonly callable: Callable;
  readonly isRounded: boolean;
}

function jobsOf(float: FloatInstance): Job[] {
  return (["f64", "f32"] as const).flatMap((format): Job[] => {
    const job = (operation: string, name: string, isExact = false): Job => ({
      generated: `${format}_${operation}`,
      isExact,
      name: `${format}.${name}`,
      callable: float[format][name],
      isRounded: !unrounded.has(operation),
    });
    const other = format === "f64" ? "to_f32" : "to_f64";
    return [
      ...["add", "sub", "mul", "div", "sqrt"].map((name) => job(name, name)),
      ...["mulAdd", "eq", "lt", "le", "lt_quiet", "le_quiet", other].map((name) => job(name, names[name])),
      ...["to_i32", "to_ui32", "to_i64", "to_ui64"].map((name) => job(name, names[name], true)),
      job("roundToInt", "roundToInt"),
      job("roundToInt", "roundToIntExact", true),
      ...Object.entries(integers).map(([type, name]) => ({
        ...job("", `from${name}`),
        generated: `${type}_to_${format}`,
      })),
    ];
  });
}

function parse(text: string): bigint | number {
  const bits = BigInt(`0x${text}`);
  return text.length > 8 ? BigInt.asIntN(64, bits) : Number(BigInt.asIntN(32, bits));
}

async function check(float: FloatInstance, job: Job, mode: number, generator: string, level: string): Promise<[number, number]> {
  const options = [`-r${modes[mode]}`, "-level", level, "-tininessafter", job.isExact ? "-exact" : "-notexact"];
  // TestFloat calls the signaling comparisons lt and le, the quiet equality eq, as RISC-V does.
  const child = spawn(generator, [...options, job.generated], { stdio: ["ignore", "pipe", "inherit"] });
  let cases = 0;
  let wrong = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const words = line.trim().split(" ");
    const flags = Number.parseInt(words.pop() as string, 16);
    const expected = parse(words.pop() as string);
    const operands = words.map(parse);
    if (job.isRounded) operands.push(mode);
    for (const before of [0, 1]) {
      float.setFlags(before);
      const result = job.callable(...operands);
      const after = float.getFlags();
      if (result === expected && after === (flags | before)) continue;
      if (wrong++ < 5) {
        console.log(
          `${job.name} ${modes[mode]} ${line}: got ${result.toString(16)} ${after.toString(16)}, flags before ${before}`,
        );
      }
    }
    cases++;
  }
  return [cases, wrong];
}

const [generator, level = "1", ...only] = process.argv.slice(2);
const fusedMultiplyAdd = probeFusedMultiplyAdd();
console.log(`Node ${process.version}, ${fusedMultiplyAdd ? "with" : "without"} the host's fused multiply-add`);
const float = instantiateFloat({ fusedMultiplyAdd });
let total = 0;
let failures = 0;
for (const job of jobsOf(float)) {
  if (only.length > 0 && !only.includes(job.name)) continue;
  let cases = 0;
  let wrong = 0;
  for (const mode of job.isRounded ? modes.keys() : [0]) {
    const [n, w] = await check(float, job, mode, generator, level);
    cases += n;
    wrong += w;
  }
  console.log(`${job.name}: ${cases} cases, ${wrong} wrong`);
  total += cases;
  failures += wrong;
}
console.log(`${total} cases, ${failures} wrong`);
process.exitCode = failures === 0 ? 0 : 1;
