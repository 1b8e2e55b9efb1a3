import { VivError } from "../../core/errors.ts";
import { decodeUtf8 } from "../../core/text.ts";

const oldMagic = "ld.so-1.7.0";
const newMagic = "glibc-ld.so.cache1.1";
const maxEntries = 1 << 20;

/**
 * Reads glibc's `ld.so.cache` (elf/cache.c, dl-cache.h): the old format, the new one, and the new one behind the old,
 * in either byte order.
 * @returns for each library name the paths in the cache's order
 * @throws VivError `BAD_LD_CACHE`
 */
export function parseLdCache(bytes: Uint8Array): Map<string, string[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (startsWith(bytes, 0, newMagic)) return newFormat(bytes, view, 0);
  if (!startsWith(bytes, 0, oldMagic)) throw bad("it has neither magic of glibc's cache");
  // struct cache_file: magic[11], padding, nlibs, entries of 12 bytes, then strings; the new format follows aligned to 8.
  if (bytes.length < 16) throw bad("it is truncated");
  const little = plausible(view.getUint32(12, true), bytes.length, 12);
  const count = view.getUint32(12, little);
  if (count > maxEntries || 16 + count * 12 > bytes.length) throw bad(`${count} entries do not fit into it`);
  const strings = 16 + count * 12;
  const embedded = (strings + 7) & ~7;
  if (startsWith(bytes, embedded, newMagic)) return newFormat(bytes, view, embedded);
  const found = new Map<string, string[]>();
  for (let i = 0; i < count; i++) {
    const at = 16 + i * 12;
    add(found, text(bytes, strings + view.getUint32(at + 4, little)), text(bytes, strings + view.getUint32(at + 8, little)));
  }
  return found;
}

/** struct cache_file_new: magic[17], version[3], nlibs, len_strings, flags, padding[3], extension_offset, unused[3]; offsets count from its start. */
function newFormat(bytes: Uint8Array, view: DataView, base: number): Map<string, string[]> {
  if (bytes.length < base + 48) throw bad("it is truncated");
  // cache_file_new_flags_endian: 2 little, 3 big, 0 unset (as written before glibc 2.33).
  const order = bytes[base + 28]! & 3;
  const little = order === 2 || (order !== 3 && plausible(view.getUint32(base + 20, true), bytes.length, 24));
  const count = view.getUint32(base + 20, little);
  if (count > maxEntries || base + 48 + count * 24 > bytes.length) throw bad(`${count} entries do not fit into it`);
  const found = new Map<string, string[]>();
  for (let i = 0; i < count; i++) {
    const at = base + 48 + i * 24;
    add(found, text(bytes, base + view.getUint32(at + 4, little)), text(bytes, base + view.getUint32(at + 8, little)));
  }
  return found;
}

function add(found: Map<string, string[]>, name: string, path: string): void {
  if (name === "" || !path.startsWith("/")) return;
  const paths = found.get(name);
  if (paths === undefined) found.set(name, [path]);
  else if (!paths.includes(path)) paths.push(path);
}

function plausible(count: number, size: number, entry: number): boolean {
  return count * entry <= size;
}

function text(bytes: Uint8Array, at: number): string {
  if (at >= bytes.length) throw bad("a string lies outside it");
  const end = bytes.indexOf(0, at);
  if (end < 0 || end - at > 4096) throw bad("a string in it has no end");
  return decodeUtf8(bytes.subarray(at, end));
}

function startsWith(bytes: Uint8Array, at: number, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) if (bytes[at + i] !== magic.charCodeAt(i)) return false;
  return true;
}

function bad(what: string): VivError {
  return new VivError("BAD_LD_CACHE", `/etc/ld.so.cache is not usable: ${what}; run ldconfig in that system`);
}
