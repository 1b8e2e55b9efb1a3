/**
 * The memory that the stub runs: records of twelve 64-bit words, linked by address. An argument is a pointer to its value,
 * so that a later record can use an earlier one's result without any copying.
 *
 * `return` as the number ends the program.
 */
export const record = {
  nr: 0,
  /** Six pointers to the argument values. */
  args: 8,
  result: 56,
  /** Where the result is stored as well; the record's own `result` if nowhere else. */
  dest: 64,
  onError: 72,
  onZero: 80,
  onPositive: 88,
  size: 96,
} as const;

/** Offset in the header of the address of the record that failed last. */
export const header = { failed: 0, size: 16 } as const;

/** The `nr` that ends a program. */
export const endOfProgram = -1n;

/** The `result` of a record that has not run; no system call returns it. */
export const notRun = 0x7fff_ffff_ffff_ff00n;

/** Machine code of a stub: `run(first record, header)` by the C calling convention, and the same entered as a process. */
export interface Stub {
  /** Position-independent code of `void run(void *firstRecord, void *header)`. */
  readonly code: Uint8Array;
  /** Code that a program header's entry point names: loads the two addresses and goes on into `code`, which follows it. */
  enter(firstRecord: bigint, header: bigint): Uint8Array;
}
