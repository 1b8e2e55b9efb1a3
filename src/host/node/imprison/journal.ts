import { constants, lstatSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import { VivError } from "../../../core/errors.ts";
import type { GuardedTree } from "./directory.ts";
import { stateDirectory } from "./manifest.ts";
import { readDescriptor } from "./read.ts";

/** Next to the manifest: files ready to be put into place, files that were replaced, and the list of steps. */
const stage = `${stateDirectory}/stage`;
const old = `${stateDirectory}/old`;
const journalPath = `${stateDirectory}/journal.json`;
const lockPath = `${stateDirectory}/lock`;

const stepSchema = v.object({
  path: v.string(),
  /** `place`: a staged file or hard link takes the path; `attributes`: a directory's owner and permissions. */
  kind: v.picklist(["place", "remove", "mkdir", "rmdir", "attributes"]),
  /** There was something at the path before. */
  existed: v.boolean(),
  /** What a directory had. */
  before: v.optional(v.object({ mode: v.number(), uid: v.number(), gid: v.number() })),
});
const journalSchema = v.object({ made: v.string(), steps: v.array(stepSchema) });

export type Step = v.InferOutput<typeof stepSchema>;

export function stagePath(index: number): string {
  return `${stage}/${index}`;
}

export function oldPath(index: number): string {
  return `${old}/${index}`;
}

function exists(tree: GuardedTree, path: string): boolean {
  const at = tree.find(path);
  return at !== undefined && lstatSync(at, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Takes the jail for one change.
 * @returns a function that ends the change
 * @throws VivError `EBUSY` naming the process that is at work on it
 */
export function lockJail(tree: GuardedTree): () => void {
  const at = tree.at(lockPath);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(at, `${process.pid}\n`, { flag: "wx", mode: 0o600 });
      return () => unlinkSync(tree.at(lockPath));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 0) throw error;
    }
    const pid = Number.parseInt(readState(at), 10);
    if (isAlive(pid))
      throw new VivError("EBUSY", `${tree.directory} is being changed by process ${pid}; wait until it has ended`);
    unlinkSync(at);
  }
}

function readState(at: string): string {
  return readDescriptor(openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK), 1 << 28).toString("utf8");
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

export function beginStage(tree: GuardedTree): void {
  for (const path of [stage, old]) if (!exists(tree, path)) mkdirSync(tree.at(path), 0o700);
}

/** From here on `rollBack` undoes the steps, also in another process. */
export function writeJournal(tree: GuardedTree, made: string, steps: readonly Step[]): void {
  writeFileSync(tree.at(journalPath), JSON.stringify({ made, steps }), { mode: 0o600, flag: "wx" });
}

/**
 * Ends what an interrupted change left: undoes it, or if its manifest is in place, clears up.
 * @param made `made` of the manifest in place
 */
export function recoverJournal(tree: GuardedTree, made: string | undefined): void {
  if (exists(tree, journalPath)) {
    let journal: v.InferOutput<typeof journalSchema>;
    try {
      journal = v.parse(journalSchema, JSON.parse(readState(tree.at(journalPath))));
    } catch (cause) {
      throw new VivError("BAD_MANIFEST", `${tree.directory}${journalPath}: is no journal of ours; remove it`, { cause });
    }
    if (journal.made !== made) rollBack(tree, journal.steps);
  }
  clearJournal(tree);
}

export function clearJournal(tree: GuardedTree): void {
  if (exists(tree, journalPath)) unlinkSync(tree.at(journalPath));
  for (const path of [stage, old]) {
    if (!exists(tree, path)) continue;
    // Flat by construction; what is no file was not put there by us and stops the rmdir.
    for (const name of readdirSync(tree.at(path))) unlinkSync(tree.at(`${path}/${name}`));
    rmdirSync(tree.at(path));
  }
}

/** Undoes steps from the last to the first; a step that was not done yet is recognized by what lies where. */
export function rollBack(tree: GuardedTree, steps: readonly Step[]): void {
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index];
    if (step.kind === "place" || step.kind === "remove") {
      if (exists(tree, oldPath(index))) tree.rename(oldPath(index), step.path);
      else if (!step.existed && !exists(tree, stagePath(index)) && exists(tree, step.path)) unlinkSync(tree.at(step.path));
    } else if (step.kind === "mkdir") {
      if (!step.existed && exists(tree, step.path)) tree.removeDirectory(step.path);
    } else if (step.before !== undefined) {
      if (step.kind === "rmdir" && !exists(tree, step.path)) tree.makeDirectory(step.path);
      if (exists(tree, step.path))
        tree.setDirectory(step.path, process.getuid?.() === 0 ? step.before : undefined, step.before.mode & 0o7777);
    }
  }
}
