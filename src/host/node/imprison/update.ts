import { createHash } from "node:crypto";
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readlinkSync, readSync, realpathSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";
import { makeFile, mayChangeOwner } from "./copy.ts";
import type { GuardedTree } from "./directory.ts";
import { beginStage, clearJournal, oldPath, rollBack, type Step, stagePath, writeJournal } from "./journal.ts";
import { type FileRecord, type LoadedManifest, type Manifest, stateDirectory, storeManifest } from "./manifest.ts";
import { type Entry, kindOf } from "./plan.ts";
import { copyFingerprint, finishDirectory, type Meter, recordOf, refuseWithoutSpace } from "./records.ts";

export interface Update {
  /** Files made or replaced, left as they were, taken away. */
  readonly copied: number;
  readonly unchanged: number;
  readonly removed: number;
  /** Files changed inside the jail and left so. */
  readonly kept: readonly string[];
}

interface UpdateOptions {
  readonly restore: boolean;
  readonly meter: Meter;
  readonly complete: (files: Record<string, FileRecord>) => Manifest;
}

/** Brings a jail, locked by the caller, to the entries given: everything is copied aside first, then put into place with a journal. */
export function updateTree(
  tree: GuardedTree,
  entries: readonly Entry[],
  loaded: LoadedManifest | undefined,
  options: UpdateOptions,
): Update {
  return new Updater(tree, entries, loaded, options).run();
}

/** What to do with one entry. */
type Decision = "same" | "make" | "attributes" | "keep";

class Updater {
  private readonly tree: GuardedTree;
  private readonly entries: readonly Entry[];
  private readonly before: Readonly<Record<string, FileRecord>>;
  private readonly genuine: boolean;
  private readonly options: UpdateOptions;
  private readonly decisions = new Map<string, Decision>();
  private readonly kept: string[] = [];
  private readonly steps: Step[] = [];
  private readonly staged: (Entry | undefined)[] = [];

  constructor(tree: GuardedTree, entries: readonly Entry[], loaded: LoadedManifest | undefined, options: UpdateOptions) {
    this.tree = tree;
    this.entries = entries;
    this.before = loaded?.manifest.files ?? {};
    this.genuine = loaded?.genuine ?? false;
    this.options = options;
  }

  run(): Update {
    const { tree, entries } = this;
    for (const entry of entries) this.decisions.set(entry.path, this.decide(entry));
    const wanted = entries.filter((entry) => this.decisions.get(entry.path) === "make");
    refuseWithoutSpace(
      tree.directory,
      wanted.filter((entry) => entry.link === undefined),
    );
    this.planSteps();
    const stale = this.planRemovals();

    beginStage(tree);
    let manifest: Manifest;
    try {
      const sums = this.stageFiles();
      const files: Record<string, FileRecord> = {};
      for (const entry of entries) {
        const previous = this.before[entry.path];
        const decision = this.decisions.get(entry.path);
        if (decision === "keep") files[entry.path] = { ...previous, why: recordOf(entry, undefined, "").why };
        else files[entry.path] = recordOf(entry, sums.get(entry.path) ?? previous?.sha256, "");
      }
      for (const entry of entries) if (entry.link !== undefined) files[entry.path].sha256 ??= files[entry.link].sha256;
      manifest = this.options.complete(files);
      writeJournal(tree, manifest.made, this.steps);
    } catch (error) {
      clearJournal(tree);
      throw error;
    }
    try {
      this.steps.forEach((step, index) => {
        this.perform(step, index);
      });
      for (const entry of entries) {
        if (this.decisions.get(entry.path) !== "keep") manifest.files[entry.path].copy = copyFingerprint(tree, entry.path);
      }
      storeManifest(tree, manifest, realpathSync(tree.directory));
    } catch (error) {
      rollBack(tree, this.steps);
      clearJournal(tree);
      throw error;
    }
    clearJournal(tree);
    const unchanged = entries.filter((entry) => this.decisions.get(entry.path) === "same").length;
    const kept = entries.filter((entry) => this.decisions.get(entry.path) === "keep").length;
    return { copied: entries.length - unchanged - kept, unchanged, removed: stale, kept: this.kept };
  }

  private status(path: string): BigIntStats | undefined {
    const at = this.tree.find(path);
    return at === undefined ? undefined : lstatSync(at, { bigint: true, throwIfNoEntry: false });
  }

  private decide(entry: Entry): Decision {
    const now = this.status(entry.path);
    if (now === undefined) return "make";
    const before = this.before[entry.path];
    if (entry.kind === "directory") {
      if (!now.isDirectory()) {
        throw new VivError(
          "UNSAFE_PATH",
          `${this.tree.directory}${entry.path} is not a directory, and one belongs there; remove it`,
        );
      }
      const same =
        (Number(now.mode) & 0o7777) === entry.mode &&
        (!mayChangeOwner || (Number(now.uid) === entry.uid && Number(now.gid) === entry.gid));
      return same ? "same" : "attributes";
    }
    if (now.isDirectory()) {
      throw new VivError(
        "UNSAFE_PATH",
        `${this.tree.directory}${entry.path} is a directory, and a file belongs there; remove it`,
      );
    }
    const intact = before !== undefined && isIntact(this.tree, entry.path, before, this.genuine);
    if (intact && before.source === entry.fingerprint && before.link === entry.link && this.linkHolds(entry, now)) return "same";
    if (!intact && entry.path.startsWith("/etc/") && before !== undefined && !this.options.restore) {
      this.kept.push(entry.path);
      return "keep";
    }
    return "make";
  }

