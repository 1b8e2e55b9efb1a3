/** Names of traps, by cause (Priv. spec 3.1.15, table "Machine cause register (mcause) values after trap"). */

export const exceptionNames: readonly (string | undefined)[] = [
  "instruction address misaligned",
  "instruction access fault",
  "illegal instruction",
  "breakpoint",
  "load address misaligned",
  "load access fault",
  "store/AMO address misaligned",
  "store/AMO access fault",
  "environment call from U-mode",
  "environment call from S-mode",
  undefined,
  "environment call from M-mode",
  "instruction page fault",
  "load page fault",
  undefined,
  "store/AMO page fault",
];

export const interruptNames: readonly (string | undefined)[] = [
  undefined,
  "supervisor software interrupt",
  undefined,
  "machine software interrupt",
  undefined,
  "supervisor timer interrupt",
  undefined,
  "machine timer interrupt",
  undefined,
  "supervisor external interrupt",
  undefined,
  "machine external interrupt",
];
