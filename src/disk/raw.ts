import { VivError } from "../core/errors.ts";
import { assertRange, type Disk, type DiskFile, sectorSize } from "./disk.ts";

const zeroes = new Uint8Array(64 * 1024);

/**
 * A disk whose bytes are those of a file. A size that is not a multiple of 512 is rounded up, as QEMU does: the end reads
 * as zeros, and writing there extends the file.
 */
export class RawDisk implements Disk {
  readonly size: number;
  readonly readOnly: boolean;
  readonly #file: DiskFile;

  /**
   * Takes ownership of `file`.
   * @throws VivError `BAD_DISK` if the file is empty
   */
  constructor(file: DiskFile, options: { readOnly: boolean }) {
    if (file.size === 0) throw new VivError("BAD_DISK", `disk ${file.name} is empty; give it a size first (truncate -s 1G FILE)`);
    this.#file = file;
    this.readOnly = options.readOnly;
    this.size = Math.ceil(file.size / sectorSize) * sectorSize;
  }

  read(offset: number, into: Uint8Array): void {
    assertRange(this, offset, into.length);
    const count = this.#file.read(offset, into);
    if (count < into.length) into.fill(0, count);
  }

  write(offset: number, from: Uint8Array): void {
    assertRange(this, offset, from.length);
    this.#assertWritable();
    this.#file.write(offset, from);
  }

  flush(): Promise<void> | void {
    return this.readOnly ? undefined : this.#file.sync();
  }

  /** Leaves alone what is zero already, so that a sparse file stays sparse. */
  writeZeroes(offset: number, length: number): void {
    assertRange(this, offset, length);
    this.#assertWritable();
    const scratch = new Uint8Array(Math.min(length, zeroes.length));
    for (let at = offset; at < offset + length; at += zeroes.length) {
      const part = scratch.subarray(0, Math.min(zeroes.length, offset + length - at));
      this.read(at, part);
      if (!isZero(part)) this.#file.write(at, zeroes.subarray(0, part.length));
    }
  }

  close(): void {
    this.#file.close();
  }

  #assertWritable(): void {
    if (this.readOnly) throw new Error("broken invariant: write to a read-only disk");
  }
}

function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}
