/** Programs of the host, and what they use. Linux only: it reads /proc. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { addressOf, mustSyscall } from "../src/host/node/ffi/libc.ts";

/** What a process has used so far. */
export interface Usage {
  /** Seconds since it was started. */
  readonly wall: number;
  /** Seconds of CPU time, user's and system's, of all its threads. */
  readonly cpu: number;
  /** Most MB of memory (2^20 bytes) that it has had at once. */
  readonly peak: number;
}

export interface RunOptions {
  readonly environment?: NodeJS.ProcessEnv;
  /** Called with all output so far, whenever there is more; true ends the process. */
  readonly onOutput?: (output: string, usage: () => Usage) => boolean;
}

/** A guest that hangs ends the benchmark, not the day. */
const patience = 300_000;
/** Milliseconds between two looks at the memory. */
const lookEvery = 20;

/** Runs a program to its end, or to the output that it is run for. Its standard input stays open and empty. */
export function runProgram(
  file: string,
  args: readonly string[],
  { environment = process.env, onOutput = () => false }: RunOptions = {},
): Promise<Usage & { output: string }> {
  const before = childrenTime();
  const begin = performance.now();
  const child = spawn(file, args, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  // A program that has ended reads nothing any more.
  child.stdin.on("error", () => {});
  const { pid } = child;
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, (pid !== undefined && memoryPeak(pid)) || 0);
  };
  const usage = (): Usage => {
    look();
    return { wall: (performance.now() - begin) / 1000, cpu: pid === undefined ? 0 : processTime(pid), peak };
  };
  return new Promise((resolve, reject) => {
    let output = "";
    let errors = "";
    let isDone = false;
    const watch = setInterval(look, lookEvery);
    const alarm = setTimeout(() => child.kill("SIGKILL"), patience);
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    child.stdout.setEncoding("latin1").on("data", (chunk) => {
      output += chunk;
      if (isDone || !onOutput(output, usage)) return;
      isDone = true;
      child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearInterval(watch);
      clearTimeout(alarm);
      const wall = (performance.now() - begin) / 1000;
      if (status === 0 || isDone) resolve({ wall, cpu: childrenTime() - before, peak, output });
      else reject(new Error(`${file} ended with ${signal ?? `status ${status}`}:\n${errors}${output.slice(-2000)}`));
    });
  });
}

/** Seconds of CPU time of a process, in steps of 10 ms (proc(5), /proc/PID/stat). */
function processTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const [utime, stime] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return (Number(utime) + Number(stime)) / 100;
}

/** Most memory that a process has had at once, in MB; undefined when it has ended. */
function memoryPeak(pid: number): number | undefined {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return match === null ? undefined : Number(match[1]) / 1024;
  } catch {
    return undefined;
  }
}

/** Seconds of CPU time of all children that have ended (getrusage(2)). */
function childrenTime(): number {
  const usage = new Uint8Array(144);
  mustSyscall("measuring", "getrusage", -1, addressOf(usage));
  const view = new DataView(usage.buffer);
  const seconds = (at: number) => Number(view.getBigInt64(at, true)) + Number(view.getBigInt64(at + 8, true)) / 1e6;
  return seconds(0) + seconds(16);
}
