import { VivError } from "../../core/errors.ts";
import { decodeUtf8 } from "../../core/text.ts";

/** Bytes of a file, read piecewise. */
export interface ByteSource {
  readonly size: number;
  /** Up to `length` bytes from `offset`; shorter at the end of the file. */
  read(offset: number, length: number): Uint8Array;
}

/** What the dynamic linker reads of an ELF file of any class, byte order and machine (gABI chapters 4 and 5). */
export interface Elf {
  readonly class: 32 | 64;
  readonly littleEndian: boolean;
  /** `e_machine`. */
  readonly machine: number;
  /** `e_flags`: holds the ABI on ARM, MIPS, RISC-V. */
  readonly flags: number;
  /** `e_type`: 2 ET_EXEC, 3 ET_DYN. */
  readonly type: number;
  /** PT_INTERP: the program's own dynamic linker. */
  readonly interpreter: string | undefined;
  /** The dynamic section; undefined for a static program. */
  readonly dynamic: Dynamic | undefined;
  /** Read-only data of the file: where names given to `dlopen` are found. `[offset, length]` in the file. */
  readonly readOnly: readonly (readonly [number, number])[];
  /** PT_NOTE segments, `[offset, length]` in the file. */
  readonly notes: readonly (readonly [number, number])[];
}

