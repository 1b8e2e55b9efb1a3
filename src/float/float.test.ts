import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { probeFusedMultiplyAdd } from "./host.ts";
import { type Callable, type FloatInstance, instantiateFloat } from "./testing/instance.ts";
import { corners, Random, randomOperand } from "./testing/operands.ts";
import * as reference from "./testing/reference.ts";
import { b32, b64, type Outcome, type ReferenceFormat, type Rules } from "./testing/reference.ts";
import { Flag, RoundingMode } from "./types.ts";

/** Random cases for each operation and format; millions on request. */
const randomCases = Number(process.env.VIV_FLOAT_CASES ?? 2000);
const seed = BigInt(process.env.VIV_FLOAT_SEED ?? 0x2545f4914f6cdd1dn);

const modes = Object.values(RoundingMode);
const riscv: Rules = { nan: "canonical", tininess: "afterRounding" };
const formats = { f64: b64, f32: b32 };
type FormatName = keyof typeof formats;

const asOperand = (bits: bigint, width: number) => (width === 64 ? BigInt.asIntN(64, bits) : Number(BigInt.asIntN(32, bits)));

/** Flags set before a call. With NX set the functions take the host's result where they can; without, they must know that it is exact. */
const flagsBefore = [0, Flag.NX];

/** Holds one call against what it should do. */
function check(
  float: FloatInstance,
  name: string,
  callable: Callable,
  operands: (bigint | number)[],
  width: number,
  expected: Outcome,
  befores = flagsBefore,
) {
  const bits = asOperand(expected.bits, width);
  for (const before of befores) {
    float.setFlags(before);
    const result = callable(...operands);
    const flags = float.getFlags();
    if (result === bits && flags === (expected.flags | before)) continue;
    const hex = (value: bigint | number) => BigInt.asUintN(64, BigInt(value)).toString(16);
    assert.fail(
      `${name}(${operands.map(hex).join(", ")}) with flags ${before}: got ${hex(result)}, flags ${flags}; ` +
        `expected ${hex(bits)}, flags ${expected.flags}`,
    );
  }
}

/** Every corner, or pair of corners, then random operands; corners of three operands are drawn at random. */
function* operandSets(count: number, format: ReferenceFormat, random: Random, cases = randomCases): Generator<bigint[]> {
  const known = corners(format);
  if (count === 1) for (const a of known) yield [a];
  if (count === 2) for (const a of known) for (const b of known) yield [a, b];
  if (count === 3) for (let i = 0; i < 3 * cases; i++) yield [random.pick(known), random.pick(known), random.pick(known)];
  for (let i = 0; i < cases; i++) yield Array.from({ length: count }, () => randomOperand(random, format, known));
}

/** Addends that nearly or fully cancel the product, or lie half a unit from it. */
function* cancelingSets(format: ReferenceFormat, random: Random, cases = randomCases): Generator<bigint[]> {
  const known = corners(format);
  for (let i = 0; i < cases; i++) {
    const [a, b] = [randomOperand(random, format, known), randomOperand(random, format, known)];
    const product = reference.arithmetic.mul([a, b], RoundingMode.RNE, format, riscv).bits;
    const shift = BigInt(random.below(2 * format.precision)) << BigInt(format.precision - 1);
    const near = product ^ (1n << BigInt(format.width - 1)) ^ random.bits(1);
    yield [a, b, BigInt.asUintN(format.width, random.below(2) === 0 ? near : near - shift)];
  }
}

const operations = ["add", "sub", "mul", "div", "sqrt", "fma"] as const;

interface Variant {
  readonly float: FloatInstance;
  readonly rules?: Rules;
  readonly cases?: number;
  /** The inline forms: RNE with NX set only. */
  readonly isInline?: boolean;
}

function checkArithmetic(format: FormatName, name: (typeof operations)[number], variant: Variant) {
  const { float, rules = riscv, cases, isInline = false } = variant;
  const layout = formats[format];
  const random = new Random(seed);
  const count = name === "sqrt" ? 1 : name === "fma" ? 3 : 2;
  let index = 0;
  const modesOf = (everyMode: boolean) => {
    if (isInline) return [RoundingMode.RNE];
    return everyMode ? modes : [RoundingMode.RNE, modes[1 + (index % 4)]];
  };
  const runSets = (sets: Iterable<bigint[]>, everyMode: boolean) => {
    for (const operands of sets) {
      index++;
      for (const rm of modesOf(everyMode)) {
        const expected = reference.arithmetic[name](operands, rm, layout, rules);
        const args = [...operands.map((bits) => asOperand(bits, layout.width)), rm];
        check(float, `${format}.${name}`, float[format][name], args, layout.width, expected, isInline ? [Flag.NX] : flagsBefore);
      }
    }
  };
  runSets(operandSets(count, layout, random, cases), count === 1);
  if (count === 3) runSets(cancelingSets(layout, random, cases), true);
}

