import { Flag, RoundingMode } from "../types.ts";

/**
 * IEEE 754-2019 arithmetic by definition: operands become exact rationals of BigInts, and the exact result - a rational or
 * the root of one - is rounded by comparing it with the format's neighbours. Shares nothing with the room but the names of flags
 * and rounding modes. Slow, and meant to be read.
 */
export interface Outcome {
  readonly bits: bigint;
  readonly flags: number;
}

export interface Rules {
  readonly nan: "canonical" | "sse";
  readonly tininess: "afterRounding" | "beforeRounding";
}

/** A binary interchange format by its parameters (IEEE 754-2019, table 3.5). */
export interface ReferenceFormat {
  readonly width: number;
  readonly precision: number;
  readonly emax: number;
}
export const b64: ReferenceFormat = { width: 64, precision: 53, emax: 1023 };
export const b32: ReferenceFormat = { width: 32, precision: 24, emax: 127 };

type Datum =
  | { readonly kind: "nan"; readonly negative: boolean; readonly signaling: boolean; readonly payload: bigint }
  | { readonly kind: "infinity"; readonly negative: boolean }
  | { readonly kind: "number"; readonly negative: boolean; readonly numerator: bigint; readonly denominator: bigint };

const power = (n: number) => 1n << BigInt(n);
const fractionBits = (format: ReferenceFormat) => format.precision - 1;
const signBit = (format: ReferenceFormat) => power(format.width - 1);
const infinityBits = (format: ReferenceFormat) => power(format.width - 1) - power(fractionBits(format));
const quietBit = (format: ReferenceFormat) => power(format.precision - 2);

export function decode(bits: bigint, format: ReferenceFormat): Datum {
  const negative = (bits & signBit(format)) !== 0n;
  const magnitude = bits & (signBit(format) - 1n);
  const fraction = magnitude & (power(fractionBits(format)) - 1n);
  const field = Number(magnitude >> BigInt(fractionBits(format)));
  if (field === 2 * format.emax + 1) {
    if (fraction === 0n) return { kind: "infinity", negative };
    const signaling = (fraction & quietBit(format)) === 0n;
    return { kind: "nan", negative, signaling, payload: fraction & (quietBit(format) - 1n) };
  }
  const significand = field === 0 ? fraction : fraction | power(fractionBits(format));
  const exponent = Math.max(field, 1) - format.emax - fractionBits(format);
  return {
    kind: "number",
    negative,
    numerator: exponent >= 0 ? significand << BigInt(exponent) : significand,
    denominator: exponent >= 0 ? 1n : power(-exponent),
  };
}

/** A real number that is not negative: `floorOf(k)` is the floor of 2^k times it, and whether that is exact. */
interface Magnitude {
  floorOf(k: number): { readonly floor: bigint; readonly exact: boolean };
}

function rational(numerator: bigint, denominator: bigint): Magnitude {
  return {
    floorOf(k) {
      const top = k >= 0 ? numerator << BigInt(k) : numerator;
      const bottom = k >= 0 ? denominator : denominator << BigInt(-k);
      return { floor: top / bottom, exact: top % bottom === 0n };
    },
  };
}

function integerRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = power(Math.ceil(n.toString(2).length / 2));
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

function rootOf(numerator: bigint, denominator: bigint): Magnitude {
  return {
    floorOf(k) {
      const { floor, exact } = rational(numerator, denominator).floorOf(2 * k);
      const root = integerRoot(floor);
      return { floor: root, exact: exact && root * root === floor };
    },
  };
}

/** Rounds 2^k times the magnitude to an integer. */
function roundScaled(x: Magnitude, k: number, negative: boolean, rm: number): { integer: bigint; exact: boolean } {
  const { floor, exact } = x.floorOf(k);
  if (exact) return { integer: floor, exact };
  const doubled = x.floorOf(k + 1);
  const isAtLeastHalf = (doubled.floor & 1n) === 1n;
  const isTie = isAtLeastHalf && doubled.exact;
  const isUp = {
    [RoundingMode.RNE]: isTie ? (floor & 1n) === 1n : isAtLeastHalf,
    [RoundingMode.RTZ]: false,
    [RoundingMode.RDN]: negative,
    [RoundingMode.RUP]: !negative,
    [RoundingMode.RMM]: isAtLeastHalf,
  }[rm];
  return { integer: isUp ? floor + 1n : floor, exact };
}

