/** Programs that compute or keep the kernel busy, in the emulator and in QEMU: same kernel, same binaries. */
import { type Benchmark, compare, steady } from "./benchmark.ts";
import { workloadContenders } from "./workload.ts";

const workloads = [
  ...["mix", "records", "bytecode", "fib", "qsort", "crc32", "sha256", "nbody", "mandelbrot", "linpack", "copy", "random"],
  ...["fork", "fault", "syscall", "pipe"],
];

export const benchmarks: readonly Benchmark[] = workloads.map((name) => ({
  name,
  group: steady,
  run: (context) => compare(name, workloadContenders(name, context), { cpu: "s", wall: "s" }, context),
}));
