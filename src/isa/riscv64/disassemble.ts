import { csrTable } from "./csr.ts";
import { fliConstants } from "./float.ts";
import { type AnyInstruction, isCompressed, type Letter } from "./instruction.ts";
import { type Decoded, decodeWord, lengthOf } from "./lookup.ts";

/** Names of the integer registers in the psABI ("Integer Register Convention"). */
// biome-ignore format: a table
export const xNames = [
  "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
  "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
] as const;
/** Names of the floating-point registers in the psABI. */
// biome-ignore format: a table
export const fNames = [
  "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",
  "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
] as const;
const roundingModes = ["rne", "rtz", "rdn", "rup", "rmm", "unknown", "unknown"] as const;
const orderings = ["", ".rl", ".aq", ".aqrl"] as const;
const csrNames = new Map(csrTable.map(({ number, name }) => [number, name]));

/**
 * Assembly syntax by class of instruction. In braces is what the encoding gives: a letter of the pattern, or of an immediate
 * `hex`, `upper` (the upper 20 bits), `target` (an address), `csr`, of `k` a `constant`, of bits that the hart ignores `pred`
 * and `succ`. Instructions not listed have their operands in the order of `usualOrder`.
 */
const syntaxes: readonly (readonly [names: RegExp, syntax: string])[] = [
  [/^(l[bhwd]u?|jalr)$/, "{d},{i}({s})"],
  [/^fl[wd]$/, "{D},{i}({s})"],
  [/^s[bhwd]$/, "{t},{i}({s})"],
  [/^fs[wd]$/, "{T},{i}({s})"],
  [/^b(eq|ne|ltu?|geu?)$/, "{s},{t},{target}"],
  [/^jal$/, "{d},{target}"],
  [/^(lui|auipc)$/, "{d},{upper}"],
  [/^(s[lr][la]iw?|slli\.uw|roriw?|b(clr|set|inv|ext)i)$/, "{d},{s},{hex}"],
  [/^fence$/, "{pred},{succ}"],
  [/^csrr[wsc]$/, "{d},{csr},{s}"],
  [/^csrr[wsc]i$/, "{d},{csr},{k}"],
  [/^lr\./, "{d},({s})"],
  [/^(sc|amo\w+)\./, "{d},{t},({s})"],
  [/^[sh]\w+\.vma$/, "{s},{t}"],
  [/^cbo\./, "({s})"],
  [/^fli\./, "{D},{constant}"],
  [/^fcvtmod\.w\.d$/, "{d},{S},rtz"],

  [/^c\.addi4spn$/, "{d},sp,{i}"],
  [/^c\.addi16sp$/, "sp,{i}"],
  [/^c\.l[wd]$/, "{d},{i}({s})"],
  [/^c\.fld$/, "{D},{i}({s})"],
  [/^c\.s[wd]$/, "{t},{i}({s})"],
  [/^c\.fsd$/, "{T},{i}({s})"],
  [/^c\.l[wd]sp$/, "{d},{i}(sp)"],
  [/^c\.fldsp$/, "{D},{i}(sp)"],
  [/^c\.s[wd]sp$/, "{t},{i}(sp)"],
  [/^c\.fsdsp$/, "{T},{i}(sp)"],
  [/^c\.lui$/, "{d},{upper}"],
  [/^c\.(slli|srli|srai)$/, "{d},{hex}"],
  [/^c\.(beqz|bnez)$/, "{s},{target}"],
  [/^c\.j$/, "{target}"],
];
const usualOrder: readonly Letter[] = ["d", "D", "s", "S", "t", "T", "U", "i", "k", "r"];

/** Encodings that have a name of their own: hints (Unpriv. spec, "HINT Instructions"), and what they name besides. */
const special: readonly (readonly [mask: number, match: number, name: string, syntax: string])[] = [
  [0xffff_ffff, 0x0100_000f, "pause", ""],
  [0xffff_ffff, 0x8330_000f, "fence.tso", ""],
  [0x01f0_7fff, 0x0000_6013, "prefetch.i", "{line}({s})"],
  [0x01f0_7fff, 0x0010_6013, "prefetch.r", "{line}({s})"],
  [0x01f0_7fff, 0x0030_6013, "prefetch.w", "{line}({s})"],
  [0xfc7f, 0x8001, "c.srli64", "{d}"],
  [0xfc7f, 0x8401, "c.srai64", "{d}"],
  [0xf07f, 0x0002, "c.slli64", "{d}"],
];

