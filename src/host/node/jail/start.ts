/** Starts jails on this host: plans, opens what the plan needs, runs it, and watches the process that comes of it. */
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { VivError } from "../../../core/errors.ts";
import { dataAddress, executable } from "../../../engine/jail/elf.ts";
import { planJail, type StartOptions } from "../../../engine/jail/plan/index.ts";
import { type Failure, type Inputs, layOut, type Program } from "../../../engine/jail/program.ts";
import type { JailSpec } from "../../../engine/jail/spec.ts";
import { stubFor } from "../../../engine/jail/stub/index.ts";
import { closeAll, pipe, readToEnd, receiveDescriptor, sealedExecutable, socketPair } from "../ffi/descriptors.ts";
import { HostExecutor } from "../ffi/executor.ts";
import { addressOf, mustSyscall, whenReadable } from "../ffi/libc.ts";
import { explainFailure } from "./explain.ts";
import { hostFacts } from "./facts.ts";

/** How a jail's command ended: its status, or the signal that killed it. */
export interface JailExit {
  readonly status?: number;
  readonly signal?: NodeJS.Signals;
}

export interface RunningJail {
  /** The jail's first process as the host numbers it. */
  readonly pid: number;
  /** With `terminal`: the master of the jail's terminal. Whoever asks for the jail closes it. */
  readonly terminal?: number;
  readonly exited: Promise<JailExit>;
  /** Sends a signal to the jail's first process. */
  kill(signal: NodeJS.Signals): void;
}

/** Descriptors that the command gets as 0, 1 and 2; by default ours. */
export interface JailStreams {
  readonly stdin?: number;
  readonly stdout?: number;
  readonly stderr?: number;
}

const executor = new HostExecutor();

/** A jail that could not be made, with the operation that failed. */
export class JailError extends VivError {
  override readonly name = "JailError";
  readonly failure: Failure;

  constructor(spec: JailSpec, failure: Failure) {
    const { code, message } = explainFailure(spec, failure);
    super(code, message);
    this.failure = failure;
  }
}

/**
 * Starts a jail. When this resolves its command runs.
 *
 * @throws JailError naming the operation that failed; nothing of the jail is left then
 */
export async function startJail(
  spec: JailSpec,
  streams: JailStreams = {},
  options: StartOptions & { readonly inputs?: Inputs } = {},
): Promise<RunningJail> {
  const facts = hostFacts();
  const { plan, init } = planJail(spec, facts, options);
  const inputs: Record<string, number | bigint> = {
    stdin: streams.stdin ?? 0,
    stdout: streams.stdout ?? 1,
    stderr: streams.stderr ?? 2,
    ...options.inputs,
  };
  const open = new Set<number>();
  const close = (fd: number) => {
    open.delete(fd);
    closeSync(fd);
  };
  let terminalSocket: number | undefined;
  let report: number | undefined;
  let initProgram: Program | undefined;
  try {
    if (spec.terminal) {
      const sockets = socketPair();
      open.add(sockets.ours).add(sockets.theirs);
      inputs.terminal = sockets.theirs;
      terminalSocket = sockets.ours;
    }
    if (init !== undefined) {
      const ends = pipe();
      open.add(ends.ours).add(ends.theirs);
      report = ends.ours;
      inputs.report = ends.theirs;
      initProgram = layOut(init, facts.architecture, { report: ends.theirs });
      const file = sealedExecutable("viv-init", executable(initProgram, stubFor(facts.architecture), facts.architecture));
      open.add(file);
      inputs.init = file;
    }
    const run = executor.run(plan, inputs);
    const entrant = options.preparedUserNamespace === true ? run.result("entrant") : undefined;
    if (entrant !== undefined && entrant > 0n) waitFor(Number(entrant));
    const pid = Number(run.result("jail") ?? 0n);
    if (run.failure !== undefined) {
      if (pid > 0) waitFor(pid);
      throw new JailError(spec, run.failure);
    }
    if (pid <= 0) throw new JailError(spec, { operation: plan.blocks[0]!.operations[1]!, errno: -pid });

    if (initProgram !== undefined && report !== undefined) {
      close(Number(inputs.report));
      const bytes = await readToEnd(report, 4096);
      if (bytes.length > 0) {
        waitFor(pid);
        throw new JailError(spec, reportedFailure(initProgram, bytes));
      }
    }
    let terminal: number | undefined;
    if (terminalSocket !== undefined) {
      close(Number(inputs.terminal));
      terminal = receiveDescriptor(terminalSocket);
    }
    return {
      pid,
      ...(terminal === undefined ? {} : { terminal }),
      exited: watch(pid),
      kill: (signal) => {
        process.kill(pid, signal);
      },
    };
  } finally {
    closeAll(open);
  }
}

function reportedFailure(program: Program, bytes: Uint8Array): Failure {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const failure =
    bytes.length < 8
      ? undefined
      : program.reported(Number(view.getBigUint64(0, true) - dataAddress), new DataView(bytes.buffer, bytes.byteOffset + 8));
  if (failure === undefined) throw new Error("broken invariant: init reported a failure that its plan does not have");
  return failure;
}

const P_PID = 1;
const WEXITED = 4;
const CLD_EXITED = 1;

/** Waits for a child of ours and takes it away. */
function waitFor(pid: number): JailExit {
  const info = new Int32Array(32);
  mustSyscall("waiting for a jail", "waitid", P_PID, pid, addressOf(new Uint8Array(info.buffer)), WEXITED, 0);
  const status = info[6]!;
  if (info[2] === CLD_EXITED) return { status };
  const signal = Object.entries(constants.signals).find(([, number]) => number === status)?.[0];
  return signal === undefined ? { status: 128 + status } : { signal: signal as NodeJS.Signals };
}

function watch(pid: number): Promise<JailExit> {
  const pidfd = mustSyscall("watching a jail", "pidfd_open", pid, 0);
  return new Promise((resolve) => {
    whenReadable(pidfd, () => {
      closeSync(pidfd);
      resolve(waitFor(pid));
    });
  });
}
