import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VivError } from "../../core/errors.ts";
import type { DiskFile } from "../../disk/disk.ts";
import type { OverlayStore } from "../../disk/overlay.ts";
import { deviceNumber } from "./device-number.ts";
import { lockFile } from "./lock.ts";

/** What the system's error codes mean for a person. */
const reasons: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of its path is not a directory",
  EROFS: "its file system is read-only",
  EBUSY: "it is in use by the host",
  ELOOP: "its symbolic links go in circles",
  ENOSPC: "no space is left on the host",
  EFBIG: "it would become too large for its file system",
  EIO: "the host's storage failed",
  EMFILE: "this process has too many open files",
  ENXIO: "its device does not answer",
};

/** The failure of an operation on a file, as one sentence. */
function fileError(operation: string, name: string, cause: unknown, fix = ""): VivError {
  const code = (cause as NodeJS.ErrnoException).code ?? "EIO";
  return new VivError(code, `cannot ${operation} ${name}: ${reasons[code] ?? (cause as Error).message}${fix}`, { cause });
}

/**
 * The whole of a file.
 * @param limit bytes that are too many
 * @throws VivError with the system's code, or `EFBIG`
 */
export function readWholeFile(name: string, limit: number): Uint8Array<ArrayBuffer> {
  let descriptor: number;
  try {
    descriptor = openSync(name, "r");
  } catch (cause) {
    throw fileError("read", name, cause);
  }
  try {
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw new VivError("EISDIR", `cannot read ${name}: it is a directory`);
    // Their size says nothing, and some never end.
    if (stat.isCharacterDevice()) throw new VivError("EINVAL", `cannot read ${name}: it is a device, not a file`);
    if (stat.size > limit)
      throw new VivError("EFBIG", `cannot read ${name}: it has ${stat.size} bytes, more than the ${limit} that fit`);
    const bytes = readFileSync(descriptor);
    return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  } catch (cause) {
    throw cause instanceof VivError ? cause : fileError("read", name, cause);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Opens a disk's file and locks it: for itself alone to write, or together with other readers.
 * @throws VivError with the system's code, `BAD_DISK` if it is neither a regular file nor a block device, `EBUSY` naming
 * the owner if it is in use
 */
export function openDiskFile(name: string, options: { writable: boolean }): DiskFile {
  let descriptor: number;
  try {
    // O_NONBLOCK: a FIFO in its place must not stop us. O_EXCL: a block device that is mounted is refused by the kernel.
    let flags = (options.writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK;
    if (options.writable && isBlockDevice(name)) flags |= constants.O_EXCL;
    descriptor = openSync(name, flags);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const fix = options.writable && ["EACCES", "EPERM", "EROFS"].includes(code) ? "; add ,ro to only read it, or ,overlay" : "";
    throw fileError("open disk", name, cause, fix);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() && !stat.isBlockDevice()) {
      throw new VivError("BAD_DISK", `cannot open disk ${name}: it is neither a file nor a block device`);
    }
    lockFile(descriptor, name, options.writable ? "exclusive" : "shared");
    return new HostFile(name, descriptor, sizeOf(name, stat), options.writable);
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
}

/** A temporary file without a name: it is gone with the process, however that ends. */
export function openOverlayStore(): OverlayStore {
  const name = join(
    process.env.TMPDIR ?? (process.platform === "linux" ? "/var/tmp" : tmpdir()),
    `viv-overlay-${process.pid}-${counter++}`,
  );
  try {
    const descriptor = openSync(name, "wx+", 0o600);
    unlinkSync(name);
    return new HostFile(name, descriptor, 0, true);
  } catch (cause) {
    throw fileError("make the temporary file", name, cause);
  }
}
let counter = 0;

class HostFile implements DiskFile {
  readonly name: string;
  readonly size: number;
  readonly writable: boolean;
  readonly #descriptor: number;

  constructor(name: string, descriptor: number, size: number, writable: boolean) {
    this.name = name;
    this.size = size;
    this.writable = writable;
    this.#descriptor = descriptor;
  }

  read(position: number, into: Uint8Array): number {
    let done = 0;
    try {
      while (done < into.length) {
        const count = readSync(this.#descriptor, into, done, into.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
    } catch (cause) {
      throw fileError("read", this.name, cause);
    }
    return done;
  }

  write(position: number, from: Uint8Array): void {
    let done = 0;
    try {
      while (done < from.length) done += writeSync(this.#descriptor, from, done, from.length - done, position + done);
    } catch (cause) {
      throw fileError("write", this.name, cause);
    }
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#descriptor, (cause) => (cause ? reject(fileError("write", this.name, cause)) : resolve()));
    });
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function isBlockDevice(name: string): boolean {
  const descriptor = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return fstatSync(descriptor).isBlockDevice();
  } finally {
    closeSync(descriptor);
  }
}

function sizeOf(name: string, stat: Stats): number {
  if (stat.isFile()) return stat.size;
  const { major, minor } = deviceNumber(stat.rdev);
  try {
    return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, "utf8")) * 512;
  } catch (cause) {
    throw new VivError("BAD_DISK", `cannot open disk ${name}: the host does not tell the size of this block device`, { cause });
  }
}
