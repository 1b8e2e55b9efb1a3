/**
 * Every way in which our machine and QEMU 10.0 may differ while both follow the specification, or in which QEMU does not
 * follow it. What is not listed here is compared bit for bit.
 */

export interface CsrDifference {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** Bits that are not compared when the CSR is read. */
  readonly mask: bigint;
  /** Whether it exists is not compared either. */
  readonly skip?: boolean;
  /** Who is right. `both`: the specification leaves the choice; `ours`: QEMU does not do what it says. */
  readonly right: "both" | "ours";
  readonly reason: string;
  readonly section: string;
}

const all = (1n << 64n) - 1n;
const eachByte = 0x0101_0101_0101_0101n;
const cbie = 3n << 4n;

export const csrDifferences: readonly CsrDifference[] = [
  {
    name: "mstatus",
    first: 0x300,
    last: 0x300,
    mask: 0xfn << 32n,
    right: "both",
    reason: "UXL and SXL are WARL; QEMU takes 1, ours is always 64 bits wide",
    section: "Priv. spec, Base ISA Control in mstatus Register",
  },
  {
    name: "sstatus",
    first: 0x100,
    last: 0x100,
    mask: 3n << 32n,
    right: "both",
    reason: "UXL is WARL; QEMU takes 1, ours is always 64 bits wide",
    section: "Priv. spec, Base ISA Control in sstatus Register",
  },
  {
    name: "medeleg",
    first: 0x302,
    last: 0x302,
    mask: all & ~0xb3ffn,
    right: "both",
    reason: "WARL; QEMU keeps bits of the hypervisor's and of custom exceptions, which neither hart raises",
    section: "Priv. spec, Machine Trap Delegation Registers",
  },
  {
    name: "mideleg",
    first: 0x303,
    last: 0x303,
    mask: all & ~0x222n,
    right: "both",
    reason: "WARL; QEMU keeps bits of interrupts that neither hart has",
    section: "Priv. spec, Machine Trap Delegation Registers",
  },
  {
    name: "mie",
    first: 0x304,
    last: 0x304,
    mask: all & ~0xaaan,
    right: "both",
    reason: "WARL; QEMU keeps bits of interrupts that neither hart has",
    section: "Priv. spec, Machine Interrupt Registers",
  },
  {
    name: "mip",
    first: 0x344,
    last: 0x344,
    mask: all & ~0xaaan,
    right: "both",
    reason: "WARL; QEMU keeps bits of interrupts that neither hart has",
    section: "Priv. spec, Machine Interrupt Registers",
  },
  {
    name: "mcounteren",
    first: 0x306,
    last: 0x306,
    mask: all & ~7n,
    right: "both",
    reason: "bits of counters that count nothing may be read-only; QEMU has 16 such counters, ours 29 that are always 0",
    section: "Priv. spec, Machine Counter-Enable Register",
  },
  {
    name: "scounteren",
    first: 0x106,
    last: 0x106,
    mask: all & ~7n,
    right: "both",
    reason: "as mcounteren",
    section: "Priv. spec, Supervisor Counter-Enable Register",
  },
  {
    name: "menvcfg",
    first: 0x30a,
    last: 0x30a,
    mask: cbie | (1n << 60n),
    right: "both",
    reason: "CBIE = 2 is reserved, and WARL; QEMU lets CDE be written although it has no Smcdeleg here",
    section: "Priv. spec, Machine Environment Configuration Register",
  },
  {
    name: "senvcfg",
    first: 0x10a,
    last: 0x10a,
    mask: cbie,
    right: "both",
    reason: "CBIE = 2 is reserved, and WARL",
    section: "Priv. spec, Supervisor Environment Configuration Register",
  },
  {
    name: "sepc",
    first: 0x141,
    last: 0x141,
    mask: 1n,
    right: "ours",
    reason: "QEMU keeps bit 0, which is always zero, and returns to an odd address",
    section: "Priv. spec, Supervisor Exception Program Counter",
  },
  {
    name: "mepc",
    first: 0x341,
    last: 0x341,
    mask: 1n,
    right: "ours",
    reason: "QEMU keeps bit 0, which is always zero, and returns to an odd address",
    section: "Priv. spec, Machine Exception Program Counter",
  },
  {
    name: "mcountinhibit",
    first: 0x320,
    last: 0x320,
    mask: all,
    right: "both",
    reason: "WARL; our counters cannot be stopped",
    section: "Priv. spec, Machine Counter-Inhibit Register",
  },
  {
    name: "mhpmevent",
    first: 0x323,
    last: 0x33f,
    mask: all,
    right: "both",
    reason: "which events can be selected is the implementation's choice",
    section: "Priv. spec, Hardware Performance Monitor",
  },
  {
    name: "pmpcfg0",
    first: 0x3a0,
    last: 0x3a3,
    mask: 0x60n * eachByte,
    right: "ours",
    reason: "QEMU keeps bits 5 and 6, which are zero",
    section: "Priv. spec, Physical Memory Protection CSRs",
  },
  {
    name: "pmpcfg0",
    first: 0x3a0,
    last: 0x3a3,
    mask: 3n * eachByte,
    right: "both",
    reason: "W without R is reserved, and WARL: QEMU keeps it, ours clears W",
    section: "Priv. spec, Physical Memory Protection CSRs",
  },
  {
    name: "pmpaddr",
    first: 0x3b0,
    last: 0x3bf,
    mask: 0x3ffn << 54n,
    right: "ours",
    reason: "QEMU keeps bits 63 to 54, which are zero",
    section: "Priv. spec, Physical Memory Protection CSRs",
  },
  {
    name: "tselect, tdata1 to tdata3, tinfo, tcontrol, mcontext",
    first: 0x7a0,
    last: 0x7af,
    mask: all,
    skip: true,
    right: "both",
    reason: "ours has Sdtrig without triggers, which QEMU can only have with some",
    section: "Debug spec, Sdtrig",
  },
  {
    name: "mcycle, minstret, mhpmcounter3 to mhpmcounter18",
    first: 0xb00,
    last: 0xb12,
    mask: all,
    right: "both",
    reason: "counters count what each implementation counts; QEMU's follow the host's clock",
    section: "Priv. spec, Hardware Performance Monitor",
  },
  {
    name: "mhpmcounter19 to mhpmcounter31",
    first: 0xb13,
    last: 0xb1f,
    mask: all,
    skip: true,
    right: "ours",
    reason: "QEMU has 16 of the 29 counters; the others should read as zero",
    section: "Priv. spec, Hardware Performance Monitor",
  },
  {
    name: "hpmcounter19 to hpmcounter31",
    first: 0xc13,
    last: 0xc1f,
    mask: all,
    skip: true,
    right: "ours",
    reason: "as mhpmcounter19 to mhpmcounter31",
    section: "Priv. spec, Hardware Performance Monitor",
  },
];

