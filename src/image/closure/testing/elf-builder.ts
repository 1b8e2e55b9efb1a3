/** What a made-up ELF file says; see `Elf` for the meaning. */
export interface ElfDescription {
  readonly bits?: 32 | 64;
  readonly big?: boolean;
  readonly machine?: number;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  readonly soname?: string;
  readonly rpath?: string;
  readonly runpath?: string;
  readonly auxiliary?: string;
  readonly noDefaultLibraries?: boolean;
  /** Names put into the string table, as of imported functions. */
  readonly symbols?: readonly string[];
  /** Strings of the read-only data. */
  readonly data?: readonly string[];
  /** Descriptor of a `.note.dlopen`. */
  readonly note?: string;
  readonly static?: boolean;
}

export const x86_64 = 62;
export const riscv = 243;

/** Lays out an ELF file with one loaded segment, as small as ld.so would take. */
export function buildElf(description: ElfDescription = {}): Uint8Array {
  const { bits = 64, big = false, machine = x86_64 } = description;
  const wide = bits === 64;
  const little = !big;
  const base = 0x10000;
  const headerSize = wide ? 64 : 52;
  const entrySize = wide ? 56 : 32;

  const strings: number[] = [0];
  const string = (text: string): number => {
    const at = strings.length;
    for (let i = 0; i < text.length; i++) strings.push(text.charCodeAt(i));
    strings.push(0);
    return at;
  };
  const tags: [number, number][] = [];
  for (const name of description.needed ?? []) tags.push([1, string(name)]);
  if (description.soname !== undefined) tags.push([14, string(description.soname)]);
  if (description.rpath !== undefined) tags.push([15, string(description.rpath)]);
  if (description.runpath !== undefined) tags.push([29, string(description.runpath)]);
  if (description.auxiliary !== undefined) tags.push([0x7ffffffd, string(description.auxiliary)]);
  if (description.noDefaultLibraries) tags.push([0x6ffffffb, 0x800]);
  for (const symbol of description.symbols ?? []) string(symbol);

  const headers = 1 + (description.static ? 0 : 1) + (description.interpreter ? 1 : 0) + (description.note ? 1 : 0);
  const bytes: number[] = new Array(headerSize + headers * entrySize).fill(0);
  const append = (items: readonly number[]): number => {
    while (bytes.length % 8 !== 0) bytes.push(0);
    const at = bytes.length;
    for (const item of items) bytes.push(item);
    return at;
  };
  const text = (value: string) => [...value].map((character) => character.charCodeAt(0));
  const stringsAt = append(strings);
  append([0, ...(description.data ?? []).flatMap((item) => [...text(item), 0])]);
  const interpreterAt = append(text(`${description.interpreter ?? ""}\0`));
  const note = text(description.note ?? "");
  const noteAt = append([...new Array(16).fill(0), ...note]);
  const dynamicSize = (tags.length + 3) * (wide ? 16 : 8);
  const dynamicAt = append(new Array(dynamicSize).fill(0));

  const file = Uint8Array.from(bytes);
  const view = new DataView(file.buffer);
  const native = (at: number, value: number): void => {
    if (wide) view.setBigUint64(at, BigInt(value), little);
    else view.setUint32(at, value, little);
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, big ? 2 : 1, 1]);
  view.setUint16(16, 3, little);
  view.setUint16(18, machine, little);
  native(wide ? 32 : 28, headerSize);
  view.setUint16(wide ? 54 : 42, entrySize, little);
  view.setUint16(wide ? 56 : 44, headers, little);

  let at = headerSize;
  const header = (type: number, offset: number, size: number): void => {
    view.setUint32(at, type, little);
    view.setUint32(at + (wide ? 4 : 24), 4, little);
    native(at + (wide ? 8 : 4), offset);
    native(at + (wide ? 16 : 8), base + offset);
    native(at + (wide ? 32 : 16), size);
    at += entrySize;
  };
  header(1, 0, file.length);
  if (!description.static) header(2, dynamicAt, dynamicSize);
  if (description.interpreter) header(3, interpreterAt, description.interpreter.length + 1);
  if (description.note) {
    header(4, noteAt, 16 + note.length);
    view.setUint32(noteAt, 4, little);
    view.setUint32(noteAt + 4, note.length, little);
    view.setUint32(noteAt + 8, 0x407c0c0a, little);
    file.set([0x46, 0x44, 0x4f, 0], noteAt + 12);
  }
  tags.push([5, base + stringsAt], [10, strings.length]);
  for (const [index, [tag, value]] of tags.entries()) {
    native(dynamicAt + index * (wide ? 16 : 8), tag);
    native(dynamicAt + index * (wide ? 16 : 8) + (wide ? 8 : 4), value);
  }
  return file;
}
