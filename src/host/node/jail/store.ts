/**
 * What is known of each jail on disk: a directory a jail, with its state. It is written before anything is made that outlives us, and
 * whoever comes next removes what a jail left that is no more.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { VivError } from "../../../core/errors.ts";
import { type JailSpec, parseJailSpec } from "../../../engine/jail/spec.ts";
import { syscall } from "../ffi/libc.ts";
import { cgroupProcesses, removeCgroup } from "./cgroups.ts";
import { type NetworkParts, removeNetwork } from "./network.ts";

/** A process that cannot be mistaken for a later one with its number: with the time of its start (proc(5), field 22 of stat). */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

const identity = v.object({ pid: v.pipe(v.number(), v.integer(), v.minValue(1)), startTime: v.string() });
const cgroupPath = v.pipe(v.string(), v.regex(/^\/.*\/vivarium\/[A-Za-z0-9_.-]+$/, "is not a control group of a jail"));
const stateSchema = v.object({
  version: v.literal(1),
  name: v.string(),
  created: v.string(),
  spec: v.unknown(),
  /** Who makes the jail or stays with it. */
  owner: identity,
  /** The jail's first process, when it is there. */
  first: v.optional(identity),
  cgroups: v.array(cgroupPath),
  network: v.optional(
    v.object({
      pair: v.pipe(v.string(), v.regex(/^viv[0-9a-f]{8}$/)),
      table: v.pipe(v.string(), v.regex(/^vivarium_[0-9a-f]{8}$/)),
      bridge: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,15}$/)),
    }),
  ),
});

export interface JailState {
  readonly name: string;
  readonly created: string;
  readonly spec: JailSpec;
  readonly owner: ProcessIdentity;
  readonly first?: ProcessIdentity;
  readonly cgroups: readonly string[];
  readonly network?: NetworkParts;
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** Who has this number now; undefined if nobody. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended, whoever has yet to take it away.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : { pid, startTime: fields[19]! };
  } catch {
    return undefined;
  }
}

export function isAlive(process: ProcessIdentity | undefined): boolean {
  return process !== undefined && identify(process.pid)?.startTime === process.startTime;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

export function checkName(name: string): string {
  if (namePattern.test(name)) return name;
  throw new VivError("BAD_SPEC", `${JSON.stringify(name)} is no name for a jail; use letters, digits, _ . and -, at most 63`);
}

export class JailStore {
  readonly directory: string;

  constructor(directory = defaultDirectory()) {
    this.directory = directory;
  }

  /**
   * Takes a name for a jail that is about to be made.
   *
   * @throws VivError `EBUSY` if a jail of that name runs
   */
  create(state: Omit<JailState, "created">): void {
    checkName(state.name);
    const make = () => mkdirSync(this.#folder(state.name), { mode: 0o700 });
    try {
      try {
        make();
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error;
        mkdirSync(this.directory, { recursive: true, mode: 0o700 });
        this.#names();
        make();
      }
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw this.#failure("noting the jail down", error);
      const now = this.find(state.name);
      throw new VivError(
        "EBUSY",
        `a jail ${state.name} is there already${now?.first === undefined ? "" : ` (process ${now.first.pid})`}; stop it, or use another name`,
      );
    }
    this.write({ ...state, created: new Date().toISOString() });
  }

  /** Replaces the state as a whole. */
  write(state: JailState): void {
    const folder = this.#folder(state.name);
    const temporary = join(folder, "state.json.new");
    try {
      writeFileSync(temporary, `${JSON.stringify({ version: 1, ...state }, bigints)}\n`, { mode: 0o600 });
      renameSync(temporary, join(folder, "state.json"));
    } catch (error) {
      throw this.#failure("noting the jail down", error);
    }
  }

  /** The jail of that name; undefined if there is none or its state cannot be read. */
  find(name: string): JailState | undefined {
    try {
      const parsed = v.safeParse(stateSchema, JSON.parse(readFileSync(join(this.#folder(name), "state.json"), "utf8")));
      if (!parsed.success) return undefined;
      return { ...parsed.output, spec: parseJailSpec(parsed.output.spec) };
    } catch {
      return undefined;
    }
  }

  /** @throws VivError `NO_JAIL` */
  get(name: string): JailState {
    const state = this.find(checkName(name));
    if (state === undefined) throw new VivError("NO_JAIL", `there is no jail ${name}; \`viv jail ls\` lists them`);
    return state;
  }

  list(): JailState[] {
    return this.#names()
      .map((name) => this.find(name))
      .filter((state) => state !== undefined);
  }

  /** Removes what a jail has left on the host, then the jail from the list. Nothing of it may run any more. */
  remove(name: string, made: Pick<JailState, "cgroups" | "network"> | undefined = this.find(name)): void {
    if (!this.#clear(made?.cgroups ?? [])) return;
    if (made?.network !== undefined) removeNetwork(made.network);
    const folder = this.#folder(name);
    try {
      unlinkSync(join(folder, "state.json"));
      rmdirSync(folder);
    } catch {
      // Not as we left it, or not there any more.
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Removes the jails that have ended without anybody to see it: ours, killed, or the whole host, restarted. */
  sweep(): void {
    for (const name of this.#names()) {
      const state = this.find(name);
      // Without a state the jail had made nothing yet; but its maker may be just about to.
      if (state === undefined) {
        this.#sweepUnfinished(name);
      } else if (!isAlive(state.owner) && !isAlive(state.first)) {
        this.remove(name, state);
      }
    }
  }

  #sweepUnfinished(name: string): void {
    const folder = this.#folder(name);
    try {
      const entries = readdirSync(folder);
      const old = Date.now() - statSync(folder).mtimeMs > 10_000;
      if (old || entries.includes("state.json")) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Gone meanwhile.
    }
  }

  #clear(cgroups: readonly string[]): boolean {
    for (const directory of cgroups) {
      for (const pid of cgroupProcesses(directory)) syscall("kill", pid, 9);
    }
    return cgroups.map((directory) => removeCgroupSoon(directory)).every(Boolean);
  }

  #names(): string[] {
    const stat = statSync(this.directory, { throwIfNoEntry: false });
    // Below /tmp anybody could have made it, with orders for us in it.
    if (stat !== undefined && (stat.uid !== process.geteuid!() || (stat.mode & 0o022) !== 0)) {
      throw new VivError(
        "EPERM",
        `${this.directory} is not yours alone, and is not trusted; set VIV_STATE to a directory of yours`,
      );
    }
    try {
      return readdirSync(this.directory).filter((name) => namePattern.test(name));
    } catch {
      return [];
    }
  }

  #folder(name: string): string {
    return join(this.directory, name);
  }

  #failure(what: string, error: unknown): VivError {
    const code = codeOf(error) ?? "EIO";
    return new VivError(code, `${what} in ${this.directory} failed: ${code}; set VIV_STATE to a directory of yours`, {
      cause: error,
    });
  }
}

/** A group empties a moment after its last process was killed. What takes longer is left to the command after this one. */
function removeCgroupSoon(directory: string): boolean {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (removeCgroup(directory)) return true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  return false;
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

function defaultDirectory(): string {
  if (process.env.VIV_STATE !== undefined && process.env.VIV_STATE !== "") return join(process.env.VIV_STATE, "jails");
  const uid = process.geteuid!();
  if (uid === 0) return "/run/vivarium/jails";
  return join(process.env.XDG_RUNTIME_DIR ?? `/tmp/vivarium-${uid}`, "vivarium/jails");
}
