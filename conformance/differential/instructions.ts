/** The instructions under test, from the ISA tables, with what a generator must know: what their operand fields touch. */
import { instructions as defined } from "../../src/isa/riscv64/instructions.ts";

/**
 * What an instruction does that its generator has to care for. Read from the opcode, which the Unpriv. spec fixes for all
 * extensions ("RV32/64G Instruction Set Listings", "Instruction Set Listings" of C).
 */
export type Kind =
  | "plain"
  | "float"
  | "load"
  | "store"
  | "atomic"
  | "cacheBlock"
  | "fence"
  | "branch"
  | "jal"
  | "jalr"
  | "system"
  | "csr"
  | "cLoad"
  | "cStore"
  | "cLoadSp"
  | "cStoreSp"
  | "cJump"
  | "cBranch"
  | "cJumpRegister";

export interface Instruction {
  readonly name: string;
  /** 16 or 32 characters, most significant bit first; what is neither 0 nor 1 is an operand's. */
  readonly pattern: string;
  readonly size: 2 | 4;
  readonly mask: number;
  readonly match: number;
  readonly kind: Kind;
  /** Bits 14:12 are a rounding mode. */
  readonly rounds: boolean;
}

export function instructionOf(name: string, pattern: string): Instruction {
  if (pattern.length !== 16 && pattern.length !== 32) throw new Error(`${name}: a pattern of ${pattern.length} characters`);
  let mask = 0;
  let match = 0;
  for (const bit of pattern) {
    mask = (mask * 2 + (bit === "0" || bit === "1" ? 1 : 0)) >>> 0;
    match = (match * 2 + (bit === "1" ? 1 : 0)) >>> 0;
  }
  const size = pattern.length === 16 ? 2 : 4;
  const kind = size === 2 ? compressedKind(match) : kindOf(match);
  const rounds = kind === "float" && ((mask >>> 12) & 7) === 0;
  return { name, pattern, size, mask, match, kind, rounds };
}

/** The kind of a word of 32 bits, whether it is an instruction or not. */
export function kindOf(word: number): Kind {
  const funct3 = (word >>> 12) & 7;
  switch (word & 0x7f) {
    case 0x03:
    case 0x07:
      return "load";
    case 0x23:
    case 0x27:
      return "store";
    case 0x2f:
      return "atomic";
    case 0x0f:
      return funct3 === 2 ? "cacheBlock" : "fence";
    case 0x63:
      return "branch";
    case 0x6f:
      return "jal";
    case 0x67:
      return "jalr";
    case 0x73:
      return (funct3 & 3) === 0 ? "system" : "csr";
    case 0x43:
    case 0x47:
    case 0x4b:
    case 0x4f:
    case 0x53:
      return "float";
    default:
      return "plain";
  }
}

/** The kind of a compressed word of 16 bits. */
export function compressedKind(word: number): Kind {
  const funct3 = (word >>> 13) & 7;
  switch (word & 3) {
    case 0:
      if (funct3 === 0) return "plain";
      return funct3 < 5 ? "cLoad" : "cStore";
    case 1:
      if (funct3 === 5) return "cJump";
      return funct3 > 5 ? "cBranch" : "plain";
    default:
      if (funct3 === 4) return (word & 0x7c) === 0 ? "cJumpRegister" : "plain";
      if (funct3 > 4) return "cStoreSp";
      return funct3 === 0 ? "plain" : "cLoadSp";
  }
}

/** Integer registers that an encoded instruction may write; floating-point destinations are included for simplicity. */
export function mayWrite(bits: number, size: 2 | 4): readonly number[] {
  const rd = (bits >>> 7) & 31;
  if (size === 4) {
    const kind = kindOf(bits);
    if (kind === "store" || kind === "branch" || kind === "cacheBlock" || kind === "fence") return [];
    return kind === "atomic" ? [rd, rd + 1] : [rd];
  }
  const funct3 = (bits >>> 13) & 7;
  const low = 8 + ((bits >>> 2) & 7);
  switch (bits & 3) {
    case 0:
      return funct3 < 4 ? [low] : [];
    case 1:
      if (funct3 < 4) return [rd];
      return funct3 === 4 ? [8 + ((bits >>> 7) & 7)] : [];
    default:
      if (funct3 === 4) return compressedKind(bits) === "cJumpRegister" ? [1] : [rd];
      return funct3 < 4 ? [rd] : [];
  }
}

/** Every instruction of the ISA tables. */
export const instructions: readonly Instruction[] = defined.map(({ name, pattern }) => instructionOf(name, pattern));

/** The name of an encoded instruction; the pattern with most fixed bits wins, as some lie within others. */
export function nameOf(bits: number, size: 2 | 4): string | undefined {
  let best: Instruction | undefined;
  for (const candidate of instructions) {
    if (candidate.size !== size || (bits & candidate.mask) >>> 0 !== candidate.match) continue;
    if (best === undefined || ones(candidate.mask) > ones(best.mask)) best = candidate;
  }
  return best?.name;
}

function ones(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
