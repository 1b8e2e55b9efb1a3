import { VivError } from "../core/errors.ts";

/** Bytes of guest-physical memory that a program occupies when it is loaded. */
export interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Bytes that it occupies; what is beyond `bytes` is zero. */
  readonly size: number;
}

/** A program that is loaded at addresses of its own. */
export interface Program {
  /** In the order of the file; never empty. */
  readonly segments: readonly Segment[];
  readonly entry: number;
  /** Linked as `ET_DYN`: it may be moved as a whole. */
  readonly movable: boolean;
}

const headerSize = 64;
const programHeaderSize = 56;
const segmentLoad = 1;
const type = { executable: 2, dynamic: 3 } as const;
const machineRiscv = 243;

/**
 * Reads what a 64-bit little-endian ELF file (System V ABI, chapters 4 and 5) loads at its segments' physical addresses.
 * @param subject what the file is, for messages: `firmware fw.elf`
 * @param code of the error for a bad file
 * @throws VivError with `code` for a file that is not a whole RISC-V program; addresses are not checked against any RAM
 */
export function readElf64(bytes: Uint8Array, subject: string, code: string): Program {
  const bad = (what: string) => new VivError(code, `${subject}: ${what}`);
  const truncated = () => bad("the ELF file is cut short; fetch or build it again");
  if (bytes.length < headerSize) throw truncated();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => Number(view.getBigUint64(at, true));
  if (bytes[4] !== 2 || bytes[5] !== 1) throw bad("the ELF file is not 64-bit little-endian");
  if (view.getUint16(18, true) !== machineRiscv) throw bad("the ELF file is not for RISC-V");
  const movable = view.getUint16(16, true) === type.dynamic;
  if (!movable && view.getUint16(16, true) !== type.executable) throw bad("the ELF file is no executable (link it first)");
  const count = view.getUint16(56, true);
  const start = word(32);
  if (count > 0 && view.getUint16(54, true) !== programHeaderSize) throw bad("the ELF file has program headers of a wrong size");
  if (start + count * programHeaderSize > bytes.length) throw truncated();

  const segments: Segment[] = [];
  const virtualEntry = view.getBigUint64(24, true);
  let entry: number | undefined;
  for (let at = start; at < start + count * programHeaderSize; at += programHeaderSize) {
    if (view.getUint32(at, true) !== segmentLoad) continue;
    const [offset, address, fileSize, size] = [8, 24, 32, 40].map((field) => word(at + field));
    if (size === 0) continue;
    if (fileSize > size) throw bad("a segment of the ELF file is larger in the file than in memory");
    if (offset + fileSize > bytes.length) throw truncated();
    if (!Number.isSafeInteger(address + size)) throw bad("a segment of the ELF file is beyond any memory");
    // Some programs are linked at a virtual address and name their entry there: it is the same byte of the same segment.
    const distance = virtualEntry - view.getBigUint64(at + 16, true);
    if (distance >= 0n && distance < BigInt(size)) entry ??= address + Number(distance);
    segments.push({ address, bytes: bytes.subarray(offset, offset + fileSize), size });
  }
  if (segments.length === 0) throw bad("the ELF file has nothing to load");
  if (entry === undefined) throw bad("the ELF file's entry point is in none of its segments");
  return { segments, entry, movable };
}
