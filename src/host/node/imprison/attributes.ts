import { type BigIntStats, constants } from "node:fs";
import { getSystemErrorName } from "node:util";
import { VivError } from "../../../core/errors.ts";
import { addressOf, mustSyscall, syscall } from "../ffi/libc.ts";

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */
const maxSize = 65536;

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** Extended attributes (xattr(7)) of a file, or of a symlink itself; none on file systems without them. */
export function readAttributes(path: string): Map<string, Buffer> {
  const file = cString(path);
  const found = new Map<string, Buffer>();
  const names = variable("llistxattr", path, (buffer) =>
    syscall("llistxattr", addressOf(file), addressOf(buffer), buffer.length),
  );
  for (const name of names.toString("utf8").split("\0")) {
    // The label of a file is the policy's affair, and is set anew when the file is made.
    if (name === "" || name === "security.selinux") continue;
    const key = cString(name);
    found.set(
      name,
      variable("lgetxattr", path, (buffer) =>
        syscall("lgetxattr", addressOf(file), addressOf(key), addressOf(buffer), buffer.length),
      ),
    );
  }
  return found;
}

const small = Buffer.alloc(1024);

function variable(call: string, path: string, read: (buffer: Buffer) => number): Buffer {
  for (let buffer = small; ; buffer = Buffer.alloc(maxSize)) {
    const length = read(buffer);
    if (length >= 0) return Buffer.from(buffer.subarray(0, length));
    const code = getSystemErrorName(length);
    if (code === "ENOTSUP" || code === "ENODATA") return Buffer.alloc(0);
    if (code !== "ERANGE" || buffer.length === maxSize) throw new VivError(code, `${call} ${path}: ${code}`);
  }
}

export function writeAttribute(path: string, name: string, value: Buffer): void {
  const bytes = value.length === 0 ? Buffer.alloc(1) : value;
  const [file, key] = [cString(path), cString(name)];
  mustSyscall(`setting ${name} of ${path}`, "lsetxattr", addressOf(file), addressOf(key), addressOf(bytes), value.length, 0);
}

/** Gives a file or symlink the times of another, to the nanosecond. */
export function copyTimes(path: string, times: BigIntStats): void {
  const second = 1_000_000_000n;
  const spec = new BigInt64Array([
    times.atimeNs / second,
    times.atimeNs % second,
    times.mtimeNs / second,
    times.mtimeNs % second,
  ]);
  const file = cString(path);
  const address = addressOf(new Uint8Array(spec.buffer));
  mustSyscall(`setting the times of ${path}`, "utimensat", AT_FDCWD, addressOf(file), address, AT_SYMLINK_NOFOLLOW);
}

const types = { fifo: constants.S_IFIFO, character: constants.S_IFCHR, block: constants.S_IFBLK } as const;

/** Makes a device node or a fifo with its permissions: to set them afterwards would follow a link put in its place. */
export function makeNode(path: string, kind: keyof typeof types, device: { major: number; minor: number }, mode: number): void {
  // The kernel's own encoding (new_encode_dev): 12 bits of the major between 8 and 12 of the minor.
  const number = (device.minor & 0xff) | (device.major << 8) | ((device.minor & ~0xff) << 12);
  const file = cString(path);
  const mask = process.umask(0);
  try {
    mustSyscall(`making the ${kind} node ${path}`, "mknodat", AT_FDCWD, addressOf(file), types[kind] | mode, number >>> 0);
  } finally {
    process.umask(mask);
  }
}
