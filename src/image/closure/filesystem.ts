import { decodeUtf8 } from "../../core/text.ts";

/** What the closure needs to know of a file. `mode` holds the permission bits with setuid, setgid and sticky. */
export interface FileStatus {
  readonly kind: "file" | "directory" | "symlink" | "character" | "block" | "fifo" | "socket";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** `device` and `inode` together identify a file; equal for hard links. */
  readonly device: number;
  readonly inode: number;
  readonly links: number;
}

/**
 * A tree of files below a root. Every path given is absolute in that tree and physical: none of its parents is a
 * symlink (`Resolver` makes such paths), so that an implementation never follows a link out of the root.
 */
export interface FileSystem {
  /** Describes what lies at `path` itself, a symlink included; `undefined` if there is nothing. */
  status(path: string): FileStatus | undefined;
  readLink(path: string): string;
  /** Names in a directory, without `.` and `..`. */
  list(path: string): string[];
  /** Reads up to `length` bytes from `offset`; shorter only at the end of the file. */
  read(path: string, offset: number, length: number): Uint8Array;
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

export function joinPath(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** Reads at most `limit` bytes of a text file; bytes that are no UTF-8 come out as U+FFFD. */
export function readText(fs: FileSystem, path: string, limit = 4 << 20): string {
  return decodeUtf8(fs.read(path, 0, limit));
}