const syntaxByInstruction = new Map<AnyInstruction, string>();
function syntaxOf(instruction: AnyInstruction): string {
  let syntax = syntaxByInstruction.get(instruction);
  if (syntax === undefined) {
    const letters = usualOrder.filter((letter) => instruction.pattern.includes(letter));
    syntax =
      syntaxes.find(([names]) => names.test(instruction.name))?.[1] ??
      letters
        .map((letter) => `{${letter}}`)
        .join(",")
        .replace(",{r}", "{r}");
    syntaxByInstruction.set(instruction, syntax);
  }
  return syntax;
}

/**
 * The instruction at `address` in assembly language, as `objdump -M no-aliases` of binutils writes it: `addi a0,a0,-1`. Addresses are
 * hexadecimal, without symbols. What is illegal is `.insn`.
 *
 * @param word its first 32 bits; the upper half does not matter if it is compressed
 * @example disassemble(0x00b50533, 0n); // "add a0,a0,a1"
 */
export function disassemble(word: number, address: bigint): string {
  const decoded = decodeWord(word);
  if (decoded === undefined) {
    const length = lengthOf(word);
    const bits = length === 2 ? word & 0xffff : word >>> 0;
    return `.insn ${length}, 0x${bits.toString(16).padStart(length * 2, "0")}`;
  }
  const bits = decoded.word;
  const named = special.find(
    ([mask, match, name]) => name.startsWith("c.") === (decoded.length === 2) && (bits & mask) >>> 0 === match,
  );
  const [name, syntax] = named === undefined ? [mnemonicOf(decoded), syntaxOf(decoded.instruction)] : [named[2], named[3]];
  const operands = syntax.replace(/\{(\w+)\}/g, (_, what: string) => operandText(decoded, what, address));
  return operands === "" ? name : `${name} ${operands}`;
}

function mnemonicOf({ instruction, word }: Decoded): string {
  const isAtomic = !isCompressed(instruction) && /^(lr|sc|amo\w+)\./.test(instruction.name);
  return isAtomic ? `${instruction.name}${orderings[(word >>> 25) & 3]}` : instruction.name;
}

function operandText({ operands, word, instruction }: Decoded, what: string, address: bigint): string {
  const value = (letter: Letter) => operands[letter]!;
  switch (what) {
    case "d":
    case "s":
    case "t":
      return xNames[value(what)];
    case "D":
    case "S":
    case "T":
    case "U":
      return fNames[value(what)];
    case "i":
    case "k":
      return String(value(what));
    case "r":
      return roundingText(instruction.name, value("r"));
    case "hex":
      return `0x${value("i").toString(16)}`;
    case "upper":
      return `0x${((value("i") >> 12) & 0xfffff).toString(16)}`;
    case "target":
      return BigInt.asUintN(64, address + BigInt(value("i"))).toString(16);
    case "csr":
      return csrNames.get(value("i")) ?? `0x${value("i").toString(16)}`;
    case "constant":
      return constantText(value("k"));
    case "line":
      return String((word >> 20) & ~31);
    case "pred":
      return accesses((word >>> 24) & 15);
    case "succ":
      return accesses((word >>> 20) & 15);
  }
  throw new Error(`broken invariant: ${instruction.name} has no operand ${what}`);
}

/** The dynamic mode goes without saying; so does any mode where the result is exact. */
function roundingText(name: string, mode: number): string {
  return mode === 7 || /^fcvt\.d\.(wu?|s)$/.test(name) ? "" : `,${roundingModes[mode]}`;
}

/** What a fence orders: device input and output, reads, writes. */
function accesses(bits: number): string {
  return [..."iorw"].filter((_, i) => (bits >> (3 - i)) & 1).join("") || "unknown";
}

/** A constant of `fli` in C's hexadecimal notation. */
function constantText(index: number): string {
  if (index === 1) return "min";
  const value = fliConstants[index];
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : "inf";
  if (value === 0) return "0x0p+0";
  const magnitude = Math.abs(value);
  const exponent = Math.floor(Math.log2(magnitude));
  const fraction = (magnitude / 2 ** exponent - 1) * 16;
  const digits = fraction === 0 ? "" : `.${fraction.toString(16)}`;
  return `${value < 0 ? "-" : ""}0x1${digits}p${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}
