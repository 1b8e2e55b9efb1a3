import { decodeUtf8 } from "../../core/text.ts";
import { type Elf, latin1 } from "./elf.ts";
import type { FileSystem } from "./filesystem.ts";

const loaders = ["dlopen", "dlmopen", "g_module_open", "PR_LoadLibraryWithFlags", "PR_LoadLibrary", "lt_dlopenext"];

/** A whole string that can only be a library: `libX.so`, `libX.so.N` or an absolute path of one. */
const libraryName = /\0((?:\/[\w.+/-]{1,255}\/)?[A-Za-z][\w+.-]{0,127}?\.so(?:\.\d+)*)(?=\0)/g;
const chunk = 1 << 20;
const overlap = 512;

/**
 * Names of libraries that an object may hand to `dlopen`: whole strings of its read-only data, if it uses `dlopen` at
 * all. Names made at run time are not among them.
 */
export function dlopenNames(fs: FileSystem, path: string, elf: Elf): string[] {
  if (!elf.dynamic || !loaders.some((symbol) => elf.dynamic!.mentions(symbol))) return [];
  const names = new Set<string>();
  for (const [offset, size] of elf.readOnly) {
    for (let at = 0; at < size; at += chunk) {
      const bytes = fs.read(path, offset + at, Math.min(chunk + overlap, size - at));
      if (!holdsSuffix(bytes)) continue;
      for (const match of latin1(bytes).matchAll(libraryName)) names.add(match[1]!);
    }
  }
  return [...names];
}

function holdsSuffix(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0x2e); at >= 0; at = bytes.indexOf(0x2e, at + 1)) {
    if (bytes[at + 1] === 0x73 && bytes[at + 2] === 0x6f) return true;
  }
  return false;
}

const noteType = 0x407c0c0a;

/** Library names of `.note.dlopen` (ELF dlopen metadata of the UAPI group): a JSON list of `{ soname: [...] }`. */
export function noteNames(fs: FileSystem, path: string, elf: Elf): string[] {
  const names: string[] = [];
  for (const [offset, size] of elf.notes) {
    if (size > 1 << 16) continue;
    const bytes = fs.read(path, offset, size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 12 <= bytes.length; ) {
      const nameSize = view.getUint32(at, elf.littleEndian);
      const size = view.getUint32(at + 4, elf.littleEndian);
      const description = at + 12 + align(nameSize);
      if (description + size > bytes.length) break;
      if (view.getUint32(at + 8, elf.littleEndian) === noteType)
        names.push(...sonames(bytes.subarray(description, description + size)));
      at = description + align(size);
    }
  }
  return names;
}

function sonames(json: Uint8Array): string[] {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(json).replace(/\0+$/, ""));
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value
    .flatMap((item: { soname?: unknown } | null) => (Array.isArray(item?.soname) ? item.soname : []))
    .filter((item): item is string => typeof item === "string" && item.length < 256);
}

function align(size: number): number {
  return Math.ceil(size / 4) * 4;
}
