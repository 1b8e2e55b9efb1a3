import { fNames, xNames } from "../../isa/riscv64/disassemble.ts";
import { layout } from "../../isa/riscv64/layout.ts";
import { type StateField, stateFields } from "../../isa/riscv64/state.ts";
import { type ExitReason, exitReason, type Hart } from "../../machine/hart.ts";
import type { MachineHost } from "../../machine/host.ts";
import type { HartFactory } from "../../machine/machine.ts";
import type { MachineMemory } from "../../machine/memory.ts";
import type { InstructionTrace } from "./instruction-trace.ts";
import { LaneHart } from "./lane-hart.ts";

/**
 * Two machines that should do the same, compared while they run. They take turns: lane 0 runs until it gives its host a turn, and
 * leaves behind what its hart looked like at each boundary; lane 1 catches up, and is compared with that. Both must count time in
 * instructions (`icount`), so that their boundaries are the same.
 */

/** What a hart keeps for itself: how it counts, caches and comes back; no difference of these is one that a guest can see. */
const uncompared: ReadonlySet<StateField> = new Set<StateField>([
  "runBudget",
  "budget",
  "deferred",
  "attention",
  "exitRequested",
  "interpretNext",
  "hotThreshold",
  "refetch",
  "walkFlags",
  "supervisorNotGlobal",
  "mailbox",
  "trapValue",
  "superpageLow",
  "superpageHigh",
  "tlbMisses",
  "pageWalks",
  "fetchMisses",
  "flushesOfAll",
  "flushesOfSpaces",
  "flushesOfSpace",
  "flushesOfPage",
  "decoded",
  "regionEntries",
  "regionInstructions",
]);

/** Boundaries closer than this many instructions are passed over: a guest could make more of them than are worth keeping. */
const closest = 64;

/** From `from` on, boundaries are at most `step` instructions apart. */
export interface LockstepPlan {
  readonly from: number;
  readonly step: number;
}

export interface LockstepOptions {
  /** By rising `from`; without any, boundaries are where runs of the hart end. */
  readonly plans?: readonly LockstepPlan[];
  /** Stop after so many instructions. */
  readonly until?: number;
  /** Instructions between comparisons of all RAM. Default 20 million. */
  readonly memoryInterval?: number;
  /** Offsets in RAM of 8 bytes that are compared at each boundary. */
  readonly watch?: readonly number[];
  /** Lane 0 executes one by one, from `from` on, what this takes note of; for a run of that lane alone. */
  readonly trace?: { readonly from: number; begin(memory: MachineMemory): InstructionTrace };
}

/** Where two harts differ. */
export interface DifferingField {
  /** As manuals have it: `a0`, `fa0`, `mstatus`; `memory` with a physical address. */
  readonly name: string;
  readonly values: readonly [bigint, bigint];
}

export interface LockstepDifference {
  /** Instructions since power-on after which both were the same for the last time, and after which they are not. */
  readonly same: number;
  readonly different: number;
  readonly pcs: { readonly same: bigint; readonly different: readonly [bigint, bigint] };
  readonly fields: readonly DifferingField[];
  /** Offset in RAM of the first byte that differs, if that is what was compared. */
  readonly memoryOffset?: number;
}

/** Thrown through a machine that is to end, and by nobody else. */
export class LockstepEnd extends Error {
  override readonly name = "LockstepEnd";
}

interface Boundary {
  readonly total: number;
  readonly state: Uint32Array;
  readonly watched: readonly bigint[];
}
export type Lane = 0 | 1;

interface LaneState {
  memory?: MachineMemory;
  /** Instructions executed since power-on, over resets. */
  total: number;
  /** Of the last boundary that was looked at. */
  last: number;
  ended: boolean;
  /** Goes on after the other lane's turn. */
  wake?: { resolve: () => void; reject: (error: Error) => void };
}

/** First word of a field, and how many; without the slot that takes writes of x0. */
const wordsOfState = (field: StateField): readonly [number, number] => [
  (layout.state[field] - layout.state.x) / 4,
  field === "x" ? 64 : stateFields[field] / 4,
];
const comparedFields = (Object.keys(stateFields) as StateField[]).filter(
  (field) => layout.state[field] >= layout.state.x && !uncompared.has(field),
);

