import { type Register, RegisterTable } from "../registers.ts";
import type { Plic } from "./device.ts";

/** Interrupt sources are 1..95; 0 means "none" (PLIC 1.0, chapter 4). */
export const plicSources = 96;
/** Words of 32 sources. */
export const plicWords = plicSources / 32;

/** Bytes of address space for so many contexts. */
export function plicSize(contexts: number): number {
  return 0x200000 + contexts * 0x1000;
}

/** The memory map of PLIC 1.0 (chapter 3), with as many sources and priorities as QEMU's `virt` board. */
export function plicRegisters(contexts: number): RegisterTable<Plic> {
  const registers: Register<Plic>[] = [
    {
      name: "priority",
      at: 0x0000,
      size: 4,
      count: plicSources,
      access: "rw",
      reset: 0,
      read: (plic, source) => plic.readPriority(source),
      write: (plic, value, source) => plic.writePriority(source, value),
    },
    {
      name: "pending",
      at: 0x1000,
      size: 4,
      count: plicWords,
      access: "ro",
      reset: 0,
      read: (plic, word) => plic.readPending(word),
    },
  ];
  for (let context = 0; context < contexts; context++) {
    registers.push(
      {
        name: `enable[${context}]`,
        at: 0x2000 + context * 0x80,
        size: 4,
        count: plicWords,
        access: "rw",
        reset: 0,
        read: (plic, word) => plic.readEnable(context, word),
        write: (plic, value, word) => plic.writeEnable(context, word, value),
      },
      {
        name: `threshold[${context}]`,
        at: 0x200000 + context * 0x1000,
        size: 4,
        access: "rw",
        reset: 0,
        read: (plic) => plic.readThreshold(context),
        write: (plic, value) => plic.writeThreshold(context, value),
      },
      {
        name: `claim/complete[${context}]`,
        at: 0x200004 + context * 0x1000,
        size: 4,
        access: "rw",
        reset: 0,
        read: (plic) => plic.claim(context),
        write: (plic, value) => plic.complete(context, value),
      },
    );
  }
  return new RegisterTable(plicSize(contexts), registers);
}
