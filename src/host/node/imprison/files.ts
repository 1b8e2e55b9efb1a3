import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import type { FileStatus, FileSystem } from "../../../image/closure/index.ts";

/** The file system of the host below `root`. */
export function hostFiles(root: string): FileSystem {
  const base = root === "/" ? "" : root.replace(/\/+$/, "");
  const at = (path: string): string => (base === "" ? path : path === "/" ? base : base + path);
  return {
    status(path) {
      const stats = lstatSync(at(path), { throwIfNoEntry: false });
      return stats && statusOf(stats);
    },
    readLink: (path) => readlinkSync(at(path)),
    list: (path) => readdirSync(at(path)),
    read(path, offset, length) {
      // O_NONBLOCK: a fifo put in the place of a file must not stop us.
      const fd = openSync(at(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        // A limit far beyond the file must not cost its memory.
        const size = length > 65536 ? Math.max(0, Math.min(length, fstatSync(fd).size - offset)) : length;
        const buffer = Buffer.allocUnsafeSlow(size);
        let filled = 0;
        while (filled < size) {
          const count = readSync(fd, buffer, filled, size - filled, offset + filled);
          if (count === 0) break;
          filled += count;
        }
        return buffer.subarray(0, filled);
      } finally {
        closeSync(fd);
      }
    },
  };
}

export function statusOf(stats: Stats): FileStatus {
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : stats.isCharacterDevice()
          ? "character"
          : stats.isBlockDevice()
            ? "block"
            : stats.isFIFO()
              ? "fifo"
              : "socket";
  return {
    kind,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    size: stats.size,
    device: stats.dev,
    inode: stats.ino,
    links: stats.nlink,
  };
}
