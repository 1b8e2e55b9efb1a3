import { run } from "node:test";
import { spec } from "node:test/reporters";

/**
 * Runs one file of tests as a suite, its report on standard error.
 * @param timeout milliseconds after which a guest that hangs is ended
 */
export async function runTests(file: string, timeout: number): Promise<{ passed: number; failed: number; skipped: number }> {
  const result = { passed: 0, failed: 0, skipped: 0 };
  const events = run({ files: [file], concurrency: false, timeout });
  events.on("test:pass", ({ skip }) => {
    if (skip === undefined) result.passed++;
    else result.skipped++;
  });
  events.on("test:fail", () => result.failed++);
  const report = events.compose(spec);
  for await (const text of report) process.stderr.write(text);
  return result;
}
