/**
 * Jails against other tools that make them, by turns on one root: start to exit of /bin/true, by the library in this process and by the
 * command line; many at once; what an idle one keeps in memory; what work inside costs. Needs root; tools that are missing are left out.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressOf, mustSyscall } from "../src/host/node/ffi/libc.ts";
import { createJail, type JailSpecInput, jailSpecFor, listJails, stopJail } from "../src/index.ts";
import { type Benchmark, type Contender, type Context, compare, Skip } from "./benchmark.ts";
import { root as project, viv } from "./guest.ts";

type Sample = { readonly wall: number; readonly cpu: number };

const folder = mkdtempSync(join(tmpdir(), "viv-bench-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const bundle = join(folder, "bundle");
const root = join(bundle, "rootfs");
const limits = { memory: 256 << 20, pids: 100 };
const limitOptions = ["--memory", "256M", "--pids", "100"];
let isPrepared = false;

/** A root with a few programs, and a bundle for OCI runtimes around it, from what runc itself suggests. */
function prepare(): void {
  if (process.getuid?.() !== 0) throw new Skip("OCI runtimes need root");
  if (isPrepared) return;
  isPrepared = true;
  process.env.VIV_STATE = join(folder, "state");
  mkdirSync(root, { recursive: true });
  const made = spawnSync(process.execPath, [join(project, "bin/viv.mjs"), "jail", "make", root, "true", "sh", "sleep", "dd"]);
  if (made.status !== 0) throw new Error(`making a root failed: ${made.stderr}`);
  for (const name of ["proc", "sys", "dev", "tmp"]) mkdirSync(join(root, name), { recursive: true });
  hideSecondHierarchy();
  if (spawnSync("runc", ["spec"], { cwd: bundle }).status !== 0) return;
  const path = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  config.process.terminal = false;
  config.process.args = ["/bin/true"];
  // A host without CAP_SYS_RESOURCE cannot raise them.
  config.process.rlimits = [];
  config.root.readonly = false;
  writeFileSync(path, JSON.stringify(config));
}

/** crun refuses control groups of both versions at once: in a mount namespace of our own there is one. */
function hideSecondHierarchy(): void {
  const CLONE_NEWNS = 0x20000;
  const MS_REC_PRIVATE = 0x4000 | (1 << 18);
  const MNT_DETACH = 2;
  const path = (text: string) => addressOf(new TextEncoder().encode(`${text}\0`));
  mustSyscall("making a mount namespace", "unshare", CLONE_NEWNS);
  mustSyscall("keeping mounts to ourselves", "mount", 0, path("/"), 0, MS_REC_PRIVATE, 0);
  const second = "/sys/fs/cgroup/unified";
  if (existsSync(second)) mustSyscall("hiding cgroup2", "umount2", path(second), MNT_DETACH);
}

/** Seconds of CPU time of this process and of its children that have ended (getrusage(2)). */
function cpuTime(): number {
  const RUSAGE_SELF = 0;
  const RUSAGE_CHILDREN = -1;
  return [RUSAGE_SELF, RUSAGE_CHILDREN].reduce((sum, who) => {
    const usage = new Uint8Array(144);
    mustSyscall("measuring", "getrusage", who, addressOf(usage));
    const view = new DataView(usage.buffer);
    const seconds = (at: number) => Number(view.getBigInt64(at, true)) + Number(view.getBigInt64(at + 8, true)) / 1e6;
    return sum + seconds(0) + seconds(16);
  }, 0);
}

async function measured(work: () => Promise<unknown>): Promise<Sample> {
  const cpu = cpuTime();
  const start = performance.now();
  await work();
  return { wall: performance.now() - start, cpu: 1000 * (cpuTime() - cpu) };
}

function command(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(program, args, { stdio: "ignore", cwd: bundle })
      .on("error", reject)
      .on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${program} ${args.join(" ")} ended with ${code}`))));
  });
}

async function startInProcess(more: Partial<JailSpecInput> = {}, words: readonly string[] = ["/bin/true"]): Promise<void> {
  const { exited } = await createJail(jailSpecFor({ root, command: [...words], ...more }));
  const { status } = await exited;
  if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}`);
}

const library = (work: () => Promise<unknown>): Contender<Sample> => ({
  name: "library",
  node: process.version,
  measure: () => measured(work),
});
const peer = (name: string, work: () => Promise<unknown>): Contender<Sample> => ({ name, measure: () => measured(work) });

