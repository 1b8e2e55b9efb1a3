/**
 * Our disassembler against Debian's binutils: `npm run conform -- disassembler [--seed N] [--encodings N]`. Encodings of every
 * instruction, with random operands and with those at the edges, and random words. Where objdump knows the instruction, both must
 * say the same.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { csrTable } from "../../src/isa/riscv64/csr.ts";
import { disassemble } from "../../src/isa/riscv64/disassemble.ts";
import { instructions } from "../../src/isa/riscv64/instructions.ts";
import { decodeWord } from "../../src/isa/riscv64/lookup.ts";
import { Random } from "../differential/random.ts";

/** What the assembler puts into the object file, and the disassembler into its list of known instructions. */
const march = "rv64gc_zba_zbb_zbc_zbs_zfa_zicond_zacas_zawrs_zicbom_zicbop_zicboz_svinval_zihintpause";

interface Encoding {
  readonly word: number;
  readonly length: 2 | 4;
}

/** Encodings of an instruction: each field all zeros or all ones in the first, random in the rest. */
function encodingsOf(pattern: string, random: Random, count: number): Encoding[] {
  const letters = [...new Set(pattern)].filter((c) => c !== "0" && c !== "1");
  return Array.from({ length: count }, (_, index) => {
    const edge = new Map(letters.map((letter) => [letter, index < 8 ? random.below(3) : 2]));
    let word = 0;
    for (const c of pattern) {
      const bit = c === "0" || c === "1" ? Number(c) : ([0, 1][edge.get(c)!] ?? random.below(2));
      word = (word * 2 + bit) >>> 0;
    }
    return { word, length: pattern.length === 16 ? 2 : 4 };
  });
}

function randomWord(random: Random): Encoding {
  for (;;) {
    const encoding = randomBits(random);
    // Five ones at the end begin an instruction of more than 32 bits.
    if ((encoding.word & 0x1f) !== 0x1f) return encoding;
  }
}
function randomBits(random: Random): Encoding {
  const word = Number(random.u64() & 0xffff_ffffn);
  return (word & 3) === 3 ? { word, length: 4 } : { word: word & 0xffff, length: 2 };
}

/** Directory of binutils: fetched if need be; everything that is said goes to stderr. */
function binutils(): string {
  const script = join(process.cwd(), "scripts/debian/binutils.sh");
  const { status, stdout, error } = spawnSync(script, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  if (status !== 0) throw new Error(`${script} failed (${error?.message ?? `status ${status}`})`);
  return stdout.trim();
}

/** What objdump says of each encoding, in its own words but for spaces, symbols and notes. */
function theirs(encodings: readonly Encoding[]): string[] {
  const tools = binutils();
  const folder = mkdtempSync(join(tmpdir(), "viv-disassembler-"));
  try {
    const [source, object] = ["words.s", "words.o"].map((name) => join(folder, name));
    writeFileSync(source, encodings.map(({ word, length }) => `.insn ${length}, 0x${word.toString(16)}\n`).join(""));
    execFileSync(join(tools, "as"), [`-march=${march}`, "-o", object, source]);
    const listing = execFileSync(join(tools, "objdump"), ["-d", "-M", "no-aliases", object], {
      encoding: "utf8",
      maxBuffer: 2 ** 30,
    });
    return listing
      .split("\n")
      .filter((line) => /^\s+[0-9a-f]+:\t/.test(line))
      .map((line) =>
        line
          .split("\t")
          .slice(2)
          .join(" ")
          .replace(/\s+[<#].*$/, "")
          .trim(),
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const csrNames = new Set(csrTable.map(({ name }) => name));
/** Whether two texts differ only in a CSR that one of the two does not know by name. */
function sameButForCsr(ours: string, objdump: string): boolean {
  const [a, b] = [ours.split(","), objdump.split(",")];
  const known = csrNames.has(a[1]);
  return ours.startsWith("csr") && a.length === 3 && b.length === 3 && a[0] === b[0] && a[2] === b[2] && !known;
}

export async function main(args: readonly string[]): Promise<{ passed: number; failed: number; skipped: number }> {
  const { values: options } = parseArgs({
    args: [...args],
    options: { seed: { type: "string", default: "1" }, encodings: { type: "string", default: "100" } },
  });
  const random = new Random(`disassembler ${options.seed}`);
  const count = Number(options.encodings);
  if (!(count > 0)) throw new Error(`--encodings ${options.encodings}: not a positive number`);
  const encodings = instructions.flatMap(({ pattern }) => encodingsOf(pattern, random, count));
  for (let i = 0; i < 20 * count; i++) encodings.push(randomWord(random));
  const texts = theirs(encodings);
  if (texts.length !== encodings.length) throw new Error(`objdump has ${texts.length} lines for ${encodings.length} encodings`);
  const result = { passed: 0, failed: 0, skipped: 0 };
  let address = 0n;
  for (const [i, { word, length }] of encodings.entries()) {
    const ours = disassemble(word, address);
    address += BigInt(length);
    const known = /^\.(insn|[248]byte)|^c\.unimp/.test(texts[i]) ? undefined : texts[i];
    // Reserved encodings that one side refuses say nothing of how instructions are written.
    if (known === undefined || decodeWord(word) === undefined) result.skipped++;
    else if (ours === known || sameButForCsr(ours, known)) result.passed++;
    else if (++result.failed <= 20)
      console.log(`${word.toString(16).padStart(length * 2, "0")}: ours "${ours}", objdump "${known}"`);
  }
  return result;
}
