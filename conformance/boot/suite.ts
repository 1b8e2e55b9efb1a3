import { fileURLToPath } from "node:url";
import { runTests } from "../run-tests.ts";

/** Runs the boot tests of this folder; they take minutes and fetch from Debian. */
export function main(): ReturnType<typeof runTests> {
  return runTests(fileURLToPath(new URL("debian.test.js", import.meta.url)), 600_000);
}
