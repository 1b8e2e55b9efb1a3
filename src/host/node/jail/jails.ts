/** Jails as users have them: with names, limits, mapped users, and a state that others can look up. */
import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { VivError } from "../../../core/errors.ts";
import { mapsItself, planJail } from "../../../engine/jail/plan/index.ts";
import { printPlan } from "../../../engine/jail/print.ts";
import { type JailSpec, type JailSpecInput, parseJailSpec } from "../../../engine/jail/spec.ts";
import { cgroupDirectories, closeJoins, makeCgroups, openDirectories, openJoins, planHostCgroups } from "./cgroups.ts";
import { enterJail } from "./enter.ts";
import { hostFacts } from "./facts.ts";
import { makeNetwork, networkParts } from "./network.ts";
import type { JailExit, JailProcess, JailStreams } from "./process.ts";
import { type HostStartOptions, startJail } from "./start.ts";
import { identify, isAlive, type JailState, JailStore } from "./store.ts";
import { makeUserNamespace, ownMapping, shiftedMapping } from "./userns.ts";

/**
 * Who the jail's users are outside: `host`: the same numbers (root only); `own`: root inside is the caller, and nobody else exists; `all`: the
 * caller's subordinate ids too; `shifted`: ids that nobody has (root only). By default `host` for root and `all` for others.
 */
export type UserMapping = "host" | "own" | "all" | "shifted";

export const userMappings: readonly UserMapping[] = ["host", "own", "all", "shifted"];

/** Completes a specification for this caller: ordinary users get a user namespace. */
export function specFor(input: JailSpecInput, mapping?: UserMapping): JailSpec {
  const { uid, gid } = hostFacts();
  const chosen = mapping ?? (uid === 0 ? "host" : "all");
  if (uid !== 0 && (chosen === "host" || chosen === "shifted")) {
    throw new VivError("EPERM", `users mapped as "${chosen}" need root; as an ordinary user take "all" or "own"`);
  }
  const own = { uids: [{ inside: 0, outside: uid, size: 1 }], gids: [{ inside: 0, outside: gid, size: 1 }] };
  const maps = chosen === "host" ? undefined : chosen === "own" ? own : chosen === "shifted" ? shiftedMapping : ownMapping();
  return parseJailSpec(maps === undefined ? input : { ...input, userNamespace: maps });
}

/** Of two jails that are made at once with one address at least one sees the other: both are noted down before they look. */
function refuseTakenAddress({ network }: JailSpec, name: string, store: JailStore): void {
  if (network.kind !== "bridge") return;
  const has = (other: JailState) =>
    other.name !== name && other.spec.network.kind === "bridge" && other.spec.network.address === network.address;
  const holder = store.list().find(has);
  if (holder === undefined) return;
  // Its network is the other's, and stays.
  store.remove(name, { cgroups: [] });
  throw new VivError("EBUSY", `the jail ${holder.name} has the address ${network.address} already; take another with --address`);
}

export interface Jail extends JailProcess {
  readonly name: string;
}

export interface JailOptions {
  /** By default a name that no other jail has. */
  readonly name?: string;
  readonly streams?: JailStreams;
  /** The jail goes on when this process ends. It has an init then. */
  readonly detached?: boolean;
  /**
   * Others can see the jail and start commands in it. So it is anyway with a name, with limits and when detached; other jails leave nothing
   * behind that would have to be noted down, and are not: that takes as long as making them.
   */
  readonly listed?: boolean;
  readonly store?: JailStore;
  readonly revise?: HostStartOptions["revise"];
}

/**
 * Makes a jail: notes it down if need be, makes what it needs of the host, starts it. When it has ended all of that is removed again.
 *
 * @throws VivError `EBUSY` for a name that is taken, JailError for an operation that failed; nothing is left then
 */
