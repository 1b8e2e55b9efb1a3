/** Attacks as data: each is a program of system calls that runs as a jail's command and tells by its exit status whether it got out. */
import { errnoNumber } from "../errno.ts";
import { flags, type Operation, type Plan, Steps, type Value } from "../operations.ts";

/** The exit status of an attack that succeeded. */
export const escapedStatus = 42;

/** What attacks aim at: things of the host that the self-test has made or that every host has. */
export interface Target {
  /** Absolute path of a file outside of the jail's root. */
  readonly secret: string;
  /** A process outside. */
  readonly pid: number;
  /** The low 32 bits of the inode number of the program that makes jails. */
  readonly programInode: number;
  /** A name in the abstract namespace of Unix sockets, without its leading NUL, that somebody outside listens on. */
  readonly abstractSocket: string;
  /** A port of 127.0.0.1 that somebody outside listens on. */
  readonly port: number;
  /** A System V shared memory segment's key. */
  readonly sharedMemoryKey: number;
  /** Device number of the host's disk, as Linux encodes it. */
  readonly disk: number;
  /** A file of /sys that its owner may write; opened only. */
  readonly sysfsFile: string;
}

type More = Partial<Pick<Operation, "onError" | "onZero" | "onPositive" | "name">>;

/** Writes an attack, one system call after the other; each must succeed, or the attack has failed. */
export class Attack {
  readonly #steps = new Steps("a");
  #names = 0;

  constructor(name: string) {
    this.#steps.step(name);
  }

  call(name: string, args: readonly Value[], more: More = {}): this {
    this.#steps.add(name, args, more);
    return this;
  }

  /** A call whose failure does not matter. */
  attempt(name: string, args: readonly Value[]): this {
    return this.call(name, args, { onError: "next" });
  }

  get(name: string, args: readonly Value[], more: More = {}): Value {
    return this.#steps.get("r", name, args, more);
  }

  /** A call that shows by a particular error that it was let in, such as EBADF for a descriptor that is none. */
  reaches(name: string, args: readonly Value[], error: string): this {
    const result = `reached${++this.#names}`;
    this.call(name, args, { name: result, onError: "next", onPositive: { skip: 1 }, onZero: { skip: 1 } });
    const expected = BigInt.asUintN(32, BigInt(-errnoNumber(error)));
    return this.call("futex", [
      { resultAt: result },
      flags("FUTEX_CMP_REQUEUE_PRIVATE"),
      0,
      0,
      { buffer: "scratch", size: 8 },
      expected,
    ]);
  }

  /** Goes on only if the 32 bits at `at` of a buffer are this number. */
  equals(buffer: { readonly buffer: string; readonly size: number }, at: number, value: number): this {
    return this.call("futex", [
      { ...buffer, at },
      flags("FUTEX_CMP_REQUEUE_PRIVATE"),
      0,
      0,
      { buffer: "scratch", size: 8 },
      value >>> 0,
    ]);
  }

  /** Opens a file for reading: that is the proof. */
  reads(path: string): this {
    return this.call("openat", [flags("AT_FDCWD"), path, flags("O_RDONLY", "O_CLOEXEC"), 0]);
  }

  plan(): Plan {
    this.#steps.add("exit_group", [escapedStatus]);
    return {
      blocks: [
        { name: "attack", onFail: "failed", operations: this.#steps.operations },
        { name: "failed", onFail: "failed", operations: [{ call: "exit_group", args: [1], step: "fail" }] },
      ],
    };
  }
}