/** What the generators leave out, because results would differ for the reason given. */
export const avoided: readonly { what: string; right: "both" | "ours"; reason: string; section: string }[] = [
  {
    what: "amocas with destination x0",
    right: "ours",
    reason: "QEMU puts the value it loads into its constant zero: x0 reads as that until the end of the translated block",
    section: "Unpriv. spec, RV64I: x0 is hardwired to zero",
  },
  {
    what: "froundnx whose result is overwritten before it is used",
    right: "ours",
    reason: "QEMU leaves the instruction out, and NX with it",
    section: "Unpriv. spec, Zfa, Round-to-Integer Instructions",
  },
  {
    what: "ebreak that runs unchanged at another virtual address of the same physical page",
    right: "ours",
    reason: "QEMU reports the address for which it translated it first",
    section: "Priv. spec, Machine Trap Value Register",
  },
  {
    what: "cache-block operations whose address is not that of a block, where they fault",
    right: "ours",
    reason: "QEMU puts the address of the block into stval and mtval, not the value of rs1",
    section: "Unpriv. spec, CMO, Traps",
  },
  {
    what: "leaf entries with a reserved N or page number (Svnapot) and clear A or D",
    right: "ours",
    reason: "QEMU sets A and D before it raises the page fault",
    section: "Priv. spec, Virtual Address Translation Process",
  },
  {
    what: "sfence.w.inval and sfence.inval.ir in U-mode",
    right: "ours",
    reason: "QEMU does not raise an illegal-instruction exception",
    section: "Priv. spec, Svinval",
  },
  {
    what: "wrs.nto in S-mode",
    right: "both",
    reason: "with TW, QEMU raises an illegal-instruction exception, but with 0 in mtval instead of the instruction",
    section: "Priv. spec, Virtualization Support in mstatus Register",
  },
  {
    what: "lr and sc with other stores or a trap between them, or of different widths",
    right: "both",
    reason: "whether a reservation outlives them is the implementation's choice; traps end QEMU's",
    section: "Unpriv. spec, Load-Reserved/Store-Conditional Instructions",
  },
  {
    what: "global entries changed under sfence.vma with an address space",
    right: "both",
    reason: "such a fence does not order accesses to global entries; QEMU forgets them too",
    section: "Priv. spec, Supervisor Memory-Management Fence Instruction",
  },
  {
    what: "misaligned accesses, and sc, where a page table leads to addresses without memory",
    right: "both",
    reason:
      "QEMU translates both parts of an access before it touches the first, and lets sc fail without an access if there is no reservation",
    section: "Priv. spec, Supervisor Address Translation; Unpriv. spec, Load-Reserved/Store-Conditional Instructions",
  },
  {
    what: "atomics on pages that are neither writable nor accessed",
    right: "both",
    reason: "QEMU with one hart loads first, which sets A, before the store faults; A may be set speculatively",
    section: "Priv. spec, Addressing and Memory Protection",
  },
  {
    what: "atomics on a translated page that PMP denies",
    right: "ours",
    reason: "QEMU with one hart loads before it looks for the permission to store: an access fault where a page fault is due",
    section: "Priv. spec, Virtual Address Translation Process; Synchronous exception priority",
  },
  {
    what: "misaligned accesses across PMP regions",
    right: "both",
    reason: "an implementation may split an access and then check its parts",
    section: "Priv. spec, Physical Memory Protection: Priority and Matching Logic",
  },
  {
    what: "wfi without a pending interrupt, and wfi, wrs.nto, wrs.sto in U-mode",
    right: "both",
    reason: "they may wait for ever, or trap after a while",
    section: "Priv. spec, Wait for Interrupt",
  },
  {
    what: "values of counters and of time",
    right: "both",
    reason: "QEMU's follow the host's clock",
    section: "Unpriv. spec, Zicntr",
  },
];
