import { a } from "./a.ts";
import { compressedInstructions } from "./c.ts";
import { fld, float, fsd } from "./float.ts";
import { type AnyInstruction, type Instruction, isCompressed } from "./instruction.ts";
import { m } from "./m.ts";
import { rv64i } from "./rv64i.ts";
import { ebreak, system } from "./system.ts";
import { zba, zbb, zbc, zbs, zicond } from "./zb.ts";

/** Every instruction of the hart. */
export const instructions: readonly AnyInstruction[] = [
  ...rv64i,
  ...m,
  ...a,
  ...zba,
  ...zbb,
  ...zbc,
  ...zbs,
  ...zicond,
  ...float,
  ...system,
  ...compressedInstructions({ fld, fsd }, ebreak),
];

/** The instructions that have a meaning of their own. */
export const baseInstructions: readonly Instruction[] = instructions.filter((i): i is Instruction => !isCompressed(i));
