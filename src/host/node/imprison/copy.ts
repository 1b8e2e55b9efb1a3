import { createHash } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  lchownSync,
  lstatSync,
  openSync,
  readSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { VivError } from "../../../core/errors.ts";
import { copyTimes, makeNode, readAttributes, writeAttribute } from "./attributes.ts";
import { hostFix } from "./closure.ts";
import { type Entry, fingerprintOf } from "./plan.ts";

const chunk = 1 << 20;
/** Holes are looked for in pieces of this size, the block size of common file systems. */
const block = 4096;
const zeros = Buffer.alloc(block);
let buffer: Buffer | undefined;

/** Owners can be given only by root; for another user every copy is theirs. */
export const mayChangeOwner = process.getuid?.() === 0;

/**
 * Makes a copy of one file (not a directory, not a hard link) under a name that is free: contents with their holes,
 * owner, extended attributes, permissions and times.
 * @returns the contents' SHA-256 in hexadecimal, for a regular file
 * @throws VivError naming the file: `ECHANGED` if the original is no longer what was planned, `ENOSPC`, `ENOTSUP` for an
 *   attribute that the file system does not keep...
 */
export function makeFile(entry: Entry, at: string, progress: (bytes: number) => void): string | undefined {
  try {
    return make(entry, at, progress);
  } catch (error) {
    throw copyError(entry, error);
  }
}

function copyError(entry: Entry, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || code === "ECHANGED" || !/^E[A-Z0-9]+$/.test(code)) return error;
  const isDevice = entry.kind === "character" || entry.kind === "block";
  const fix = isDevice && code === "EPERM" ? "; only root makes device nodes: run it as root, or leave them out" : hostFix(code);
  // The paths in the cause are ours (/proc/self/fd/N/...) and say nothing to anybody.
  const what =
    syscall === undefined ? (error as Error).message.replace(/ ?(of )?\/proc\/self\/fd\/[^\s:]+/g, "") : `${code} in ${syscall}`;
  return new VivError(code, `${entry.path} cannot be copied: ${what}${fix}`, { cause: error });
}

function make(entry: Entry, at: string, progress: (bytes: number) => void): string | undefined {
  switch (entry.kind) {
    case "file":
      return copyFile(entry, at, progress);
    case "symlink":
      symlinkSync(entry.target!, at);
      if (mayChangeOwner) lchownSync(at, entry.uid, entry.gid);
      copyAttributes(entry, at);
      if (entry.source !== undefined) copyTimes(at, lstatSync(entry.source, { bigint: true }));
      return undefined;
    case "fifo":
    case "character":
    case "block":
      makeNode(at, entry.kind, entry.device ?? { major: 0, minor: 0 }, entry.mode);
      if (mayChangeOwner) lchownSync(at, entry.uid, entry.gid);
      copyAttributes(entry, at);
      return undefined;
    default:
      throw new VivError("EINVAL", `${entry.path}: cannot copy a ${entry.kind} as a file`);
  }
}

function copyFile(entry: Entry, at: string, progress: (bytes: number) => void): string {
  const output = openSync(at, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    const { sha256, times } =
      entry.content === undefined ? copyContents(entry, output, progress) : writeContents(entry.content, output);
    // Owner first: changing it takes setuid bits and capabilities away.
    if (mayChangeOwner) fchownSync(output, entry.uid, entry.gid);
    fchmodSync(output, safeMode(entry));
    copyAttributes(entry, at);
    if (times !== undefined) copyTimes(at, times);
    return sha256;
  } finally {
    closeSync(output);
  }
}

/** A setuid file of someone else would become one of ours: without its owner it loses the bit. */
function safeMode(entry: Entry): number {
  return mayChangeOwner || entry.uid === process.getuid?.() ? entry.mode : entry.mode & 0o777;
}

function writeContents(content: Buffer, output: number): { sha256: string; times: undefined } {
  writeAll(output, content, content.length, 0);
  return { sha256: createHash("sha256").update(content).digest("hex"), times: undefined };
}

function copyContents(entry: Entry, output: number, progress: (bytes: number) => void): { sha256: string; times: BigIntStats } {
  const source = entry.source!;
  // O_NONBLOCK: a fifo put in the place of the file must not stop us.
  const input = openSync(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(input, { bigint: true });
    if (fingerprintOf(stat) !== entry.fingerprint) {
      throw new VivError("ECHANGED", `${source} was changed while the jail was made; run the command again`);
    }
    buffer ??= Buffer.allocUnsafeSlow(chunk);
    const hash = createHash("sha256");
    const sparse = stat.blocks * 512n < stat.size;
    let position = 0;
    for (;;) {
      const count = readSync(input, buffer, 0, chunk, position);
      if (count === 0) break;
      const bytes = buffer.subarray(0, count);
      hash.update(bytes);
      if (sparse) writeSparse(output, bytes, position);
      else writeAll(output, bytes, count, position);
      position += count;
      progress(count);
    }
    if (BigInt(position) !== stat.size) {
      throw new VivError("ECHANGED", `${source} was changed while the jail was made; run the command again`);
    }
    if (sparse) ftruncateSync(output, position);
    return { sha256: hash.digest("hex"), times: stat };
  } finally {
    closeSync(input);
  }
}

/** Leaves out blocks of zeros, which then are holes. */
function writeSparse(output: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    const start = at;
    while (at < bytes.length && !isZero(bytes, at)) at += block;
    const end = Math.min(at, bytes.length);
    if (end > start) writeAll(output, bytes.subarray(start, end), end - start, position + start);
    while (at < bytes.length && isZero(bytes, at)) at += block;
  }
}

function isZero(bytes: Buffer, at: number): boolean {
  const end = Math.min(at + block, bytes.length);
  return bytes.compare(zeros, 0, end - at, at, end) === 0;
}

function writeAll(output: number, bytes: Buffer, length: number, position: number): void {
  for (let written = 0; written < length; ) written += writeSync(output, bytes, written, length - written, position + written);
}

export function copyAttributes(entry: Entry, at: string): void {
  if (entry.source === undefined) return;
  for (const [name, value] of readAttributes(entry.source)) {
    // Without root, attributes outside of `user.` and access lists are not ours to set.
    if (!mayChangeOwner && !name.startsWith("user.") && !name.startsWith("system.posix_acl_")) continue;
    writeAttribute(at, name, value);
  }
}
