/**
 * The embedded guest, interpreted and translated at once, compared: `npm run conform -- lockstep [--tier 1|auto] [--step N] [-- COMMAND...]`.
 */
import { parseArgs } from "node:util";
import { lockstep } from "../../src/index.ts";

/** What a guest does between its start and its end: each makes the hart do other things. */
const commands: readonly (readonly string[])[] = [
  ["true"],
  // Processes, pipes and signals.
  ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (echo $i; exit $i) | cat; done; sleep 1 & kill $!; wait"],
  // Loops over memory, byte by byte and word by word.
  [
    "sh",
    "-c",
    "seq 1 20000 >/tmp/a; sha256sum /tmp/a; md5sum /tmp/a; gzip -c /tmp/a | gunzip | cmp - /tmp/a; sort -r /tmp/a | tail -n 1",
  ],
  // Floating point.
  [
    "awk",
    'BEGIN { for (i = 1; i < 20000; i++) { s += sqrt(i) * sin(i) / log(i + 1); t += int(s) % 7 } printf "%.17g %d\\n", s, t }',
  ],
  // Files, directories, a file system.
  [
    "sh",
    "-c",
    "mkdir /tmp/d; cd /tmp/d; for i in $(seq 1 60); do cp /bin/busybox f$i 2>/dev/null || echo $i >f$i; rm f$i; done; find / -xdev | wc -l",
  ],
];

export async function main(args: readonly string[]): Promise<{ passed: number; failed: number; skipped: number }> {
  const { values: options, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { tier: { type: "string" }, step: { type: "string", default: "20000" } },
  });
  const tiers =
    options.tier === undefined ? ([1, "auto"] as const) : options.tier === "auto" ? (["auto"] as const) : ([1] as const);
  const result = { passed: 0, failed: 0, skipped: 0 };
  for (const command of positionals.length > 0 ? [positionals] : commands) {
    for (const tier of tiers) {
      const run = await lockstep({ command: [...command] }, { tier, step: Number(options.step) });
      const isSame = run.report === undefined && run.exit?.kind === "status";
      result[isSame ? "passed" : "failed"]++;
      if (!isSame) console.log(`${command.join(" ")}: ${run.report ?? `ended with ${JSON.stringify(run.exit)}`}`);
      else if (process.stderr.isTTY)
        console.error(`${command[0]}, tier ${tier}: ${run.instructions} instructions, ${run.boundaries} comparisons`);
    }
  }
  return result;
}