export class Lockstep {
  readonly #options: LockstepOptions;
  readonly #lanes: readonly [LaneState, LaneState] = [
    { total: 0, last: 0, ended: false },
    { total: 0, last: 0, ended: false },
  ];
  /** Of lane 0, not yet reached by lane 1. */
  readonly #ahead: Boundary[] = [];
  #agreed: Boundary | undefined;
  #tracer: InstructionTrace | undefined;
  #nextMemory: number;
  #reachedLimit = false;
  /** The first difference, once there is one. */
  difference: LockstepDifference | undefined;
  /** Boundaries at which both were the same. */
  compared = 0;

  constructor(options: LockstepOptions = {}) {
    this.#options = options;
    this.#nextMemory = options.memoryInterval ?? 20e6;
  }

  /** Instructions that both lanes have executed alike. */
  get instructions(): number {
    return this.#agreed?.total ?? 0;
  }

  /** Harts of a lane's machine. */
  harts(lane: Lane, factory: HartFactory): HartFactory {
    return {
      reserved: factory.reserved,
      create: (ports, memory, options) => {
        this.#lanes[lane].memory = memory;
        return new LaneHart(factory.create(ports, memory, options), (hart, budget, isAsked) =>
          this.#run(lane, hart, budget, isAsked),
        );
      },
    };
  }

  /** The host as a lane's machine sees it: when it gives the host a turn, the other lane has its turn first. */
  host(lane: Lane, host: MachineHost): MachineHost {
    return {
      monotonic: () => host.monotonic(),
      wall: () => host.wall(),
      after: (delay, callback) => host.after(delay, callback),
      hartModule: () => host.hartModule?.(),
      randomBytes: (length) => host.randomBytes(length),
      yieldToHost: async () => {
        await this.#giveTurn(lane);
        await host.yieldToHost();
      },
    };
  }

  /** The lane's machine has ended: the other one goes on alone. */
  end(lane: Lane): void {
    this.#lanes[lane].ended = true;
    const other = this.#lanes[1 - lane];
    const [first, second] = this.#lanes;
    if (first.ended && second.ended && this.difference === undefined && !this.#reachedLimit) {
      if (this.#ahead.length > 0) this.#differ(this.#ahead[0], undefined, []);
      else if (first.total === second.total && second.total > 0) this.#compareMemory();
    }
    const stop = this.difference === undefined && !this.#reachedLimit ? undefined : new LockstepEnd();
    const { wake } = other;
    other.wake = undefined;
    if (stop === undefined) wake?.resolve();
    else wake?.reject(stop);
  }

  #giveTurn(lane: Lane): Promise<void> {
    const own = this.#lanes[lane];
    const other = this.#lanes[1 - lane];
    if (lane === 1 && own.total >= this.#nextMemory && this.#ahead.length === 0) {
      this.#compareMemory();
      if (this.difference !== undefined) return Promise.reject(new LockstepEnd());
    }
    if (other.ended) return Promise.resolve();
    return new Promise((resolve, reject) => {
      own.wake = { resolve, reject };
      const { wake } = other;
      other.wake = undefined;
      // Lane 1 starts with its machine, and may come here before lane 0 has anything to compare with.
      wake?.resolve();
    });
  }

  /** Runs the hart as the plan says, and looks at each boundary. */
  #run(lane: Lane, hart: Hart, budget: number, isAskedToExit: () => boolean): ExitReason {
    const own = this.#lanes[lane];
    const { until = Number.POSITIVE_INFINITY } = this.#options;
    for (let left = budget; ; ) {
      const begin = hart.instret;
      const tracer = this.#tracerAt(lane, own.total);
      const step = tracer === undefined ? Math.min(left, this.#distance(own.total)) : 1;
      const reason = tracer === undefined ? hart.run(step) : tracer.step(hart, own.total);
      const executed = hart.instret - begin;
      own.total += executed;
      left -= executed;
      if (own.total - own.last >= closest || own.total === this.#nextPlan(own.last)) {
        own.last = own.total;
        this.#atBoundary(lane, hart);
      }
      if (own.total >= until && (lane === 1 || tracer !== undefined)) {
        this.#reachedLimit = true;
        throw new LockstepEnd();
      }
      if (reason !== exitReason.budget || left <= 0 || executed < step || isAskedToExit()) return reason;
    }
  }

  #tracerAt(lane: Lane, total: number): InstructionTrace | undefined {
    const { trace } = this.#options;
    if (lane === 1 || trace === undefined || total < trace.from) return undefined;
    this.#tracer ??= trace.begin(this.#lanes[0].memory!);
    return this.#tracer;
  }

  /** Instructions to the next boundary that the plan wants. */
  #distance(total: number): number {
    const { plans = [], trace } = this.#options;
    const current = plans.findLast(({ from }) => total >= from);
    const toTrace = trace === undefined || total >= trace.from ? Number.POSITIVE_INFINITY : trace.from - total;
    return Math.min(current?.step ?? Number.POSITIVE_INFINITY, this.#nextPlan(total) - total, toTrace);
  }
  #nextPlan(total: number): number {
    return this.#options.plans?.find(({ from }) => from > total)?.from ?? Number.POSITIVE_INFINITY;
  }

  #atBoundary(lane: Lane, hart: Hart): void {
    const boundary = this.#boundaryOf(lane);
    if (lane === 0) {
      this.#ahead.push(boundary);
      return;
    }
    const expected = this.#ahead.shift();
    if (expected === undefined && !this.#lanes[0].ended) {
      throw new Error(`broken invariant: at pc ${hart.pc.toString(16)}, lane 1 is ahead of lane 0`);
    }
    const fields = expected === undefined ? [] : differingFields(expected, boundary, this.#options.watch ?? []);
    if (expected !== undefined && expected.total === boundary.total && fields.length === 0) {
      this.#agreed = boundary;
      this.compared++;
      return;
    }
    this.#differ(expected, boundary, fields);
    throw new LockstepEnd();
  }

  #boundaryOf(lane: Lane): Boundary {
    const { memory, total } = this.#lanes[lane];
    const { buffer } = memory!.memory;
    const view = new DataView(buffer, memory!.ram.offset);
    const { x, end } = layout.state;
    return {
      total,
      state: new Uint32Array(buffer as ArrayBuffer, x, (end - x) / 4).slice(),
      watched: (this.#options.watch ?? []).map((offset) => view.getBigUint64(offset, true)),
    };
  }

  #differ(a: Boundary | undefined, b: Boundary | undefined, fields: readonly DifferingField[], memoryOffset?: number): void {
    const [first, second] = [a ?? b, b ?? a];
    this.difference = {
      same: this.#agreed?.total ?? 0,
      different: Math.max(first!.total, second!.total),
      pcs: { same: this.#agreed === undefined ? 0n : pcOf(this.#agreed), different: [pcOf(first!), pcOf(second!)] },
      fields:
        first!.total === second!.total && a !== undefined && b !== undefined
          ? fields
          : [{ name: "instructions", values: [BigInt(a?.total ?? 0), BigInt(b?.total ?? 0)] }, ...fields],
      memoryOffset,
    };
  }

  /** Both lanes have executed the same number of instructions: compares all RAM. */
  #compareMemory(): void {
    this.#nextMemory = this.#lanes[1].total + (this.#options.memoryInterval ?? 20e6);
    const [a, b] = this.#lanes.map(({ memory }) => {
      const { offset, size } = memory!.ram;
      return new BigUint64Array(memory!.memory.buffer as ArrayBuffer, offset, size / 8);
    });
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i]) continue;
      const boundary = this.#boundaryOf(1);
      const base = this.#lanes[1].memory!.ram.base;
      const name = `memory at ${(base + 8 * i).toString(16)}`;
      this.#differ(boundary, boundary, [{ name, values: [a[i], b[i]] }], 8 * i);
      return;
    }
  }
}

