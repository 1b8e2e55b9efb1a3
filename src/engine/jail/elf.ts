/**
 * A program as an executable of its own: a static ELF file with the stub and the records, a few kilobytes in memory.
 * Init runs so (from a sealed memfd): no interpreter, no memory of ours in it, and `/proc/1/exe` leads to nothing of the host.
 */

import type { Program } from "./program.ts";
import type { Stub } from "./stub/record.ts";
import { header } from "./stub/record.ts";
import type { Architecture } from "./syscalls.ts";

/** Where the code is mapped, and the data: low, apart, and aligned to the largest page size in use (64 KiB). */
const codeAddress = 0x1000_0000n;
export const dataAddress = 0x2000_0000n;
const pageSize = 0x10000;

/** ELF-64 object file format, figures 1-3 and 2-1: sizes of the file header and of a program header. */
const fileHeaderSize = 64;
const programHeaderSize = 56;

const machines: Readonly<Record<Architecture, { machine: number; flags: number }>> = {
  x64: { machine: 62, flags: 0 },
  arm64: { machine: 183, flags: 0 },
  // EF_RISCV_RVC | EF_RISCV_FLOAT_ABI_DOUBLE, as every other riscv64 Linux executable.
  riscv64: { machine: 243, flags: 5 },
};

const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

/** The bytes of an executable that runs `program`, which must not return. */
export function executable(program: Program, stub: Stub, architecture: Architecture): Uint8Array {
  const entry = stub.enter(dataAddress + BigInt(header.size), dataAddress);
  const codeAt = fileHeaderSize + 3 * programHeaderSize;
  const codeSize = codeAt + entry.length + stub.code.length;
  const data = program.at(dataAddress);
  const file = new Uint8Array(pageSize + data.length);
  const view = new DataView(file.buffer);

  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, machines[architecture].machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, codeAddress + BigInt(codeAt), true);
  view.setBigUint64(32, BigInt(fileHeaderSize), true);
  view.setUint32(48, machines[architecture].flags, true);
  view.setUint16(52, fileHeaderSize, true);
  view.setUint16(54, programHeaderSize, true);
  view.setUint16(56, 3, true);

  const segment = (index: number, type: number, flags: number, offset: number, address: bigint, size: number) => {
    const at = fileHeaderSize + index * programHeaderSize;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, address, true);
    view.setBigUint64(at + 24, address, true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setBigUint64(at + 40, BigInt(size), true);
    view.setBigUint64(at + 48, BigInt(pageSize), true);
  };
  segment(0, PT_LOAD, PF_R | PF_X, 0, codeAddress, codeSize);
  segment(1, PT_LOAD, PF_R | PF_W, pageSize, dataAddress, data.length);
  segment(2, PT_GNU_STACK, PF_R | PF_W, 0, 0n, 0);
  file.set(entry, codeAt);
  file.set(stub.code, codeAt + entry.length);
  file.set(data, pageSize);
  return file;
}
