/** Runs a workload of guest/ in a contender, and tells what it took from the guest's start of the work to its end. */
import { readFileSync } from "node:fs";
import type { Contender, Context } from "./benchmark.ts";
import { program, qemu, qemuGuest, viv, vivGuest, withFile } from "./guest.ts";
import { runProgram, type Usage } from "./process.ts";

/** Of the work alone: not of the guest's boot, but of compilers in the background that work for it. */
export type WorkloadSample = {
  /** Seconds by the guest's clock. */
  readonly wall: number;
  /** Seconds of CPU time of the contender's process. */
  readonly cpu: number;
  /** Most MB of host memory since the process was started. */
  readonly rss: number;
};

const append = "console=ttyS0 quiet rdinit=/workload";

/**
 * Contenders of a workload: ours on every Node, QEMU, and for scale the host's own processor. A sample fails if another
 * contender's checksum was not the same.
 */
export function workloadContenders(name: string, { nodes }: Context): Contender<WorkloadSample>[] {
  const guest = withFile("workload", readFileSync(program(name, "guest")));
  const native = program(name, "host");
  const checksums = new Set<string>();
  const measure = async ([file, args]: [string, string[]]) => {
    const { checksum, ...sample } = await runWorkload(file, args);
    checksums.add(checksum);
    if (checksums.size > 1) throw new Error(`${file} computes another result: ${[...checksums].join(", ")}`);
    return sample;
  };
  return [
    ...nodes.map((node) => ({
      name: `viv on Node ${node.version}`,
      node: node.version,
      measure: () => measure(viv(node, vivGuest(guest, append))),
    })),
    { name: "qemu", measure: () => measure([qemu(), [...qemuGuest(guest, append), "-serial", "stdio"]]) },
    {
      name: "native",
      metrics: ["cpu"],
      // A process of the host costs next to nothing to start, and its children are to be counted, too.
      measure: async () => {
        const { total, ...sample } = await measure([native, []]);
        return { ...sample, cpu: total };
      },
    },
  ];
}

/** Runs a program that prints what guest/main.c does. `total`: CPU time from start to end, of all its processes. */
async function runWorkload(file: string, args: readonly string[]): Promise<WorkloadSample & { total: number; checksum: string }> {
  let begin: Usage | undefined;
  let end: Usage | undefined;
  const { output, cpu } = await runProgram(file, args, {
    onOutput: (output, usage) => {
      if (begin === undefined && output.includes("ready")) begin = usage();
      if (end === undefined && /^done \d+ [0-9a-f]{16}\s/m.test(output)) end = usage();
      return false;
    },
  });
  const done = /^done (\d+) ([0-9a-f]{16})/m.exec(output);
  if (done === null || begin === undefined || end === undefined)
    throw new Error(`${file} gives no result:\n${output.slice(-2000)}`);
  return { wall: Number(done[1]) / 1e9, cpu: end.cpu - begin.cpu, rss: end.peak, total: cpu, checksum: done[2] };
}
