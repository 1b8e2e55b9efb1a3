/**
 * Where a hart keeps its state: fields at constant addresses of the machine's WebAssembly memory, so that translated code,
 * the interpreter and JavaScript name them alike.
 */
export const stateFields = {
  /** Where the machine's memory is, in guest-physical addresses; set once, kept over a reset. */
  ramBase: 8,
  ramSize: 8,
  romBase: 8,
  romSize: 8,
  hartId: 8,
  /** x0..x31 (x0 stays zero), then the slot that takes writes of x0. */
  x: 33 * 8,
  f: 32 * 8,
  pc: 8,
  /** Instructions retired up to the start of the current `run`. */
  instret: 8,
  /** Budget of the current `run`, what is left of it at the last exit from the fast path, and what was set aside to come back early. */
  runBudget: 4,
  budget: 4,
  deferred: 4,
  /** Set from outside: look at interrupts (and `exitRequested`) at the next instruction. */
  attention: 4,
  exitRequested: 4,
  /** Set by a region that came back before an instruction which the interpreter must execute. */
  interpretNext: 4,
  /** Jumps to one target after which it is worth translating; 0 switches translation off. */
  hotThreshold: 4,
  /** Translations were flushed: the next instruction is to be fetched anew. */
  refetch: 4,
  /** A trap raised and not yet taken: cause + 1, or 0. */
  trap: 4,
  mode: 4,
  /** mstatus.FS (0-3); kept apart because every floating-point instruction tests it. */
  fs: 4,
  fflags: 4,
  frm: 4,
  /** Data and fetch translation caches of the current effective privilege (addresses). */
  dataTlb: 4,
  fetchTlb: 4,
  /** Nonzero if an S-mode `ecall` leaves to the machine's own SBI. */
  sbi: 4,
  reservationSize: 4,
  /** What the last page walk found: bits in `walkFlag`. */
  walkFlags: 4,
  /** Nonzero if the data TLB bank of S with SUM clear holds mappings that are not global. */
  supervisorNotGlobal: 4,
  /** Highest PMP entry in use, plus one. */
  pmpCount: 4,
  /** 1 if PMP cannot refuse anything to S and U: entry 0 covers all with full access. */
  pmpOpen: 4,
  mailbox: 8,
  trapValue: 8,
  reservationAddress: 8,
  reservationValue: 8,
  /** mstatus without FS and SD. */
  mstatus: 8,
  misa: 8,
  medeleg: 8,
  mideleg: 8,
  mie: 8,
  /** Bits of mip that software writes (SSIP, STIP, SEIP). */
  mipSoftware: 8,
  /** Bits of mip that the machine drives. */
  mipExternal: 8,
  mtvec: 8,
  mscratch: 8,
  mepc: 8,
  mcause: 8,
  mtval: 8,
  mcounteren: 8,
  menvcfg: 8,
  /** Offsets that make the counters writable. */
  mcycleOffset: 8,
  minstretOffset: 8,
  stvec: 8,
  sscratch: 8,
  sepc: 8,
  scause: 8,
  stval: 8,
  scounteren: 8,
  senvcfg: 8,
  satp: 8,
  stimecmp: 8,
  pmpcfg: 16,
  pmpaddr: 16 * 8,
  /** Addresses of pages that were mapped by superpages: lowest, and highest plus one. */
  superpageLow: 8,
  superpageHigh: 8,
  /** Counters for statistics. */
  tlbMisses: 8,
  pageWalks: 8,
  fetchMisses: 8,
  /** Flushes of the TLB: of everything, of all that satp governs, of what is not global, of one address. */
  flushesOfAll: 8,
  flushesOfSpaces: 8,
  flushesOfSpace: 8,
  flushesOfPage: 8,
  decoded: 8,
  regionEntries: 8,
  regionInstructions: 8,
  exceptions: 16 * 8,
  interrupts: 16 * 8,
} as const;

export type StateField = keyof typeof stateFields;
export type State = Readonly<Record<StateField, number>> & { readonly end: number };

/** Bits of `walkFlags`. */
export const walkFlag = {
  /** Stores need no more than loads did: W and D are set. */
  writable: 1,
  notGlobal: 2,
  notCacheable: 4,
} as const;

/** Addresses of the fields of a hart whose state begins at `base` (a multiple of 8). Record operands are 16 bits: `end` must be below 65536. */
export function layOutState(base: number): State {
  const state: Record<string, number> = {};
  let at = base;
  for (const [name, size] of Object.entries(stateFields)) {
    if (size >= 8) at = (at + 7) & ~7;
    state[name] = at;
    at += size;
  }
  state.end = (at + 63) & ~63;
  return state as unknown as State;
}
