/** From a specification to the plan that makes the jail. */
import type { ConstantName } from "../constants.ts";
import { configureInside } from "../network/plan.ts";
import { type Block, flags, input, type Plan, Steps, type Value } from "../operations.ts";
import { compileSeccomp } from "../seccomp/compile.ts";
import { defaultProfile } from "../seccomp/default.ts";
import type { IdRange, JailSpec } from "../spec.ts";
import type { Architecture } from "../syscalls.ts";
import { encodeUtf8 } from "../utf8.ts";
import { writeTo } from "./files.ts";
import { planInit } from "./init.ts";
import { makeRootReadOnly, mountRoot, mountTree, pivot } from "./mounts.ts";
import { allSignals, becomeUser, dieWithParent, execute, resetSignals, setLimits, standardStreams } from "./process.ts";
import { controlTerminal, mountConsole, openTerminal } from "./terminal.ts";

/** What a plan depends on besides the specification: this host. */
export interface HostFacts {
  readonly architecture: Architecture;
  /** Who we are. */
  readonly uid: number;
  readonly gid: number;
  /** The kernel's highest capability number (/proc/sys/kernel/cap_last_cap). */
  readonly lastCapability: number;
  /** The kernel has time namespaces (Linux 5.6) that execve(2) enters (6.1). */
  readonly timeNamespace: boolean;
}

/** What belongs to one start of a jail rather than to its specification. */
export interface StartOptions {
  /** Control groups to join: names of inputs, each a descriptor of a `cgroup.procs`. */
  readonly cgroups?: readonly string[];
  /** A user namespace was made and mapped beforehand; the input `userns` is its descriptor. */
  readonly preparedUserNamespace?: boolean;
  /**
   * With an init: the command is started when a byte is written to the pipe `gate`, and never if the pipe is closed instead. Until then
   * the caller can note down what it has made, and whatever ends it ends the jail too.
   */
  readonly gate?: boolean;
  /** A network namespace was made beforehand; the input `netns` is its descriptor. */
  readonly preparedNetwork?: boolean;
}

export interface JailPlan {
  readonly plan: Plan;
  /** The plan of pid 1, where it is an init; its executable is the input `init` of the first plan. */
  readonly init?: Plan;
}

const namespaces: readonly ConstantName[] = ["CLONE_NEWNS", "CLONE_NEWPID", "CLONE_NEWUTS", "CLONE_NEWIPC"];

function clone(
  steps: Steps,
  cloneFlags: readonly ConstantName[],
  exitSignal: Value,
  block: string,
  onError: "next" | "fail",
): void {
  const zero = (name: string) => ({ name, bits: 64, value: 0 }) as const;
  steps.add(
    "clone3",
    [
      {
        struct: [
          { name: "flags", bits: 64, value: { flags: cloneFlags } },
          zero("pidfd"),
          zero("child_tid"),
          zero("parent_tid"),
          { name: "exit_signal", bits: 64, value: exitSignal },
          zero("stack"),
          zero("stack_size"),
          zero("tls"),
        ],
      },
      64,
    ],
    { name: block, onZero: { block }, onError },
  );
}

/** Starts a process in the caller's memory and waits until it has called execve or ended: our own part of every plan. */
export function spawnBlocks(cloneFlags: readonly ConstantName[], block: string): Block[] {
  const main = new Steps("main.");
  main.step("start a process");
  main.add("rt_sigprocmask", [flags("SIG_BLOCK"), allSignals, { buffer: "mask", size: 8 }, 8]);
  clone(main, ["CLONE_VM", "CLONE_VFORK", "CLONE_CLEAR_SIGHAND", ...cloneFlags], flags("SIGCHLD"), block, "next");
  main.add("rt_sigprocmask", [flags("SIG_SETMASK"), { buffer: "mask", size: 8 }, 0, 8]);
  main.add("return", []);
  return [{ name: "main", onFail: "return", operations: main.operations }];
}

export const endBlocks: readonly Block[] = [
  { name: "return", onFail: "return", operations: [{ call: "return", args: [], step: "end" }] },
  { name: "failed", onFail: "failed", operations: [{ call: "exit_group", args: [125], step: "end after a failure" }] },
];

