/** Register contents that find mistakes: corner cases of integers and floats, and random ones of all sizes. */
import type { Random } from "./random.ts";

const mask64 = (1n << 64n) - 1n;
const corners: readonly bigint[] = [
  0n,
  1n,
  2n,
  mask64,
  mask64 - 1n,
  1n << 63n,
  (1n << 63n) - 1n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0xffff_ffff_8000_0000n,
  0xffff_ffff_7fff_ffffn,
  0x80n,
  0xff7fn,
  0x8000n,
  0x5555_5555_5555_5555n,
  0xaaaa_aaaa_aaaa_aaaan,
  0x0102_0304_0506_0708n,
  0xff00_ff00_00ff_00ffn,
];

export function integer(random: Random): bigint {
  switch (random.below(6)) {
    case 0:
    case 1:
      return random.pick(corners);
    case 2: // a power of two, or beside one, or its complement
      return ((1n << BigInt(random.below(64))) + BigInt(random.between(-1, 1)) + (random.oneIn(2) ? 0n : mask64)) & mask64;
    case 3: // a sign-extended word
      return BigInt.asUintN(64, BigInt(random.u32() | 0));
    case 4: // random bits in random width, positive or negative
      return BigInt.asUintN(64, (random.u64() >> BigInt(random.below(64))) * (random.oneIn(2) ? 1n : -1n));
    default:
      return random.u64();
  }
}

interface Format {
  readonly exponentBits: number;
  readonly fractionBits: number;
}
const single: Format = { exponentBits: 8, fractionBits: 23 };
const double: Format = { exponentBits: 11, fractionBits: 52 };

function float({ exponentBits, fractionBits }: Format, random: Random): bigint {
  const bias = 2 ** (exponentBits - 1) - 1;
  const top = 2 ** exponentBits - 1;
  const width = BigInt(fractionBits);
  const ones = (1n << width) - 1n;
  const make = (exponent: number, fraction: bigint) => {
    const sign = random.oneIn(2) ? 1n << BigInt(exponentBits + fractionBits) : 0n;
    return sign | (BigInt(exponent) << width) | (fraction & ones);
  };
  // Few bits set, at the ends: sums and products of such fractions fall on ties and beside them.
  const sparse = () => {
    let fraction = 0n;
    for (let i = random.below(4); i > 0; i--) {
      const bit = random.below(4);
      fraction ^= 1n << BigInt(random.pick([bit, fractionBits - 1 - bit, random.below(fractionBits)]));
    }
    return random.oneIn(4) ? ones - fraction : fraction;
  };
  const any = () => random.u64() & ones;
  switch (random.below(16)) {
    case 0:
      return make(0, 0n);
    case 1:
      return make(top, 0n);
    case 2: // a quiet NaN, canonical or not
      return random.oneIn(2) ? (BigInt(top) << width) | (1n << (width - 1n)) : make(top, any() | (1n << (width - 1n)));
    case 3: // a signalling NaN
      return make(top, (any() & (ones >> 1n)) | 1n);
    case 4: // a subnormal
      return make(0, random.pick([1n, ones, sparse(), any(), any() >> BigInt(random.below(fractionBits))]));
    case 5: // beside the smallest and the largest normal number
      return make(random.pick([1, 2, top - 1, top - 2]), random.pick([0n, 1n, ones, sparse(), any()]));
    case 6: // half the exponent range: products at the edges of overflow and underflow
      return make(random.pick([bias >> 1, bias + (bias >> 1)]) + random.between(-2, 2), random.pick([sparse(), any()]));
    case 7: // where conversions to integers overflow
      return make(bias + random.pick([30, 31, 32, 62, 63, 64]), random.pick([0n, ones, sparse(), any()]));
    case 8: // small integers and halves
      return make(bias + random.between(-2, 8), (BigInt(random.below(1024)) << width) >> 10n);
    case 9: // where the fraction ends below the point
      return make(bias + random.between(fractionBits - 3, fractionBits + 1), random.pick([any(), sparse()]));
    case 10:
    case 11: // near one
      return make(bias + random.between(-3, 3), sparse());
    case 12:
    case 13: // apart by about the width of a fraction: sticky bits
      return make(bias + random.pick([0, -1, 1, fractionBits, -fractionBits, fractionBits + 1, -fractionBits - 1]), sparse());
    default:
      return make(random.below(top), any());
  }
}

/** Contents of a floating-point register: a double, a boxed single, or a single that is not boxed (Unpriv. spec, "NaN Boxing of Narrower Values"). */
export function floating(random: Random): bigint {
  const choice = random.below(20);
  if (choice < 10) return float(double, random);
  if (choice < 19) return (0xffff_ffffn << 32n) | float(single, random);
  return (random.u64() & (0xffff_fffen << 32n)) | float(single, random);
}

/** As `floating`, mostly of one format, for instructions of that format. */
export function floatingOf(format: "single" | "double", random: Random): bigint {
  if (random.oneIn(16)) return floating(random);
  return format === "double" ? float(double, random) : (0xffff_ffffn << 32n) | float(single, random);
}
