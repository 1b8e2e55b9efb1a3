import type { Command } from "commander";
import { type Closure, closureData, closureOf, closureTree, explainFile, formatSize, sizeOf, VivError } from "../../index.ts";

interface DepsOptions {
  root?: string;
  why?: string;
  json: boolean;
  size: boolean;
  all: boolean;
  libraryPath?: string[];
  without?: string[];
  runtimes: boolean;
  verbose: boolean;
}

const examples = `
Examples:
  viv jail deps nano                       the tree of what nano needs
  viv jail deps bash ls --size             with sizes, and the sum
  viv jail deps git --why /usr/bin/dash    who wants that file
  viv jail deps /bin/busybox --root alpine a program of another system, below its directory

Nothing is run. Exit status: 1 if a program lacks something it cannot start without.`;

/** Adds `viv jail deps` to `jail`. */
export function addJailDepsCommand(jail: Command, done: (code: number) => void): void {
  jail
    .command("deps")
    .description("show everything that programs need, without running them")
    .argument("<PROGRAM...>", "paths, or names looked up in the usual directories")
    .option("--root <dir>", "look in another system's tree, of any architecture")
    .option("--why <file>", "say how that file comes to be needed")
    .option("--json", "print every file with all its reasons as JSON", false)
    .option("--size", "add sizes", false)
    .option("--all", "list the files of recognized runtimes one by one", false)
    .option("--library-path <dirs>", "directories searched as by LD_LIBRARY_PATH", splitPath)
    .option("--without <runtimes>", "leave out what these load by themselves, such as locale,timezones", splitList)
    .option("--no-runtimes", "show only what headers, links and first lines name, as ldd and lddtree do")
    .option("-v, --verbose", "name optional things that are missing, too", false)
    .addHelpText("after", examples)
    .action((programs: string[], options: DepsOptions) => done(deps(programs, options)));
}

export function splitPath(text: string): string[] {
  return text.split(":").filter((item) => item !== "");
}

export function splitList(text: string, previous: readonly string[] = []): string[] {
  return [...previous, ...text.split(",").filter((item) => item !== "")];
}

function deps(programs: string[], options: DepsOptions): number {
  const closure = closureOf({ ...options, programs, withoutRuntimes: !options.runtimes });
  if (options.why !== undefined) process.stdout.write(why(closure, options.why));
  else if (options.json) process.stdout.write(`${JSON.stringify(closureData(closure), null, 1)}\n`);
  else {
    process.stdout.write(closureTree(closure, { all: options.all, sizes: options.size }));
    if (options.size) {
      process.stdout.write(`\n${closure.files.size} files, ${formatSize(sizeOf(closure.files.values()))}\n`);
    }
  }
  return reportProblems(closure, options.verbose) ? 1 : 0;
}

function why(closure: Closure, file: string): string {
  const chains = explainFile(closure, file);
  if (chains.length === 0) {
    throw new VivError(
      "ENOENT",
      `${file} is not among what these programs need; give its path as the list of --all or --json has it`,
    );
  }
  return `${chains.join("\n\n")}\n`;
}

/** Prints what is missing; returns whether a program cannot start. */
export function reportProblems(closure: Closure, verbose: boolean): boolean {
  const fatal = closure.problems.filter((problem) => problem.required);
  for (const problem of verbose ? closure.problems : fatal) {
    process.stderr.write(`viv: ${problem.required ? "" : "optional: "}${problem.message}\n`);
  }
  return fatal.length > 0;
}
