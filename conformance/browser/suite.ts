import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

/** A guest that hangs is ended after this many milliseconds. */
const timeout = 120_000;

/** Boots guests in headless Chromium. Screenshots are left in dist/screenshots. */
export async function main(): Promise<{ passed: number; failed: number; skipped: number }> {
  const result = { passed: 0, failed: 0, skipped: 0 };
  const events = run({ files: [fileURLToPath(new URL("tab.test.js", import.meta.url))], concurrency: false, timeout });
  events.on("test:pass", ({ skip }) => {
    if (skip === undefined) result.passed++;
    else result.skipped++;
  });
  events.on("test:fail", () => result.failed++);
  const report = events.compose(spec);
  for await (const text of report) process.stderr.write(text);
  return result;
}
