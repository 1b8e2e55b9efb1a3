/** Our machine as a contender: the blob is its firmware. */
import { type Riscv64Hart, riscv64HartFactory } from "../../src/engine/emulator/riscv64-hart.ts";
import * as host from "../../src/host/node/machine-host.ts";
import { exitReason } from "../../src/machine/hart.ts";
import { type HartFactory, Machine } from "../../src/machine/machine.ts";
import { type Blob, skipTo } from "./blob.ts";
import type { Contender } from "./contender.ts";
import { header, headerBase, ramBase, ramSize, resultSize } from "./layout.ts";

/** Milliseconds without progress after which a case counts as hanging. */
const patience = 5000;
/** Code is translated between runs of the hart, so it must be left now and then, and come to the same code again. */
const translated = { instructions: 64, rounds: 4 } as const;

export interface OurMachine extends Contender {
  /** Of all runs: instructions, and how many of them were translated. */
  readonly counts: { instructions: number; translated: number };
}

/** @param tier 0: interpreted; 1: as much as possible translated */
export function ourMachine(tier: 0 | 1): OurMachine {
  const counts = { instructions: 0, translated: 0 };
  return {
    name: `tier ${tier}`,
    counts,
    async run(blob) {
      const results = new Uint8Array(blob.results.length);
      for (let first = 0; first < blob.count; ) first = await runFrom(tier, blob, first, results, counts);
      return results;
    },
  };
}

/** Runs cases from `first` until all are done or one hangs; returns the case to go on with. */
async function runFrom(
  tier: 0 | 1,
  blob: Blob,
  first: number,
  results: Uint8Array,
  counts: OurMachine["counts"],
): Promise<number> {
  const rounds = tier === 1 && blob.repeatable ? translated.rounds : 1;
  const machine = new Machine({
    host,
    harts: tier === 0 ? riscv64HartFactory({ tier }) : inShortRuns(riscv64HartFactory({ tier })),
    memorySize: ramSize,
    boot: {
      firmware: { name: "cases", content: { kind: "raw", bytes: skipTo(blob, first, rounds) } },
    },
    backends: { serial: { write: (bytes) => bytes.length }, virtio: [] },
  });
  const { memory, ram } = machine.memory;
  const bytes = (address: bigint, length: number) =>
    new Uint8Array(memory.buffer, ram.offset + Number(address - ramBase), length);
  const progress = () => {
    const at = bytes(headerBase + BigInt(header.progress), 8);
    return Number(new DataView(at.buffer, at.byteOffset).getBigUint64(0, true));
  };
  let before = first;
  const watch = setInterval(() => {
    const now = progress();
    if (now === before) machine.stop();
    before = now;
  }, patience);
  try {
    const exit = await machine.run();
    const hart = machine.hart as Riscv64Hart;
    counts.instructions += hart.instret;
    counts.translated += hart.counters.regionInstructions;
    const reached = progress();
    const done = (reached - first) * resultSize;
    results.set(bytes(blob.results.address + BigInt(first * resultSize), done), first * resultSize);
    if (exit.kind === "power-off") return blob.count;
    return reached + 1;
  } finally {
    clearInterval(watch);
  }
}

/** Harts that do what they are told in many short runs. */
function inShortRuns(harts: HartFactory): HartFactory {
  return {
    reserved: harts.reserved,
    create(ports, memory, options) {
      const hart = harts.create(ports, memory, options);
      const run = hart.run.bind(hart);
      hart.run = (budget) => {
        for (let left = budget; left > 0; ) {
          const part = Math.min(left, translated.instructions);
          const before = hart.instret;
          const reason = run(part);
          // Fewer than asked for: somebody wants it back.
          if (reason !== exitReason.budget || hart.instret - before < part) return reason;
          left -= part;
        }
        return exitReason.budget;
      };
      return hart;
    },
  };
}
