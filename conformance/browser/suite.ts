import { fileURLToPath } from "node:url";
import { runTests } from "../run-tests.ts";

/** Boots guests in headless Chromium. Screenshots are left in dist/screenshots. */
export function main(): ReturnType<typeof runTests> {
  return runTests(fileURLToPath(new URL("tab.test.js", import.meta.url)), 120_000);
}