function checkComparisons(format: FormatName, { float, isInline = false }: Variant) {
  const layout = formats[format];
  const befores = isInline ? [Flag.NX] : flagsBefore;
  const random = new Random(seed);
  for (const [a, b] of operandSets(2, layout, random)) {
    const args = [asOperand(a, layout.width), asOperand(b, layout.width)];
    for (const name of ["eq", "lt", "le", "ltq", "leq"] as const) {
      check(float, `${format}.${name}`, float[format][name], args, 32, reference.compare(name, a, b, layout), befores);
    }
    for (const name of ["minimumNumber", "maximumNumber", "minimum", "maximum"] as const) {
      const expected = reference.extremum(name, a, b, layout, riscv);
      check(float, `${format}.${name}`, float[format][name], args, layout.width, expected, befores);
    }
  }
}

function checkConversions(format: FormatName, { float, isInline = false }: Variant) {
  const layout = formats[format];
  const befores = isInline ? [Flag.NX] : flagsBefore;
  const random = new Random(seed);
  const bounds = {
    toI32: [-(2n ** 31n), 2n ** 31n - 1n],
    toU32: [0n, 2n ** 32n - 1n],
    toI64: [-(2n ** 63n), 2n ** 63n - 1n],
    toU64: [0n, 2n ** 64n - 1n],
  } as const;
  for (const [a] of operandSets(1, layout, random)) {
    const operand = asOperand(a, layout.width);
    const run = (name: string, args: (bigint | number)[], width: number, expected: Outcome) =>
      check(float, `${format}.${name}`, float[format][name], args, width, expected, befores);
    run("classify", [operand], 32, reference.classify(a, layout));
    for (const rm of modes) {
      const args = [operand, rm];
      run("roundToInt", args, layout.width, reference.roundToInt(a, rm, layout, riscv, false));
      run("roundToIntExact", args, layout.width, reference.roundToInt(a, rm, layout, riscv, true));
      for (const [name, [min, max]] of Object.entries(bounds)) {
        run(name, args, name.endsWith("64") ? 64 : 32, reference.toInteger(a, rm, layout, min, max));
      }
      if (format === "f64" && !(isInline && rm !== RoundingMode.RNE))
        run("toF32", args, 32, reference.convertFormat(a, b64, b32, rm, riscv));
    }
    if (format === "f32") run("toF64", [operand], 64, reference.convertFormat(a, b32, b64, RoundingMode.RNE, riscv));
    else run("toI32Modular", [operand], 32, reference.toI32Modular(a));
  }
}

function checkFromIntegers(format: FormatName, { float, isInline = false }: Variant) {
  const layout = formats[format];
  const befores = isInline ? [Flag.NX] : flagsBefore;
  const random = new Random(seed);
  const edges = [0n, 1n, 2n ** 24n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n].flatMap((edge) =>
    [-1n, 0n, 1n].map((n) => edge + n),
  );
  const values = [...edges, ...edges.map((edge) => -edge)];
  for (let i = 0; i < randomCases; i++) values.push((random.bits(64) >> BigInt(random.below(64))) << BigInt(random.below(12)));
  for (const value of values) {
    const integers = {
      fromI32: BigInt.asIntN(32, value),
      fromU32: BigInt.asUintN(32, value),
      fromI64: BigInt.asIntN(64, value),
      fromU64: BigInt.asUintN(64, value),
    };
    for (const [name, integer] of Object.entries(integers)) {
      for (const rm of isInline ? [RoundingMode.RNE] : modes) {
        const args = [asOperand(integer, name.endsWith("64") ? 64 : 32), rm];
        const expected = reference.fromInteger(integer, rm, layout, riscv);
        check(float, `${format}.${name}`, float[format][name], args, layout.width, expected, befores);
      }
    }
  }
}

