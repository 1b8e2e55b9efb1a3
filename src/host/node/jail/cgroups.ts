/** Makes and removes the control groups of jails. */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { VivError } from "../../../core/errors.ts";
import {
  type CgroupMount,
  type CgroupPlan,
  cgroupMounts,
  cgroupParent,
  optionalFiles,
  planCgroups,
} from "../../../engine/jail/cgroup.ts";
import type { Limits } from "../../../engine/jail/spec.ts";

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

export function hostCgroups(): CgroupMount[] {
  return cgroupMounts(readFileSync("/proc/self/mountinfo", "utf8"), (mount) => {
    try {
      return readFileSync(join(mount, "cgroup.controllers"), "utf8").trim().split(" ");
    } catch {
      return [];
    }
  });
}

/** The directories that `makeCgroups` will make, to be noted down before. */
export function cgroupDirectories(plan: CgroupPlan): string[] {
  return plan.directories.filter(({ path }) => path.includes("/")).map(({ mount, path }) => join(mount, path));
}

export function planHostCgroups(limits: Limits, name: string): CgroupPlan {
  if (Object.values(limits).every((limit) => limit === undefined)) return { directories: [], writes: [], joins: [], inherit: [] };
  return planCgroups(limits, name, hostCgroups());
}

/**
 * Makes the groups and sets the limits.
 *
 * @throws VivError naming the file that could not be written; what was made is removed again
 */
export function makeCgroups(plan: CgroupPlan): void {
  let subject = "";
  try {
    for (const { mount, path } of plan.directories) {
      subject = join(mount, path);
      makeDirectory(subject);
    }
    for (const { mount, path, file } of plan.inherit) {
      subject = join(mount, path, file);
      if (readFileSync(subject, "utf8").trim() === "")
        writeFileSync(subject, readFileSync(join(mount, path, "..", file), "utf8").trim());
    }
    for (const { mount, path, value } of plan.writes) {
      subject = join(mount, path);
      try {
        writeFileSync(subject, value);
      } catch (error) {
        if (!(optionalFiles.has(basename(path)) && codeOf(error) === "ENOENT") && !isUnneeded(path, error)) throw error;
      }
    }
  } catch (error) {
    for (const directory of cgroupDirectories(plan)) removeCgroup(directory);
    const code = codeOf(error) ?? "EIO";
    const fix =
      code === "EACCES" || code === "EPERM" || code === "EROFS"
        ? "; limits need root, or a cgroup2 that is delegated to you"
        : "";
    throw new VivError(code, `setting the jail's limits: ${subject} failed: ${code}${fix}`, { cause: error });
  }
}

/** The last jail to end removes our common parent; that may be between the two levels that we make. */
function makeDirectory(path: string): void {
  for (let attempt = 0; ; attempt++) {
    try {
      mkdirSync(path, { recursive: true });
      return;
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || attempt === 10) throw error;
    }
  }
}

/** Equal limits of memory, and of memory and swap: on a kernel without swap accounting the second cannot be raised or set. */
function isUnneeded(path: string, error: unknown): boolean {
  return basename(path) === "memory.memsw.limit_in_bytes" && (codeOf(error) === "EACCES" || codeOf(error) === "EOPNOTSUPP");
}

/** Opens the `cgroup.procs` of the plan, for the jail to join. The caller closes them. */
export function openJoins(plan: CgroupPlan): number[] {
  return plan.joins.map(({ mount, path }) => openSync(join(mount, path), "w"));
}

export function openDirectories(directories: readonly string[]): number[] {
  return directories.map((directory) => openSync(join(directory, "cgroup.procs"), "w"));
}

export function closeJoins(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}

/** Processes of a group and the groups below it. */
export function cgroupProcesses(directory: string): number[] {
  try {
    const own = readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...below.flatMap((entry) => cgroupProcesses(join(directory, entry.name)))];
  } catch {
    return [];
  }
}

/** Removes a group with what the jail has made below it; true if it is gone. It stays while processes are in it. */
export function removeCgroup(directory: string): boolean {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(directory, entry.name));
    }
    rmdirSync(directory);
    removeEmptyParent(directory);
    return true;
  } catch (error) {
    return codeOf(error) === "ENOENT";
  }
}

function removeEmptyParent(directory: string): void {
  const parent = dirname(directory);
  if (basename(parent) !== cgroupParent) return;
  try {
    rmdirSync(parent);
  } catch {
    // Other jails are in it.
  }
}
