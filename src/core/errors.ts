/**
 * A failure of the host or of the user, never of a guest. `message` is one sentence for a person that names the
 * thing and, where there is one, the fix.
 */
export class VivError extends Error {
  override readonly name: string = "VivError";
  /** Stable, for programs: `ENOENT`, `BAD_KERNEL`, `BAD_OPTION`... */
  readonly code: string;

  /**
   * @param code stable identifier of the kind of failure
   * @param message one sentence naming the operation, its subject and the fix
   * @param options `cause`: the error underneath
   */
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Raises when an invariant of our own is broken; no guest and no user can reach it. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`);
}
