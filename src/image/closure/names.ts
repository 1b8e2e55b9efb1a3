import { decodeUtf8 } from "../../core/text.ts";
import type { Elf } from "./elf.ts";
import type { FileSystem } from "./filesystem.ts";

/** Functions by which libraries are loaded while a program runs. */
export const loaderSymbols = ["dlopen", "dlmopen", "g_module_open", "PR_LoadLibraryWithFlags", "PR_LoadLibrary", "lt_dlopenext"];

/** A whole string that can only be a library: `libX.so`, `libX.so.N` or an absolute path of one. */
const libraryName = /^(?:\/[\w.+/-]{1,255}\/)?[A-Za-z][\w+.-]{0,127}?\.so(?:\.\d+)*$/;
const longest = 512;
const chunk = 1 << 20;

/**
 * Names of libraries that an object which uses `dlopen` may hand to it: whole strings of its read-only data. Names made
 * at run time are not among them.
 */
export function dlopenNames(fs: FileSystem, path: string, elf: Elf): string[] {
  const names = new Set<string>();
  for (const [offset, size] of elf.readOnly) {
    // Chunks overlap: a string belongs to the chunk that it begins in.
    for (let at = 0; at < size; at += chunk) addNames(names, fs.read(path, offset + at, Math.min(chunk + longest, size - at)));
  }
  return [...names];
}

function addNames(names: Set<string>, bytes: Uint8Array): void {
  for (let dot = bytes.indexOf(0x2e); dot >= 0; dot = bytes.indexOf(0x2e, dot + 1)) {
    if (bytes[dot + 1] !== 0x73 || bytes[dot + 2] !== 0x6f) continue;
    const end = bytes.indexOf(0, dot);
    if (end < 0) return;
    const start = bytes.lastIndexOf(0, dot);
    if (start >= 0 && end - start <= longest) {
      const text = String.fromCharCode(...bytes.subarray(start + 1, end));
      if (libraryName.test(text)) names.add(text);
    }
    dot = end;
  }
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
