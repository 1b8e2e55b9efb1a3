import type { FunctionBuilder } from "../../wasm/function.ts";
import type { I32, I64, Local } from "../../wasm/types.ts";
import type { Layout } from "./layout.ts";

/** Causes of exceptions (Priv. spec, table of mcause values). Faults are listed by access: read, write, execute. */
export const exception = {
  illegalInstruction: 2,
  loadMisaligned: 4,
  storeMisaligned: 6,
  accessFault: [5, 7, 1],
  pageFault: [13, 15, 12],
} as const;

/** Bytes of a cache block, for Zicbom and Zicboz. */
export const cacheBlockSize = 64;

/** Short forms of what the hart's functions do all the time with its state. */
export function stateAccess({ state, pages }: Layout) {
  const load64 = (f: FunctionBuilder, at: number): I64 => f.i64.load(f.i32.const(at));
  const load32 = (f: FunctionBuilder, at: number): I32 => f.i32.load(f.i32.const(at));
  return {
    load64,
    load32,
    /** Whether a trap is pending. */
    trapped: (f: FunctionBuilder): I32 => load32(f, state.trap),
    /** Adds one to a counter. */
    bump: (f: FunctionBuilder, at: number): void => f.i64.store(f.i32.const(at), f.i64.add(load64(f, at), f.i64.const(1))),
    /** Whether a physical address is in RAM. */
    inRam: (f: FunctionBuilder, address: Local<"i64">): I32 =>
      f.i64.ltU(f.i64.sub(f.get(address), load64(f, state.ramBase)), load64(f, state.ramSize)),
    /** Address of what is kept for the page that holds an offset in memory. */
    pageEntryOf: (f: FunctionBuilder, page: I32): I32 => f.i32.add(f.i32.shl(page, f.i32.const(3)), f.i32.const(pages)),
  };
}
