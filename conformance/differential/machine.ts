/** Our machine as a contender: the blob is its firmware. */
import { riscv64Harts } from "../../src/engine/emulator/riscv64-hart.ts";
import * as host from "../../src/host/node/machine-host.ts";
import { Machine } from "../../src/machine/machine.ts";
import { type Blob, skipTo } from "./blob.ts";
import type { Contender } from "./contender.ts";
import { header, headerBase, ramBase, ramSize, resultSize } from "./layout.ts";

/** Milliseconds without progress after which a case counts as hanging. */
const patience = 3000;

export function ourMachine(): Contender {
  return {
    name: "ours",
    async run(blob) {
      const results = new Uint8Array(blob.results.length);
      for (let first = 0; first < blob.count; ) first = await runFrom(blob, first, results);
      return results;
    },
  };
}

/** Runs cases from `first` until all are done or one hangs; returns the case to go on with. */
async function runFrom(blob: Blob, first: number, results: Uint8Array): Promise<number> {
  const machine = new Machine({
    host,
    harts: riscv64Harts,
    memorySize: ramSize,
    boot: { firmware: { name: "cases", content: { kind: "raw", bytes: skipTo(blob, first) } } },
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
    const reached = progress();
    const done = (reached - first) * resultSize;
    results.set(bytes(blob.results.address + BigInt(first * resultSize), done), first * resultSize);
    if (exit.kind === "power-off") return blob.count;
    return reached + 1;
  } finally {
    clearInterval(watch);
  }
}
