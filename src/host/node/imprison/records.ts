import { lstatSync, statfsSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";
import { copyAttributes, mayChangeOwner } from "./copy.ts";
import type { GuardedTree } from "./directory.ts";
import type { FileRecord } from "./manifest.ts";
import { type Entry, fingerprintOf } from "./plan.ts";

/** Told of each file done and of bytes copied. */
export interface Meter {
  readonly file: () => void;
  readonly bytes: (count: number) => void;
}

export function finishDirectory(tree: GuardedTree, entry: Entry): void {
  if (entry.kind !== "directory") return;
  copyAttributes(entry, tree.at(entry.path));
  tree.setDirectory(entry.path, mayChangeOwner ? { uid: entry.uid, gid: entry.gid } : undefined, entry.mode);
}

export function recordOf(entry: Entry, sha256: string | undefined, copy: string): FileRecord {
  return {
    kind: entry.kind,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    ...(entry.kind === "file" && { size: entry.size }),
    ...(sha256 !== undefined && { sha256 }),
    ...(entry.target !== undefined && { target: entry.target }),
    ...(entry.device !== undefined && { device: entry.device }),
    ...(entry.link !== undefined && { link: entry.link }),
    source: entry.fingerprint,
    copy,
    why: entry.why.map((reason) => ({ ...reason })),
  };
}

export function copyFingerprint(tree: GuardedTree, path: string): string {
  const at = tree.find(path);
  const stat = at === undefined ? undefined : lstatSync(at, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return "";
  return stat.isDirectory() ? `directory ${stat.mode} ${stat.uid} ${stat.gid}` : fingerprintOf(stat);
}

/** Full disks are noticed before anything is written; a quota, or a disk that fills meanwhile, is noticed while copying. */
export function refuseWithoutSpace(directory: string, entries: readonly Entry[]): void {
  const stats = statfsSync(directory);
  const needed = entries.reduce((sum, entry) => sum + Math.ceil(entry.size / stats.bsize) * stats.bsize, 0);
  const free = stats.bavail * stats.bsize;
  // Sparse files take less than their size: only what is more than the disk could ever hold is refused for sure.
  const sparse = entries.some((entry) => entry.size > 1 << 26);
  if (needed > free && !sparse) {
    throw new VivError(
      "ENOSPC",
      `${directory} has ${free} bytes free, the jail needs ${needed}; make room or choose another directory`,
    );
  }
}
