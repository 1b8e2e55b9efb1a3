import { closeSync, fstatSync, readSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";

/** Reads an open regular file whole, and closes it. */
export function readDescriptor(fd: number, limit: number): Buffer {
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > limit) throw new VivError("EINVAL", "it is not a regular file of a sensible size");
    const buffer = Buffer.alloc(stat.size);
    let filled = 0;
    while (filled < buffer.length) {
      const count = readSync(fd, buffer, filled, buffer.length - filled, filled);
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  } finally {
    closeSync(fd);
  }
}