/** The exponent e with 2^e <= x < 2^(e+1), for x > 0. */
function exponentOf(x: Magnitude): number {
  let k = 64;
  while (x.floorOf(k).floor === 0n) k += 512;
  return x.floorOf(k).floor.toString(2).length - 1 - k;
}

/** Rounds a number that is not zero to a format (IEEE 754-2019, 4.3 and 7.4 to 7.6). */
function round(x: Magnitude, negative: boolean, rm: number, format: ReferenceFormat, rules: Rules): Outcome {
  const emin = 1 - format.emax;
  const exponent = exponentOf(x);
  const quantum = Math.max(exponent, emin) - fractionBits(format);
  const { integer, exact } = roundScaled(x, -quantum, negative, rm);
  const sign = negative ? signBit(format) : 0n;
  if (integer << BigInt(Math.max(quantum, 0)) >= power(format.emax + 1)) {
    const isInfinite =
      rm === RoundingMode.RNE || rm === RoundingMode.RMM || rm === (negative ? RoundingMode.RDN : RoundingMode.RUP);
    return { bits: sign | (infinityBits(format) - (isInfinite ? 0n : 1n)), flags: Flag.OF | Flag.NX };
  }
  let tiny = exponent < emin;
  if (tiny && rules.tininess === "afterRounding") {
    // As if the exponent had no lower bound.
    const free = roundScaled(x, fractionBits(format) - exponent, negative, rm).integer;
    tiny = exponent < emin - 1 || free < power(format.precision);
  }
  const field = BigInt(quantum + fractionBits(format) - emin);
  const bits = sign | (integer + (field << BigInt(fractionBits(format))));
  return { bits, flags: exact ? 0 : Flag.NX | (tiny ? Flag.UF : 0) };
}

function signedZero(negative: boolean, format: ReferenceFormat): Outcome {
  return { bits: negative ? signBit(format) : 0n, flags: 0 };
}

function infinite(negative: boolean, format: ReferenceFormat, flags = 0): Outcome {
  return { bits: infinityBits(format) | (negative ? signBit(format) : 0n), flags };
}

function invalid(format: ReferenceFormat, rules: Rules): Outcome {
  const nan = infinityBits(format) | quietBit(format);
  return { bits: rules.nan === "canonical" ? nan : nan | signBit(format), flags: Flag.NV };
}

/** The result of an operation with a NaN operand, `format` being the result's; undefined if none is a NaN. */
function nanOf(operands: readonly Datum[], from: ReferenceFormat, format: ReferenceFormat, rules: Rules): Outcome | undefined {
  const nans = operands.filter((operand) => operand.kind === "nan");
  if (nans.length === 0) return undefined;
  const flags = nans.some(({ signaling }) => signaling) ? Flag.NV : 0;
  const quiet = infinityBits(format) | quietBit(format);
  if (rules.nan === "canonical") return { bits: quiet, flags };
  const shift = BigInt(format.precision - from.precision);
  const payload = shift >= 0n ? nans[0].payload << shift : nans[0].payload >> -shift;
  return { bits: (nans[0].negative ? signBit(format) : 0n) | quiet | payload, flags };
}

type Operation = (operands: readonly bigint[], rm: number, format: ReferenceFormat, rules: Rules) => Outcome;

function sum(x: Datum, y: Datum, rm: number, format: ReferenceFormat, rules: Rules): Outcome {
  if (x.kind === "infinity" && y.kind === "infinity" && x.negative !== y.negative) return invalid(format, rules);
  if (x.kind === "infinity") return infinite(x.negative, format);
  if (y.kind === "infinity") return infinite(y.negative, format);
  if (x.kind === "nan" || y.kind === "nan") throw new Error("a NaN is no term");
  const signed = (z: typeof x) => (z.negative ? -z.numerator : z.numerator);
  const numerator = signed(x) * y.denominator + signed(y) * x.denominator;
  if (numerator === 0n) {
    return signedZero(x.negative === y.negative && x.numerator === 0n ? x.negative : rm === RoundingMode.RDN, format);
  }
  const negative = numerator < 0n;
  return round(rational(negative ? -numerator : numerator, x.denominator * y.denominator), negative, rm, format, rules);
}

