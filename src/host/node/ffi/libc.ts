/** The C library through koffi: raw system calls, memory, and machine code of ours. The only file that knows koffi. */
import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";
import { VivError } from "../../../core/errors.ts";
import { type Architecture, syscallNumber } from "../../../engine/jail/syscalls.ts";

type Koffi = typeof import("koffi");

const require = createRequire(import.meta.url);
let loaded: { koffi: Koffi; syscall: (...args: (number | bigint)[]) => number | bigint } | undefined;

/** The binary's own package first: the main one looks for it in a dozen ways, which takes longer than starting a jail. */
function loadKoffi(): Koffi {
  try {
    return require(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
  } catch {
    return require("koffi") as Koffi;
  }
}

function libc() {
  if (loaded !== undefined) return loaded;
  if (process.platform !== "linux") {
    throw new VivError("UNSUPPORTED_HOST", `jails need a Linux host; this one is ${process.platform}: use --engine emulator`);
  }
  let koffi: Koffi;
  try {
    koffi = loadKoffi();
  } catch (cause) {
    throw new VivError(
      "NO_FFI",
      `jails need the npm package koffi, which has no working build for ${process.platform}-${process.arch} here: reinstall with \`npm install\``,
      { cause },
    );
  }
  const library = koffi.load(null);
  const long = "int64_t";
  loaded = { koffi, syscall: library.func("syscall", long, [long, long, long, long, long, long, long]) };
  return loaded;
}

/**
 * What was pointed to last. A number keeps nothing alive: without this, bytes whose last use was to take their address could be
 * collected before the call that reads them.
 */
const pointedTo: Uint8Array[] = [];
/** Many more than one call takes. */
const mostPointedTo = 64;
let pointed = 0;

/** A pointer to bytes of ours, for the duration of one call. */
export function addressOf(bytes: Uint8Array): bigint {
  pointedTo[pointed++ % mostPointedTo] = bytes;
  return BigInt(libc().koffi.address(bytes));
}

/**
 * Makes one system call from this thread.
 *
 * @param name the kernel's name; numbers and addresses follow, at most six
 * @returns the result, or minus the error number
 */
export function syscall(name: string, ...args: (number | bigint)[]): number {
  const nr = syscallNumber(name, process.arch as Architecture);
  if (nr === undefined) return -38;
  const { koffi, syscall: call } = libc();
  const padded = [0, 1, 2, 3, 4, 5].map((index) => args[index] ?? 0);
  const value = Number(call(nr, ...padded));
  return value === -1 ? -koffi.errno() : value;
}

/** The same, throwing a VivError that names the call. */
export function mustSyscall(purpose: string, name: string, ...args: (number | bigint)[]): number {
  const value = syscall(name, ...args);
  if (value < 0) {
    const code = getSystemErrorName(value);
    throw new VivError(code, `${purpose}: ${name} failed: ${code}`);
  }
  return value;
}

/** Pages of this process; one that is made with CLONE_VM has them too. */
export interface Pages {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  free(): void;
}

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;

export function mapPages(size: number): Pages {
  const { koffi, syscall: call } = libc();
  const address = call(
    syscallNumber("mmap", process.arch as Architecture)!,
    0,
    size,
    PROT_READ | PROT_WRITE,
    MAP_PRIVATE | MAP_ANONYMOUS,
    -1,
    0,
  );
  if (Number(address) === -1) throw new VivError("ENOMEM", `mapping ${size} bytes failed: ${getSystemErrorName(-koffi.errno())}`);
  const base = BigInt(address);
  return {
    address: base,
    bytes: new Uint8Array(koffi.view(base, size)),
    free: () => syscall("munmap", base, size),
  };
}

/** Makes machine code callable: `code(first, second)` with two addresses. The pages stay for the life of the process. */
export function loadCode(code: Uint8Array): (first: bigint, second: bigint) => void {
  const { koffi } = libc();
  const pages = mapPages(code.length);
  pages.bytes.set(code);
  mustSyscall("making the stub executable", "mprotect", pages.address, code.length, PROT_READ | PROT_EXEC);
  const type = koffi.proto("void", ["int64_t", "int64_t"]);
  return (first, second) => koffi.call(pages.address, type, first, second);
}

/** Calls back once when `fd` becomes readable. The returned handle must be kept, or the callback never comes. */
export function whenReadable(fd: number, callback: () => void): { cancel(): void } {
  const handle = libc().koffi.node.poll(fd, { readable: true, disconnect: true }, () => {
    held.delete(handle);
    handle.close();
    callback();
  });
  held.add(handle);
  return {
    cancel: () => {
      held.delete(handle);
      handle.close();
    },
  };
}

/** koffi holds its poll handles weakly. */
const held = new Set<object>();
