import { spawnSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VivError } from "../../../core/errors.ts";
import type { Reason } from "../../../image/closure/index.ts";
import { type FileUse, missedFiles, parseTrace, readFiles } from "../../../image/closure/strace.ts";
import { rootDirectory } from "./closure.ts";
import { type Invocation, jailedCommand, requireRoot } from "./jailed.ts";
import { type MakeOptions, type MakeResult, makeJail } from "./make.ts";

export interface TracedRun {
  readonly status: number;
  readonly uses: readonly FileUse[];
}

const traceOptions = ["-ff", "-xx", "-y", "-s", "8192", "-e", "trace=%file,chroot", "-e", "signal=none", "-o"];

/**
 * Runs a command on the host, or in a jail, and tells which files it used.
 * @throws VivError `NO_STRACE`, or what the host says
 */
export function runTraced(command: readonly string[], jail?: string, stdio: "inherit" | "ignore" = "inherit"): TracedRun {
  const scratch = mkdtempSync(join(tmpdir(), "viv-trace-"));
  try {
    const tracer = ["strace", ...traceOptions, join(scratch, "log")];
    const directory = jail === undefined ? process.cwd() : realpathSync(jail);
    const invocation: Invocation =
      jail === undefined
        ? { file: tracer[0], args: [...tracer.slice(1), ...command] }
        : jailedCommand(directory, command, tracer);
    if (spawnSync("strace", ["-V"], { stdio: "ignore" }).error !== undefined) {
      throw new VivError("NO_STRACE", "--trace needs the program strace; install it (Debian: apt-get install strace)");
    }
    const result = spawnSync(invocation.file, invocation.args, { stdio });
    if (result.error)
      throw new VivError("ENOENT", `cannot run ${invocation.file}: ${result.error.message}`, { cause: result.error });
    const logs = readdirSync(scratch).sort();
    const uses = logs.flatMap((name) => parseTrace(readFileSync(join(scratch, name), "latin1"), directory, jail && directory));
    return { status: result.status ?? 128, uses };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Splits a command as a shell would; one that needs a shell is given to it. */
export function commandWords(command: string): string[] {
  if (/[|&;<>()$`\\*?[\]{}~#!\n]/.test(command)) return ["sh", "-c", command];
  const words = [...command.matchAll(/(?:"([^"]*)"|'([^']*)'|(\S+))/g)].map((match) => match[1] ?? match[2] ?? match[3]);
  if (words.length === 0) throw new VivError("BAD_SPEC", "--trace needs a command");
  return words;
}

export interface TracedResult extends MakeResult {
  /** For each command: its exit status here and in the jail, and how often it was run there. */
  readonly traces: readonly {
    readonly command: string;
    readonly here: number;
    readonly jailed: number;
    readonly rounds: number;
  }[];
}

/** A command may find new things each time; it is run this often in the jail at most. */
const maxRounds = 10;

/**
 * Makes a jail of programs and of everything that commands open: each is run here, then in the jail, until it looks
 * for nothing more that is here and not there.
 * @throws VivError as `makeJail`, and `NO_STRACE`, `EPERM`
 */
export function makeTracedJail(options: MakeOptions, commands: readonly string[]): TracedResult {
  const root = rootDirectory(options.root);
  if (root !== "/")
    throw new VivError("BAD_SPEC", "--trace runs a command here, so that --root has no meaning for it; leave one out");
  requireRoot(options.directory);
  const words = commands.map(commandWords);
  const paths = new Map<string, Reason>();
  const add = (path: string, why: string): boolean => {
    if (paths.has(path) || lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
    paths.set(path, { from: "", kind: "trace", name: path, why });
    return true;
  };
  const shells = words.some((command) => command[0] === "sh") ? ["sh"] : [];
  const programs = [...new Set([...options.programs, ...shells])];
  const here = words.map((command, index) => {
    const run = runTraced(command);
    for (const path of readFiles(run.uses)) add(path, `opened by: ${commands[index]}`);
    return run.status;
  });
  const make = () =>
    makeJail({ ...options, programs }, { commands, paths: [...paths].map(([path, reason]) => ({ path, reason })) });
  let result = make();
  const traces = words.map((command, index) => {
    for (let rounds = 1; ; rounds++) {
      const run = runTraced(command, result.directory);
      const present = new Set(result.closure.files.keys());
      const found = missedFiles(run.uses).filter(
        (path) => !present.has(path) && add(path, `looked for in the jail by: ${commands[index]}`),
      );
      if (found.length === 0 || rounds === maxRounds) {
        return { command: commands[index], here: here[index], jailed: run.status, rounds };
      }
      result = make();
    }
  });
  return { ...result, traces };
}
