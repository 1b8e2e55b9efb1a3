/** Which cases go into one run of a contender. */
import { makeBlob, resultOf } from "./blob.ts";
import type { TestCase } from "./case.ts";
import type { Contender } from "./contender.ts";
import { caseId, type Group } from "./generate/group.ts";
import { groups } from "./generate/groups.ts";
import { resultSize } from "./layout.ts";

/** The seed of the goldens. */
export const usualSeed = "1";
/** Cases in one blob. */
const batchSize = 20_000;

export interface Batch {
  readonly cases: readonly TestCase[];
  /** The group of each case. */
  readonly owners: readonly Group[];
  /** What QEMU's hart must have besides. */
  readonly extensions: readonly string[];
}

/** @param factor 1: as many cases as the groups' weights say */
export function* batches(chosen: readonly Group[], seed: string, factor: number): Generator<Batch> {
  let cases: TestCase[] = [];
  let owners: Group[] = [];
  for (const [i, group] of chosen.entries()) {
    const extensions = group.qemu?.extensions ?? [];
    const next = chosen[i + 1];
    const apart = next === undefined || group.alone || next.alone || next.qemu !== group.qemu;
    const count = Math.max(1, Math.round(group.weight * factor));
    for (let index = 0; index < count; index++) {
      cases.push(group.make(index, caseId(seed, group.name, index)));
      owners.push(group);
      if (group.alone || cases.length === batchSize || (apart && index === count - 1)) {
        yield { cases, owners, extensions };
        cases = [];
        owners = [];
      }
    }
  }
}

/** Runs the cases of the goldens; the results by group. */
export async function runUsual(contender: Contender): Promise<{ group: Group; cases: TestCase[]; results: Uint8Array }[]> {
  const found = new Map<Group, { cases: TestCase[]; results: Uint8Array[] }>();
  for (const { cases, owners, extensions } of batches(groups, usualSeed, 1)) {
    const results = await contender.run(makeBlob(cases), extensions);
    for (const [i, group] of owners.entries()) {
      const entry = found.get(group) ?? { cases: [], results: [] };
      entry.cases.push(cases[i]);
      entry.results.push(resultOf(results, i));
      found.set(group, entry);
    }
  }
  return [...found].map(([group, { cases, results }]) => {
    const together = new Uint8Array(results.length * resultSize);
    results.forEach((result, i) => {
      together.set(result, i * resultSize);
    });
    return { group, cases, results: together };
  });
}