for (const format of ["f64", "f32"] as const) {
  const layout = formats[format];
  const float = instantiateFloat();

  for (const name of operations) {
    test(`${format}.${name} is exact in every rounding mode`, () => checkArithmetic(format, name, { float }));
  }

  test(`${format} comparisons, minimum and maximum`, () => checkComparisons(format, { float }));
  test(`${format} rounding to integers, conversions and classification`, () => checkConversions(format, { float }));
  test(`${format} conversions from integers`, () => checkFromIntegers(format, { float }));

  test(`${format} inline forms`, () => {
    const variant = { float: instantiateFloat({ inline: true }), isInline: true };
    for (const name of operations) checkArithmetic(format, name, variant);
    checkComparisons(format, variant);
    checkConversions(format, variant);
    checkFromIntegers(format, variant);
  });

  test(`${format} with NaNs as in SSE, and with tininess before rounding`, () => {
    const rules: Rules = { nan: "sse", tininess: "beforeRounding" };
    const other = instantiateFloat(rules);
    const cases = Math.ceil(randomCases / 4);
    for (const name of operations) checkArithmetic(format, name, { float: other, rules, cases });
    for (const a of corners(layout)) {
      const operand = asOperand(a, layout.width);
      const target = format === "f64" ? b32 : b64;
      const convert = format === "f64" ? other.f64.toF32 : other.f32.toF64;
      for (const rm of modes) {
        const expected = reference.convertFormat(a, layout, target, rm, rules);
        check(other, `${format} to the other`, convert, format === "f64" ? [operand, rm] : [operand], target.width, expected);
        const whole = reference.roundToInt(a, rm, layout, rules, true);
        check(other, `${format}.roundToIntExact`, other[format].roundToIntExact, [operand, rm], layout.width, whole);
      }
    }
  });
}

test("f64.fma with the host's fused operation", (context) => {
  // Node 20 has relaxed SIMD behind a flag.
  if (!probeFusedMultiplyAdd()) setFlagsFromString("--experimental-wasm-relaxed-simd");
  if (!probeFusedMultiplyAdd()) return context.skip("this host does not fuse");
  checkArithmetic("f64", "fma", { float: instantiateFloat({ fusedMultiplyAdd: true }) });
  checkArithmetic("f64", "fma", { float: instantiateFloat({ fusedMultiplyAdd: true, inline: true }), isInline: true });
});

test("the reference itself agrees with values known from elsewhere", () => {
  const view = new DataView(new ArrayBuffer(8));
  const bits = (value: number) => {
    view.setFloat64(0, value);
    return view.getBigUint64(0);
  };
  const run = (name: keyof typeof reference.arithmetic, ...operands: number[]) =>
    reference.arithmetic[name](operands.map(bits), RoundingMode.RNE, b64, riscv);
  assert.deepEqual(run("add", 0.1, 0.2), { bits: bits(0.30000000000000004), flags: Flag.NX });
  assert.deepEqual(run("div", 1, 3), { bits: bits(1 / 3), flags: Flag.NX });
  assert.deepEqual(run("div", 1, 0), { bits: bits(Number.POSITIVE_INFINITY), flags: Flag.DZ });
  assert.deepEqual(run("sqrt", 2), { bits: bits(Math.SQRT2), flags: Flag.NX });
  assert.deepEqual(run("mul", Number.MAX_VALUE, 2), { bits: bits(Number.POSITIVE_INFINITY), flags: Flag.OF | Flag.NX });
  assert.deepEqual(run("mul", Number.MIN_VALUE, 0.5), { bits: 0n, flags: Flag.UF | Flag.NX });
  assert.deepEqual(run("fma", 1 + 2 ** -27, 1 + 2 ** -27, -(1 + 2 ** -26)), { bits: bits(2 ** -54), flags: 0 });
});

test("flags accrue in memory and leave the rest of their word alone", () => {
  const float = instantiateFloat({ inMemory: true });
  const one = 0x3ff0000000000000n;
  const three = 0x4008000000000000n;
  float.setFlags(0x7fff_ff00);
  assert.equal(float.f64.div(one, three, RoundingMode.RUP), 0x3fd5555555555556n);
  assert.equal(float.getFlags(), 0x7fff_ff00 | Flag.NX);
  float.f64.div(one, 0n, RoundingMode.RNE);
  assert.equal(float.getFlags(), 0x7fff_ff00 | Flag.NX | Flag.DZ);
});
