/**
 * Control groups as data: which files of which directories are to be written for a jail's limits, for the layouts that hosts have: v2
 * alone, v1 alone, or both ("hybrid", where each controller is in one of them).
 */
import { VivError } from "../../core/errors.ts";
import type { Limits } from "./spec.ts";

/** Where a controller is mounted. */
export interface CgroupMount {
  readonly version: 1 | 2;
  /** Directory of the hierarchy's mount. */
  readonly mount: string;
  /** v1: the controllers of this hierarchy; v2: those in `cgroup.controllers` of its root. */
  readonly controllers: readonly string[];
}

/** A file to write, in this order; `path` is relative to the hierarchy's mount. */
export interface CgroupWrite {
  readonly mount: string;
  readonly path: string;
  readonly value: string;
}

export interface CgroupPlan {
  /** Directories to make, parents first, relative to the mounts. */
  readonly directories: readonly { readonly mount: string; readonly path: string }[];
  readonly writes: readonly CgroupWrite[];
  /** The `cgroup.procs` that the jail's first process is to write itself into. */
  readonly joins: readonly { readonly mount: string; readonly path: string }[];
  /** Values to copy from the parent first, where still empty: a new v1 cpuset has no cores. */
  readonly inherit: readonly { readonly mount: string; readonly path: string; readonly file: string }[];
}

/** All our groups are below this one, in every hierarchy. */
export const cgroupParent = "vivarium";

const cpuPeriod = 100_000;

/** v1 `cpu.shares` of a v2 weight, so that 100 is 1024 and both ends meet: the mapping that other runtimes use. */
function sharesOf(weight: number): number {
  return Math.round(2 + ((weight - 1) * 262142) / 9999);
}

interface Setting {
  readonly controller: string;
  readonly v1: readonly (readonly [file: string, value: string])[];
  readonly v2: readonly (readonly [file: string, value: string])[];
}

function settings(limits: Limits): Setting[] {
  const list: Setting[] = [];
  const { memory, cpus, cpuWeight, cpuset, pids } = limits;
  if (memory !== undefined) {
    list.push({
      controller: "memory",
      // Without a limit of memory and swap together, what does not fit would go to the host's swap.
      v1: [
        ["memory.limit_in_bytes", String(memory)],
        ["memory.memsw.limit_in_bytes", String(memory)],
      ],
      v2: [
        ["memory.max", String(memory)],
        ["memory.swap.max", "0"],
      ],
    });
  }
  if (cpus !== undefined) {
    const quota = String(Math.round(cpus * cpuPeriod));
    list.push({
      controller: "cpu",
      v1: [
        ["cpu.cfs_period_us", String(cpuPeriod)],
        ["cpu.cfs_quota_us", quota],
      ],
      v2: [["cpu.max", `${quota} ${cpuPeriod}`]],
    });
  }
  if (cpuWeight !== undefined) {
    list.push({ controller: "cpu", v1: [["cpu.shares", String(sharesOf(cpuWeight))]], v2: [["cpu.weight", String(cpuWeight)]] });
  }
  if (cpuset !== undefined) list.push({ controller: "cpuset", v1: [["cpuset.cpus", cpuset]], v2: [["cpuset.cpus", cpuset]] });
  if (pids !== undefined) list.push({ controller: "pids", v1: [["pids.max", String(pids)]], v2: [["pids.max", String(pids)]] });
  return list;
}

/** Files that a kernel may be built without; what they would limit is then not there either. */
export const optionalFiles: ReadonlySet<string> = new Set(["memory.memsw.limit_in_bytes", "memory.swap.max"]);

/**
 * Plans the control groups of a jail.
 *
 * @param name the jail's directory in each hierarchy; a single file name
 * @throws VivError `NO_CONTROLLER` naming the limit's controller that this host has nowhere
 */
export function planCgroups(limits: Limits, name: string, mounts: readonly CgroupMount[]): CgroupPlan {
  const path = `${cgroupParent}/${name}`;
  const wanted = settings(limits);
  const used = new Map<string, CgroupMount>();
  const writes: CgroupWrite[] = [];
  const enabled = new Set<string>();
  const inherit: { mount: string; path: string; file: string }[] = [];
  for (const { controller, v1, v2 } of wanted) {
    const mount = mounts.find(({ controllers }) => controllers.includes(controller));
    if (mount === undefined) {
      throw new VivError(
        "NO_CONTROLLER",
        `this limit needs the ${controller} controller, which no control group hierarchy here has; mount cgroup2 at /sys/fs/cgroup, or leave the limit out`,
      );
    }
    used.set(mount.mount, mount);
    if (mount.version === 2) {
      if (!enabled.has(controller)) {
        enabled.add(controller);
        for (const parent of [".", cgroupParent]) {
          writes.push({ mount: mount.mount, path: `${parent}/cgroup.subtree_control`, value: `+${controller}` });
        }
      }
    } else if (controller === "cpuset") {
      for (const directory of [cgroupParent, path]) {
        for (const file of ["cpuset.cpus", "cpuset.mems"]) inherit.push({ mount: mount.mount, path: directory, file });
      }
    }
    for (const [file, value] of mount.version === 1 ? v1 : v2)
      writes.push({ mount: mount.mount, path: `${path}/${file}`, value });
  }
  // v2 hands controllers down before the files of the group are there.
  const isHandingDown = (write: CgroupWrite) => write.path.endsWith("cgroup.subtree_control");
  return {
    directories: [...used.keys()].flatMap((mount) => [
      { mount, path: cgroupParent },
      { mount, path },
    ]),
    writes: [...writes.filter(isHandingDown), ...writes.filter((write) => !isHandingDown(write))],
    joins: [...used.keys()].map((mount) => ({ mount, path: `${path}/cgroup.procs` })),
    inherit,
  };
}

/** Reads the hierarchies out of /proc/self/mountinfo (proc(5)); `v2Controllers` gives a v2 root's list. */
export function cgroupMounts(mountinfo: string, v2Controllers: (mount: string) => readonly string[]): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    if (after === undefined) continue;
    const [type, , options = ""] = after.split(" ");
    const mount = before!.split(" ")[4]!.replace(/\\040/g, " ");
    if (type === "cgroup2") mounts.push({ version: 2, mount, controllers: v2Controllers(mount) });
    else if (type === "cgroup")
      mounts.push({ version: 1, mount, controllers: options.split(",").filter((option) => option !== "rw") });
  }
  return mounts;
}
