import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { VivError } from "../../../core/errors.ts";
import type { Closure, Problem, Reason } from "../../../image/closure/index.ts";
import { closureOf, hostError, rootDirectory } from "./closure.ts";
import { makeFile, mayChangeOwner } from "./copy.ts";
import { GuardedTree } from "./directory.ts";
import { lockJail, recoverJournal } from "./journal.ts";
import { type FileRecord, type JailRequest, loadManifest, type Manifest, stateDirectory, storeManifest } from "./manifest.ts";
import { type Entry, planJail } from "./plan.ts";
import { copyFingerprint, finishDirectory, type Meter, recordOf, refuseWithoutSpace } from "./records.ts";
import { type Update, updateTree } from "./update.ts";

export interface MakeOptions {
  readonly directory: string;
  readonly programs: readonly string[];
  /** Further files and whole directories. */
  readonly with?: readonly string[];
  /** Debian packages, with what they depend on. */
  readonly packages?: readonly string[];
  /** Names of accounts to enter into the jail's passwd and group. */
  readonly users?: readonly string[];
  /** Makes the usual device nodes. */
  readonly dev?: boolean;
  readonly root?: string;
  readonly libraryPath?: readonly string[];
  readonly without?: readonly string[];
  /** The jail is for exactly this request; default: for this and what it was made for before. */
  readonly replace?: boolean;
  /** Replaces files of /etc that were changed inside, too. */
  readonly restore?: boolean;
  /** Makes the jail although a program lacks something it cannot start without. */
  readonly allowMissing?: boolean;
  readonly progress?: (progress: MakeProgress) => void;
}