export interface Dynamic {
  readonly needed: readonly string[];
  readonly soname: string | undefined;
  readonly rpath: string | undefined;
  readonly runpath: string | undefined;
  /** DT_AUXILIARY and DT_FILTER: loaded when this object is; an auxiliary one may be missing. */
  readonly filters: readonly { readonly name: string; readonly required: boolean }[];
  /** DT_AUDIT and DT_DEPAUDIT. */
  readonly audit: readonly string[];
  /** DF_1_NODEFLIB: neither the default directories nor what the cache has of them. */
  readonly noDefaultLibraries: boolean;
  /** DT_STRTAB: names of everything above and of the symbols that the object imports and defines. */
  readonly strings: Uint8Array;
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_NOTE = 4;
const PN_XNUM = 0xffff;
const PF_X = 1;
const PF_W = 2;

const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const DT_DEPAUDIT = 0x6ffffefb;
const DT_AUDIT = 0x6ffffefc;
const DT_FLAGS_1 = 0x6ffffffb;
const DT_AUXILIARY = 0x7ffffffd;
const DT_FILTER = 0x7fffffff;
const DF_1_NODEFLIB = 0x800;

/** Far above what linkers write; a file that asks for more is refused before memory is given to it. */
const maxHeaders = 65536;
const maxDynamicEntries = 65536;
const maxStrings = 256 << 20;
const maxPath = 4096;

export function isElf(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/**
 * Reads the parts of an ELF file that decide what it loads.
 * @param name the file, for messages
 * @throws VivError `BAD_ELF`: not ELF, truncated, or fields that contradict each other
 */
export function parseElf(source: ByteSource, name: string): Elf {
  const bad = (what: string): VivError => new VivError("BAD_ELF", `${name}: ${what}`);
  const need = (offset: number, length: number, what: string): DataView => {
    const bytes = offset <= source.size && length <= source.size - offset ? source.read(offset, length) : undefined;
    if (bytes === undefined || bytes.length < length) throw bad(`truncated ELF file: ${what} lies beyond its end`);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  };

  const ident = source.read(0, 64);
  if (!isElf(ident)) throw bad("not an ELF file");
  const fileClass = ident[4];
  if (fileClass !== 1 && fileClass !== 2) throw bad(`ELF class ${fileClass} is neither 32 nor 64 bits`);
  if (ident[5] !== 1 && ident[5] !== 2) throw bad(`ELF byte order ${ident[5]} is neither little nor big`);
  const wide = fileClass === 2;
  const little = ident[5] === 1;
  const header = need(0, wide ? 64 : 52, "the header");
  const half = (at: number) => header.getUint16(at, little);
  const word = (view: DataView, at: number) => view.getUint32(at, little);
  const native = (view: DataView, at: number): number => {
    if (!wide) return view.getUint32(at, little);
    return Number(view.getBigUint64(at, little));
  };

  const phoff = native(header, wide ? 32 : 28);
  const shoff = native(header, wide ? 40 : 32);
  const phentsize = half(wide ? 54 : 42);
  let phnum = half(wide ? 56 : 44);
  // gABI 4: with 0xffff or more program headers their number is in sh_info of section 0.
  if (phnum === PN_XNUM) phnum = word(need(shoff, wide ? 64 : 40, "section 0"), wide ? 44 : 28);
  if (phnum > maxHeaders) throw bad(`${phnum} program headers`);
  const entry = wide ? 56 : 32;
  if (phnum > 0 && phentsize !== entry) throw bad(`program headers of ${phentsize} bytes instead of ${entry}`);
  const table = need(phoff, phnum * entry, "the program header table");

  const loads: { vaddr: number; offset: number; size: number; flags: number }[] = [];
  const notes: (readonly [number, number])[] = [];
  let interpreter: string | undefined;
  let dynamicAt: readonly [number, number] | undefined;
  for (let i = 0; i < phnum; i++) {
    const at = i * entry;
    const type = word(table, at);
    const flags = word(table, at + (wide ? 4 : 24));
    const offset = native(table, at + (wide ? 8 : 4));
    const vaddr = native(table, at + (wide ? 16 : 8));
    const size = native(table, at + (wide ? 32 : 16));
    if (type === PT_LOAD) {
      loads.push({ vaddr, offset, size, flags });
    } else if (type === PT_NOTE && offset <= source.size) notes.push([offset, Math.min(size, source.size - offset)]);
    else if (type === PT_DYNAMIC && dynamicAt === undefined) dynamicAt = [offset, size];
    else if (type === PT_INTERP && interpreter === undefined) {
      if (size > maxPath) throw bad(`an interpreter path of ${size} bytes`);
      const bytes = need(offset, size, "the interpreter path");
      interpreter = decodeUtf8(untilNul(new Uint8Array(bytes.buffer, bytes.byteOffset, size)));
      if (!interpreter.startsWith("/")) throw bad(`interpreter "${interpreter}" is not an absolute path`);
    }
  }
  // Linkers put read-only data into a segment of its own, or (without separate code) next to the code.
  const data = loads.filter((load) => (load.flags & (PF_W | PF_X)) === 0 && load.size > 0);
  const readOnly = data.length > 0 ? data : loads.filter((load) => (load.flags & PF_W) === 0);

  return {
    class: wide ? 64 : 32,
    littleEndian: little,
    machine: half(18),
    flags: word(header, wide ? 48 : 36),
    type: half(16),
    interpreter,
    dynamic: dynamicAt && dynamic(dynamicAt),
    readOnly: readOnly
      .filter((load) => load.offset < source.size)
      .map((load) => [load.offset, Math.min(load.size, source.size - load.offset)]),
    notes,
  };

  function dynamic([offset, size]: readonly [number, number]): Dynamic {
    const entrySize = wide ? 16 : 8;
    const count = Math.floor(size / entrySize);
    if (count > maxDynamicEntries) throw bad(`${count} dynamic entries`);
    const view = need(offset, count * entrySize, "the dynamic section");
    const entries: { tag: number; value: number }[] = [];
    for (let i = 0; i < count; i++) {
      const tag = native(view, i * entrySize);
      if (tag === 0) break;
      entries.push({ tag, value: native(view, i * entrySize + entrySize / 2) });
    }
    const value = (tag: number) => entries.find((item) => item.tag === tag)?.value;
    const strings = stringTable(value(DT_STRTAB), value(DT_STRSZ));
    const string = (at: number): string => {
      if (at >= strings.length) throw bad("a dynamic string lies outside the string table");
      const bytes = untilNul(strings.subarray(at, at + maxPath));
      if (bytes.length === maxPath || at + bytes.length >= strings.length) throw bad("a dynamic string has no end");
      return decodeUtf8(bytes);
    };
    const all = (tag: number) => entries.filter((item) => item.tag === tag).map((item) => string(item.value));
    const flags1 = value(DT_FLAGS_1) ?? 0;
    return {
      needed: [...new Set(all(DT_NEEDED))].filter((item) => item !== ""),
      soname: all(DT_SONAME)[0],
      rpath: all(DT_RPATH)[0],
      runpath: all(DT_RUNPATH)[0],
      filters: [
        ...all(DT_AUXILIARY).map((item) => ({ name: item, required: false })),
        ...all(DT_FILTER).map((item) => ({ name: item, required: true })),
      ],
      audit: [...all(DT_AUDIT), ...all(DT_DEPAUDIT)].flatMap((list) => list.split(":")).filter((item) => item !== ""),
      noDefaultLibraries: (flags1 & DF_1_NODEFLIB) !== 0,
      strings,
    };
  }

  function stringTable(vaddr: number | undefined, size: number | undefined): Uint8Array {
    if (vaddr === undefined || size === undefined) return new Uint8Array(0);
    if (size > maxStrings) throw bad(`a dynamic string table of ${size} bytes`);
    const load = loads.find((item) => vaddr >= item.vaddr && vaddr - item.vaddr < item.size);
    if (load === undefined) throw bad("the dynamic string table lies in no PT_LOAD segment");
    const view = need(load.offset + (vaddr - load.vaddr), size, "the dynamic string table");
    return new Uint8Array(view.buffer, view.byteOffset, size);
  }
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
