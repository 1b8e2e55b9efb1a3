/** Operations that turn the process that built the jail into the one that runs the command. */
import { VivError } from "../../../core/errors.ts";
import { capabilityMask } from "../capabilities.ts";
import { flags, input, type Operation, type Steps, type Value } from "../operations.ts";
import { type JailSpec, rlimitNumber } from "../spec.ts";

/** All signals, and none, as `sigset_t`. */
export const allSignals: Value = { bytes: new Uint8Array(8).fill(0xff), label: "all signals" };
export const noSignals: Value = { bytes: new Uint8Array(8), label: "no signals" };

/** `struct __user_cap_data_struct[2]` with the three sets, and the header for version 3: capset(2). */
export function capset(steps: Steps, sets: { effective: bigint; permitted: bigint; inheritable: bigint }): void {
  const half = (mask: bigint, index: number) => (mask >> BigInt(32 * index)) & 0xffff_ffffn;
  steps.add("capset", [
    {
      struct: [
        { name: "version", bits: 32, value: flags("_LINUX_CAPABILITY_VERSION_3") },
        { name: "pid", bits: 32, value: 0 },
      ],
    },
    {
      struct: [0, 1].flatMap((index) => [
        { name: "effective", bits: 32, value: half(sets.effective, index) } as const,
        { name: "permitted", bits: 32, value: half(sets.permitted, index) } as const,
        { name: "inheritable", bits: 32, value: half(sets.inheritable, index) } as const,
      ]),
    },
  ]);
}

/** Puts three descriptors in the places 0, 1 and 2. They are copied out of the way first: they may be in each other's places. */
export function standardStreams(steps: Steps, streams: readonly [Value, Value, Value]): void {
  steps.step("connect the standard streams");
  const F_DUPFD_CLOEXEC = 1030;
  const copies = streams.map((fd) => steps.get("stream", "fcntl", [fd, F_DUPFD_CLOEXEC, 10]));
  copies.forEach((copy, index) => {
    steps.add("dup3", [copy, index, 0]);
  });
}

/** Node ignores these two, and what is ignored stays so through execve(2): `struct sigaction` of zeroes is the default. */
export function resetSignals(steps: Steps): void {
  steps.step("reset signals");
  const SIGPIPE = 13;
  const SIGXFSZ = 25;
  const action: Value = { bytes: new Uint8Array(32), label: "SIG_DFL" };
  for (const signal of [SIGPIPE, SIGXFSZ]) steps.add("rt_sigaction", [signal, action, 0, 8]);
}

export function setLimits(steps: Steps, spec: JailSpec): void {
  for (const { type, soft, hard } of spec.rlimits) {
    steps.step(`limit ${type}`);
    steps.add("prlimit64", [
      0,
      rlimitNumber(type),
      {
        struct: [
          { name: "rlim_cur", bits: 64, value: soft },
          { name: "rlim_max", bits: 64, value: hard },
        ],
      },
      0,
    ]);
  }
}

/** User, groups and privileges of the command. From here on nothing can be set up any more. */
export function becomeUser(steps: Steps, spec: JailSpec, lastCapability: number): void {
  const allowed = capabilityMask(spec.capabilities);
  steps.step("join a session keyring of its own");
  // Kernels without keyrings answer ENOSYS, and seccomp of an outer container EPERM; then there is nothing to inherit either.
  steps.add("keyctl", [flags("KEYCTL_JOIN_SESSION_KEYRING"), 0], { onError: "next" });
  steps.step("drop capabilities");
  for (let capability = 0; capability <= lastCapability; capability++) {
    if ((allowed & (1n << BigInt(capability))) === 0n) steps.add("prctl", [flags("PR_CAPBSET_DROP"), capability, 0, 0, 0]);
  }
  steps.add("prctl", [flags("PR_CAP_AMBIENT"), flags("PR_CAP_AMBIENT_CLEAR_ALL"), 0, 0, 0]);
  const { uid, gid, groups } = spec.user;
  steps.step(`become user ${uid}, group ${gid}`);
  const list: Value = {
    struct: groups.map((group) => ({ name: String(group), bits: 32, value: group }) as const),
  };
  // A user namespace of one's own with a single id has setgroups denied; there are then no groups to drop but one's own.
  if (spec.userNamespace === undefined || mapsMany(spec)) steps.add("setgroups", [groups.length, groups.length === 0 ? 0 : list]);
  steps.add("setresgid", [gid, gid, gid]);
  steps.add("setresuid", [uid, uid, uid]);
  const held = uid === 0 ? allowed : 0n;
  // Never inheritable: a file with inheritable capabilities would raise them for a command that was not to have them.
  capset(steps, { effective: held, permitted: held, inheritable: 0n });
  if (spec.noNewPrivileges) steps.add("prctl", [flags("PR_SET_NO_NEW_PRIVS"), 1, 0, 0, 0]);
  if (spec.dieWithParent) dieWithParent(steps);
}

