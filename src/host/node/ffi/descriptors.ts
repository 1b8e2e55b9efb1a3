/** Descriptors that Node's own API cannot make. */
import { closeSync, openSync } from "node:fs";
import { addressOf, mustSyscall, syscall, whenReadable } from "./libc.ts";

const EINTR = 4;
const EAGAIN = 11;
const O_CLOEXEC = 0o2000000;
const AF_UNIX = 1;
const SOCK_STREAM = 1;

export interface Pair {
  readonly ours: number;
  readonly theirs: number;
}

/** A pipe; `ours` is the end that is read. */
export function pipe(): Pair {
  const fds = new Int32Array(2);
  mustSyscall("making a pipe", "pipe2", addressOf(new Uint8Array(fds.buffer)), O_CLOEXEC);
  return { ours: fds[0]!, theirs: fds[1]! };
}

/** A pair of connected sockets. */
export function socketPair(): Pair {
  const fds = new Int32Array(2);
  mustSyscall("making a socket", "socketpair", AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, addressOf(new Uint8Array(fds.buffer)));
  return { ours: fds[0]!, theirs: fds[1]! };
}

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 16;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL, SHRINK, GROW and WRITE. */
const allSeals = 1 | 2 | 4 | 8;

/** An executable that exists in memory only and that nobody, however privileged, can change. */
export function sealedExecutable(name: string, contents: Uint8Array): number {
  const text = new TextEncoder().encode(`${name}\0`);
  let fd = syscall("memfd_create", addressOf(text), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  // MFD_EXEC is of Linux 6.3; before, every memfd was executable.
  if (fd === -22) fd = mustSyscall("making a memfd", "memfd_create", addressOf(text), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  else if (fd < 0) mustSyscall("making a memfd", "memfd_create", addressOf(text), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  let written = 0;
  while (written < contents.length) {
    const rest = contents.subarray(written);
    written += mustSyscall("writing a memfd", "write", fd, addressOf(rest), rest.length);
  }
  mustSyscall("sealing a memfd", "fcntl", fd, F_ADD_SEALS, allSeals);
  return fd;
}

/** Receives one descriptor that was sent over a socket with SCM_RIGHTS; undefined if the other side ended instead. */
export function receiveDescriptor(socket: number): number | undefined {
  const data = new Uint8Array(8);
  const control = new Uint8Array(24);
  const iov = new BigUint64Array([addressOf(data), 8n]);
  const message = new BigUint64Array([
    0n,
    0n,
    addressOf(new Uint8Array(iov.buffer)),
    1n,
    addressOf(control),
    BigInt(control.length),
    0n,
  ]);
  const MSG_CMSG_CLOEXEC = 0x40000000;
  const length = mustSyscall(
    "receiving a descriptor",
    "recvmsg",
    socket,
    addressOf(new Uint8Array(message.buffer)),
    MSG_CMSG_CLOEXEC,
  );
  if (length === 0 || message[5]! < 20n) return undefined;
  return new DataView(control.buffer).getInt32(16, true);
}

/** Reads a pipe to its end, at most `limit` bytes of it. */
export async function readToEnd(fd: number, limit: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(limit);
  let length = 0;
  while (length < limit) {
    await new Promise<void>((resolve) => whenReadable(fd, resolve));
    const count = syscall("read", fd, addressOf(buffer.subarray(length)), limit - length);
    if (count === -EAGAIN || count === -EINTR) continue;
    if (count < 0) mustSyscall("reading a pipe", "read", fd, 0, 0);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

export function closeAll(fds: Iterable<number>): void {
  for (const fd of fds) closeSync(fd);
}

/** A pair of terminals of this host. The caller closes both. */
export function openTerminalPair(): { readonly master: number; readonly slave: number } {
  const TIOCSPTLCK = 0x40045431;
  const TIOCGPTPEER = 0x5441;
  const O_RDWR_NOCTTY_CLOEXEC = 2 | 0o400 | O_CLOEXEC;
  const master = openSync("/dev/ptmx", O_RDWR_NOCTTY_CLOEXEC);
  mustSyscall("unlocking a terminal", "ioctl", master, TIOCSPTLCK, addressOf(new Uint8Array(4)));
  return { master, slave: mustSyscall("opening a terminal", "ioctl", master, TIOCGPTPEER, O_RDWR_NOCTTY_CLOEXEC) };
}
