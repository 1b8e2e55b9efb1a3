import type { Hart } from "../hart.ts";
import { allOnes, csr, fail, ok, type SbiExtension, type SbiResult, sbiError } from "./extension.ts";

interface Counter {
  /** In calls, in `mcountinhibit`, and the distance of its CSR from `cycle`: Linux takes these to be the same. */
  readonly index: number;
  readonly machine: number;
  /** The one event that it counts, in all modes (SBI 2.0, table 20: general hardware events). */
  readonly event: bigint;
}

/** `cycle` and `instret`; `time` between them is none. */
const counters: readonly (Counter | undefined)[] = [
  { index: 0, machine: csr.mcycle, event: 1n },
  undefined,
  { index: 2, machine: csr.minstret, event: 2n },
];

const configFlag = { skipMatch: 1n << 0n, clearValue: 1n << 1n, autoStart: 1n << 2n } as const;
const startFlag = { setInitValue: 1n << 0n, initSnapshot: 1n << 1n } as const;
const stopFlag = { reset: 1n << 0n, takeSnapshot: 1n << 1n } as const;
const width = 64n;

const inhibitBit = ({ index }: Counter) => 1n << BigInt(index);
const runs = (hart: Hart, counter: Counter) => ((hart.getCsr(csr.mcountinhibit) ?? 0n) & inhibitBit(counter)) === 0n;
function setRunning(hart: Hart, counter: Counter, running: boolean): void {
  const inhibit = hart.getCsr(csr.mcountinhibit) ?? 0n;
  hart.setCsr(csr.mcountinhibit, running ? inhibit & ~inhibitBit(counter) : inhibit | inhibitBit(counter));
}

/** The counters of a set given by base and mask; `undefined` if it is empty or names one that is not there. */
function select(base: bigint, mask: bigint): Counter[] | undefined {
  const selected: Counter[] = [];
  for (let index = 0n; index < 64n; index++) {
    if ((mask & (1n << index)) === 0n) continue;
    const counter = counters[Number(base + index)];
    if (!counter) return undefined;
    selected.push(counter);
  }
  return selected.length > 0 ? selected : undefined;
}

/** Starts or stops all counters of a set; the first that was so already decides the error, as the others still change. */
function change(
  selected: Counter[],
  already: (counter: Counter) => boolean,
  error: typeof sbiError.alreadyStarted | typeof sbiError.alreadyStopped,
  apply: (counter: Counter) => void,
): SbiResult {
  let result = ok();
  for (const counter of selected) {
    if (already(counter)) result = fail(error);
    apply(counter);
  }
  return result;
}

/** SBI 2.0, chapter 11. There are no firmware counters and no snapshots. */
export const pmu: SbiExtension = {
  id: 0x504d55,
  name: "PMU",
  functions: {
    // num_counters
    0: () => ok(BigInt(counters.length)),
    // counter_get_info: CSR number, width - 1, type 0 (hardware)
    1: ({ args: [index] }) => {
      const counter = counters[Number(index)];
      return counter ? ok(BigInt(csr.cycle + counter.index) | ((width - 1n) << 12n)) : fail(sbiError.invalidParam);
    },
    // counter_config_matching
    2: ({ hart, args: [base, mask, flags, event] }) => {
      const selected = select(base, mask);
      if (!selected) return fail(sbiError.invalidParam);
      const skipMatch = (flags & configFlag.skipMatch) !== 0n;
      const counter = skipMatch ? selected[0] : selected.find((candidate) => candidate.event === (event & 0xf_ffffn));
      if (!counter) return fail(sbiError.notSupported);
      if ((flags & configFlag.clearValue) !== 0n) hart.setCsr(counter.machine, 0n);
      if ((flags & configFlag.autoStart) !== 0n) setRunning(hart, counter, true);
      return ok(BigInt(counter.index));
    },
    // counter_start
    3: ({ hart, args: [base, mask, flags, initial] }) => {
      const selected = select(base, mask);
      if (!selected) return fail(sbiError.invalidParam);
      if ((flags & startFlag.initSnapshot) !== 0n) return fail(sbiError.notSupported);
      return change(
        selected,
        (counter) => runs(hart, counter),
        sbiError.alreadyStarted,
        (counter) => {
          if ((flags & startFlag.setInitValue) !== 0n) hart.setCsr(counter.machine, initial & allOnes);
          setRunning(hart, counter, true);
        },
      );
    },
    // counter_stop
    4: ({ hart, args: [base, mask, flags] }) => {
      const selected = select(base, mask);
      if (!selected) return fail(sbiError.invalidParam);
      if ((flags & stopFlag.takeSnapshot) !== 0n) return fail(sbiError.notSupported);
      return change(
        selected,
        (counter) => !runs(hart, counter),
        sbiError.alreadyStopped,
        (counter) => setRunning(hart, counter, false),
      );
    },
    // counter_fw_read, counter_fw_read_hi: no counter is a firmware counter
    5: () => fail(sbiError.invalidParam),
    6: () => fail(sbiError.invalidParam),
  },
};