function idMap(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join("");
}

/** Maps the caller's own id, the one thing that needs no privilege: user_namespaces(7). */
function mapOwnIds(steps: Steps, spec: JailSpec): void {
  steps.step("map user and group");
  writeTo(steps, "/proc/self/setgroups", "deny");
  writeTo(steps, "/proc/self/uid_map", idMap(spec.userNamespace!.uids));
  writeTo(steps, "/proc/self/gid_map", idMap(spec.userNamespace!.gids));
}

/** One id each, the caller's own: then the jail can map itself and nobody else's help is needed. */
export function mapsItself(spec: JailSpec, host: Pick<HostFacts, "uid" | "gid">): boolean {
  const single = (ranges: readonly IdRange[], own: number) =>
    ranges.length === 1 && ranges[0]!.size === 1 && ranges[0]!.outside === own;
  const map = spec.userNamespace;
  return map !== undefined && single(map.uids, host.uid) && single(map.gids, host.gid);
}

interface Filter {
  readonly program: Uint8Array;
  readonly flags: number;
}

/** Default filters that were compiled before: by architecture and capabilities, of which there are few. */
const defaultFilters = new Map<string, Filter>();

/** The seccomp filter of a specification, if it has one. */
export function compileFilter(spec: JailSpec, { architecture }: HostFacts): Filter | undefined {
  if (spec.seccomp === "unconfined") return undefined;
  if (spec.seccomp !== "default") return compileSeccomp(spec.seccomp, architecture);
  const key = [architecture, ...spec.capabilities].join();
  let filter = defaultFilters.get(key);
  if (filter === undefined) {
    filter = compileSeccomp(defaultProfile(spec.capabilities), architecture);
    if (defaultFilters.size < 100) defaultFilters.set(key, filter);
  }
  return filter;
}

/**
 * Plans the start of a jail.
 *
 * Inputs of the plan: `stdin`, `stdout`, `stderr`, or with a terminal `terminal` (a socket that the master is sent over); with an init
 * `init` (its executable, made from the plan returned) and `report` (written to if the second plan fails); and those of `options`.
 * `parent`, with `dieWithParent`, is a pidfd of the caller. The result named `jail` is the new process as the host numbers it.
 */