/**
 * Has the kernel kill this process when its parent ends. A change of credentials undoes it, so this comes after the last one; and the
 * parent may have ended before, which the input `parent`, a pidfd of it, tells.
 */
export function dieWithParent(steps: Steps): void {
  steps.step("end with the parent");
  steps.add("prctl", [flags("PR_SET_PDEATHSIG"), flags("SIGKILL"), 0, 0, 0]);
  const pollfd: Value = {
    struct: [
      { name: "fd", bits: 32, value: input("parent") },
      { name: "events", bits: 16, value: flags("POLLIN") },
      { name: "revents", bits: 16, value: 0 },
    ],
  };
  const now: Value = {
    struct: [
      { name: "tv_sec", bits: 64, value: 0 },
      { name: "tv_nsec", bits: 64, value: 0 },
    ],
  };
  steps.add("ppoll", [pollfd, 1, now, 0, 8], { onPositive: "fail" });
}

function mapsMany(spec: JailSpec): boolean {
  return (spec.userNamespace?.gids.length ?? 0) > 1 || (spec.userNamespace?.gids[0]?.size ?? 0) > 1;
}

/** Installs a compiled filter (`struct sock_fprog`). What comes after is subject to it. */
export function installFilter(
  steps: Steps,
  filter: Uint8Array,
  { flags: filterFlags, ...more }: { readonly flags: number } & Pick<Operation, "onZero" | "onPositive">,
): void {
  steps.step("install the seccomp filter");
  const program: Value = {
    struct: [
      { name: "len", bits: 16, value: filter.length / 8 },
      { name: "filter", bits: 64, value: { bytes: filter, label: `${filter.length / 8} instructions` } },
    ],
  };
  steps.add("seccomp", [flags("SECCOMP_SET_MODE_FILTER"), filterFlags, program], more);
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of the command, as execve(2) takes it. */
export function environment(spec: JailSpec): string[] {
  const base: Record<string, string> = {
    PATH: defaultPath,
    HOME: spec.user.uid === 0 ? "/root" : "/",
    ...(spec.terminal ? { TERM: "xterm" } : {}),
  };
  return Object.entries({ ...base, ...spec.env }).map(([name, value]) => `${name}=${value}`);
}

/** Where the command may be, in the order in which it is tried: as execvp(3) does. */
export function candidates(spec: JailSpec): string[] {
  const program = spec.command[0]!;
  if (program === "") throw new VivError("BAD_SPEC", "jail: the command's name is empty");
  if (program.includes("/")) return [program];
  const path = spec.env.PATH ?? defaultPath;
  return path.split(":").map((directory) => `${directory === "" ? "." : directory}/${program}`);
}

/** Replaces the process by the command. The first candidate that can be executed is; otherwise the last one's error counts. */
export function execute(
  steps: Steps,
  spec: JailSpec,
  filter: { readonly program: Uint8Array; readonly flags: number } | undefined,
): void {
  steps.step(`enter the directory ${spec.cwd}`);
  steps.add("chdir", [spec.cwd]);
  steps.step("unblock signals");
  steps.add("rt_sigprocmask", [flags("SIG_SETMASK"), noSignals, 0, 8]);
  if (filter !== undefined) installFilter(steps, filter.program, { flags: filter.flags });
  const argv: Value = { strings: spec.command };
  const envp: Value = { strings: environment(spec) };
  const names = candidates(spec);
  steps.step(`run ${spec.command[0]}`);
  names.forEach((name, index) => {
    steps.add("execve", [name, argv, envp], index === names.length - 1 ? {} : { onError: "next" });
  });
}
