/** What a machine needs of the host it runs on; handed in from the top. */
export interface MachineHost {
  /** Nanoseconds of a clock that never goes back. */
  monotonic(): number;
  /** Nanoseconds since 1970-01-01 UTC. */
  wall(): bigint;
  /** Lets the host deal with what waits for it (input, timers, finished I/O); comes back at once if that is nothing. */
  yieldToHost(): Promise<void>;
  /** Calls back once, `delay` nanoseconds from now or as soon after as the host can; returns a function that cancels it. */
  after(delay: number, callback: () => void): () => void;
  /** The emulator's hart as a build has kept it; without it, it is built again. */
  hartModule?(): Uint8Array<ArrayBuffer> | undefined;
  /** Unpredictable bytes. */
  randomBytes(length: number): Uint8Array;
}
