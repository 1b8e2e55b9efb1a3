import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { VivError } from "../../../core/errors.ts";
import { type Closure, type ClosureRequest, computeClosure } from "../../../image/closure/index.ts";
import { hostFiles } from "./files.ts";

export interface HostClosureRequest extends ClosureRequest {
  /** Directory of another system's tree; default the host's own root. */
  readonly root?: string;
}

/**
 * Everything that programs need, from the files of the host or below `root`. Relative paths of programs count from the
 * current directory, and with `root` from there.
 * @throws VivError as `computeClosure`; `EACCES` and such if a file cannot be read
 */
export function closureOf(request: HostClosureRequest): Closure {
  const root = rootDirectory(request.root);
  const programs = request.programs.map((name) => (name.includes("/") && root === "/" ? resolve(name) : withSlash(name)));
  const paths = request.paths?.map((item) => ({ ...item, path: root === "/" ? resolve(item.path) : withSlash(item.path) }));
  return reportingHost(`reading ${root}`, () => computeClosure(hostFiles(root), { ...request, programs, paths }));
}

function withSlash(name: string): string {
  return name.includes("/") && !name.startsWith("/") ? `/${name}` : name;
}

export function rootDirectory(root: string | undefined): string {
  if (root === undefined || root === "/") return "/";
  const stat = statSync(root, { throwIfNoEntry: false });
  if (stat === undefined) throw new VivError("ENOENT", `--root ${root}: no such directory`);
  if (!stat.isDirectory()) throw new VivError("ENOTDIR", `--root ${root}: is not a directory`);
  return realpathSync(root);
}

/** Turns an error of a system call into a VivError that names the file. */
export function reportingHost<T>(operation: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw hostError(operation, error);
  }
}

export function hostError(operation: string, error: unknown): unknown {
  if (error instanceof VivError || !(error instanceof Error)) return error;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const subject = path === undefined || path.startsWith("/proc/self/fd/") ? "" : `${path}: `;
  return new VivError(code, `${operation}: ${subject}${code} in ${syscall}${hostFix(code)}`, { cause: error });
}

/** What to do about an error number, as the end of a message; empty if there is nothing general. */
export function hostFix(code: string): string {
  const fixes: Record<string, string> = {
    EACCES: "; run it as a user who may",
    EPERM: "; run it as root",
    ENOSPC: "; make room or choose another directory",
    EROFS: "; choose another directory",
    EDQUOT: "; raise the quota or choose another directory",
    ENOTSUP: "; choose a directory on a file system that keeps it",
  };
  return fixes[code] ?? "";
}
