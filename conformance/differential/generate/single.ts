/** A group for each instruction of the ISA tables: short bodies that repeat it with operands of all kinds. */
import { csr, encode } from "../assembler.ts";
import { Body } from "../body.ts";
import { type Mode, type TestCase, testCase } from "../case.ts";
import { type Instruction, instructions } from "../instructions.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";

/** Instructions whose effect lies outside registers and window have groups of their own. */
function standsAlone(instruction: Instruction): boolean {
  return instruction.kind !== "system" && instruction.kind !== "csr";
}

export const singleGroups: readonly Group[] = instructions.filter(standsAlone).map((instruction) => ({
  name: `inst/${instruction.name}`,
  weight: instruction.kind === "float" ? 16 : 8,
  make: (index, id) => single(instruction, index, id),
}));

export function single(instruction: Instruction, index: number, id: string): TestCase {
  const random = new Random(id);
  const format = instruction.name.includes(".s") ? "single" : instruction.name.includes(".d") ? "double" : undefined;
  const body = new Body(random, { format });
  if (isStoreConditional(instruction)) {
    reservations(instruction, body, random);
  } else {
    for (let i = 0; i < 10; i++) {
      body.addRandom(instruction, { evenSp: instruction.name === "c.addi16sp" });
      if (instruction.kind === "float") body.add(encode.csrrwi(body.scratch(1)[0], csr.fflags, 0));
    }
  }
  const mode = (["M", "S", "U", "M"] as const satisfies Mode[])[index % 4];
  const start = random.oneIn(4) ? 4096 - 2 * random.below(20) : 2 * random.below(64);
  const fcsr = (random.oneIn(16) ? random.between(5, 7) : random.below(5)) << 5;
  return testCase({ id, mode, body: body.finish(), x: body.x, f: body.f, fcsr, start, seed: random.u64() });
}

export function isStoreConditional(instruction: Instruction): boolean {
  return instruction.name.startsWith("sc.");
}

/** `sc` after `lr` of the same width with nothing but register operations between; sometimes elsewhere, sometimes without `lr`. */
function reservations(instruction: Instruction, body: Body, random: Random): void {
  const reserve = instruction.name === "sc.d" ? encode.lrD : encode.lrW;
  let trapped = false;
  for (let i = 0; i < 6; i++) {
    const [a, b, c] = body.scratch(3);
    const pointer = body.pointer;
    // Whether a reservation outlives a trap is the implementation's choice (Priv. spec, Trap-Return Instructions).
    if (trapped || !random.oneIn(6)) body.add(reserve(a, pointer));
    for (let j = random.below(3); j > 0; j--) body.add(encode.addi(b, a, random.between(-9, 9)));
    trapped = random.oneIn(4);
    if (trapped) body.addRandom(instruction);
    else body.add(((instruction.match | (b << 20) | (pointer << 15) | (c << 7)) >>> 0) | (random.below(4) << 25));
  }
}