function product(x: Datum, y: Datum): Datum | "invalid" {
  if (x.kind === "nan" || y.kind === "nan") throw new Error("a NaN is no factor");
  const negative = x.negative !== y.negative;
  if (x.kind === "number" && y.kind === "number") {
    return { kind: "number", negative, numerator: x.numerator * y.numerator, denominator: x.denominator * y.denominator };
  }
  const isZero = [x, y].some((z) => z.kind === "number" && z.numerator === 0n);
  return isZero ? "invalid" : { kind: "infinity", negative };
}

export const arithmetic: Record<"add" | "sub" | "mul" | "div" | "sqrt" | "fma", Operation> = {
  add: ([a, b], rm, format, rules) => {
    const [x, y] = [decode(a, format), decode(b, format)];
    return nanOf([x, y], format, format, rules) ?? sum(x, y, rm, format, rules);
  },
  sub: ([a, b], rm, format, rules) => {
    const [x, y] = [decode(a, format), decode(b, format)];
    return nanOf([x, y], format, format, rules) ?? sum(x, { ...y, negative: !y.negative }, rm, format, rules);
  },
  mul: ([a, b], rm, format, rules) => {
    const [x, y] = [decode(a, format), decode(b, format)];
    const nan = nanOf([x, y], format, format, rules);
    if (nan !== undefined) return nan;
    const z = product(x, y);
    if (z === "invalid") return invalid(format, rules);
    if (z.kind !== "number") return infinite(z.negative, format);
    if (z.numerator === 0n) return signedZero(z.negative, format);
    return round(rational(z.numerator, z.denominator), z.negative, rm, format, rules);
  },
  div: ([a, b], rm, format, rules) => {
    const [x, y] = [decode(a, format), decode(b, format)];
    const nan = nanOf([x, y], format, format, rules);
    if (nan !== undefined) return nan;
    const negative = x.negative !== y.negative;
    if (x.kind === "infinity") return y.kind === "infinity" ? invalid(format, rules) : infinite(negative, format);
    if (y.kind === "infinity") return signedZero(negative, format);
    if (x.kind !== "number" || y.kind !== "number") throw new Error("unreachable");
    if (y.numerator === 0n) return x.numerator === 0n ? invalid(format, rules) : infinite(negative, format, Flag.DZ);
    if (x.numerator === 0n) return signedZero(negative, format);
    return round(rational(x.numerator * y.denominator, x.denominator * y.numerator), negative, rm, format, rules);
  },
  sqrt: ([a], rm, format, rules) => {
    const x = decode(a, format);
    const nan = nanOf([x], format, format, rules);
    if (nan !== undefined) return nan;
    if (x.kind === "number" && x.numerator === 0n) return signedZero(x.negative, format);
    if (x.negative) return invalid(format, rules);
    if (x.kind !== "number") return infinite(false, format);
    return round(rootOf(x.numerator, x.denominator), false, rm, format, rules);
  },
  fma: ([a, b, c], rm, format, rules) => {
    const [x, y, z] = [a, b, c].map((bits) => decode(bits, format));
    const nan = nanOf([x, y, z], format, format, rules);
    const factors = x.kind === "nan" || y.kind === "nan" ? undefined : product(x, y);
    if (nan !== undefined) {
      // Infinity times zero plus a quiet NaN sets NV in RISC-V (unprivileged spec, "F" 11.6) and not in x86 (7.2c leaves it open).
      return { bits: nan.bits, flags: nan.flags | (factors === "invalid" && rules.nan === "canonical" ? Flag.NV : 0) };
    }
    if (factors === undefined || factors === "invalid") return invalid(format, rules);
    return sum(factors, z, rm, format, rules);
  },
};

/** Conversion between formats. */
export function convertFormat(bits: bigint, from: ReferenceFormat, to: ReferenceFormat, rm: number, rules: Rules): Outcome {
  const x = decode(bits, from);
  const nan = nanOf([x], from, to, rules);
  if (nan !== undefined) return nan;
  if (x.kind !== "number") return infinite(x.negative, to);
  if (x.numerator === 0n) return signedZero(x.negative, to);
  return round(rational(x.numerator, x.denominator), x.negative, rm, to, rules);
}

export function fromInteger(value: bigint, rm: number, format: ReferenceFormat, rules: Rules): Outcome {
  if (value === 0n) return signedZero(false, format);
  return round(rational(value < 0n ? -value : value, 1n), value < 0n, rm, format, rules);
}

