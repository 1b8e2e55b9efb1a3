/**
 * Our machine against Debian's QEMU: `npm run conform -- differential [OPTION...]`.
 *
 *   --cases N       about how many cases (default: the usual size, that of the goldens)
 *   --seed TEXT     other cases
 *   --group TEXT    only groups whose name begins so
 *   --case ID       only this case, shrunk and explained
 *   --tier T        0: interpreted, 1: all translated; default: both, one after the other
 *   --qemu PATH     this qemu-system-riscv64 instead of the one that scripts/debian/qemu.sh fetches
 *   --accept        writes golden.txt from QEMU's results
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { batches, runUsual, usualSeed } from "./batches.ts";
import { makeBlob, resultOf } from "./blob.ts";
import type { TestCase } from "./case.ts";
import type { Contender } from "./contender.ts";
import { caseOf } from "./generate/group.ts";
import { groups } from "./generate/groups.ts";
import { type Golden, goldenOf, writeGoldens } from "./golden.ts";
import { ourMachine } from "./machine.ts";
import { qemu } from "./qemu.ts";
import { explain, mismatches, shrink } from "./report.ts";

/** Differences that are explained; all are counted. */
const explained = 10;

/** Fetched if need be; everything that is said goes to stderr. */
function debianQemu(): string {
  const script = join(process.cwd(), "scripts/debian/qemu.sh");
  const { status, stdout, error } = spawnSync(script, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  if (status !== 0) throw new Error(`${script} failed (${error?.message ?? `status ${status}`}); give a QEMU 10 with --qemu`);
  return stdout.trim();
}

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export async function main(args: readonly string[]): Promise<SuiteResult> {
  const { values: options } = parseArgs({
    args: [...args],
    options: {
      cases: { type: "string" },
      seed: { type: "string", default: usualSeed },
      group: { type: "string", default: "" },
      case: { type: "string" },
      qemu: { type: "string" },
      tier: { type: "string" },
      accept: { type: "boolean", default: false },
    },
  });
  const theirs = qemu(options.qemu ?? debianQemu());
  if (options.accept) return accept(theirs);
  if (options.tier !== undefined && !["0", "1"].includes(options.tier)) throw new Error(`--tier ${options.tier}: 0 or 1`);
  const ours = (options.tier === undefined ? ([0, 1] as const) : ([Number(options.tier) as 0 | 1] as const)).map(ourMachine);
  if (options.case !== undefined) {
    const found = caseOf(options.case, groups);
    if (!found) throw new Error(`--case ${options.case}: no such group; a case is SEED:GROUP#INDEX`);
    const failed = await compare([found.test], found.group.qemu?.extensions ?? [], ours, theirs, 1);
    return { passed: 1 - failed, failed, skipped: 0 };
  }
  const chosen = groups.filter(({ name }) => name.startsWith(options.group));
  if (chosen.length === 0) throw new Error(`--group ${options.group}: no group begins so`);
  const usual = chosen.reduce((sum, { weight }) => sum + weight, 0);
  const wanted = options.cases === undefined ? usual : Number(options.cases);
  if (!(wanted > 0)) throw new Error(`--cases ${options.cases}: not a positive number`);

  let passed = 0;
  let failed = 0;
  for (const batch of batches(chosen, options.seed, wanted / usual)) {
    const wrong = await compare(batch.cases, batch.extensions, ours, theirs, explained - failed);
    passed += batch.cases.length - wrong;
    failed += wrong;
    if (process.stderr.isTTY) process.stderr.write(`\r${passed + failed} cases, ${failed} differ `);
  }
  if (process.stderr.isTTY) process.stderr.write("\n");
  return { passed, failed, skipped: 0 };
}

/** Runs the cases on QEMU and on each of ours, explains up to `most` differences; returns how many cases differ. */
async function compare(
  cases: readonly TestCase[],
  extensions: readonly string[],
  ours: readonly Contender[],
  theirs: Contender,
  most: number,
): Promise<number> {
  const blob = makeBlob(cases);
  const expected = await theirs.run(blob, extensions);
  const wrong = new Set<number>();
  for (const contender of ours) {
    for (const index of mismatches(cases.length, await contender.run(blob, extensions), expected)) {
      if (!wrong.has(index) && wrong.size < most) {
        const small = await shrink(cases[index], contender, theirs, extensions);
        const single = makeBlob([small]);
        const results = [await contender.run(single, extensions), await theirs.run(single, extensions)];
        console.log(explain(small, contender.name, resultOf(results[0], 0), resultOf(results[1], 0)));
      }
      wrong.add(index);
    }
  }
  return wrong.size;
}

async function accept(theirs: Contender): Promise<SuiteResult> {
  const goldens = new Map<string, Golden>();
  let passed = 0;
  for (const { group, cases, results } of await runUsual(theirs)) {
    goldens.set(group.name, goldenOf(cases, results));
    passed += cases.length;
  }
  writeGoldens(goldens);
  return { passed, failed: 0, skipped: 0 };
}
