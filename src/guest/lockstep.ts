import { VivError } from "../core/errors.ts";
import { InstructionTrace } from "../engine/emulator/instruction-trace.ts";
import {
  type Lane,
  Lockstep,
  type LockstepDifference,
  LockstepEnd,
  type LockstepOptions,
  type LockstepPlan,
} from "../engine/emulator/lockstep.ts";
import { createEmulatedVm } from "../engine/emulator/vm.ts";
import type { Host } from "./host.ts";
import { type GuestExit, Machine } from "./machine.ts";
import type { GuestSpecInput } from "./spec.ts";
import { collect } from "./streams.ts";

/** Distances of boundaries, each for another run of both, that narrow a difference down: a region is a few hundred instructions. */
const steps = [4096, 512, 64] as const;

export interface LockstepRun {
  /** The tier that is compared with tier 0. Default 1. */
  readonly tier?: 1 | "auto";
  /** Most instructions between two comparisons of registers. Default: as far apart as the machine looks at its devices. */
  readonly step?: number;
  /** Instructions after which it is enough. */
  readonly until?: number;
  /** Instructions between comparisons of all RAM. */
  readonly memoryInterval?: number;
  /** Hears what is going on. */
  readonly say?: (message: string) => void;
}

export interface LockstepResult {
  /** Instructions that both tiers executed alike, and at how many boundaries they were compared. */
  readonly instructions: number;
  readonly boundaries: number;
  /** How the guest ended, and what its command printed; absent if it was stopped at a difference or a limit. */
  readonly exit?: GuestExit;
  readonly stdout: Uint8Array;
  /** What a person needs to know of the first difference; absent if there is none. */
  readonly report?: string;
}

/**
 * Runs a guest twice, interpreted and translated, and compares registers, CSRs, trap counts and memory. At the first difference it runs both
 * again, with boundaries closer together, to find where it begins.
 * @throws VivError `BAD_SPEC` for a guest that cannot be run twice at once (disks it can write), and what `Machine.create` throws
 */
export async function runLockstep(spec: GuestSpecInput, host: Host, options: LockstepRun = {}): Promise<LockstepResult> {
  for (const { file, readOnly, overlay } of spec.disks ?? []) {
    if (!readOnly && !overlay)
      throw new VivError("BAD_SPEC", `two guests cannot write to disk ${file} at once: give it ro or overlay`);
  }
  const { until, memoryInterval, step, say = () => {} } = options;
  let plans: readonly LockstepPlan[] = step === undefined ? [] : [{ from: 0, step }];
  const first = await runBoth(spec, host, options, { until, memoryInterval, plans });
  const result = { instructions: first.lockstep.instructions, boundaries: first.lockstep.compared };
  let { difference } = first.lockstep;
  if (difference === undefined) return { ...result, ...first.ends[1], stdout: first.ends[1].stdout };
  say(`a difference between ${difference.same} and ${difference.different} instructions; looking closer`);
  const watch = difference.memoryOffset === undefined ? [] : [difference.memoryOffset];
  for (const step of steps) {
    if (step >= difference.different - difference.same) continue;
    const closer: readonly LockstepPlan[] = [...plans, { from: difference.same, step }];
    const until: number = difference.different + step;
    const { lockstep } = await runBoth(spec, host, options, { plans: closer, until, watch });
    // Smaller runs may keep a region from being entered at all: then what is known already has to do.
    if (lockstep.difference === undefined || lockstep.difference.same < difference.same) break;
    difference = lockstep.difference;
    plans = closer;
    say(`between ${difference.same} and ${difference.different}`);
  }
  const trace = await traceOf(spec, host, difference, plans);
  return { ...result, stdout: new Uint8Array(), report: reportOf(difference, trace, options.tier ?? 1) };
}

interface LaneEnd {
  readonly exit?: GuestExit;
  readonly stdout: Uint8Array;
}

