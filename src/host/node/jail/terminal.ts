/** Connects this process's terminal with a jail's. */
import { constants } from "node:fs";
import { createRequire } from "node:module";
import { addressOf, mustSyscall, syscall } from "../ffi/libc.ts";

const TIOCSWINSZ = 0x5414;
const F_GETFL = 3;
const F_SETFL = 4;

/** Whether standard input and output are a terminal. Asked of the kernel: Node's module for it loads half of its network code. */
export function isTerminal(): boolean {
  const TCGETS = 0x5401;
  const attributes = addressOf(new Uint8Array(64));
  return [0, 1].every((fd) => syscall("ioctl", fd, TCGETS, attributes) >= 0);
}

/** Makes the standard streams wait again: Node's own streams do not, and whom we give them to expects that they do. */
export function restoreBlocking(): void {
  for (const fd of [0, 1, 2]) {
    const now = syscall("fcntl", fd, F_GETFL, 0);
    if (now >= 0 && (now & constants.O_NONBLOCK) !== 0) syscall("fcntl", fd, F_SETFL, now & ~constants.O_NONBLOCK);
  }
}

function setSize(master: number, columns: number, rows: number): void {
  const size = new Uint16Array([rows, columns, 0, 0]);
  syscall("ioctl", master, TIOCSWINSZ, addressOf(new Uint8Array(size.buffer)));
}

/**
 * Gives the terminal to a jail: every key goes to it. Closes `master` in the end.
 *
 * @returns a function that gives the terminal back, when all that the jail wrote has been shown
 */
export function connectTerminal(master: number): () => Promise<void> {
  const { stdin, stdout } = process;
  const F_DUPFD_CLOEXEC = 1030;
  const { ReadStream, WriteStream } = createRequire(import.meta.url)("node:tty") as typeof import("node:tty");
  const reader = new ReadStream(mustSyscall("opening the jail's terminal", "fcntl", master, F_DUPFD_CLOEXEC, 3));
  const writer = new WriteStream(master);
  const resize = () => setSize(master, stdout.columns ?? 80, stdout.rows ?? 24);
  resize();
  if (stdin.isTTY) stdin.setRawMode(true);
  const restore = () => {
    if (!stdin.isTTY) return;
    try {
      stdin.setRawMode(false);
    } catch {
      // The terminal is gone.
    }
  };
  process.on("exit", restore);
  stdout.on("resize", resize);
  stdin.pipe(writer);
  // An error (EIO) is how the end of a terminal shows.
  const ended = new Promise<void>((resolve) => reader.once("error", () => resolve()).once("end", () => resolve()));
  reader.on("data", (chunk) => {
    if (!stdout.write(chunk)) {
      reader.pause();
      stdout.once("drain", () => reader.resume());
    }
  });
  writer.on("error", () => {});
  return async () => {
    await ended;
    stdin.unpipe(writer);
    stdin.pause();
    stdin.unref();
    stdout.off("resize", resize);
    process.off("exit", restore);
    restore();
    reader.destroy();
    writer.destroy();
  };
}
