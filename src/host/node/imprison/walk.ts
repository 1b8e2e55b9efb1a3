import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync } from "node:fs";
import type { ArchiveEntry } from "../../../image/archive/entry.ts";
import { deviceNumber } from "../device-number.ts";
import { syscall } from "../ffi/libc.ts";
import { readAttributes } from "./attributes.ts";
import { stateDirectory } from "./manifest.ts";
import { kindOf } from "./plan.ts";

/** An entry with the place of its file. */
export interface WalkedFile {
  readonly entry: ArchiveEntry;
  readonly source: string;
  readonly stat: BigIntStats;
}

/** Every file of a jail, its root first, parents before children, names in order; not our own state, no sockets. */
export function walkJail(directory: string, options: { attributes: boolean }): WalkedFile[] {
  const found: WalkedFile[] = [];
  const inodes = new Map<string, string>();
  const visit = (path: string): void => {
    const source = path === "" ? directory : `${directory}/${path}`;
    const stat = lstatSync(source, { bigint: true });
    const kind = kindOf(stat);
    if (kind === undefined) return;
    const key = `${stat.dev} ${stat.ino}`;
    const first = kind !== "directory" && stat.nlink > 1n ? inodes.get(key) : undefined;
    if (kind !== "directory" && first === undefined) inodes.set(key, path);
    const attributes = options.attributes && first === undefined ? readAttributes(source) : undefined;
    const isFile = kind === "file" && first === undefined;
    found.push({
      source,
      stat,
      entry: {
        path,
        kind: first === undefined ? kind : "hardlink",
        mode: Number(stat.mode) & 0o7777,
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        size: isFile ? Number(stat.size) : 0,
        mtime: { seconds: Number(stat.mtimeNs / 1_000_000_000n), nanoseconds: Number(stat.mtimeNs % 1_000_000_000n) },
        ...(kind === "symlink" && { target: readlinkSync(source) }),
        ...(first !== undefined && { target: first }),
        ...((kind === "character" || kind === "block") && { device: deviceNumber(Number(stat.rdev)) }),
        ...(attributes !== undefined && attributes.size > 0 && { attributes }),
        ...(isFile && stat.blocks * 512n < stat.size && { extents: dataExtents(source, Number(stat.size)) }),
      },
    });
    if (kind !== "directory") return;
    for (const name of readdirSync(source).sort()) {
      if (path === "" && `/${name}` === stateDirectory) continue;
      visit(path === "" ? name : `${path}/${name}`);
    }
  };
  visit("");
  return found;
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Where a sparse file has data (lseek(2)); its end is marked by an empty extent. */
function dataExtents(path: string, size: number): { offset: number; length: number }[] {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const extents: { offset: number; length: number }[] = [];
    for (let at = 0; at < size; ) {
      const start = syscall("lseek", fd, at, SEEK_DATA);
      if (start < 0) break;
      const end = Math.min(syscall("lseek", fd, start, SEEK_HOLE), Number(fstatSync(fd).size), size);
      if (end <= start) break;
      extents.push({ offset: start, length: end - start });
      at = end;
    }
    extents.push({ offset: size, length: 0 });
    return extents;
  } finally {
    closeSync(fd);
  }
}
