/**
 * Soak: translates without end in bounded memory, on every Node that is supported: `npm run conform -- soak [--regions N]`.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const nodes = ["20", "24"] as const;
/** What the process may grow by after the code cache was emptied for the second time. */
const bound = 256 * 2 ** 20;
const MiB = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

export async function main(args: readonly string[]): Promise<{ passed: number; failed: number; skipped: number }> {
  const { values: options } = parseArgs({ args: [...args], options: { regions: { type: "string", default: "60000" } } });
  const result = { passed: 0, failed: 0, skipped: 0 };
  for (const node of nodes) {
    const script = join(process.cwd(), "scripts/with-node.mjs");
    const program = join(process.cwd(), "dist/conformance/soak/run.js");
    const { stdout, status } = spawnSync(process.execPath, [script, node, program, options.regions], {
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
    });
    if (status !== 0) {
      console.log(`Node ${node}: ended with status ${status}`);
      result.failed++;
      continue;
    }
    const { regions, flushes, settled, most } = JSON.parse(stdout);
    const isBounded = flushes > 3 && most - settled < bound;
    result[isBounded ? "passed" : "failed"]++;
    console.log(`Node ${node}: ${regions} regions, ${flushes} flushes, ${MiB(settled)} after the second, at most ${MiB(most)}`);
  }
  return result;
}