  private linkHolds(entry: Entry, now: BigIntStats): boolean {
    if (entry.link === undefined) return true;
    return this.decisions.get(entry.link) === "same" && this.status(entry.link)?.ino === now.ino;
  }

  private planSteps(): void {
    const add = (step: Step, entry?: Entry): void => {
      this.steps.push(step);
      this.staged.push(entry);
    };
    for (const entry of this.entries) {
      if (this.decisions.get(entry.path) !== "make") continue;
      const existed = this.status(entry.path) !== undefined;
      if (entry.kind === "directory") add({ path: entry.path, kind: "mkdir", existed });
      else add({ path: entry.path, kind: "place", existed }, entry);
    }
    // New directories get their own permissions after what is in them.
    for (const entry of [...this.entries].reverse()) {
      const decision = this.decisions.get(entry.path);
      if (entry.kind !== "directory" || (decision !== "attributes" && decision !== "make")) continue;
      const now = this.status(entry.path);
      const before = now && { mode: Number(now.mode), uid: Number(now.uid), gid: Number(now.gid) };
      add({ path: entry.path, kind: "attributes", existed: now !== undefined, ...(before && { before }) }, entry);
    }
  }

  /** Files of the old manifest that nothing needs any more; those changed inside stay. */
  private planRemovals(): number {
    const wanted = new Set(this.entries.map((entry) => entry.path));
    let count = 0;
    const paths = Object.keys(this.before).sort().reverse();
    for (const path of paths) {
      if (wanted.has(path) || path === stateDirectory || path.startsWith(`${stateDirectory}/`)) continue;
      const record = this.before[path];
      const now = this.status(path);
      if (now === undefined) continue;
      if (record.kind === "directory") {
        if (!now.isDirectory()) continue;
        const before = { mode: Number(now.mode), uid: Number(now.uid), gid: Number(now.gid) };
        this.steps.push({ path, kind: "rmdir", existed: true, before });
      } else if (isIntact(this.tree, path, record, this.genuine)) {
        this.steps.push({ path, kind: "remove", existed: true });
        count++;
      } else this.kept.push(path);
    }
    return count;
  }

  private stageFiles(): Map<string, string | undefined> {
    const sums = new Map<string, string | undefined>();
    this.staged.forEach((entry, index) => {
      if (entry === undefined || entry.kind === "directory") return;
      if (entry.link === undefined)
        sums.set(entry.path, makeFile(entry, this.tree.at(stagePath(index)), this.options.meter.bytes));
      else sums.set(entry.path, sums.get(entry.link));
      this.options.meter.file();
    });
    return sums;
  }

  private perform(step: Step, index: number): void {
    const { tree } = this;
    const entry = this.staged[index];
    switch (step.kind) {
      case "mkdir":
        tree.makeDirectory(step.path);
        break;
      case "attributes":
        finishDirectory(tree, entry!);
        break;
      case "place":
        if (entry!.link !== undefined) tree.link(entry!.link, stagePath(index));
        if (step.existed) tree.rename(step.path, oldPath(index));
        tree.rename(stagePath(index), step.path);
        break;
      case "remove":
        tree.rename(step.path, oldPath(index));
        break;
      case "rmdir":
        tree.removeDirectory(step.path);
        break;
    }
  }
}

/** Whether a file of the jail still is what the manifest says of it. */
export function isIntact(tree: GuardedTree, path: string, record: FileRecord, genuine: boolean): boolean {
  if (genuine && record.copy !== "" && copyFingerprint(tree, path) === record.copy) return true;
  return differences(tree, path, record).length === 0;
}

/** What is different from the manifest, in words; `missing` alone if there is nothing. */
export function differences(tree: GuardedTree, path: string, record: FileRecord): string[] {
  const at = tree.find(path);
  const now = at === undefined ? undefined : lstatSync(at, { bigint: true, throwIfNoEntry: false });
  if (at === undefined || now === undefined) return ["missing"];
  const kind = kindOf(now);
  if (kind !== record.kind) return [`is a ${kind ?? "socket"}, was a ${record.kind}`];
  const found: string[] = [];
  const mode = Number(now.mode) & 0o7777;
  // An unprivileged maker owns every copy, and setuid bits of others are not given.
  const expected = mayChangeOwner ? record.mode : mode;
  if (kind !== "symlink" && mode !== expected) found.push(`mode ${mode.toString(8)}, was ${expected.toString(8)}`);
  if (mayChangeOwner && (Number(now.uid) !== record.uid || Number(now.gid) !== record.gid)) {
    found.push(`owner ${now.uid}:${now.gid}, was ${record.uid}:${record.gid}`);
  }
  if (kind === "symlink" && readlinkSync(at) !== record.target) found.push(`points to ${readlinkSync(at)}, was ${record.target}`);
  if (kind === "file" && record.sha256 !== undefined && (Number(now.size) !== record.size || contentSum(at) !== record.sha256)) {
    found.push("contents changed");
  }
  return found;
}

function contentSum(at: string): string {
  const fd = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafeSlow(1 << 20);
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) hash.update(buffer.subarray(0, count));
    return hash.digest("hex");
  } finally {
    closeSync(fd);
  }
}
