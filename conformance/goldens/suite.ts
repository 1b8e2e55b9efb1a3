/**
 * Golden translations: `npm run conform -- goldens [--accept]`. With `--accept`, writes the translations, and assembles the programs
 * that do not have an encoding beside each instruction yet; without, compares all encodings with the assembler's.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodingsOf, goldenFolder, goldenNames, isEncoded, translate } from "../../src/isa/riscv64/testing/golden.ts";

/** The program with the encoding of each instruction as its comment. */
function assembled(source: string, tools: string): string {
  const folder = mkdtempSync(join(tmpdir(), "viv-goldens-"));
  try {
    const object = join(folder, "program.o");
    const options = ["-march=rv64gc_zba_zbb_zbs_zicond", "-mno-relax", "-o", object, "-"];
    execFileSync(join(tools, "as"), options, { input: source });
    const listing = execFileSync(join(tools, "objdump"), ["-d", "-M", "no-aliases", object], { encoding: "utf8" });
    const words = [...listing.matchAll(/^ +[0-9a-f]+:\t([0-9a-f]{4}|[0-9a-f]{8}) /gm)].map(([, word]) => word);
    const lines = source.split("\n").map((line) => {
      const instruction = /^ +[a-z][^#]*/.exec(line);
      return instruction === null ? line : `${instruction[0].trimEnd().padEnd(32)} # ${words.shift() ?? "missing"}`;
    });
    if (words.length > 0) throw new Error(`one line is more than one instruction: ${words.length} encodings are left over`);
    return lines.join("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Directory of binutils: fetched if need be; everything that is said goes to stderr. */
function binutils(): string {
  const script = join(process.cwd(), "scripts/debian/binutils.sh");
  const { status, stdout, error } = spawnSync(script, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  if (status !== 0) throw new Error(`${script} failed (${error?.message ?? `status ${status}`})`);
  return stdout.trim();
}

export async function main(args: readonly string[]): Promise<{ passed: number; failed: number; skipped: number }> {
  const { values: options } = parseArgs({ args: [...args], options: { accept: { type: "boolean", default: false } } });
  let tools: string | undefined;
  const result = { passed: 0, failed: 0, skipped: 0 };
  for (const name of goldenNames) {
    const [program, translation] = ["s", "wat"].map((suffix) => join(goldenFolder, `${name}.${suffix}`));
    const source = readFileSync(program, "utf8");
    const isKnown = options.accept && isEncoded(source);
    const encoded = isKnown ? source : assembled(source, (tools ??= binutils()));
    const text = await translate(encodingsOf(encoded));
    const isSame = encoded === source && existsSync(translation) && readFileSync(translation, "utf8") === text;
    if (options.accept && !isSame) {
      writeFileSync(program, encoded);
      writeFileSync(translation, text);
      console.log(`${name}: written`);
    }
    if (isSame || options.accept) result.passed++;
    else {
      result.failed++;
      console.log(
        `${name}: ${encoded === source ? "another translation" : "other encodings"}; --accept writes it, git diff shows it`,
      );
    }
  }
  return result;
}