const sealed = ["--unshare-all", "--die-with-parent", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev"];
const bwrap = () => command("bwrap", [...sealed, "/bin/true"]);
const unshare = () => command("unshare", ["--fork", "--pid", "--mount", "--uts", "--ipc", "--net", "--root", root, "/bin/true"]);
const podman = () => command("podman", ["run", "--rm", "--network=none", "--rootfs", root, "/bin/true"]);
let containers = 0;
const oci =
  (tool: string, ...options: string[]) =>
  () =>
    command(tool, [...options, "run", `viv-bench-${process.pid}-${containers++}`]);
const plain = [
  peer("bwrap", bwrap),
  peer("unshare", unshare),
  peer("crun-no-cgroups", oci("crun", "--cgroup-manager=disabled")),
  peer("podman", podman),
];
const limited = [peer("crun", oci("crun")), peer("runc", oci("runc"))];

/** Those that run here; everybody has had a turn then, so that files are in memory and code is compiled. */
async function warm(contenders: readonly Contender<Sample>[]): Promise<Contender<Sample>[]> {
  const able: Contender<Sample>[] = [];
  for (const contender of contenders) {
    try {
      for (let turn = 0; turn < 3; turn++) await contender.measure();
      able.push(contender);
    } catch (error) {
      if (contender.node !== undefined) throw error;
      console.error(`jail: without ${contender.name}: ${(error as Error).message}`);
    }
  }
  return able;
}

function benchmark(name: string, contenders: (context: Context) => readonly Contender<Sample>[]): Benchmark {
  return {
    name,
    group: "jail",
    async run(context) {
      prepare();
      await compare(name, await warm(contenders(context)), { wall: "ms", cpu: "ms" }, context);
      for (const jail of listJails()) await stopJail(jail.name, 0);
    },
  };
}

const commandLine =
  (...options: string[]) =>
  ({ nodes }: Context) =>
    nodes.map((node) => ({
      name: `viv on Node ${node.version}`,
      node: node.version,
      measure: () => measured(() => command(...viv(node, ["jail", "run", ...options, root, "/bin/true"]))),
    }));

const together = 100;
const all = (one: () => Promise<unknown>) => Promise.all(Array.from({ length: together }, one));

/** The same work in a jail and outside of one. */
const inside = (name: string, words: readonly string[], more: Partial<JailSpecInput>) =>
  benchmark(name, () => [library(() => startInProcess(more, words)), peer("outside", () => command(words[0], words.slice(1)))]);

/** Kilobytes that a process and its descendants have for themselves (proc(5), Pss). */
function memoryOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  const own = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  return children.reduce((sum, child) => sum + memoryOf(child), own);
}

const idle: Benchmark = {
  name: "jail-idle",
  group: "jail",
  async run(context) {
    prepare();
    const words = ["/bin/sleep", "1000"];
    const jail = await createJail(jailSpecFor({ root, command: words, init: true }));
    const other: ChildProcess = spawn("bwrap", [...sealed, ...words], { stdio: "ignore" });
    other.on("error", () => {});
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const theirs = other.pid === undefined ? {} : { theirs: memoryOf(other.pid) };
    context.report({
      name: "jail-idle.memory",
      peer: "bwrap",
      ours: memoryOf(jail.pid),
      ...theirs,
      unit: "kB",
      runs: 1,
      node: process.version,
    });
    other.kill("SIGKILL");
    jail.kill("SIGKILL");
    await jail.exited;
  },
};

const source = join(folder, "source.c");
const functions = Array.from(
  { length: 3000 },
  (_, index) => `int f${index}(int a) { return a * ${index} + (a >> ${index % 13}); }`,
);
const compile: Benchmark = {
  name: "jail-compile",
  group: "jail",
  run: (context) => {
    writeFileSync(source, functions.join("\n"));
    return inside("jail-compile", ["gcc", "-O2", "-c", source, "-o", join(folder, "out.o")], { root: "/" }).run(context);
  },
};

export const benchmarks: readonly Benchmark[] = [
  benchmark("jail-start", () => [library(() => startInProcess()), ...plain]),
  benchmark("jail-start-limits", () => [library(() => startInProcess({ limits })), ...limited]),
  benchmark("jail-command", (context) => [...commandLine()(context), ...plain]),
  benchmark("jail-command-limits", (context) => [...commandLine(...limitOptions)(context), ...limited]),
  benchmark("jail-100", () => [library(() => all(() => startInProcess())), peer("bwrap", () => all(bwrap))]),
  idle,
  inside("jail-syscalls", ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000", "status=none"], {}),
  compile,
];
