import { type AnyInstruction, extractField, type Field, fieldsOf, fixedBits, isCompressed, type Letter } from "./instruction.ts";
import { instructions } from "./instructions.ts";

/**
 * From an encoding to its instruction, in JavaScript: for disassembly and reports. The hart's own decoder is generated from
 * the same patterns (`decode.ts`) and decides in the same way.
 */

/** An encoding taken apart. */
export interface Decoded {
  readonly instruction: AnyInstruction;
  /** The fields that the encoding has. */
  readonly operands: Readonly<Partial<Record<Letter, number>>>;
  /** The operands of the instruction's meaning: for compressed instructions also those that the encoding implies. */
  readonly all: Readonly<Partial<Record<Letter, number>>>;
  /** The encoding, cut to its length. */
  readonly word: number;
  /** Bytes. */
  readonly length: 2 | 4;
}

interface Candidate {
  readonly instruction: AnyInstruction;
  readonly mask: number;
  readonly match: number;
  readonly fields: readonly Field[];
}

/** Length in bytes of the instruction whose first halfword this is (Unpriv. spec 1.5). Longer ones than 4 bytes do not exist here. */
export function lengthOf(halfword: number): 2 | 4 {
  return (halfword & 3) === 3 ? 4 : 2;
}

/** Candidates by the bits that nearly all patterns fix; those that fix more bits first. */
const buckets = new Map<number, Candidate[]>();
const bucketOf = (word: number, length: 2 | 4) => (length === 4 ? word & 0x7f : 0x80 | ((word >>> 11) & 0x1c) | (word & 3));
const ones = (mask: number) => mask.toString(2).replaceAll("0", "").length;
for (const instruction of instructions) {
  const { mask, match } = fixedBits(instruction.pattern);
  const bucket = bucketOf(match, instruction.pattern.length === 16 ? 2 : 4);
  const list = buckets.get(bucket) ?? [];
  list.push({ instruction, mask, match, fields: fieldsOf(instruction) });
  buckets.set(
    bucket,
    list.sort((a, b) => ones(b.mask) - ones(a.mask)),
  );
}

/**
 * Decodes the instruction whose first 32 bits are `word` (of a compressed one, the upper half is ignored); `undefined` if it is
 * illegal here.
 */
export function decodeWord(word: number): Decoded | undefined {
  const length = lengthOf(word);
  const bits = (length === 2 ? word & 0xffff : word) >>> 0;
  const found = buckets.get(bucketOf(bits, length))?.find(({ mask, match }) => (bits & mask) >>> 0 === match);
  if (found === undefined) return undefined;
  const { instruction, fields } = found;
  const operands: Partial<Record<Letter, number>> = {};
  for (const field of fields) operands[field.letter] = extractField(field, bits);
  const { nonzero = [], even = [] } = instruction.options;
  if (nonzero.some((letter) => operands[letter] === 0) || even.some((letter) => operands[letter]! % 2 !== 0)) return undefined;
  const all = { ...operands };
  if (isCompressed(instruction)) {
    for (const [letter, source] of Object.entries(instruction.fixed) as [Letter, number | Letter][]) {
      all[letter] = typeof source === "number" ? source : operands[source];
    }
  }
  return { instruction, operands, all, word: bits, length };
}
