/**
 * A stream of bytes between a device and the host, with flow control both ways and no buffer that could grow: what one
 * side does not take stays with the other.
 */

/** The host's side: what a device calls. */
export interface CharacterBackend {
  /**
   * Takes bytes that the guest sent; they are valid during the call only. Returns how many were taken: if fewer than
   * given, the device keeps the rest (and the guest waits) until the host calls `resume`.
   */
  write(bytes: Uint8Array): number;
  /** The device can take input again after `push` took less than it was given. */
  inputReady?(): void;
}

/** The device's side: what the host calls. */
export interface CharacterPort {
  /** Gives input to the guest. Returns how many bytes were taken; `inputReady` says when to come back with the rest. */
  push(bytes: Uint8Array): number;
  /** The host can take output again after `write` took less than it was given. */
  resume(): void;
}
