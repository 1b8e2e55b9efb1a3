import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
} from "node:fs";
import { VivError } from "../../../core/errors.ts";

const openDirectory = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * A directory tree that programs inside may be changing while we write to it. Each directory on a path is opened by
 * itself without following links, and names are used below the open directory (`/proc/self/fd/N/name`), so that a link
 * planted in the tree leads us nowhere.
 */
export class GuardedTree {
  readonly directory: string;
  private readonly root: number;
  private readonly open: { path: string; fd: number }[] = [];

  /** @throws VivError `ENOENT`, `ENOTDIR` */
  constructor(directory: string) {
    this.directory = directory;
    try {
      this.root = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new VivError(code ?? "EIO", `cannot open the directory ${directory}: ${code}`, { cause });
    }
  }

  /**
   * A path to use in one system call, before the next use of this tree, for what lies at `path` (absolute in the tree) itself. The last name is not looked at:
   * a call that must not follow a link there says so.
   */
  at(path: string): string {
    const slash = path.lastIndexOf("/");
    return `/proc/self/fd/${this.descriptor(path.slice(0, slash))}/${path.slice(slash + 1)}`;
  }

  /** As `at`; undefined if a parent is missing or is no directory. */
  find(path: string): string | undefined {
    try {
      return this.at(path);
    } catch (error) {
      if (error instanceof VivError && (error.code === "ENOENT" || error.code === "UNSAFE_PATH")) return undefined;
      throw error;
    }
  }

  /** Makes one directory; its parent exists. */
  makeDirectory(path: string): void {
    mkdirSync(this.at(path), 0o700);
  }

  /** Owner (where it may be set) and permissions of a directory of the tree. */
  setDirectory(path: string, owner: { uid: number; gid: number } | undefined, mode: number): void {
    const fd = this.descriptor(path);
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    fchmodSync(fd, mode);
  }

  /** Removes a directory, unless there is something in it. */
  removeDirectory(path: string): void {
    try {
      rmdirSync(this.at(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw error;
    }
  }

  rename(from: string, to: string): void {
    this.withPinned(from, (source) => renameSync(source, this.at(to)));
  }

  /** Makes `to` a hard link of `from`. */
  link(from: string, to: string): void {
    this.withPinned(from, (source) => linkSync(source, this.at(to)));
  }

  /** As `at`, but good until `action` has ended, whatever other path is used in it. */
  private withPinned(path: string, action: (at: string) => void): void {
    const slash = path.lastIndexOf("/");
    const fd = openSync(`/proc/self/fd/${this.descriptor(path.slice(0, slash))}`, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      action(`/proc/self/fd/${fd}/${path.slice(slash + 1)}`);
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    for (const { fd } of this.open.splice(0)) closeSync(fd);
    closeSync(this.root);
  }

  private descriptor(path: string): number {
    if (path === "" || path === "/") return this.root;
    // Keeps the chain of the last directory open: a list in order of its paths opens each directory about once.
    while (this.open.length > 0 && !(path === this.open.at(-1)!.path || path.startsWith(`${this.open.at(-1)!.path}/`))) {
      closeSync(this.open.pop()!.fd);
    }
    let done = this.open.at(-1)?.path ?? "";
    for (const name of path.slice(done.length).split("/")) {
      if (name === "") continue;
      if (name === "." || name === "..") throw new VivError("UNSAFE_PATH", `${path}: a path in a jail may not contain ${name}`);
      const parent = this.open.at(-1)?.fd ?? this.root;
      done = `${done}/${name}`;
      this.open.push({ path: done, fd: this.openChild(parent, name, done) });
    }
    return this.open.at(-1)!.fd;
  }

  private openChild(parent: number, name: string, path: string): number {
    const child = `/proc/self/fd/${parent}/${name}`;
    try {
      return openSync(child, openDirectory);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === "ENOENT") throw new VivError("ENOENT", `${this.directory}${path} does not exist`, { cause });
      const isLink = lstatSync(child, { throwIfNoEntry: false })?.isSymbolicLink();
      if (code === "ELOOP" || code === "ENOTDIR") {
        const what = isLink ? "a symlink" : "not a directory";
        throw new VivError("UNSAFE_PATH", `${this.directory}${path} is ${what} where a directory belongs; remove it`, { cause });
      }
      throw new VivError(code ?? "EIO", `cannot open ${this.directory}${path}: ${code}`, { cause });
    }
  }
}
