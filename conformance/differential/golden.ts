/**
 * What QEMU made of the cases of the usual size, as hashes in `golden.txt`: so `npm test` compares against QEMU without
 * having it. A line for each group: its name, the hash of its cases, and base64 of the hash of each result.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resultOf } from "./blob.ts";
import { encodeCase, recordBound, type TestCase } from "./case.ts";
import { assembleHarness, assembleStub } from "./harness.ts";

/** The package's root, from the sources and from what is compiled of them. */
function projectRoot(): string {
  let folder = fileURLToPath(new URL(".", import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = join(folder, "..");
  return folder;
}
const path = join(projectRoot(), "conformance/differential/golden.txt");

/** Bytes of a result's hash that are kept. */
const kept = 4;

export interface Golden {
  /** Of all that goes into the group's cases. */
  readonly input: string;
  readonly results: Buffer;
}

const harnessHash = createHash("sha256").update(assembleHarness().code).update(assembleStub()).digest();

export function hashCases(cases: readonly TestCase[]): string {
  const hash = createHash("sha256").update(harnessHash);
  for (const test of cases) {
    const bytes = new Uint8Array(recordBound(test));
    hash.update(bytes.subarray(0, encodeCase(test, bytes, 0, 0n)));
  }
  return hash.digest("hex").slice(0, 16);
}

export function hashResult(result: Uint8Array): Buffer {
  return createHash("sha256").update(result).digest().subarray(0, kept);
}

export function readGoldens(): Map<string, Golden> {
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [name, input, results] = line.split("\t");
      return [name, { input, results: Buffer.from(results, "base64") }];
    }),
  );
}

export function writeGoldens(goldens: ReadonlyMap<string, Golden>): void {
  const lines = [...goldens].map(([name, { input, results }]) => `${name}\t${input}\t${results.toString("base64")}\n`);
  writeFileSync(path, lines.join(""));
}

/** Indices of results that are not what they were. */
export function changedResults(golden: Golden, count: number, results: Uint8Array): number[] {
  return [...Array(count).keys()].filter((i) => {
    return !hashResult(resultOf(results, i)).equals(golden.results.subarray(i * kept, (i + 1) * kept));
  });
}

export function goldenOf(cases: readonly TestCase[], results: Uint8Array): Golden {
  return {
    input: hashCases(cases),
    results: Buffer.concat(cases.map((_, i) => hashResult(resultOf(results, i)))),
  };
}
