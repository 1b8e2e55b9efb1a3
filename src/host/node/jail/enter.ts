/** Runs commands in jails that are running. */
import { closeSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";
import { executable } from "../../../engine/jail/elf.ts";
import { planEnter } from "../../../engine/jail/plan/enter.ts";
import { layOut } from "../../../engine/jail/program.ts";
import type { JailSpec } from "../../../engine/jail/spec.ts";
import { stubFor } from "../../../engine/jail/stub/index.ts";
import { closeAll, pipe, readToEnd, receiveDescriptor, sealedExecutable, socketPair } from "../ffi/descriptors.ts";
import { HostExecutor } from "../ffi/executor.ts";
import { syscall } from "../ffi/libc.ts";
import { hostFacts } from "./facts.ts";
import { JailError, type JailProcess, type JailStreams, reportedFailure, waitFor, watch } from "./process.ts";

/**
 * Starts a command in the jail whose first process is `pid`.
 *
 * @param spec the jail's own specification, with the command, its user, directory, environment and terminal put in
 * @param cgroups descriptors of the `cgroup.procs` of the jail's control groups
 * @throws VivError `ESRCH` if the jail has ended; JailError naming the operation that failed
 */
export async function enterJail(
  spec: JailSpec,
  pid: number,
  streams: JailStreams = {},
  cgroups: readonly number[] = [],
): Promise<JailProcess> {
  const facts = hostFacts();
  const names = cgroups.map((_, index) => `cgroup${index}`);
  const { plan, enter } = planEnter(spec, facts, names);
  const open = new Set<number>();
  try {
    const pidfd = syscall("pidfd_open", pid, 0);
    if (pidfd < 0) throw new VivError("ESRCH", `the jail's first process ${pid} is not there any more; start the jail again`);
    open.add(pidfd);
    const report = pipe();
    open.add(report.ours).add(report.theirs);
    const inputs: Record<string, number> = {
      pidfd,
      report: report.theirs,
      stdin: streams.stdin ?? 0,
      stdout: streams.stdout ?? 1,
      stderr: streams.stderr ?? 2,
    };
    names.forEach((name, index) => {
      inputs[name] = cgroups[index]!;
    });
    let socket: number | undefined;
    if (spec.terminal) {
      const sockets = socketPair();
      open.add(sockets.ours).add(sockets.theirs);
      inputs.terminal = sockets.theirs;
      socket = sockets.ours;
    }
    const program = layOut(enter, facts.architecture, inputs);
    inputs.enter = sealedExecutable("viv-enter", executable(program, stubFor(facts.architecture), facts.architecture));
    open.add(inputs.enter);
    const run = new HostExecutor().run(plan, inputs);
    const starter = Number(run.result("start") ?? 0n);
    if (starter <= 0) throw new JailError(spec, { operation: plan.blocks[0]!.operations[1]!, errno: -starter });
    open.delete(report.theirs);
    closeSync(report.theirs);
    if (inputs.terminal !== undefined) {
      open.delete(inputs.terminal);
      closeSync(inputs.terminal);
    }
    const bytes = run.failure === undefined ? await readToEnd(report.ours, 4096) : new Uint8Array();
    waitFor(starter);
    if (run.failure !== undefined) throw new JailError(spec, run.failure);
    const { process, failed } = splitReport(bytes);
    if (failed.length > 0) {
      if (process !== undefined) waitFor(process);
      throw new JailError(spec, reportedFailure(program, failed));
    }
    if (process === undefined)
      throw new VivError("ESRCH", `the jail of process ${pid} ended while a command was being started in it`);
    return watch(process, socket === undefined ? undefined : receiveDescriptor(socket));
  } finally {
    closeAll(open);
  }
}

/** Eight bytes with the process's number, and 104 with a failure: in either order, as two processes write them. */
function splitReport(bytes: Uint8Array): { process: number | undefined; failed: Uint8Array } {
  const failureSize = 8 + 96;
  const number = (at: number) => Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(at, true));
  if (bytes.length === 8) return { process: number(0), failed: new Uint8Array() };
  if (bytes.length === failureSize) return { process: undefined, failed: bytes };
  if (bytes.length === 8 + failureSize) {
    // Addresses of records are above any process's number.
    const isFirst = number(0) < 0x1000_0000;
    return isFirst
      ? { process: number(0), failed: bytes.subarray(8) }
      : { process: number(failureSize), failed: bytes.subarray(0, failureSize) };
  }
  return { process: undefined, failed: new Uint8Array() };
}
