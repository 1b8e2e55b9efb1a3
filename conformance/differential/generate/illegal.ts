/** Words that nobody chose: random, nearly instructions, and reserved ones. */
import { Body } from "../body.ts";
import { type Mode, type TestCase, testCase } from "../case.ts";
import { compressedKind, instructions, kindOf, mayWrite } from "../instructions.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";

const opcodes = Array.from({ length: 32 }, (_, i) => (i << 2) | 3);

export const illegalGroups: readonly Group[] = [
  { name: "illegal/random", weight: 400, make: (index, id) => words(index, id, (random) => random.u32() | 3) },
  { name: "illegal/opcodes", weight: 400, make: (index, id) => words(index, id, nearMajorOpcode) },
  { name: "illegal/near", weight: 600, make: (index, id) => words(index, id, nearInstruction) },
  { name: "illegal/compressed", weight: 300, make: (index, id) => words(index, id, compressed) },
];

function nearMajorOpcode(random: Random): number {
  const funct7 = random.oneIn(2) ? random.below(128) : random.pick([0, 1, 2, 4, 5, 0x10, 0x20, 0x30, 0x14, 0x24, 0x34, 0x35]);
  return ((random.u32() & 0x01ff_ff80) | (funct7 << 25) | random.pick(opcodes)) >>> 0;
}
/** An instruction with one of its fixed bits turned over. */
function nearInstruction(random: Random): number {
  const instruction = random.pick(instructions);
  const fixed = [...Array(instruction.size * 8).keys()].filter((bit) => (instruction.mask >>> bit) & 1 && bit > 1);
  const bits = ((random.u32() & ~instruction.mask) | instruction.match) >>> 0;
  return (bits ^ (2 ** random.pick(fixed))) >>> 0;
}
function compressed(random: Random): number {
  return ((random.below(0x4000) << 2) | random.below(3)) & 0xffff;
}

/**
 * Whether a word may be run without knowing what it does: not a jump, nothing of SYSTEM (which has its own groups), no
 * access through a register that is no pointer.
 */
function harmless(bits: number, body: Body): boolean {
  const size = (bits & 3) === 3 ? 4 : 2;
  if (mayWrite(bits, size).some((x) => body.isReserved(x))) return false;
  const based = (register: number, offset: number) => body.isReserved(register) && body.inWindow(register, offset);
  if (size === 4) {
    const rs1 = (bits >>> 15) & 31;
    switch (kindOf(bits)) {
      case "plain":
      case "float":
      case "fence":
        return true;
      case "load":
        return based(rs1, (bits | 0) >> 20);
      case "store":
        return based(rs1, ((bits >> 25) << 5) | ((bits >>> 7) & 31));
      case "atomic": // no `sc` without a matching `lr`
        return based(rs1, 0) && bits >>> 27 !== 3 && bits >>> 27 !== 2;
      case "cacheBlock":
        return based(rs1, 0);
      default:
        return false;
    }
  }
  switch (compressedKind(bits)) {
    case "plain":
      return true;
    case "cLoad":
    case "cStore":
      return based(8 + ((bits >>> 7) & 7), 0);
    case "cLoadSp":
    case "cStoreSp":
      return true;
    default:
      return false;
  }
}

function words(index: number, id: string, make: (random: Random) => number): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  for (let i = 0; i < 7; ) {
    let bits = make(random) >>> 0;
    if (random.oneIn(2) && (bits & 3) === 3) bits = body.rebase(bits);
    if (!harmless(bits, body)) continue;
    body.addRaw(bits);
    i++;
  }
  const mode = (["M", "S", "U"] as const satisfies Mode[])[index % 3];
  return testCase({ id, mode, body: body.finish(), x: body.x, f: body.f, seed: random.u64(), start: 2 * random.below(64) });
}
