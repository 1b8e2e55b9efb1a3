import { type Dirent, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { VivError } from "../../../core/errors.ts";

export interface DirectoryTreeOptions {
  /** Levels below the directory; default all. */
  readonly level?: number;
  /** Names that begin with a dot, too. */
  readonly all?: boolean;
  readonly directoriesOnly?: boolean;
}

/**
 * The files below a directory as lines of text, sorted by name, with their numbers at the end. Links are shown, never
 * followed; what a terminal would take for a command is shown as `\\xHH`.
 * @throws VivError `ENOENT`, `ENOTDIR`
 */
export function* directoryTree(directory: string, options: DirectoryTreeOptions = {}): Generator<string> {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) throw new VivError("ENOENT", `${directory}: no such directory`);
  if (!stat.isDirectory()) throw new VivError("ENOTDIR", `${directory}: is not a directory`);
  const counts = { directories: 0, files: 0 };
  yield printable(directory);
  yield* below(directory, "", 1, options, counts);
  const directories = `${counts.directories} ${counts.directories === 1 ? "directory" : "directories"}`;
  yield "";
  yield options.directoriesOnly ? directories : `${directories}, ${counts.files} ${counts.files === 1 ? "file" : "files"}`;
}

function* below(
  directory: string,
  indent: string,
  depth: number,
  options: DirectoryTreeOptions,
  counts: { directories: number; files: number },
): Generator<string> {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    yield `${indent}└── [cannot be read: ${(error as NodeJS.ErrnoException).code}]`;
    return;
  }
  const shown = entries
    .filter((entry) => (options.all || !entry.name.startsWith(".")) && (!options.directoriesOnly || entry.isDirectory()))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const [index, entry] of shown.entries()) {
    const last = index === shown.length - 1;
    const path = join(directory, entry.name);
    const target = entry.isSymbolicLink() ? ` -> ${printable(readlinkSync(path))}` : "";
    yield `${indent}${last ? "└── " : "├── "}${printable(entry.name)}${target}`;
    if (!entry.isDirectory()) counts.files++;
    else {
      counts.directories++;
      if (depth < (options.level ?? Number.POSITIVE_INFINITY)) {
        yield* below(path, `${indent}${last ? "    " : "│   "}`, depth + 1, options, counts);
      }
    }
  }
}

function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