export function planJail(spec: JailSpec, host: HostFacts, options: StartOptions = {}): JailPlan {
  const filter = compileFilter(spec, host);
  const steps = new Steps("");
  const blocks: Block[] = [];
  if (spec.chrootOnly) {
    blocks.push(...spawnBlocks([], "jail"));
    resetSignals(steps);
    joinStreams(steps, spec, undefined);
    steps.step(`change the root to ${spec.root}`);
    steps.add("chroot", [spec.root]);
    steps.add("chdir", ["/"]);
    finish(steps, spec, host, filter);
    blocks.push({ name: "jail", onFail: "failed", operations: steps.operations }, ...endBlocks);
    return { plan: { blocks } };
  }

  const own: ConstantName[] = [...namespaces];
  if (spec.network.kind !== "host" && options.preparedNetwork !== true) own.push("CLONE_NEWNET");
  if (spec.userNamespace !== undefined && options.preparedUserNamespace !== true) own.push("CLONE_NEWUSER");
  if (options.preparedUserNamespace === true) {
    // A task that enters a user namespace and makes the rest in it; the jail becomes our child, not its.
    blocks.push(...spawnBlocks([], "entrant"));
    const entrant = new Steps("entrant.");
    entrant.step("enter the user namespace");
    entrant.add("setns", [input("userns"), flags("CLONE_NEWUSER")]);
    clone(entrant, ["CLONE_VM", "CLONE_VFORK", "CLONE_PARENT", ...own], 0, "jail", "fail");
    entrant.add("exit_group", [0]);
    blocks.push({ name: "entrant", onFail: "failed", operations: entrant.operations });
  } else {
    blocks.push(...spawnBlocks(own, "jail"));
  }

  resetSignals(steps);
  if (spec.dieWithParent) dieWithParent(steps);
  if (options.preparedNetwork === true) {
    steps.step("enter the network namespace");
    steps.add("setns", [input("netns"), flags("CLONE_NEWNET")]);
  }
  if ((options.cgroups ?? []).length > 0) {
    steps.step("join control groups");
    for (const name of options.cgroups!) steps.add("write", [input(name), "0", 1]);
  }
  if (spec.userNamespace !== undefined && options.preparedUserNamespace !== true) mapOwnIds(steps, spec);
  if (spec.userNamespace !== undefined) {
    steps.step("become root of the user namespace");
    steps.add("setresgid", [0, 0, 0]);
    steps.add("setresuid", [0, 0, 0]);
  }
  steps.step("make the rest of the namespaces");
  // Only now, as the root of both is where the task is.
  steps.add("unshare", [flags("CLONE_NEWCGROUP")]);
  if (host.timeNamespace) steps.add("unshare", [flags("CLONE_NEWTIME")]);
  steps.add("umask", [0]);
  const root = mountRoot(steps, spec);
  const tree = mountTree(steps, root, spec);
  let terminal: Value | undefined;
  if (spec.terminal) {
    terminal = openTerminal(steps, tree.pts, input("terminal"));
    mountConsole(steps, tree.dev, terminal);
  }
  if (spec.readOnly) makeRootReadOnly(steps, root);
  pivot(steps, root);
  steps.step("name the host");
  steps.add("sethostname", [spec.hostname, encodeUtf8(spec.hostname).length]);
  if (spec.network.kind === "loopback") raiseLoopback(steps);
  if (spec.network.kind === "bridge") configureInside(steps, spec.network);
  steps.step("restore the file mode mask");
  steps.add("umask", [0o022]);
  joinStreams(steps, spec, terminal);
  if (!spec.init) {
    steps.step("start a session");
    steps.add("setsid", []);
    if (terminal !== undefined) controlTerminal(steps);
    finish(steps, spec, host, filter);
    blocks.push({ name: "jail", onFail: "failed", operations: steps.operations }, ...endBlocks);
    return { plan: { blocks } };
  }
  steps.step("start init");
  // Closed by execve; what stays open is opened for it again.
  steps.add("close_range", [3, 0xffff_ffff, flags("CLOSE_RANGE_CLOEXEC")]);
  for (const name of options.gate === true ? ["report", "gate"] : ["report"])
    steps.add("fcntl", [input(name), flags("F_SETFD"), 0]);
  if (spec.dieWithParent) dieWithParent(steps);
  steps.step("start init");
  steps.add("execveat", [input("init"), "", { strings: ["init"] }, { strings: [] }, flags("AT_EMPTY_PATH")]);
  blocks.push({ name: "jail", onFail: "failed", operations: steps.operations }, ...endBlocks);
  return { plan: { blocks }, init: planInit(spec, host, filter, options.gate === true) };
}

function joinStreams(steps: Steps, spec: JailSpec, terminal: Value | undefined): void {
  if (spec.terminal && terminal !== undefined) standardStreams(steps, [terminal, terminal, terminal]);
  else standardStreams(steps, [input("stdin"), input("stdout"), input("stderr")]);
}

function finish(steps: Steps, spec: JailSpec, host: HostFacts, filter: { program: Uint8Array; flags: number } | undefined): void {
  setLimits(steps, spec);
  becomeUser(steps, spec, host.lastCapability);
  steps.step("close everything else");
  // Before the directory is entered: a descriptor of the host's must not be a way out (`/proc/self/fd/N` as the directory).
  steps.add("close_range", [3, 0xffff_ffff, 0]);
  execute(steps, spec, filter);
}

/** Sets IFF_UP on `lo`, netdevice(7). */
function raiseLoopback(steps: Steps): void {
  steps.step("raise the loopback interface");
  const socket = steps.get("socket", "socket", [flags("AF_INET"), flags("SOCK_DGRAM", "SOCK_CLOEXEC"), 0]);
  const request = new Uint8Array(40);
  request.set([0x6c, 0x6f]); // "lo"
  new DataView(request.buffer).setUint16(16, 1, true); // IFF_UP
  steps.add("ioctl", [socket, flags("SIOCSIFFLAGS"), { bytes: request, label: "lo IFF_UP" }]);
  steps.add("close", [socket]);
}
