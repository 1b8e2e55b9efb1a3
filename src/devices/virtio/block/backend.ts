/**
 * What stands behind a block device: sectors of 512 bytes. Offsets and lengths are bytes, multiples of 512 and inside
 * `size`; the device has checked them. A method that is done when it returns returns nothing, which is the fast way. One
 * that must wait returns a promise. Failures, thrown or rejected, reach the guest as I/O errors.
 */
export interface BlockBackend {
  /** Bytes; a multiple of 512. */
  readonly size: number;
  readonly readOnly: boolean;
  /** Fills `into` before it returns; or leaves it alone and promises `into.length` bytes of the backend's own. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a synchronous backend is one whose methods return nothing.
  read(offset: number, into: Uint8Array): Promise<Uint8Array> | void;
  /** `from` is valid during the call only: a backend that writes later takes a copy. */
  write(offset: number, from: Uint8Array): Promise<void> | void;
  /** Makes what was written survive a loss of power of the host. */
  flush(): Promise<void> | void;
  /** The range reads as zeros from now on. */
  writeZeroes(offset: number, length: number): Promise<void> | void;
  /** The contents of the range do not matter any more. Absent if the backend cannot make use of it. */
  discard?(offset: number, length: number): Promise<void> | void;
}
