import { baseName } from "./filesystem.ts";
import type { Loaded } from "./search.ts";
import type { Reason } from "./types.ts";

/** A library by its name, as an object or a rule wants it. */
export interface Wish {
  readonly name: string;
  readonly loader: Loaded;
  readonly reason: Reason;
  readonly required: boolean;
  /** It may be missing without a word. */
  readonly silent: boolean;
}

/** One program with what its dynamic linker would load. */
export interface Process {
  readonly main: Loaded;
  readonly objects: Loaded[];
  /** By every name the dynamic linker would take for an object it has already. */
  readonly names: Map<string, Loaded>;
  /** Wanted by headers; all of it is loaded before anything that the program loads while running. */
  readonly needed: Wish[];
  readonly later: Wish[];
}

export function newProcess(main: Loaded): Process {
  return { main, objects: [], names: new Map(), needed: [], later: [] };
}

/** The C library defines the functions by which programs are recognized, and so says nothing of them. */
export function isLibc(object: Loaded): boolean {
  return /^(libc|libresolv|libpthread|libnss_files|libnss_dns|libanl|ld-|ld64|libc\.musl)/.test(baseName(object.path));
}
