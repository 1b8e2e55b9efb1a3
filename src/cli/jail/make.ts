import type { Command } from "commander";
import { formatSize, type MakeProgress, type MakeResult, makeJail, makeTracedJail, type TracedResult } from "../../index.ts";
import { reportProblems, splitList, splitPath } from "./deps.ts";

interface MakeCommandOptions {
  with?: string[];
  package?: string[];
  trace?: string[];
  users?: string[];
  dev: boolean;
  root?: string;
  libraryPath?: string[];
  without?: string[];
  replace: boolean;
  restore: boolean;
  allowMissing: boolean;
  verbose: boolean;
  json: boolean;
}

const examples = `
Examples:
  viv jail make j bash ls mkdir touch tree
  viv jail make j nginx --package nginx-common --users www-data
  viv jail make j git --with /etc/gitconfig --dev
  viv jail make j bash --trace 'ruby -ropenssl -e 1'
  viv jail make j                          bring it up to date with this system

A second run copies only what has changed, and adds what it is given to what is there (or --replace).
DIR is complete afterwards, or as it was before.`;

/** Adds `viv jail make` to `jail`. */
export function addJailMakeCommand(jail: Command, done: (code: number) => void): void {
  jail
    .command("make")
    .description("make a directory to jail programs in: copies of everything they need")
    .argument("<DIR>", "the jail; a new or empty directory, or one made before")
    .argument("[PROGRAM...]", "paths, or names looked up in the usual directories")
    .option("--with <path>", "copy that file or whole directory, too (repeatable)", collect)
    .option("--package <name>", "copy a Debian package with all it depends on (repeatable)", collect)
    .option("--trace <cmd>", "run it here and jailed, and copy every file it opens (repeatable)", collect)
    .option("--users <names>", "enter these accounts into the jail's passwd and group", splitList)
    .option("--dev", "make /dev/null, zero, full, random, urandom, tty and their links", false)
    .option("--root <dir>", "copy from another system's tree")
    .option("--library-path <dirs>", "directories searched as by LD_LIBRARY_PATH", splitPath)
    .option("--without <runtimes>", "leave out what these load by themselves, such as locale,timezones", splitList)
    .option("--replace", "make the jail for exactly these programs, not for the earlier ones too", false)
    .option("--restore", "replace files of /etc that were changed inside, too", false)
    .option("--allow-missing", "go on if a program lacks something it cannot start without", false)
    .option("--json", "print the result as JSON", false)
    .option("-v, --verbose", "name optional things that are missing, too", false)
    .addHelpText("after", examples)
    .action((directory: string, programs: string[], options: MakeCommandOptions) => done(make(directory, programs, options)));
}

export function collect(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text];
}

function make(directory: string, programs: string[], options: MakeCommandOptions): number {
  const bar = progressBar();
  const request = { ...options, directory, programs, packages: options.package, progress: bar.show };
  let result: MakeResult;
  let traces: TracedResult["traces"] = [];
  try {
    if (options.trace === undefined) result = makeJail(request);
    else ({ traces, ...result } = makeTracedJail(request, options.trace));
  } finally {
    bar.clear();
  }
  reportProblems(result.closure, options.verbose);
  for (const name of result.missingUsers) process.stderr.write(`viv: --users ${name}: there is no such account here\n`);
  for (const path of result.kept)
    process.stderr.write(`viv: kept ${path}: it was changed inside the jail (--restore replaces it)\n`);
  for (const { command, here, jailed, rounds } of traces) {
    const runs = rounds === 1 ? "once" : `${rounds} times`;
    process.stderr.write(`viv: traced ${command}: exit status ${here} here, ${jailed} in the jail, run there ${runs}\n`);
  }
  if (options.json) {
    const { closure: _, ...summary } = result;
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  } else {
    const removed = result.removed > 0 ? `, ${result.removed} removed` : "";
    process.stdout.write(
      `${result.directory}: ${result.files} files, ${formatSize(result.bytes)}: ${result.copied} copied, ${result.unchanged} unchanged${removed}\n`,
    );
  }
  return 0;
}

/** One line on a terminal's stderr that is written anew a few times a second; nothing elsewhere. */
function progressBar(): { show: (progress: MakeProgress) => void; clear: () => void } {
  if (!process.stderr.isTTY) return { show: () => {}, clear: () => {} };
  let next = 0;
  return {
    show: ({ phase, files, totalFiles, bytes, totalBytes }) => {
      const now = performance.now();
      if (now < next) return;
      next = now + 100;
      const text =
        phase === "search"
          ? "looking for what is needed"
          : `copying ${files}/${totalFiles} files, ${formatSize(bytes)} of ${formatSize(totalBytes)}`;
      process.stderr.write(`\r\x1b[K${text}`);
    },
    clear: () => process.stderr.write("\r\x1b[K"),
  };
}
