// The closure of 200 programs in one run, as a command from start to end, against lddtree (pax-utils) on the same programs.
// Ours finds more (runtimes, dlopen, scripts); that it has all that lddtree finds is part of the run.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";

const directory = "/usr/bin";
const wanted = 200;
const runs = 5;
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/nonexistent", LANG: "C.UTF-8" };

function isDynamicProgram(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(4096);
    readSync(fd, head, 0, head.length, 0);
    return head.subarray(0, 4).toString("latin1") === "\x7fELF" && head.includes("/ld-linux");
  } finally {
    closeSync(fd);
  }
}

function timed(command: string, args: readonly string[]): { seconds: number; output: string } {
  const start = performance.now();
  const result = spawnSync(command, args, {
    env: environment,
    encoding: "utf8",
    maxBuffer: 1 << 30,
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (result.error) throw new Error(`${command}: ${result.error.message}; lddtree is in Debian's package pax-utils`);
  return { seconds: (performance.now() - start) / 1000, output: result.stdout };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

const programs = readdirSync(directory)
  .sort()
  .map((name) => join(directory, name))
  .filter(isDynamicProgram)
  .slice(0, wanted);

/** One comparison: everything that we find, or only what lddtree looks at, too. */
function compare(name: string, options: readonly string[]): void {
  const viv = [join(import.meta.dirname, "../../bin/viv.mjs"), "jail", "deps", "--json", ...options, ...programs];
  const times: { ours: number; theirs: number }[] = [];
  let files = new Set<string>();
  let listed: string[] = [];
  for (let run = 0; run < runs; run++) {
    const ours = timed(process.execPath, viv);
    const theirs = timed("lddtree", ["-l", ...programs]);
    times.push({ ours: ours.seconds, theirs: theirs.seconds });
    files = new Set((JSON.parse(ours.output) as { files: { path: string }[] }).files.map((file) => file.path));
    listed = [...new Set(theirs.output.split("\n").filter((line) => line.startsWith("/")))];
  }
  const missing = listed.filter((path) => !files.has(realpathSync(path)));
  if (missing.length > 0) throw new Error(`lddtree finds what we do not: ${missing.join(", ")}`);
  const ours = median(times.map((time) => time.ours));
  const theirs = median(times.map((time) => time.theirs));
  const ratio = median(times.map((time) => time.theirs / time.ours));
  console.error(
    `${name}: ${ours.toFixed(2)} s and ${files.size} files; lddtree ${theirs.toFixed(2)} s and ${listed.length} files`,
  );
  const round = (value: number) => Number(value.toFixed(3));
  const result = {
    name,
    peer: "lddtree",
    ours: round(ours),
    theirs: round(theirs),
    ratio: round(ratio),
    unit: "s",
    runs,
    node: process.version,
  };
  console.log(JSON.stringify(result));
}

compare(`closure of ${programs.length} programs`, []);
compare(`libraries of ${programs.length} programs`, ["--no-runtimes"]);
