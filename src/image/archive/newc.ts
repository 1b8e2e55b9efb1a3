import { VivError } from "../../core/errors.ts";
import { encodeUtf8 } from "../../core/text.ts";
import type { ArchiveEntry } from "./entry.ts";

/** Type bits of `c_mode` (POSIX S_IFMT). */
const types: Readonly<Record<ArchiveEntry["kind"], number>> = {
  file: 0o100000,
  hardlink: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
};

/** Identity of an entry in the archive: hard links share `inode`, and the last of them carries the contents. */
export interface NewcIdentity {
  readonly inode: number;
  readonly links: number;
}

/**
 * Header and name of an entry in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst), for
 * streaming. Extended attributes have no place in it.
 * @throws VivError `ETOOBIG` for a file of 4 GiB and more
 */
export function newcHeader(entry: ArchiveEntry, identity: NewcIdentity, size: number): Uint8Array {
  if (size > 0xffffffff)
    throw new VivError("ETOOBIG", `${entry.path}: ${size} bytes do not fit into a cpio archive; export as tar`);
  const name = encodeUtf8(`${entry.path === "" ? "." : entry.path}\0`);
  const fields = [
    identity.inode,
    types[entry.kind] | entry.mode,
    entry.uid,
    entry.gid,
    identity.links,
    Math.min(Math.max(entry.mtime.seconds, 0), 0xffffffff),
    size,
    0,
    0,
    entry.device?.major ?? 0,
    entry.device?.minor ?? 0,
    name.length,
    0,
  ];
  const header = encodeUtf8(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  const length = header.length + name.length;
  const bytes = new Uint8Array(length + newcPadding(length));
  bytes.set(header);
  bytes.set(name, header.length);
  return bytes;
}

/** Zeros that follow `size` bytes. */
export function newcPadding(size: number): number {
  return (4 - (size % 4)) % 4;
}

export const newcTrailer: ArchiveEntry = {
  path: "TRAILER!!!",
  kind: "file",
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
};