/** Runs tier 0 and the other in turns; both lanes' ends. */
async function runBoth(
  spec: GuestSpecInput,
  host: Host,
  { tier = 1 }: LockstepRun,
  options: LockstepOptions,
): Promise<{ lockstep: Lockstep; ends: readonly [LaneEnd, LaneEnd] }> {
  const lockstep = new Lockstep(options);
  const machines = await Promise.all([createLane(spec, host, lockstep, 0, 0), createLane(spec, host, lockstep, 1, tier)]);
  const ends = await Promise.all([runLane(machines[0], lockstep, 0), runLane(machines[1], lockstep, 1)]);
  return { lockstep, ends };
}

function createLane(spec: GuestSpecInput, host: Host, lockstep: Lockstep, lane: Lane, tier: 0 | 1 | "auto"): Promise<Machine> {
  return Machine.create(
    { ...spec, engine: "emulator", icount: true, tier, onReset: "end" },
    host,
    async () => (setup) =>
      createEmulatedVm({ ...setup, host: lockstep.host(lane, setup.host) }, (harts) => lockstep.harts(lane, harts)),
  );
}

async function runLane(machine: Machine, lockstep: Lockstep, lane: Lane): Promise<LaneEnd> {
  machine.stdin.end();
  machine.console.end();
  const output = collect(machine.stdout);
  const errors = collect(machine.stderr);
  try {
    machine.start();
    const exit = await machine.exited;
    return { exit, stdout: await output };
  } catch (error) {
    if (!(error instanceof LockstepEnd)) throw error;
    return { stdout: await output };
  } finally {
    await errors;
    lockstep.end(lane);
    await machine.stop().catch(() => {});
  }
}

/** What tier 0 executes between the last boundary at which the tiers were the same and the first at which they are not. */
async function traceOf(
  spec: GuestSpecInput,
  host: Host,
  { same, different }: LockstepDifference,
  plans: readonly LockstepPlan[],
): Promise<InstructionTrace | undefined> {
  let trace: InstructionTrace | undefined;
  const begin: NonNullable<LockstepOptions["trace"]>["begin"] = (memory) => {
    trace = new InstructionTrace(memory);
    return trace;
  };
  const lockstep = new Lockstep({ plans, until: different, trace: { from: same, begin } });
  lockstep.end(1);
  await runLane(await createLane(spec, host, lockstep, 0, 0), lockstep, 0);
  return trace;
}

const hex = (value: bigint) => value.toString(16).padStart(16, "0");

function reportOf(difference: LockstepDifference, trace: InstructionTrace | undefined, tier: 1 | "auto"): string {
  const { same, different, pcs, fields } = difference;
  const lines = [
    `tiers 0 and ${tier} differ`,
    `  the same after ${same} instructions, at pc ${hex(pcs.same)}`,
    `  different after ${different} instructions, at pc ${hex(pcs.different[0])}${
      pcs.different[0] === pcs.different[1] ? "" : ` in tier 0, ${hex(pcs.different[1])} in tier ${tier}`
    }`,
    "",
    `  ${"".padEnd(24)}${"tier 0".padEnd(18)}tier ${tier}`,
  ];
  for (const { name, values } of fields.slice(0, 40)) {
    const writer = trace?.writers.get(name);
    const by = writer === undefined ? "" : `  written at ${writer.index}: ${writer.pc.toString(16)}  ${writer.text}`;
    lines.push(`  ${name.padEnd(24)}${hex(values[0])}  ${hex(values[1])}${by}`);
  }
  if (fields.length > 40) lines.push(`  and ${fields.length - 40} more`);
  if (trace !== undefined && trace.last.length > 0) {
    lines.push("", `  tier 0 executed last (of ${different - same}):`);
    for (const { index, pc, text } of trace.last) lines.push(`  ${String(index).padStart(12)}  ${hex(pc)}  ${text}`);
  }
  return `${lines.join("\n")}\n`;
}