/** Conversion to an integer between `min` and `max`, saturating; the result is the integer itself. */
export function toInteger(bits: bigint, rm: number, format: ReferenceFormat, min: bigint, max: bigint): Outcome {
  const x = decode(bits, format);
  if (x.kind === "nan") return { bits: max, flags: Flag.NV };
  if (x.kind === "infinity") return { bits: x.negative ? min : max, flags: Flag.NV };
  const { integer, exact } = roundScaled(rational(x.numerator, x.denominator), 0, x.negative, rm);
  const value = x.negative ? -integer : integer;
  if (value < min || value > max) return { bits: value < min ? min : max, flags: Flag.NV };
  return { bits: value, flags: exact ? 0 : Flag.NX };
}

/** RISC-V `fcvtmod.w.d`. */
export function toI32Modular(bits: bigint): Outcome {
  const { flags } = toInteger(bits, RoundingMode.RTZ, b64, -(2n ** 31n), 2n ** 31n - 1n);
  const x = decode(bits, b64);
  if (x.kind !== "number") return { bits: 0n, flags };
  const integer = x.numerator / x.denominator;
  return { bits: BigInt.asIntN(32, x.negative ? -integer : integer), flags };
}

export function roundToInt(bits: bigint, rm: number, format: ReferenceFormat, rules: Rules, isExact: boolean): Outcome {
  const x = decode(bits, format);
  const nan = nanOf([x], format, format, rules);
  if (nan !== undefined) return nan;
  if (x.kind !== "number") return infinite(x.negative, format);
  const { integer, exact } = roundScaled(rational(x.numerator, x.denominator), 0, x.negative, rm);
  const flags = isExact && !exact ? Flag.NX : 0;
  if (integer === 0n) return { bits: signedZero(x.negative, format).bits, flags };
  return { bits: round(rational(integer, 1n), x.negative, rm, format, rules).bits, flags };
}

function isLess(x: Datum, y: Datum): boolean {
  const scaled = (z: Datum, other: Datum): bigint => {
    if (z.kind === "infinity") return power(5000) * (z.negative ? -1n : 1n);
    if (z.kind !== "number") throw new Error("a NaN has no order");
    const value = z.numerator * (other.kind === "number" ? other.denominator : 1n) * (z.negative ? -1n : 1n);
    return other.kind === "number" ? value : value / z.denominator;
  };
  return scaled(x, y) < scaled(y, x);
}

export type Relation = "eq" | "lt" | "le" | "ltq" | "leq";
export function compare(relation: Relation, a: bigint, b: bigint, format: ReferenceFormat): Outcome {
  const [x, y] = [decode(a, format), decode(b, format)];
  const nans = [x, y].filter((z) => z.kind === "nan");
  if (nans.length > 0) {
    const isInvalid = relation === "lt" || relation === "le" || nans.some((z) => z.kind === "nan" && z.signaling);
    return { bits: 0n, flags: isInvalid ? Flag.NV : 0 };
  }
  const [less, greater] = [isLess(x, y), isLess(y, x)];
  const result = { eq: !less && !greater, lt: less, ltq: less, le: !greater, leq: !greater }[relation];
  return { bits: result ? 1n : 0n, flags: 0 };
}

export type Extremum = "minimumNumber" | "maximumNumber" | "minimum" | "maximum";
export function extremum(operation: Extremum, a: bigint, b: bigint, format: ReferenceFormat, rules: Rules): Outcome {
  const [x, y] = [decode(a, format), decode(b, format)];
  const nan = nanOf([x, y], format, format, rules);
  if (nan !== undefined) {
    const isNumber = operation.endsWith("Number") && !(x.kind === "nan" && y.kind === "nan");
    return isNumber ? { bits: x.kind === "nan" ? b : a, flags: nan.flags } : nan;
  }
  const isFirstSmaller = isLess(x, y) || (!isLess(y, x) && x.negative);
  return { bits: isFirstSmaller === operation.startsWith("min") ? a : b, flags: 0 };
}

/** RISC-V `fclass`. */
export function classify(bits: bigint, format: ReferenceFormat): Outcome {
  const x = decode(bits, format);
  const index = () => {
    if (x.kind === "nan") return x.signaling ? 8 : 9;
    if (x.kind === "infinity") return x.negative ? 0 : 7;
    if (x.numerator === 0n) return x.negative ? 3 : 4;
    const isNormal = x.numerator * power(format.emax - 1) >= x.denominator;
    if (x.negative) return isNormal ? 1 : 2;
    return isNormal ? 6 : 5;
  };
  return { bits: power(index()), flags: 0 };
}