export interface MakeProgress {
  readonly phase: "search" | "copy";
  readonly files: number;
  readonly totalFiles: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface MakeResult extends Update {
  readonly directory: string;
  /** Files in the jail, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  readonly problems: readonly Problem[];
  /** Names of `users` that there is no account of. */
  readonly missingUsers: readonly string[];
  readonly closure: Closure;
}

/** What was asked for in `--trace` and found so; kept apart because the closure does not know it. */
export interface Traced {
  readonly commands: readonly string[];
  readonly paths: readonly { readonly path: string; readonly reason: Reason }[];
}

/**
 * Makes a jail of programs: copies everything they need to the same paths below a directory, or brings a jail up to
 * date. The directory is then complete, or as it was before.
 * @throws VivError `NOT_EMPTY`, `MISSING_LIBRARY`, `ENOENT`, `ENOSPC`, `EBUSY`, `BAD_MANIFEST`...
 */
export function makeJail(options: MakeOptions, traced: Traced = { commands: [], paths: [] }): MakeResult {
  const directory = resolve(options.directory);
  const root = rootDirectory(options.root);
  if (isInside(root, directory) && root !== "/") {
    throw new VivError("BAD_SPEC", `${directory} lies in the tree that is copied from, ${root}; choose another directory`);
  }
  try {
    const state = examine(directory);
    const tree = state === "ours" ? new GuardedTree(directory) : undefined;
    const release = tree && lockJail(tree);
    try {
      if (tree !== undefined) recoverJournal(tree, loadManifest(tree)?.manifest.made);
      const loaded = tree && loadManifest(tree);
      const request = joinRequests(requestOf(options, root, traced), options.replace ? undefined : loaded?.manifest.request);
      if (![...request.programs, ...request.with, ...request.packages, ...traced.paths].length) {
        throw new VivError("BAD_SPEC", `nothing to put into ${directory}: name a program, or use --with, --package or --trace`);
      }
      options.progress?.({ phase: "search", files: 0, totalFiles: 0, bytes: 0, totalBytes: 0 });
      const closure = closureOf({
        ...request,
        paths: [
          ...request.with.map((path) => ({
            path,
            reason: { from: "", kind: "with", name: path, why: "added by --with" } as const,
          })),
          ...traced.paths,
          ...tracedBefore(options.replace ? undefined : loaded?.manifest, root),
        ],
      });
      refuseIncomplete(closure, options.allowMissing ?? false);
      const { entries, missingUsers } = planJail(closure, request);
      const itself = entries.find((entry) => entry.source !== undefined && isInside(directory, entry.source));
      if (itself !== undefined) {
        throw new VivError(
          "BAD_SPEC",
          `${itself.source} lies in the jail itself, which cannot be copied into itself; choose another directory`,
        );
      }
      const meter = progressMeter(entries, options.progress);
      const made = new Date().toISOString();
      const complete = (files: Record<string, FileRecord>): Manifest => ({
        schema: "vivarium.imprison",
        version: 1,
        made,
        request,
        files,
      });
      const update =
        tree === undefined
          ? createTree(directory, entries, meter, complete)
          : updateTree(tree, entries, loaded, { restore: options.restore ?? false, meter, complete });
      return {
        ...update,
        directory,
        files: entries.length,
        bytes: entries.reduce((sum, entry) => sum + (entry.link === undefined ? entry.size : 0), 0),
        problems: closure.problems,
        missingUsers,
        closure,
      };
    } finally {
      release?.();
      tree?.close();
    }
  } catch (error) {
    throw hostError(`making the jail ${directory}`, error);
  }
}

function isInside(directory: string, path: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** @throws VivError `NOT_EMPTY`, `ENOTDIR` */
function examine(directory: string): "absent" | "empty" | "ours" {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return "absent";
  if (!stat.isDirectory()) throw new VivError("ENOTDIR", `${directory} is not a directory; choose another name`);
  if (existsSync(`${directory}${stateDirectory}`)) return "ours";
  const names = readdirSync(directory);
  if (names.length === 0) return "empty";
  const some = names.slice(0, 3).join(", ");
  throw new VivError(
    "NOT_EMPTY",
    `${directory} is not empty (${some}) and was not made by viv jail make; choose another directory`,
  );
}

function requestOf(options: MakeOptions, root: string, traced: Traced): JailRequest {
  return {
    programs: options.programs.map((name) => (name.includes("/") && root === "/" ? resolve(name) : name)),
    with: (options.with ?? []).map((path) => (root === "/" ? resolve(path) : path)),
    packages: [...(options.packages ?? [])],
    libraryPath: [...(options.libraryPath ?? [])],
    without: [...(options.without ?? [])],
    users: [...(options.users ?? [])],
    trace: [...traced.commands],
    dev: options.dev ?? false,
    root,
  };
}

/** @throws VivError `BAD_SPEC` if the jail was made from another root */
function joinRequests(now: JailRequest, before: JailRequest | undefined): JailRequest {
  if (before === undefined) return now;
  if (before.root !== now.root) {
    throw new VivError(
      "BAD_SPEC",
      `this jail was made from ${before.root}, not ${now.root}; give --root ${before.root}, or --replace`,
    );
  }
  const join = (key: "programs" | "with" | "packages" | "libraryPath" | "without" | "users" | "trace") => [
    ...new Set([...before[key], ...now[key]]),
  ];
  return {
    programs: join("programs"),
    with: join("with"),
    packages: join("packages"),
    libraryPath: join("libraryPath"),
    without: join("without"),
    users: join("users"),
    trace: join("trace"),
    dev: before.dev || now.dev,
    root: now.root,
  };
}

/** What earlier traces found is not traced again; what has gone from the host since is left out. */
function tracedBefore(manifest: Manifest | undefined, root: string): { path: string; reason: Reason }[] {
  const base = root === "/" ? "" : root;
  return Object.entries(manifest?.files ?? {}).flatMap(([path, file]) =>
    file.kind !== "directory" &&
    file.why.some((why) => why.kind === "trace") &&
    lstatSync(`${base}${path}`, { throwIfNoEntry: false }) !== undefined
      ? [{ path, reason: { from: "", kind: "trace", name: path, why: "opened when traced before" } as const }]
      : [],
  );
}

function refuseIncomplete(closure: Closure, allowed: boolean): void {
  const missing = closure.problems.filter((problem) => problem.required);
  if (missing.length === 0 || allowed) return;
  const more = missing.length > 1 ? ` (and ${missing.length - 1} more; see viv jail deps)` : "";
  throw new VivError(missing[0].code, `${missing[0].message}${more}, or use --allow-missing`);
}

function progressMeter(entries: readonly Entry[], report: MakeOptions["progress"]): Meter {
  const totalFiles = entries.length;
  const totalBytes = entries.reduce((sum, entry) => sum + (entry.link === undefined ? entry.size : 0), 0);
  let files = 0;
  let bytes = 0;
  const tell = () => report?.({ phase: "copy", files, totalFiles, bytes, totalBytes });
  return {
    file: () => {
      files++;
      tell();
    },
    bytes: (count) => {
      bytes += count;
      tell();
    },
  };
}

/** A new jail is made beside its place and moved there whole. */
function createTree(
  directory: string,
  entries: readonly Entry[],
  meter: Meter,
  complete: (files: Record<string, FileRecord>) => Manifest,
): Update {
  const parent = dirname(directory);
  if (!existsSync(parent)) throw new VivError("ENOENT", `${parent} does not exist; make it first`);
  const existing = statSync(directory, { throwIfNoEntry: false });
  const target = existing === undefined ? join(realpathSync(parent), basename(directory)) : realpathSync(directory);
  refuseWithoutSpace(
    parent,
    entries.filter((entry) => entry.link === undefined),
  );
  const temporary = mkdtempSync(join(dirname(target), `.${basename(target)}.viv-`));
  try {
    const tree = new GuardedTree(temporary);
    try {
      const files = fill(tree, entries, meter);
      mkdirSync(tree.at(stateDirectory), 0o700);
      storeManifest(tree, complete(files), target);
    } finally {
      tree.close();
    }
    chmodSync(temporary, existing === undefined ? 0o755 : existing.mode & 0o7777);
    if (existing !== undefined && mayChangeOwner) chownSync(temporary, existing.uid, existing.gid);
    moveInto(temporary, target);
  } catch (error) {
    removeTree(temporary);
    throw error;
  }
  return { copied: entries.length, unchanged: 0, removed: 0, kept: [] };
}

/** Only root can empty directories that forbid writing; for others they are opened up first. */
function removeTree(directory: string): void {
  const openUp = (path: string): void => {
    chmodSync(path, 0o700);
    for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) openUp(join(path, entry.name));
  };
  if (!mayChangeOwner) openUp(directory);
  rmSync(directory, { recursive: true, force: true });
}

function moveInto(temporary: string, target: string): void {
  try {
    renameSync(temporary, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EBUSY" && code !== "EXDEV") throw error;
    throw new VivError("EBUSY", `${target} is a mount point; give a directory below it`, { cause: error });
  }
}

/** Makes all entries in an empty tree. Directories get their own permissions last: they may forbid writing. */
function fill(tree: GuardedTree, entries: readonly Entry[], meter: Meter): Record<string, FileRecord> {
  const files: Record<string, FileRecord> = {};
  for (const entry of entries) {
    if (entry.kind === "directory") {
      tree.makeDirectory(entry.path);
      files[entry.path] = recordOf(entry, undefined, "");
      meter.file();
      continue;
    }
    const at = tree.at(entry.path);
    let sha256: string | undefined;
    if (entry.link !== undefined) {
      const first = join(tree.directory, entry.link);
      linkSync(first, at);
      sha256 = files[entry.link].sha256;
    } else sha256 = makeFile(entry, at, meter.bytes);
    files[entry.path] = recordOf(entry, sha256, "");
    meter.file();
  }
  for (const entry of [...entries].reverse()) finishDirectory(tree, entry);
  for (const entry of entries) files[entry.path].copy = copyFingerprint(tree, entry.path);
  return files;
}
