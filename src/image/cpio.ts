/**
 * The "newc" cpio format, of which Linux makes its initial root file system (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
import { VivError } from "../core/errors.ts";
import { decodeUtf8Strictly, encodeUtf8 } from "../core/text.ts";

/** File types in `mode` (POSIX `S_IFMT`). */
export const fileType = { directory: 0o040000, file: 0o100000, link: 0o120000, character: 0o020000 } as const;

export interface CpioEntry {
  /** Relative to the root, without a leading `/`. */
  readonly path: string;
  /** Type and permissions, as `st_mode`. */
  readonly mode: number;
  /** A file's bytes, or a symbolic link's target in UTF-8. */
  readonly data: Uint8Array;
}

const headerLength = 110;
const trailer = "TRAILER!!!";

/**
 * An archive of the entries in the order given; parents come before what is in them. Owner is root and the time is 0, so
 * that equal entries make equal bytes. Its length is a multiple of 4, so that another archive may follow.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> {
  const parts = [...entries, { path: trailer, mode: 0, data: new Uint8Array() }].map((entry, index) => {
    const name = encodeUtf8(`${entry.path}\0`);
    const isTrailer = index === entries.length;
    const links = (entry.mode & 0o170000) === fileType.directory ? 2 : 1;
    const fields = [
      isTrailer ? 0 : index + 1, // c_ino: distinct, or the kernel takes entries for hard links
      entry.mode,
      0, // c_uid
      0, // c_gid
      links,
      0, // c_mtime
      entry.data.length,
      0, // c_devmajor
      0, // c_devminor
      0, // c_rdevmajor
      0, // c_rdevminor
      name.length,
      0, // c_check
    ];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    return { header: encodeUtf8(header), name, data: entry.data };
  });
  const size = parts.reduce((sum, part) => sum + align4(headerLength + part.name.length) + align4(part.data.length), 0);
  const archive = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    archive.set(part.header, at);
    archive.set(part.name, at + headerLength);
    at += align4(headerLength + part.name.length);
    archive.set(part.data, at);
    at += align4(part.data.length);
  }
  return archive;
}

/**
 * The entries of an archive, up to its trailer. `data` are views into `bytes`.
 * @throws VivError `BAD_ARCHIVE` naming the offset, if it is not one or is cut short
 */
export function readCpio(bytes: Uint8Array): CpioEntry[] {
  const entries: CpioEntry[] = [];
  let at = 0;
  for (;;) {
    const fail = (problem: string) => new VivError("BAD_ARCHIVE", `cpio archive: ${problem} at byte ${at}`);
    if (at + headerLength > bytes.length) throw fail("cut short");
    const header = String.fromCharCode(...bytes.subarray(at, at + headerLength));
    if (!/^07070[12][0-9A-Fa-f]{104}$/.test(header)) throw fail("no header");
    const field = (index: number) => Number.parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16);
    const [mode, size, nameLength] = [field(1), field(6), field(11)];
    const nameStart = at + headerLength;
    const dataStart = at + align4(headerLength + nameLength);
    if (nameLength === 0 || dataStart + size > bytes.length) throw fail("cut short");
    if (bytes[nameStart + nameLength - 1] !== 0) throw fail("a name without an end");
    const path = decodeUtf8Strictly(bytes.subarray(nameStart, nameStart + nameLength - 1));
    if (path === undefined) throw fail("a name that is not UTF-8");
    if (path === trailer) return entries;
    entries.push({ path, mode, data: bytes.subarray(dataStart, dataStart + size) });
    at = dataStart + align4(size);
  }
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}
