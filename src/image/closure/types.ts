import type { FileStatus } from "./filesystem.ts";

/** Why a file is in the closure. */
export interface Reason {
  /** The file that wants it, by physical path; empty for what the user asked for. */
  readonly from: string;
  readonly kind: "asked" | "interpreter" | "needed" | "dlopen" | "script" | "rule" | "with" | "package" | "trace";
  /** The name as written in `from`: a soname, a path, a program. */
  readonly name: string;
  /** For people. */
  readonly why: string;
  /** For `rule`: which. */
  readonly rule?: string;
}

export interface ClosureFile {
  /** Physical: no parent is a symlink. */
  readonly path: string;
  readonly status: FileStatus;
  /** For a symlink. */
  readonly target?: string;
  readonly reasons: Reason[];
  /** Without it a program that was asked for does not start. */
  required: boolean;
}

/** Something wanted that is not there or not usable. */
export interface Problem {
  readonly code: "MISSING_LIBRARY" | "MISSING_INTERPRETER" | "MISSING_PROGRAM" | "BAD_ELF" | "BAD_LD_CACHE" | "DANGLING_LINK";
  /** True if a program that was asked for cannot start because of it. */
  required: boolean;
  readonly subject: string;
  readonly wantedBy: string;
  readonly message: string;
}

export interface Closure {
  /** As asked, and where it was found. */
  readonly programs: readonly { readonly asked: string; readonly path: string; readonly file: string }[];
  /** By physical path, in the order found. */
  readonly files: ReadonlyMap<string, ClosureFile>;
  readonly problems: readonly Problem[];
  /** Runtimes recognized, each with the files that made it known. */
  readonly rules: ReadonlyMap<string, readonly string[]>;
  /** Accounts that programs of the closure run under. */
  readonly users: readonly string[];
}

export interface ClosureRequest {
  /** Paths, or names looked up on `searchPath`. */
  readonly programs: readonly string[];
  /** Files and whole directories to add, each with the programs and libraries in it. */
  readonly paths?: readonly { readonly path: string; readonly reason: Reason }[];
  /** Debian packages, whole and with what they depend on. */
  readonly packages?: readonly string[];
  /** Default: the usual six directories. */
  readonly searchPath?: readonly string[];
  /** As `LD_LIBRARY_PATH`. */
  readonly libraryPath?: readonly string[];
  /** Names of rules to leave out. */
  readonly without?: readonly string[];
  /** Only what headers, links and first lines name. */
  readonly withoutRuntimes?: boolean;
}

export const defaultSearchPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
