/** What this host can do for jails, found out by trying, with what to do about the rest. */
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { release, userInfo } from "node:os";
import { join } from "node:path";
import { parseJailSpec } from "../../../engine/jail/spec.ts";
import { stubFor } from "../../../engine/jail/stub/index.ts";
import { syscall } from "../ffi/libc.ts";
import { hostCgroups } from "./cgroups.ts";
import { hostFacts } from "./facts.ts";
import { startJail } from "./start.ts";
import { makeUserNamespace, ownMapping, subordinateIds } from "./userns.ts";

export interface HostCheck {
  readonly name: string;
  /** `yes`; `no`: jails do not work without it; `limited`: they do, without this. */
  readonly state: "yes" | "no" | "limited";
  readonly detail: string;
  readonly fix?: string;
}

type Outcome = Omit<HostCheck, "name">;

const yes = (detail: string): Outcome => ({ state: "yes", detail });
const limited = (detail: string, fix: string): Outcome => ({ state: "limited", detail, fix });
const no = (detail: string, fix: string): Outcome => ({ state: "no", detail, fix });

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sysctl(name: string): string | undefined {
  try {
    return readFileSync(join("/proc/sys", name), "utf8").trim();
  } catch {
    return undefined;
  }
}

function kernel(): Outcome {
  try {
    hostFacts();
    return yes(`Linux ${release()} on ${process.arch}`);
  } catch (error) {
    return no(messageOf(error), "update the kernel, or use --engine emulator");
  }
}

/** Starts a jail of nothing but our own init: no program of the host is needed, and every operation of a plan is tried. */
async function tryJail(asRoot: boolean): Promise<Outcome> {
  const { uid, gid } = hostFacts();
  const own = { uids: [{ inside: 0, outside: uid, size: 1 }], gids: [{ inside: 0, outside: gid, size: 1 }] };
  const spec = parseJailSpec({
    root: "/",
    command: [],
    init: true,
    dieWithParent: true,
    ...(asRoot ? {} : { userNamespace: own }),
  });
  const streams = openSync("/dev/null", "r+");
  try {
    const jail = await startJail(spec, { stdin: streams, stdout: streams, stderr: streams });
    jail.kill("SIGTERM");
    await jail.exited;
    return yes("made one and ended it");
  } catch (error) {
    const restricted = sysctl("kernel/apparmor_restrict_unprivileged_userns") === "1";
    const none = sysctl("user/max_user_namespaces") === "0" || sysctl("kernel/unprivileged_userns_clone") === "0";
    const fix = asRoot
      ? "run where CAP_SYS_ADMIN is, not in a container that drops it"
      : restricted
        ? "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile of AppArmor's for viv"
        : none
          ? "sysctl -w user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1"
          : "a kernel with CONFIG_USER_NS, and not inside a container that hides /proc";
    return asRoot ? no(messageOf(error), fix) : limited(messageOf(error), fix);
  } finally {
    closeSync(streams);
  }
}

function userRanges(): Outcome {
  const { username, uid } = userInfo();
  if (uid === 0) return yes("root maps any ids");
  const missing = ["/etc/subuid", "/etc/subgid"].filter((file) => subordinateIds(file, username, uid).length === 0);
  if (missing.length > 0) {
    return limited(
      `${username} has no ids in ${missing.join(" and ")}: jails have root as their only user`,
      `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`,
    );
  }
  if (!existsSync("/usr/bin/newuidmap"))
    return limited("newuidmap is not installed: jails have root as their only user", "apt install uidmap");
  try {
    closeSync(makeUserNamespace(ownMapping()));
    return yes("mapped the ids that are yours");
  } catch (error) {
    return limited(messageOf(error), "apt install --reinstall uidmap");
  }
}

function cgroups(): Outcome {
  const mounts = hostCgroups();
  const wanted = ["cpu", "cpuset", "memory", "pids"];
  const found = wanted.filter((controller) => mounts.some(({ controllers }) => controllers.includes(controller)));
  const kinds = new Set(mounts.map(({ version }) => version));
  const layout = kinds.size === 2 ? "v1 and v2 (hybrid)" : kinds.has(2) ? "v2" : "v1";
  if (mounts.length === 0) return limited("no control groups are mounted: no limits", "mount -t cgroup2 none /sys/fs/cgroup");
  if (found.length < wanted.length) {
    const missing = wanted.filter((controller) => !found.includes(controller)).join(", ");
    return limited(
      `${layout}; nowhere: ${missing}`,
      "enable them in cgroup.subtree_control of the groups above, or mount their v1 hierarchies",
    );
  }
  if (hostFacts().uid !== 0)
    return limited(
      `${layout}: ${found.join(", ")}; not yours to write`,
      "run as root, or have a cgroup2 delegated (systemd: Delegate=yes)",
    );
  return yes(`${layout}: ${found.join(", ")}`);
}

function seccomp(): Outcome {
  const SECCOMP_GET_ACTION_AVAIL = 2;
  // A null pointer: only a kernel with filters looks at it.
  const answer = syscall("seccomp", SECCOMP_GET_ACTION_AVAIL, 0, 0);
  return answer === -14 ? yes("filters work") : no(`seccomp(2) answers ${answer}`, "a kernel with CONFIG_SECCOMP_FILTER");
}

function landlock(): Outcome {
  const version = syscall("landlock_create_ruleset", 0, 0, 1);
  return version > 0
    ? yes(`ABI ${version}, for programs that restrict themselves`)
    : limited("not in this kernel", "a kernel with CONFIG_SECURITY_LANDLOCK and landlock in lsm=");
}

function stub(): Outcome {
  try {
    stubFor(process.arch);
    return yes(`for ${process.arch}`);
  } catch (error) {
    return no(messageOf(error), "use --engine emulator");
  }
}

/** Checks everything that jails use. */
export async function checkHost(): Promise<HostCheck[]> {
  const checks: readonly (readonly [name: string, check: () => Outcome | Promise<Outcome>])[] = [
    ["kernel", kernel],
    ["syscall stub", stub],
    [
      "jails as root",
      () => (hostFacts().uid === 0 ? tryJail(true) : limited("you are not root", "nothing: jails work in a user namespace")),
    ],
    ["jails in a user namespace", () => tryJail(false)],
    ["ids of your own", userRanges],
    ["seccomp", seccomp],
    ["control groups", cgroups],
    ["Landlock", landlock],
  ];
  const results: HostCheck[] = [];
  for (const [name, check] of checks) {
    let outcome: Outcome;
    try {
      outcome = await check();
    } catch (error) {
      outcome = no(messageOf(error), "see above");
    }
    results.push({ name, ...outcome });
    if (name === "kernel" && outcome.state === "no") break;
  }
  return results;
}
