import { type Register, RegisterTable } from "../registers.ts";
import type { Aclint } from "./device.ts";

/** Bytes of address space, as QEMU's `virt` board maps it. */
export const aclintSize = 0x10000;

/** The layout of SiFive's CLINT, which RISC-V ACLINT 1.0 (chapters 2 and 3) keeps for its MSWI and MTIMER devices. */
export function aclintRegisters(harts: number): RegisterTable<Aclint> {
  const registers: Register<Aclint>[] = [
    {
      name: "msip",
      at: 0x0000,
      size: 4,
      count: harts,
      access: "rw",
      reset: 0,
      read: (aclint, hart) => aclint.readMsip(hart),
      write: (aclint, value, hart) => aclint.writeMsip(hart, value),
    },
    {
      name: "mtimecmp",
      at: 0x4000,
      size: 8,
      count: harts,
      access: "rw",
      partial: "merge",
      reset: 0xffff_ffff_ffff_ffffn,
      read: (aclint, hart) => aclint.readMtimecmp(hart),
      write: (aclint, value, hart) => aclint.writeMtimecmp(hart, value),
    },
    {
      name: "mtime",
      at: 0xbff8,
      size: 8,
      access: "rw",
      partial: "merge",
      reset: undefined,
      read: (aclint) => BigInt(aclint.mtime()),
      write: (aclint, value) => aclint.writeMtime(value),
    },
  ];
  return new RegisterTable(aclintSize, registers);
}
