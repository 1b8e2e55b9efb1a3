import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32 } from "../../wasm/types.ts";
import { layOutState, type State } from "./state.ts";

/** Data translation cache: direct-mapped, one bank per effective privilege. */
export const dataTlb = {
  entries: 2048,
  /** Bytes of an entry: read tag (i64), write tag (i64), addend (i32), unused. */
  entrySize: 32,
  readTag: 0,
  writeTag: 8,
  addend: 16,
  bankSize: 2048 * 32,
  /** U; S with SUM clear; S with SUM set; M (addresses are physical). */
  banks: { U: 0, S: 1, SSum: 2, M: 3 },
  bankCount: 4,
} as const;

/** Fetch translation cache: page of the virtual address to page of decoded records. */
export const fetchTlb = {
  entries: 1024,
  /** Bytes of an entry: tag (i64, the page's address), record page (i32), unused. */
  entrySize: 16,
  tag: 0,
  recordPage: 8,
  bankSize: 1024 * 16,
  banks: { U: 0, S: 1, M: 2 },
  bankCount: 3,
} as const;

/**
 * Cache of page walks: address without its low 21 bits to the physical address of the last-level page table. Entries are a tag
 * (i64, the address shifted right by 21) and the table (i64).
 */
export const walkCache = { entries: 1024, entrySize: 16, tag: 0, table: 8 } as const;

/**
 * A page of decoded records: a header below the address that names the page, 2048 records (one for each possible start of an
 * instruction), and two more that lead on to the next page.
 */
export const recordPage = {
  /** Bytes of a record: handler (u16), registers d, s, t (u16 addresses), immediate (i32; or u16s `u` and `k`). */
  recordSize: 16,
  handler: 0,
  d: 2,
  s: 4,
  t: 6,
  imm: 8,
  u: 8,
  k: 10,
  /** Number of the region that starts here (i32); 0 none, -1 not to be translated. */
  region: 12,
  records: 2048,
  header: 16,
  /** In the header, before the page: where its instructions are (i32), whether any record is decoded (i32), index of the guest page (i32). */
  codeOffset: -16,
  decoded: -12,
  pageIndex: -8,
  /** Changes when the page's records are forgotten (i32): regions that reach into the page are void then. */
  epoch: -4,
  size: 2048 * 16,
  /** Distance of one page from the next. */
  stride: 16 + 2048 * 16 + 32 + 16,
} as const;

/**
 * A translated region, as the interpreter sees it: it may be entered if the translation caches and what is left of the budget
 * are right, and the other pages it reaches into are still mapped and unchanged.
 */
export const regionEntry = {
  size: 64,
  count: 8192,
  /** Index in the table of functions (i32). */
  func: 0,
  /** Handler of the first instruction (i32). */
  handler: 4,
  /** Data TLB bank that it was made for (i32). */
  dataTlb: 8,
  /** Most instructions that it executes between two looks at the budget (i32). */
  longest: 12,
  /** 1 if it needs mstatus.FS (i32). */
  float: 16,
  /** Other pages: how many (i32), then for each its distance in pages (i32), record page (i32), epoch (i32). */
  pageCount: 20,
  pages: 24,
  mostPages: 3,
} as const;

/** How the interpreter finds what is worth translating: jumps counted by target, and those that reached the threshold. */
export const hotness = {
  counters: 8192,
  /** Entries of the queue: record (i32), record page (i32), address (i64). */
  queue: 256,
  queueEntry: 16,
} as const;

/** What is kept for each page of RAM and ROM: its record page or 0 (i32), and the data TLB slot that lets it be written: 0, an address, or -1 for several (i32). */
export const pageEntry = { size: 8, recordPage: 0, writeSlot: 4 } as const;

/** Addresses in the machine's WebAssembly memory. */
export interface Layout {
  readonly state: State;
  /** 4096 bytes: number of a CSR to its index in the table, plus 1; 0 where there is none. */
  readonly csrIndex: number;
  readonly dataTlb: number;
  readonly fetchTlb: number;
  readonly walkCache: number;
  readonly pages: number;
  readonly recordPages: number;
  readonly recordPageCount: number;
  /** Pool of record pages: the next to give out (i32), and how many were given out so far (i32). */
  readonly recordPool: number;
  /** Record page of its own for the instruction that crosses from one page to the next, and the bytes of that instruction. */
  readonly crossing: number;
  readonly crossingBytes: number;
  /** Record page of its own for instructions in a page that PMP allows in part only: one at a time. */
  readonly single: number;
  /** `regionEntry`s; number 0 is not used. */
  readonly regions: number;
  /** Counters of jumps (i32 each). */
  readonly counters: number;
  /** Length of the queue (i32), then from 16 bytes on its entries. */
  readonly hotQueue: number;
  /** Where RAM begins; ROM follows it. */
  readonly ramOffset: number;
}

const align = (value: number, to: number) => Math.ceil(value / to) * to;

/** RAM and ROM as the page table must be ready for them: the most that a 32-bit memory can hold. */
const mostPages = 2 ** 20;
const recordPageCount = 1024;

const state = layOutState(0x1000);
const csrIndex = align(state.end, 4096);
const dataTlbAt = align(csrIndex + 4096, 65536);
const fetchTlbAt = dataTlbAt + dataTlb.bankSize * dataTlb.bankCount;
const walkCacheAt = fetchTlbAt + fetchTlb.bankSize * fetchTlb.bankCount;
const pages = walkCacheAt + walkCache.entries * walkCache.entrySize;
const regions = pages + mostPages * pageEntry.size;
const counters = regions + regionEntry.size * regionEntry.count;
const hotQueue = counters + hotness.counters * 4;
const recordPool = hotQueue + 16 + hotness.queue * hotness.queueEntry;
const crossingBytes = recordPool + 16;
const crossing = align(crossingBytes + 16, 64) + recordPage.header;
const single = crossing + recordPage.stride;
const recordPages = single + recordPage.stride;

/** Bytes that the hart keeps for itself, from the first of the memory on. Most are never touched, and cost nothing. */
export const reservedBytes = align(recordPages + recordPageCount * recordPage.stride, 65536);

/** Where everything is. The same for every machine, so that one module serves all; where RAM and ROM are is in the state. */
export const layout: Layout = {
  state,
  csrIndex,
  dataTlb: dataTlbAt,
  fetchTlb: fetchTlbAt,
  walkCache: walkCacheAt,
  pages,
  recordPages,
  recordPageCount,
  recordPool,
  crossing,
  crossingBytes,
  single,
  regions,
  counters,
  hotQueue,
  ramOffset: reservedBytes,
};

/** Index of the page that holds an offset in memory: RAM's pages, then ROM's. */
export function pageIndex(f: FunctionBuilder, layout: Layout, offset: I32): I32 {
  return f.i32.shrU(f.i32.sub(offset, f.i32.const(layout.ramOffset)), f.i32.const(12));
}