function pcOf({ state }: Boundary): bigint {
  const [at] = wordsOfState("pc");
  return (BigInt(state[at + 1]) << 32n) | BigInt(state[at]);
}

function differingFields(a: Boundary, b: Boundary, watch: readonly number[]): DifferingField[] {
  const found: DifferingField[] = [];
  for (const field of comparedFields) {
    const [first, count] = wordsOfState(field);
    for (let i = 0; i < count; i++) {
      const at = first + i;
      if (a.state[at] === b.state[at]) continue;
      const is64 = count > 1;
      const low = is64 ? first + (i & ~1) : at;
      const value = ({ state }: Boundary) => (is64 ? BigInt(state[low + 1]) << 32n : 0n) | BigInt(state[low]);
      found.push({ name: nameOf(field, i >> 1, count), values: [value(a), value(b)] });
      if (is64) i |= 1;
    }
  }
  for (const [i, offset] of watch.entries()) {
    if (a.watched[i] === b.watched[i]) continue;
    found.push({ name: `memory at RAM + ${offset.toString(16)}`, values: [a.watched[i], b.watched[i]] });
  }
  return found;
}

function nameOf(field: StateField, index: number, words: number): string {
  if (field === "x") return xNames[index];
  if (field === "f") return fNames[index];
  return words > 2 ? `${field}[${index}]` : field;
}
