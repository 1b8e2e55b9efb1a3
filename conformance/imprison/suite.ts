import assert from "node:assert/strict";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Closure, closureOf, formatSize, makeJail, sizeOf } from "../../src/index.ts";
import { type Case, cases } from "./cases.ts";
import { missingFrom, peers } from "./compare.ts";
import { isRegularFile, traceHost } from "./jail.ts";
import { installPackages } from "./packages.ts";
import { type SystemCase, systems } from "./systems.ts";

/**
 * Jails of real programs: each runs in a jail that has nothing of the host mounted, each file that the kernel opens for
 * it when traced is in its closure, and the closure has all that ldd, lddtree and jailkit find.
 * @param options names of cases; none for all
 */
export async function main(options: readonly string[] = []): Promise<{ passed: number; failed: number; skipped: number }> {
  const result = { passed: 0, failed: 0, skipped: 0 };
  if (process.getuid?.() !== 0 || process.platform !== "linux") {
    console.log("imprison: skipped, because it changes the root directory and installs packages: run it as root on Debian");
    return { ...result, skipped: cases.length + systems.length };
  }
  installPackages(["strace", "pax-utils", "jailkit"]);
  const all = [
    ...cases.map((item) => ({ name: item.name, run: () => run(item) })),
    ...systems.map((item) => ({ name: item.name, run: () => runSystem(item) })),
  ];
  for (const item of all) {
    if (options.length > 0 && !options.includes(item.name)) continue;
    try {
      console.log(await item.run());
      result.passed++;
    } catch (error) {
      console.log(`failed: ${item.name}: ${String(error instanceof Error ? error.message : error).slice(0, 3000)}`);
      result.failed++;
    }
  }
  return result;
}

async function run(item: Case): Promise<string> {
  installPackages(item.packages);
  const scratch = mkdtempSync(join(tmpdir(), "viv-conform-"));
  try {
    const jail = join(scratch, "jail");
    const made = makeJail({ directory: jail, programs: item.programs, ...item.options });
    assert.equal(
      makeJail({ directory: jail, programs: item.programs, ...item.options }).copied,
      0,
      "a second run has nothing to do",
    );
    await item.check(jail);
    const { read, outside, closure } = await traced(item);
    assert.deepEqual(outside, [], `files opened outside the closure: ${outside.length}`);
    const found = peers.map((peer) => {
      const files = peer.find(closure.programs.map((program) => program.path));
      assert.deepEqual(missingFrom(closure, files), [], `found by ${peer.name} and not by us`);
      return `${peer.name} ${new Set(files).size}`;
    });
    const size = formatSize(sizeOf(made.closure.files.values()));
    return `passed: ${item.name}: ${closure.files.size} files, ${size}; traced ${read} files opened, 0 outside; ${found.join(", ")}`;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function runSystem(item: SystemCase): Promise<string> {
  installPackages(item.packages);
  const scratch = mkdtempSync(join(tmpdir(), "viv-conform-"));
  try {
    await item.check(scratch);
    return `passed: ${item.name}`;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Root's programs read it where they can; a jail has no password hashes unless they are asked for by --with. */
const withheld = ["/etc/shadow", "/etc/gshadow"];

/** Files that the commands read on the host. A shell that a command is started by counts as its own. */
async function traced(item: Case): Promise<{ read: number; outside: string[]; closure: Closure }> {
  const files = new Set<string>();
  for (const trace of item.traced) for (const path of await traceHost(trace)) if (isRegularFile(path)) files.add(path);
  const closure = closureOf({ programs: item.programs });
  const shells = item.traced.some((trace) => trace.command[0] === "sh") ? ["sh", "mkdir"] : [];
  const scaffold = shells.length > 0 ? closureOf({ programs: shells }).files : new Map<string, unknown>();
  const outside = [...files].filter((path) => {
    const real = realpathSync(path);
    return !closure.files.has(real) && !scaffold.has(real) && !withheld.includes(real);
  });
  return { read: files.size, outside, closure };
}
