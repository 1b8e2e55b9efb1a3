import { VivError } from "../../core/errors.ts";
import { encodeUtf8 } from "../../core/text.ts";
import type { ArchiveEntry } from "./entry.ts";

/** POSIX.1-2017 pax interchange format: ustar headers, and extended headers for what does not fit into them. */
const block = 512;
const types: Readonly<Record<ArchiveEntry["kind"], string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** What comes before the contents of an entry: headers, and for a sparse file its map. Contents are padded by `tarPadding`. */
export function tarHeader(entry: ArchiveEntry): Uint8Array {
  const name = entry.path === "" ? "./" : entry.kind === "directory" ? `${entry.path}/` : entry.path;
  const records = new Map<string, Uint8Array>();
  const text = (key: string, value: string) => records.set(key, encodeUtf8(value));
  if (encodeUtf8(name).length > 100 || !isAscii(name)) text("path", name);
  const target = entry.target ?? "";
  if (encodeUtf8(target).length > 100 || !isAscii(target)) text("linkpath", target);
  if (entry.uid > 0o7777777) text("uid", String(entry.uid));
  if (entry.gid > 0o7777777) text("gid", String(entry.gid));
  const { seconds, nanoseconds } = entry.mtime;
  if (nanoseconds !== 0 || seconds < 0 || seconds > 0o77777777777) {
    text("mtime", nanoseconds === 0 ? String(seconds) : decimal(seconds, nanoseconds));
  }
  for (const [key, value] of entry.attributes ?? []) records.set(`SCHILY.xattr.${key}`, value);

  let size = entry.kind === "file" ? entry.size : 0;
  let map = new Uint8Array(0);
  if (entry.extents !== undefined) {
    // GNU sparse format 1.0: the map stands before the data, in decimal lines, padded to a block.
    const lines = [entry.extents.length, ...entry.extents.flatMap(({ offset, length }) => [offset, length])];
    map = padded(encodeUtf8(`${lines.join("\n")}\n`));
    size = map.length + entry.extents.reduce((sum, extent) => sum + extent.length, 0);
    text("GNU.sparse.major", "1");
    text("GNU.sparse.minor", "0");
    text("GNU.sparse.name", name);
    text("GNU.sparse.realsize", String(entry.size));
  }
  if (size > 0o77777777777) text("size", String(size));
  const header = ustar(entry, entry.extents === undefined ? name : sparseName(name), size, types[entry.kind]);
  if (records.size === 0) return concatenate([header, map]);
  const body = concatenate([...records].map(([key, value]) => record(key, value)));
  const extended = ustar({ ...entry, mode: 0o644, uid: 0, gid: 0, target: "" }, "PaxHeaders/entry", body.length, "x");
  return concatenate([extended, padded(body), header, map]);
}

/** Zeros that follow contents of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((block - (size % block)) % block);
}

/** Two blocks of zeros, and as many more as make the usual record of 20 blocks from `size` bytes. */
export function tarEnd(size: number): Uint8Array {
  const end = 2 * block;
  const full = 20 * block;
  return new Uint8Array(end + ((full - ((size + end) % full)) % full));
}

function ustar(entry: ArchiveEntry, name: string, size: number, type: string): Uint8Array {
  const header = new Uint8Array(block);
  const put = (at: number, length: number, bytes: Uint8Array) => header.set(bytes.subarray(0, length), at);
  const octal = (at: number, length: number, value: number) => {
    const digits = value.toString(8);
    // What does not fit is in the extended header.
    put(at, length, encodeUtf8((digits.length < length ? digits : "0").padStart(length - 1, "0")));
  };
  put(0, 100, encodeUtf8(name));
  octal(100, 8, entry.mode & 0o7777);
  octal(108, 8, entry.uid);
  octal(116, 8, entry.gid);
  octal(124, 12, size);
  octal(136, 12, Math.max(entry.mtime.seconds, 0));
  put(148, 8, encodeUtf8("        "));
  put(156, 1, encodeUtf8(type));
  put(157, 100, encodeUtf8(entry.target ?? ""));
  put(257, 8, encodeUtf8("ustar\x0000"));
  if (entry.kind === "character" || entry.kind === "block") {
    octal(329, 8, entry.device?.major ?? 0);
    octal(337, 8, entry.device?.minor ?? 0);
  }
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, 8, encodeUtf8(`${sum.toString(8).padStart(6, "0")}\0 `));
  return header;
}

function sparseName(name: string): string {
  const slash = name.lastIndexOf("/");
  return `${name.slice(0, slash + 1)}GNUSparseFile.0/${name.slice(slash + 1)}`;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function record(key: string, value: Uint8Array): Uint8Array {
  if (key.includes("=")) throw new VivError("EINVAL", `the attribute ${key} cannot be put into a tar archive: its name has a =`);
  const rest = encodeUtf8(` ${key}=`);
  const without = rest.length + value.length + 1;
  let length = without + String(without).length;
  if (String(length).length !== String(without).length) length = without + String(length).length;
  return concatenate([encodeUtf8(String(length)), rest, value, encodeUtf8("\n")]);
}

function decimal(seconds: number, nanoseconds: number): string {
  if (seconds >= 0) return `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
  // -1.25 s is -2 s and 750,000,000 ns.
  const fraction = String(1_000_000_000 - nanoseconds).padStart(9, "0");
  return `-${-seconds - 1}.${fraction}`;
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatenate([bytes, tarPadding(bytes.length)]);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
