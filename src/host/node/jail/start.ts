/** Starts jails on this host: plans, opens what the plan needs, runs it, and watches the process that comes of it. */
import { closeSync } from "node:fs";
import { executable } from "../../../engine/jail/elf.ts";
import type { Plan } from "../../../engine/jail/operations.ts";
import { planJail, type StartOptions } from "../../../engine/jail/plan/index.ts";
import { type Inputs, layOut, type Program } from "../../../engine/jail/program.ts";
import type { JailSpec } from "../../../engine/jail/spec.ts";
import { stubFor } from "../../../engine/jail/stub/index.ts";
import { closeAll, pipe, readToEnd, receiveDescriptor, sealedExecutable, socketPair } from "../ffi/descriptors.ts";
import { HostExecutor } from "../ffi/executor.ts";
import { addressOf, mustSyscall } from "../ffi/libc.ts";
import { hostFacts } from "./facts.ts";
import { JailError, type JailProcess, type JailStreams, reportedFailure, waitFor, watch } from "./process.ts";

const executor = new HostExecutor();

export interface HostStartOptions extends StartOptions {
  /** Values of the inputs that the other options name. */
  readonly inputs?: Inputs;
  /** Changes the plan before it is run: tests make it fail. */
  readonly revise?: (plan: Plan) => Plan;
  /** With an init (the rest have `dieWithParent`): called when the jail is there and its command is not yet started; if it throws, the jail ends. */
  readonly created?: (pid: number) => void;
}

/**
 * Starts a jail. When this resolves its command runs.
 *
 * @throws JailError naming the operation that failed; nothing of the jail is left then
 */
export async function startJail(spec: JailSpec, streams: JailStreams = {}, options: HostStartOptions = {}): Promise<JailProcess> {
  const facts = hostFacts();
  const planned = planJail(spec, facts, { ...options, gate: options.created !== undefined && spec.init });
  const plan = options.revise?.(planned.plan) ?? planned.plan;
  const { init } = planned;
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
  let release: number | undefined;
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
      if (options.created !== undefined) {
        const gate = pipe();
        open.add(gate.ours).add(gate.theirs);
        // The child reads and we write: ends are named as the caller of pipe() sees them.
        inputs.gate = gate.ours;
        release = gate.theirs;
      }
      initProgram = layOut(init, facts.architecture, inputs);
      const file = sealedExecutable("viv-init", executable(initProgram, stubFor(facts.architecture), facts.architecture));
      open.add(file);
      inputs.init = file;
    }
    if (spec.dieWithParent) {
      inputs.parent = mustSyscall("watching ourselves", "pidfd_open", process.pid, 0);
      open.add(inputs.parent);
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
      if (release !== undefined) {
        close(Number(inputs.gate));
        try {
          options.created?.(pid);
        } catch (error) {
          close(release);
          waitFor(pid);
          throw error;
        }
        mustSyscall("starting the jail's command", "write", release, addressOf(new Uint8Array([1])), 1);
      }
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
    return watch(pid, terminal);
  } finally {
    closeAll(open);
  }
}
