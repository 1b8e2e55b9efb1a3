/** Jails against this host: every known way out, and a maker that is killed at every operation. See docs/jail.md. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";

export async function main(): Promise<{ passed: number; failed: number; skipped: number }> {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const files = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(import.meta.dirname, name));
  for await (const event of run({ files, concurrency: 1 })) {
    if (event.type === "test:fail") {
      total.failed++;
      console.error(`failed: ${event.data.name}\n${event.data.details.error.cause ?? event.data.details.error}`);
    } else if (event.type === "test:pass") {
      // A file is an event too, after its tests.
      if (event.data.name.endsWith(".test.js")) continue;
      if (event.data.skip !== undefined) total.skipped++;
      else total.passed++;
      console.error(`${event.data.skip === undefined ? "passed" : "skipped"}: ${event.data.name}`);
    }
  }
  return total;
}
