import { type FileStatus, type FileSystem, joinPath, parentOf } from "./filesystem.ts";

/** Where a path leads: the file itself and the symlinks passed on the way, each a physical path. */
export interface Resolution {
  readonly path: string;
  readonly status: FileStatus;
  readonly links: readonly string[];
}

/** Symlinks followed in one path before the kernel answers ELOOP (path_resolution(7)). */
const maxLinks = 40;

/**
 * Follows paths inside a file system as the kernel would after `chroot` into it: absolute links and `..` never leave
 * the root. Answers are remembered; make a new one when the files change.
 */
export class Resolver {
  readonly fs: FileSystem;
  private readonly entries = new Map<string, FileStatus | undefined>();
  private readonly directories = new Map<string, Resolution | undefined>();
  private readonly targets = new Map<string, string>();

  constructor(fs: FileSystem) {
    this.fs = fs;
  }

  /** Resolves an absolute path, the last component included. Undefined: something is missing, a loop, or no directory. */
  resolve(path: string): Resolution | undefined {
    return this.walk(path, true, { left: maxLinks });
  }

  /** Resolves all but the last component: a symlink at the end is the answer itself. */
  resolveLink(path: string): Resolution | undefined {
    return this.walk(path, false, { left: maxLinks });
  }

  /** The status at a physical path. */
  status(path: string): FileStatus | undefined {
    if (this.entries.has(path)) return this.entries.get(path);
    const status = this.fs.status(path);
    this.entries.set(path, status);
    return status;
  }

  readLink(path: string): string {
    let target = this.targets.get(path);
    if (target === undefined) this.targets.set(path, (target = this.fs.readLink(path)));
    return target;
  }

  private walk(path: string, followLast: boolean, budget: { left: number }): Resolution | undefined {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    if (name === "" || name === "." || name === "..") return this.directory(path, budget);
    const parent = this.directory(path.slice(0, slash), budget);
    if (parent === undefined) return undefined;
    return this.step(parent, name, followLast, budget);
  }

  private step(parent: Resolution, name: string, follow: boolean, budget: { left: number }): Resolution | undefined {
    const path = joinPath(parent.path, name);
    const status = this.status(path);
    if (status === undefined) return undefined;
    if (status.kind !== "symlink" || !follow) return { path, status, links: parent.links };
    if (--budget.left < 0) return undefined;
    const target = this.readLink(path);
    if (target === "") return undefined;
    const found = this.walk(target.startsWith("/") ? target : `${parent.path}/${target}`, true, budget);
    return found && { path: found.path, status: found.status, links: merge(parent.links, [path], found.links) };
  }

  private directory(path: string, budget: { left: number }): Resolution | undefined {
    const known = this.directories.get(path);
    if (known !== undefined || this.directories.has(path)) return known;
    const found = this.findDirectory(path, budget);
    // A budget run out says nothing about the directory by itself.
    if (budget.left >= 0) this.directories.set(path, found);
    return found;
  }

  private findDirectory(path: string, budget: { left: number }): Resolution | undefined {
    const slash = path.lastIndexOf("/");
    if (slash < 0) {
      const status = this.status("/");
      return status?.kind === "directory" ? { path: "/", status, links: [] } : undefined;
    }
    const parent = this.directory(path.slice(0, slash), budget);
    if (parent === undefined) return undefined;
    const name = path.slice(slash + 1);
    if (name === "" || name === ".") return parent;
    if (name === "..") {
      const above = parentOf(parent.path);
      return { path: above, status: this.status(above)!, links: parent.links };
    }
    const found = this.step(parent, name, true, budget);
    return found?.status.kind === "directory" ? found : undefined;
  }
}

function merge(...lists: (readonly string[])[]): readonly string[] {
  const filled = lists.filter((list) => list.length > 0);
  return filled.length <= 1 ? (filled[0] ?? []) : [...new Set(filled.flat())];
}
