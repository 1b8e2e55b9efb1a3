import type { ReferenceFormat } from "./reference.ts";

/** A repeatable source of random bits (Marsaglia's xorshift64). */
export class Random {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = seed;
  }

  bits(count: number): bigint {
    let x = this.#state;
    x ^= BigInt.asUintN(64, x << 13n);
    x ^= x >> 7n;
    x ^= BigInt.asUintN(64, x << 17n);
    this.#state = x;
    return x >> BigInt(64 - count);
  }

  below(count: number): number {
    return Number(this.bits(32) % BigInt(count));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

/** Bits of the operands on which implementations trip: both signs of every limit, its neighbours, ties of integers, NaNs. */
export function corners({ width, precision, emax }: ReferenceFormat): bigint[] {
  const fraction = BigInt(precision - 1);
  const one = BigInt(emax) << fraction;
  const unit = 1n << fraction;
  const infinity = BigInt(2 * emax + 1) << fraction;
  const quiet = 1n << (fraction - 1n);
  const powerOfTwo = (exponent: number) => BigInt(emax + exponent) << fraction;
  const exponents = [
    -1,
    1,
    2,
    precision - 2,
    precision - 1,
    precision,
    31,
    32,
    63,
    64,
    -precision,
    emax >> 1,
    -(emax >> 1),
    emax,
  ];
  const magnitudes = [
    ...[0n, 1n, 2n, 3n, quiet, unit - 2n, unit - 1n, unit, unit + 1n, 2n * unit - 1n, 2n * unit, 2n * unit + 1n],
    ...[one - 1n, one, one + 1n, one + 2n, one | quiet, one | (quiet >> 1n), one + unit - 1n],
    ...exponents.flatMap((exponent) => [powerOfTwo(exponent) - 1n, powerOfTwo(exponent), powerOfTwo(exponent) + 1n]),
    // 2.5 and 3.5, ties between integers.
    powerOfTwo(1) | (quiet >> 1n),
    powerOfTwo(1) | quiet | (quiet >> 1n),
    // What overflows binary32, and is subnormal or a tie in it, seen from binary64.
    ...(width === 64 ? [powerOfTwo(128) - 1n, powerOfTwo(-126) - (1n << 28n), powerOfTwo(-150), powerOfTwo(-149) | quiet] : []),
    ...[infinity - 2n, infinity - 1n, infinity, infinity + 1n, infinity | quiet, infinity | quiet | 5n, infinity | (quiet - 1n)],
  ];
  return magnitudes.flatMap((magnitude) => [magnitude, magnitude | (1n << BigInt(width - 1))]);
}

/** A random operand: any bits; exponents near 1, where sums cancel; few significant bits, where results are exact or ties; or a corner. */
export function randomOperand(random: Random, format: ReferenceFormat, known: readonly bigint[]): bigint {
  const fractionWidth = format.precision - 1;
  const kind = random.below(8);
  if (kind === 0) return random.pick(known);
  const sign = random.bits(1) << BigInt(format.width - 1);
  const exponentWidth = format.width - format.precision;
  const near = BigInt(format.emax - 40 + random.below(80));
  const exponent = kind < 4 ? random.bits(exponentWidth) : near;
  let fraction = random.bits(fractionWidth);
  const zeros = random.below(fractionWidth + 1);
  if (kind % 3 === 0) fraction = (fraction >> BigInt(zeros)) << BigInt(zeros);
  if (kind % 3 === 1) fraction |= (1n << BigInt(zeros)) - 1n;
  return sign | (exponent << BigInt(fractionWidth)) | fraction;
}