export async function createJail(given: JailSpec, options: JailOptions = {}): Promise<Jail> {
  const store = options.store ?? new JailStore();
  const detached = options.detached ?? false;
  const name = options.name ?? newName();
  const spec: JailSpec = { ...given, init: given.init || detached, dieWithParent: !detached };
  if (spec.network.kind === "bridge" && spec.userNamespace !== undefined) {
    throw new VivError("BAD_SPEC", "jail: a network on a bridge goes with the host's users only; leave --users out");
  }
  const cgroups = planHostCgroups(spec.limits, name);
  const isListed =
    detached ||
    options.listed === true ||
    options.name !== undefined ||
    cgroups.directories.length > 0 ||
    spec.network.kind === "bridge";
  const network = spec.network.kind === "bridge" ? networkParts(spec.network) : undefined;
  let state: Omit<JailState, "created"> | undefined;
  if (isListed) {
    store.sweep();
    state = { name, spec, owner: identify(process.pid)!, cgroups: cgroupDirectories(cgroups), network };
    store.create(state);
    refuseTakenAddress(spec, name, store);
  }
  const forget = () => {
    if (state !== undefined) store.remove(name, state);
  };
  const open: number[] = [];
  try {
    makeCgroups(cgroups);
    const joins = openJoins(cgroups);
    open.push(...joins);
    const inputs: Record<string, number> = {};
    joins.forEach((fd, index) => {
      inputs[`cgroup${index}`] = fd;
    });
    const isPrepared = spec.userNamespace !== undefined && !mapsItself(spec, hostFacts());
    if (isPrepared) {
      inputs.userns = makeUserNamespace(spec.userNamespace!);
      open.push(inputs.userns);
    }
    if (spec.network.kind === "bridge") {
      inputs.netns = makeNetwork(spec.network);
      open.push(inputs.netns);
    }
    const noteDown = (pid: number) => {
      if (state === undefined) return;
      state = { ...state, first: identify(pid) ?? { pid, startTime: "" } };
      store.write({ ...state, created: new Date().toISOString() });
    };
    const started = await startJail(spec, options.streams, {
      inputs,
      cgroups: joins.map((_, index) => `cgroup${index}`),
      preparedUserNamespace: isPrepared,
      preparedNetwork: inputs.netns !== undefined,
      ...(options.revise === undefined ? {} : { revise: options.revise }),
      ...(spec.init && isListed ? { created: noteDown } : {}),
    });
    try {
      if (!spec.init) noteDown(started.pid);
    } catch (error) {
      started.kill("SIGKILL");
      await started.exited;
      throw error;
    }
    const exited = started.exited.then((exit: JailExit) => {
      forget();
      return exit;
    });
    return { ...started, name, exited };
  } catch (error) {
    forget();
    throw error;
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** A name that no other jail has: no two processes are there with one number at one time. */
function newName(): string {
  return `jail-${process.pid.toString(36)}-${(Date.now() % 36 ** 6).toString(36)}-${(unnamed++).toString(36)}`;
}
let unnamed = 0;

/** What differs for one command in a running jail; the rest is the jail's. */
export type CommandInput = Pick<JailSpecInput, "command" | "env" | "cwd" | "user" | "terminal">;

/** Starts a command in a running jail. @throws VivError `NO_JAIL`, `ESRCH`; JailError */
export async function enterNamed(
  name: string,
  command: CommandInput,
  streams: JailStreams = {},
  store = new JailStore(),
): Promise<JailProcess> {
  store.sweep();
  const state = store.get(name);
  if (!isAlive(state.first)) throw new VivError("ESRCH", `the jail ${name} is not running`);
  const { cwd = "/", user = { uid: 0, gid: 0 }, terminal = false } = command;
  const spec = parseJailSpec({
    ...state.spec,
    ...command,
    env: { ...state.spec.env, ...command.env },
    cwd,
    user,
    terminal,
    dieWithParent: false,
  });
  const joins = openDirectories(state.cgroups);
  try {
    return await enterJail(spec, state.first!.pid, streams, joins);
  } finally {
    closeJoins(joins);
  }
}

/**
 * Ends a jail: SIGTERM, then SIGKILL for what is left of it after `grace` milliseconds.
 *
 * @throws VivError `NO_JAIL`
 */
export async function stopJail(name: string, grace: number, store = new JailStore()): Promise<void> {
  const state = store.get(name);
  const pid = state.first?.pid;
  const send = (signal: NodeJS.Signals) => {
    if (pid === undefined || !isAlive(state.first)) return;
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between the two looks.
    }
  };
  const pause = (time: number) => new Promise((resolve) => setTimeout(resolve, time));
  send("SIGTERM");
  for (let waited = 0; isAlive(state.first) && waited < grace; waited += 20) await pause(20);
  send("SIGKILL");
  for (let waited = 0; isAlive(state.first) && waited < 5000; waited += 5) await pause(5);
  if (isAlive(state.first))
    throw new VivError("EBUSY", `the jail ${name} (process ${pid}) does not end; its kernel call is stuck`);
  // Its owner, if one is with it, removes it as well; whoever is second finds nothing.
  store.remove(name);
}

export interface ProcessInfo {
  /** As the host numbers it. */
  readonly pid: number;
  /** As the jail numbers it. */
  readonly inside: number;
  /** Number of the user on the host. */
  readonly user: string;
  readonly command: string;
}

/** The processes of a jail: those of its process namespace. @throws VivError `NO_JAIL`, `ESRCH` */
export function jailProcesses(name: string, store = new JailStore()): ProcessInfo[] {
  store.sweep();
  const { first } = store.get(name);
  const namespace = first === undefined || !isAlive(first) ? undefined : namespaceOf(first.pid);
  if (namespace === undefined) throw new VivError("ESRCH", `the jail ${name} is not running`);
  const found: ProcessInfo[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || namespaceOf(Number(entry)) !== namespace) continue;
    try {
      const status = readFileSync(`/proc/${entry}/status`, "utf8");
      const line = (key: string) => new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replace(/\0+$/, "").replaceAll("\0", " ");
      found.push({
        pid: Number(entry),
        inside: Number(line("NSpid").split(/\s+/).at(-1)),
        user: line("Uid").split(/\s+/)[0]!,
        command: command === "" ? `[${line("Name")}]` : command,
      });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found.sort((a, b) => a.inside - b.inside);
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Sends a signal to a jail's first process. @throws VivError `NO_JAIL`, `ESRCH`, `BAD_SPEC` for an unknown signal */
export function killJail(name: string, signal: string, store = new JailStore()): void {
  store.sweep();
  const { first } = store.get(name);
  if (first === undefined || !isAlive(first)) throw new VivError("ESRCH", `the jail ${name} is not running`);
  const upper = signal.toUpperCase();
  const known = Object.entries(constants.signals).find(
    ([key, number]) => key === upper || key === `SIG${upper}` || String(number) === signal,
  );
  if (known === undefined) throw new VivError("BAD_SPEC", `${signal} is not a signal; they are named like TERM, or numbered`);
  process.kill(first.pid, known[0] as NodeJS.Signals);
}

export function listJails(store = new JailStore()): JailState[] {
  store.sweep();
  return store.list();
}

/** The state of a jail. @throws VivError `NO_JAIL` */
export function jailState(name: string, store = new JailStore()): JailState {
  store.sweep();
  return store.get(name);
}

/** Ends a jail at once and removes what it left. @throws VivError `NO_JAIL` */
export async function removeJail(name: string, store = new JailStore()): Promise<void> {
  await stopJail(name, 0, store);
}

/** The plan of a jail as text: of the program that makes it, and of its init if it has one. */
export function jailPlanText(spec: JailSpec): string {
  const { plan, init } = planJail(spec, hostFacts(), {
    preparedUserNamespace: spec.userNamespace !== undefined && !mapsItself(spec, hostFacts()),
  });
  return init === undefined ? printPlan(plan) : `${printPlan(plan)}\ninit:\n${printPlan(init)}`;
}

/** The first address of 10.88.0.0/16 that no jail has; .0.1 is the bridge's. */
export function freeAddress(store = new JailStore()): string {
  store.sweep();
  const taken = new Set(store.list().map(({ spec }) => (spec.network.kind === "bridge" ? spec.network.address : undefined)));
  for (let number = 2; number < 65534; number++) {
    const address = `10.88.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
  throw new VivError("EBUSY", "all addresses of 10.88.0.0/16 are taken; give one with --address");
}
