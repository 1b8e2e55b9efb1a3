/** Where everything lies in guest memory, and the records through which harness and host talk. All sizes in bytes. */

export const ramBase = 0x8000_0000n;
/** RAM that both contenders are given; results end below it. */
export const ramSize = 512 * 1024 * 1024;

/** The harness: entry at the first byte. */
export const harnessBase = ramBase;
/** What the host tells the harness. */
export const headerBase = ramBase + 0x4000n;
/** Where the trap handler keeps what it saves; `mscratch` points here while a case runs. */
export const frameBase = ramBase + 0x5000n;
/** Code that S-mode runs when a trap is delegated to it; a page that cases map. */
export const stubBase = ramBase + 0x6000n;
/** Two pages of code; the body of every case is copied here. */
export const codeBase = ramBase + 0x1_0000n;
export const codePages = [codeBase, codeBase + 0x1000n] as const;
/** Two pages of data side by side, and a third that page tables can put in place of the second. */
export const dataBase = ramBase + 0x2_0000n;
export const farDataBase = ramBase + 0x2_4000n;
/** Page tables are made here. */
export const tablesBase = ramBase + 0x10_0000n;
/** The records of cases, one after another. */
export const casesBase = ramBase + 0x20_0000n;
/** Results are put on the next multiple of this after the cases. */
export const resultsAlignment = 0x1_0000n;

export const pageSize = 4096n;
/** The part of the data pages that a case may change: so many bytes before and after the page boundary. */
export const windowHalf = 256;
export const windowBase = dataBase + pageSize - BigInt(windowHalf);
export const windowCentre = dataBase + pageSize;

export const maxTraps = 8;
/** Values of `pokes` that are reported after the case (accessed and dirty bits). */
export const maxPokesReported = 16;

/** Fields of the header. */
export const header = {
  cases: 0,
  count: 8,
  first: 16,
  results: 24,
  progress: 32,
  /** How often each case is run (0 is as 1); the last round's result stays. */
  rounds: 40,
} as const;

/** Fields of a case's record. `pokes` and then the body follow the fixed part. */
export const caseField = {
  /** `x0`'s place holds the size of the record. */
  size: 0,
  x: 0,
  f: 256,
  fcsr: 512,
  mstatus: 520,
  /** Virtual address at which the body is entered. */
  entry: 528,
  /** Physical address of the body; a multiple of 2. */
  codePhysical: 536,
  /** Virtual minus physical address of the body. */
  delta: 544,
  codeLength: 552,
  /** Virtual address of the S-mode stub. */
  stub: 560,
  /** Physical addresses of the two halves of the window. */
  windowLow: 568,
  windowHigh: 576,
  seed: 584,
  /** Code in M-mode before and after the case (its address; 0: none). */
  setup: 592,
  teardown: 600,
  maxTraps: 608,
  pokeCount: 616,
  code: 624,
  pokes: 632,
} as const;

/** CSRs reported at the end of a case, in this order. */
export const reportedCsrs = [
  "mstatus",
  "mie",
  "mip",
  "medeleg",
  "mideleg",
  "mcounteren",
  "menvcfg",
  "scounteren",
  "senvcfg",
  "stvec",
  "sscratch",
  "sepc",
  "scause",
  "stval",
  "satp",
  "mepc",
] as const;

/** What is known of each trap, in this order. `vector`: entry of `mtvec` that was taken, 255 for the direct one. */
export const trapFields = ["mcause", "mtval", "mepc", "mstatus", "vector", "scause", "stval", "sepc"] as const;

/** Fields of a result. */
export const resultField = {
  /** 1 when the case has ended. */
  status: 0,
  trapCount: 8,
  csrs: 16,
  x: 144,
  f: 400,
  fcsr: 656,
  traps: 664,
  pokes: 1176,
  window: 1304,
} as const;
export const resultSize = 1824;

/** Fields of the frame. */
export const frame = { x: 0, caseRecord: 256, result: 264, index: 272, trapCount: 280, vector: 288, round: 296 } as const;

/** Offset of the `sret` in the S-mode stub; before it, an `ecall` for every vector of `stvec`. */
export const stubReturn = 0x104;
