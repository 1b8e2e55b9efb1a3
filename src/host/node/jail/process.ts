/** Processes that plans have started: waiting for them, and their report of a failure. */
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { VivError } from "../../../core/errors.ts";
import { dataAddress } from "../../../engine/jail/elf.ts";
import type { Failure, Program } from "../../../engine/jail/program.ts";
import type { JailSpec } from "../../../engine/jail/spec.ts";
import { addressOf, mustSyscall, whenReadable } from "../ffi/libc.ts";
import { explainFailure } from "./explain.ts";

/** How a command ended: its status, or the signal that killed it. */
export interface JailExit {
  readonly status?: number;
  readonly signal?: NodeJS.Signals;
}

/** A process of a jail that is a child of ours. */
export interface JailProcess {
  /** Its number on the host. */
  readonly pid: number;
  /** With `terminal`: the master of its terminal. Whoever asked for it closes it. */
  readonly terminal?: number;
  readonly exited: Promise<JailExit>;
  kill(signal: NodeJS.Signals): void;
}

/** Descriptors that a command gets as 0, 1 and 2; by default ours. */
export interface JailStreams {
  readonly stdin?: number;
  readonly stdout?: number;
  readonly stderr?: number;
}

/** A jail or a command in it that could not be started, with the operation that failed. */
export class JailError extends VivError {
  override readonly name = "JailError";
  readonly failure: Failure;

  constructor(spec: JailSpec, failure: Failure) {
    const { code, message } = explainFailure(spec, failure);
    super(code, message);
    this.failure = failure;
  }
}

const P_PID = 1;
const WEXITED = 4;
const CLD_EXITED = 1;

/** Waits for a child of ours and takes it away. Blocks until it has ended. */
export function waitFor(pid: number): JailExit {
  const info = new Int32Array(32);
  mustSyscall("waiting for a jail", "waitid", P_PID, pid, addressOf(new Uint8Array(info.buffer)), WEXITED, 0);
  const status = info[6]!;
  if (info[2] === CLD_EXITED) return { status };
  const signal = Object.entries(constants.signals).find(([, number]) => number === status)?.[0];
  return signal === undefined ? { status: 128 + status } : { signal: signal as NodeJS.Signals };
}

/** A child of ours from now until it has ended. */
export function watch(pid: number, terminal?: number): JailProcess {
  const pidfd = mustSyscall("watching a jail", "pidfd_open", pid, 0);
  const exited = new Promise<JailExit>((resolve) => {
    whenReadable(pidfd, () => {
      closeSync(pidfd);
      resolve(waitFor(pid));
    });
  });
  return {
    pid,
    ...(terminal === undefined ? {} : { terminal }),
    exited,
    kill: (signal) => {
      process.kill(pid, signal);
    },
  };
}

/** The failure that an executable of ours wrote to its report: the address of a record, and the record. */
export function reportedFailure(program: Program, bytes: Uint8Array): Failure {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const failure =
    bytes.length < 8
      ? undefined
      : program.reported(
          Number(view.getBigUint64(0, true) - dataAddress),
          new DataView(bytes.buffer, bytes.byteOffset + 8, bytes.length - 8),
        );
  if (failure === undefined) throw new Error("broken invariant: a process reported a failure that its plan does not have");
  return failure;
}
