/** Bytes of the unit in which a guest addresses a disk (virtio 1.2, 5.2.4). */
export const sectorSize = 512;

/**
 * A block device's contents. Offsets and lengths are bytes and multiples of `sectorSize` inside `size`; the device checks
 * what the guest asks for, the disk asserts it. Everything is done when it returns, or when the promise is that it returns.
 */
export interface Disk {
  /** Bytes; a multiple of `sectorSize`, never 0. */
  readonly size: number;
  readonly readOnly: boolean;
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
  /** Makes what was written survive a loss of power of the host. */
  flush(): Promise<void> | void;
  /** The range reads as zeros from now on; storage is freed where that is possible. */
  writeZeroes(offset: number, length: number): void;
  /** The contents of the range do not matter any more. Absent if the disk could not make use of it. */
  discard?(offset: number, length: number): void;
  close(): void;
}

/** A file of the host, as a disk needs it. Errors are `VivError`s that name the file. */
export interface DiskFile {
  /** For messages. */
  readonly name: string;
  /** Bytes at the time of opening. */
  readonly size: number;
  readonly writable: boolean;
  /** Reads at most `into.length` bytes; fewer at the end of the file only. */
  read(position: number, into: Uint8Array): number;
  /** Writes all of `from`, extending the file as needed; what lies between reads as zeros. */
  write(position: number, from: Uint8Array): void;
  sync(): Promise<void>;
  close(): void;
}

/** Throws unless a request lies in the disk and is made of whole sectors: its device has let a guest's mistake through. */
export function assertRange(disk: Disk, offset: number, length: number): void {
  if (offset % sectorSize !== 0 || length % sectorSize !== 0 || offset < 0 || length < 0 || offset + length > disk.size) {
    throw new Error(`broken invariant: disk request of ${length} bytes at ${offset}, size ${disk.size}`);
  }
}
