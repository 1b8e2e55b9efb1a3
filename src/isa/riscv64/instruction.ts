import { assert } from "../../core/errors.ts";
import type { Emitter } from "./emitter.ts";

declare const operandClass: unique symbol;
/** An operand of an instruction, as its meaning sees it: opaque, to be handed to the emitter. */
interface Operand<C extends string> {
  readonly [operandClass]: C;
}
/** An integer register. */
export type X = Operand<"x">;
/** A floating-point register. */
export type F = Operand<"f">;
/** An immediate, sign- or zero-extended to 64 bits as the instruction says. */
export type Immediate = Operand<"immediate">;
/** A rounding-mode field: static (0-4) or dynamic (7). */
export type RoundingMode = Operand<"rm">;

/**
 * The letters of encoding patterns. Registers are 5 bits wide, or 3 in compressed instructions (x8-x15); `i` is an immediate
 * whose bits may be scattered; `k` is a second, small unsigned immediate; `r` is a rounding mode; `.` is ignored.
 */
interface LetterClasses {
  d: X;
  s: X;
  t: X;
  D: F;
  S: F;
  T: F;
  U: F;
  i: Immediate;
  k: Immediate;
  r: RoundingMode;
}
export type Letter = keyof LetterClasses;
type LettersOf<P extends string> = P extends `${infer C}${infer Rest}` ? (C extends Letter ? C : never) | LettersOf<Rest> : never;
export type Operands<P extends string = string> = { readonly [L in string extends P ? Letter : LettersOf<P>]: LetterClasses[L] };

export interface Options {
  /**
   * Where the bits of `i` go, from the most significant bit of the encoding down, as the manual writes it: `12|10:5|4:1|11`. The
   * highest bit is the sign unless the text begins with `u`. Without it, `i` is contiguous, and signed.
   */
  readonly i?: string;
  /** Fields that must not be zero; the encoding is reserved otherwise. */
  readonly nonzero?: readonly Letter[];
  /** Registers that must be even (Zacas pairs). */
  readonly even?: readonly Letter[];
}

/** What an instruction does, against an emitter. */
export type Meaning<P extends string = string> = (operands: Operands<P>, e: Emitter) => void;

/** One instruction: its encoding and its meaning. Everything else - decoders, disassembler, interpreter, translator, fuzzer - derives from it. */
export interface Instruction {
  readonly name: string;
  readonly pattern: string;
  readonly options: Options;
  readonly meaning: Meaning;
  /** Bytes: 2 or 4. */
  readonly length: 2 | 4;
}

/**
 * Defines an instruction.
 *
 * @param pattern the encoding, most significant bit first: `0`, `1`, operand letters, `.` for ignored bits
 * @param meaning called with the operands and an emitter; what it emits is the instruction
 * @example inst("add", "0000000tttttsssss000ddddd0110011", ({ s, t, d }, e) => e.setX(d, e.i64.add(e.x(s), e.x(t))));
 */
export function inst<const P extends string>(
  name: string,
  pattern: P,
  meaning: (operands: Operands<P>, e: Emitter) => void,
  options: Options = {},
): Instruction {
  assert(/^[01.dstDSTUikr]*$/.test(pattern) && (pattern.length === 16 || pattern.length === 32), `${name}: bad pattern`);
  return { name, pattern, options, meaning: meaning as unknown as Meaning, length: pattern.length === 16 ? 2 : 4 };
}

/**
 * Defines a compressed instruction by the one it stands for: same meaning, operands by name. A letter of `base` that the
 * pattern lacks takes its register from `fixed` or, when that names a letter, from that field of the pattern.
 */
export function compressed(
  name: string,
  pattern: string,
  base: Instruction,
  fixed: Readonly<Partial<Record<Letter, number | Letter>>> = {},
  options: Options = {},
): CompressedInstruction {
  return { name, pattern, options, base, fixed };
}

export interface CompressedInstruction {
  readonly name: string;
  readonly pattern: string;
  readonly options: Options;
  readonly base: Instruction;
  readonly fixed: Readonly<Partial<Record<Letter, number | Letter>>>;
}

export type AnyInstruction = Instruction | CompressedInstruction;

export function isCompressed(instruction: AnyInstruction): instruction is CompressedInstruction {
  return "base" in instruction;
}

/** A run of bits of an encoding that goes to a run of bits of an operand. */
export interface BitRun {
  /** Lowest bit in the encoding. */
  readonly from: number;
  readonly width: number;
  /** Lowest bit in the operand. */
  readonly to: number;
}

/** How to get one operand out of an encoding. */
export interface Field {
  readonly letter: Letter;
  readonly runs: readonly BitRun[];
  /** Bits of the operand, up to and with the highest. */
  readonly width: number;
  readonly signed: boolean;
  /** Added to the value: 8 for 3-bit register fields. */
  readonly bias: number;
}

/** Fixed bits of a pattern: an encoding matches if `(word & mask) === match`. Both unsigned. */
export function fixedBits(pattern: string): { mask: number; match: number } {
  let mask = 0;
  let match = 0;
  for (let i = 0; i < pattern.length; i++) {
    const bit = pattern.length - 1 - i;
    if (pattern[i] === "0" || pattern[i] === "1") mask |= 1 << bit;
    if (pattern[i] === "1") match |= 1 << bit;
  }
  return { mask: mask >>> 0, match: match >>> 0 };
}

/** The operand fields of a pattern. */
export function fieldsOf({ name, pattern, options }: AnyInstruction): Field[] {
  const letters = [...new Set(pattern)].filter((c) => !"01.".includes(c)) as Letter[];
  return letters.map((letter) => {
    const bits: number[] = [];
    for (let i = 0; i < pattern.length; i++) if (pattern[i] === letter) bits.push(pattern.length - 1 - i);
    if (letter !== "i") {
      const bias = bits.length === 3 && "dstDST".includes(letter) ? 8 : 0;
      return {
        letter,
        runs: joinRuns(
          bits,
          bits.map((_, i) => bits.length - 1 - i),
        ),
        width: bits.length,
        signed: false,
        bias,
      };
    }
    const layout = options.i ?? `${bits.length - 1}:0`;
    const signed = !layout.startsWith("u");
    const targets = layout
      .replace(/^u/, "")
      .split("|")
      .flatMap((part) => {
        const [high, low = high] = part.split(":").map(Number);
        return Array.from({ length: high - low + 1 }, (_, i) => high - i);
      });
    if (targets.length !== bits.length)
      throw new Error(`${name}: layout ${layout} places ${targets.length} bits, the pattern has ${bits.length}`);
    return { letter, runs: joinRuns(bits, targets), width: Math.max(...targets) + 1, signed, bias: 0 };
  });
}

/** Joins bit pairs (encoding, operand), given from the top down, into runs. */
function joinRuns(from: readonly number[], to: readonly number[]): BitRun[] {
  const runs: { from: number; width: number; to: number }[] = [];
  for (let i = 0; i < from.length; i++) {
    const last = runs.at(-1);
    if (last !== undefined && last.from === from[i] + 1 && last.to === to[i] + 1) {
      last.from = from[i];
      last.to = to[i];
      last.width++;
    } else runs.push({ from: from[i], width: 1, to: to[i] });
  }
  return runs;
}

/** The operand's value in an encoding (JavaScript; the hart decodes in WebAssembly). */
export function extractField(field: Field, word: number): number {
  let value = 0;
  for (const { from, width, to } of field.runs) value += ((word >>> from) & (2 ** width - 1)) * 2 ** to;
  if (field.signed && value >= 2 ** (field.width - 1)) value -= 2 ** field.width;
  return value + field.bias;
}
