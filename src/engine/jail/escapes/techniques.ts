/** Known ways out of jails: what each does, and the weakened jail in which it is shown to work. */
import type { Plan } from "../operations.ts";
import { flags, type Value } from "../operations.ts";
import type { JailSpecInput } from "../spec.ts";
import { Attack, type Target } from "./attack.ts";

/** How a jail is weakened so that a technique works in it. */
export interface Weakness {
  readonly spec?: Partial<Omit<JailSpecInput, "root" | "command">>;
  /** Standard input is this instead of /dev/null: the host's root directory, or a terminal that others use. */
  readonly stdin?: "directory" | "terminal";
}

export interface Technique {
  readonly name: string;
  /** Where it is known from. */
  readonly source: string;
  readonly weakness: Weakness;
  /** Also in the default jail: the thing that is attacked comes from outside (a terminal that is shared). */
  readonly stdin?: "terminal";
  /** What the tree has in it: a device node (the kernel's log), a setuid copy of the attack. */
  readonly tree?: "device node" | "setuid";
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly init?: boolean;
  attack(target: Target): Plan;
}

const chroot: Weakness = {
  spec: {
    chrootOnly: true,
    seccomp: "unconfined",
    capabilities: [
      "CAP_SYS_CHROOT",
      "CAP_SYS_ADMIN",
      "CAP_MKNOD",
      "CAP_SYS_PTRACE",
      "CAP_DAC_READ_SEARCH",
      "CAP_KILL",
      "CAP_SYSLOG",
      "CAP_CHOWN",
      "CAP_DAC_OVERRIDE",
    ],
  },
};
const unconfined: Weakness = { spec: { seccomp: "unconfined" } };
const withCapabilities = (...names: NonNullable<JailSpecInput["capabilities"]>): Weakness => ({
  spec: { seccomp: "unconfined", capabilities: [...names, "CAP_DAC_OVERRIDE", "CAP_CHOWN"] },
});

const cwd = flags("AT_FDCWD");
const up = Array.from({ length: 32 }, () => "..").join("/");
const PTRACE_SEIZE = 0x4206;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const MS_BIND_REMOUNT = flags("MS_BIND", "MS_REMOUNT");
const KEY_SPEC_PROCESS_KEYRING = -2;
const PERF_FLAG_FD_CLOEXEC = 8;

/** Procfs as an attacker in a plain chroot gets it: mounts it himself. In a jail it is there, and this fails without effect. */
function haveProc(attack: Attack): Attack {
  return attack.attempt("mkdirat", [cwd, "/proc", 0o755]).attempt("mount", ["proc", "/proc", "proc", 0, 0]);
}

const pointerTo = (bits: 16 | 32 | 64, ...values: (number | bigint)[]): Value => ({
  struct: values.map((value, index) => ({ name: `f${index}`, bits, value })),
});

function simple(
  name: string,
  source: string,
  weakness: Weakness,
  call: string,
  args: (target: Target) => readonly Value[],
): Technique {
  return { name, source, weakness, attack: (target) => new Attack(name).call(call, args(target)).plan() };
}

function opens(name: string, source: string, weakness: Weakness, path: (target: Target) => string): Technique {
  return simple(name, source, weakness, "openat", (target) => [cwd, path(target), flags("O_WRONLY", "O_CLOEXEC"), 0]);
}

const files: readonly Technique[] = [
  {
    name: "nested chroot",
    source: "chroot(2)",
    weakness: chroot,
    attack: ({ secret }) =>
      new Attack("nested chroot")
        .attempt("mkdirat", [cwd, "/nest", 0o755])
        .call("chroot", ["/nest"])
        .call("chdir", [up])
        .call("chroot", ["."])
        .reads(secret)
        .plan(),
  },
  {
    name: "kept directory descriptor",
    source: "chroot(2)",
    weakness: chroot,
    attack: ({ secret }) => {
      const attack = new Attack("kept directory descriptor").attempt("mkdirat", [cwd, "/nest", 0o755]);
      const kept = attack.get("openat", [cwd, "/", flags("O_PATH"), 0]);
      return attack
        .call("chroot", ["/nest"])
        .call("fchdir", [kept])
        .call("openat", [cwd, `${up}${secret}`, flags("O_RDONLY"), 0])
        .plan();
    },
  },
  {
    name: "descriptor of a host directory left open",
    source: "CVE-2024-21626",
    weakness: { stdin: "directory" },
    attack: ({ secret }) => {
      const attack = new Attack("descriptor of a host directory left open");
      // Whichever of them is a directory of the host; the file is looked for below and above it.
      for (let fd = 0; fd < 64; fd++) attack.attempt("fchdir", [fd]);
      return attack.call("openat", [cwd, secret.slice(1), flags("O_RDONLY"), 0]).plan();
    },
  },
  {
    name: "making the host's disk",
    source: "mknod(2)",
    weakness: chroot,
    attack: ({ disk }) =>
      new Attack("making the host's disk")
        .attempt("unlinkat", [cwd, "/disk", 0])
        .call("mknodat", [cwd, "/disk", S_IFBLK | 0o600, disk])
        .reads("/disk")
        .plan(),
  },
  {
    name: "device node in the image",
    source: "CVE-2014-9357 class",
    weakness: chroot,
    tree: "device node",
    attack: () => new Attack("device node in the image").reads("/node").plan(),
  },
  {
    name: "the kernel's log as a device",
    source: "mknod(2)",
    weakness: chroot,
    attack: () =>
      new Attack("the kernel's log as a device")
        .attempt("unlinkat", [cwd, "/kmsg", 0])
        .call("mknodat", [cwd, "/kmsg", S_IFCHR | 0o600, (1 << 8) | 11])
        .reads("/kmsg")
        .plan(),
  },
  {
    name: "file handles (shocker)",
    source: "open_by_handle_at(2)",
    weakness: chroot,
    attack: () => {
      const attack = new Attack("file handles (shocker)");
      const root = attack.get("openat", [cwd, "/", flags("O_RDONLY"), 0]);
      const handle = { buffer: "handle", size: 136 } as const;
      attack.call("dup3", [root, 60, 0]);
      // handle_bytes has to say how much room there is: 128, written by reading it from a pipe.
      attack.call("pipe2", [{ buffer: "pipe", size: 8 }, 0]);
      attack.call("dup3", [4, 61, 0]).call("dup3", [5, 62, 0]);
      attack.call("write", [62, pointerTo(32, 128), 4]).call("read", [61, handle, 4]);
      attack.call("name_to_handle_at", [cwd, "/", handle, { buffer: "mount", size: 8 }, 0]);
      return attack.call("open_by_handle_at", [60, handle, flags("O_RDONLY")]).plan();
    },
  },
  {
    name: "root of a host process in /proc",
    source: "proc(5)",
    weakness: chroot,
    attack: ({ pid, secret }) =>
      haveProc(new Attack("root of a host process in /proc")).reads(`/proc/${pid}/root${secret}`).plan(),
  },
  {
    name: "the jail maker's program through /proc",
    source: "CVE-2019-5736",
    weakness: chroot,
    init: true,
    attack: ({ pid, programInode }) => {
      const attack = haveProc(new Attack("the jail maker's program through /proc"));
      const stat = { buffer: "stat", size: 256 } as const;
      const stx_ino = 32;
      // The process that makes jails where it can be seen; else what stands for it inside, process 1.
      attack.call("statx", [cwd, `/proc/${pid}/exe`, 0, 0x7ff, stat], { onError: "next", onZero: { skip: 1 } });
      attack.call("statx", [cwd, "/proc/1/exe", 0, 0x7ff, stat]);
      return attack.equals(stat, stx_ino, programInode).plan();
    },
  },
];

const processes: readonly Technique[] = [
  simple("tracing a host process", "ptrace(2)", chroot, "ptrace", ({ pid }) => [PTRACE_SEIZE, pid, 0, 0]),
  {
    name: "tracing init, which has another filter",
    source: "ptrace(2)",
    weakness: withCapabilities("CAP_SYS_PTRACE"),
    init: true,
    attack: () => new Attack("tracing init").call("ptrace", [PTRACE_SEIZE, 1, 0, 0]).plan(),
  },
  simple("signals to a host process", "kill(2)", chroot, "kill", ({ pid }) => [pid, 0]),
  simple("handle of a host process", "pidfd_open(2)", chroot, "pidfd_open", ({ pid }) => [pid, 0]),
  simple("limits of a host process", "prlimit(2)", chroot, "prlimit64", ({ pid }) => [pid, 7, 0, { buffer: "limit", size: 16 }]),
  simple("affinity of a host process", "sched_getaffinity(2)", chroot, "sched_getaffinity", ({ pid }) => [
    pid,
    128,
    { buffer: "cores", size: 128 },
  ]),
  simple("shared memory of the host", "shmget(2)", chroot, "shmget", ({ sharedMemoryKey }) => [sharedMemoryKey, 0, 0]),
  {
    name: "setuid program in the image",
    source: "execve(2)",
    weakness: { spec: { noNewPrivileges: false, seccomp: "unconfined" } },
    tree: "setuid",
    user: { uid: 1000, gid: 1000 },
    attack: () => {
      const attack = new Attack("setuid program in the image");
      // The program starts itself again through its setuid copy; that a descriptor is there tells it which turn this is.
      const turn = { skip: 2 };
      attack.call("fcntl", [50, 1, 0], { onError: "next", onZero: turn, onPositive: turn });
      attack.call("dup3", [0, 50, 0]).call("execve", ["/setuid", { strings: ["again"] }, { strings: [] }]);
      attack.call("geteuid", [], { onPositive: "fail" });
      return attack.plan();
    },
  },
];

const mounts: readonly Technique[] = [
  {
    name: "mounting a file system",
    source: "CVE-2025-15547",
    weakness: chroot,
    attack: () =>
      new Attack("mounting a file system")
        .attempt("mkdirat", [cwd, "/mnt", 0o755])
        .call("mount", ["none", "/mnt", "tmpfs", 0, 0])
        .plan(),
  },
  simple("the new mount interface", "fsopen(2)", withCapabilities("CAP_SYS_ADMIN"), "fsopen", () => ["tmpfs", 0]),
  simple("unmasking by unmounting", "umount(2)", withCapabilities("CAP_SYS_ADMIN"), "umount2", () => [
    "/sys/firmware",
    flags("MNT_DETACH"),
  ]),
  {
    name: "making /proc/sys writable again",
    source: "mount(2)",
    weakness: withCapabilities("CAP_SYS_ADMIN"),
    attack: () =>
      new Attack("making /proc/sys writable again")
        .call("mount", [0, "/proc/sys", 0, MS_BIND_REMOUNT, 0])
        .call("openat", [cwd, "/proc/sys/kernel/core_pattern", flags("O_WRONLY"), 0])
        .plan(),
  },
  {
    name: "release_agent of a control group",
    source: "CVE-2022-0492",
    weakness: withCapabilities("CAP_SYS_ADMIN"),
    attack: () =>
      new Attack("release_agent of a control group")
        .attempt("mkdirat", [cwd, "/cgroup", 0o755])
        .call("mount", ["cgroup", "/cgroup", "cgroup", 0, "memory"])
        .plan(),
  },
  opens("core_pattern", "CVE-2022-0811", { spec: { readonlyPaths: [] } }, () => "/proc/sys/kernel/core_pattern"),
  opens("other sysctls", "sysctl(8)", { spec: { readonlyPaths: [] } }, () => "/proc/sys/kernel/panic"),
  opens("sysrq-trigger", "proc(5)", { spec: { readonlyPaths: [] } }, () => "/proc/sysrq-trigger"),
  opens(
    "writing /sys",
    "sysfs(5)",
    { spec: { mounts: [{ type: "bind", source: "/sys", target: "/sys" }] } },
    ({ sysfsFile }) => sysfsFile,
  ),
  {
    name: "masked files",
    source: "CVE-2025-31133",
    weakness: { spec: { maskedPaths: [] } },
    attack: () => {
      const attack = new Attack("masked files");
      const file = attack.get("openat", [cwd, "/proc/timer_list", flags("O_RDONLY"), 0], {
        onError: "next",
        onPositive: { skip: 1 },
      });
      const other = attack.get("openat", [cwd, "/proc/interrupts", flags("O_RDONLY"), 0]);
      attack.call("read", [file, { buffer: "text", size: 64 }, 64], { onError: "next", onZero: "next", onPositive: { skip: 1 } });
      attack.call("read", [other, { buffer: "text", size: 64 }, 64], { onZero: "fail" });
      return attack.plan();
    },
  },
];

const sockets: readonly Technique[] = [
  {
    name: "abstract socket of the host",
    source: "CVE-2020-15257",
    weakness: { spec: { network: { kind: "host" } } },
    attack: ({ abstractSocket }) => {
      const attack = new Attack("abstract socket of the host");
      const socket = attack.get("socket", [1, 1, 0]);
      const address = new Uint8Array(3 + abstractSocket.length);
      new DataView(address.buffer).setUint16(0, 1, true);
      for (let index = 0; index < abstractSocket.length; index++) address[3 + index] = abstractSocket.charCodeAt(index);
      return attack.call("connect", [socket, { bytes: address, label: `@${abstractSocket}` }, address.length]).plan();
    },
  },
  {
    name: "service on the host's loopback",
    source: "ip(7)",
    weakness: { spec: { network: { kind: "host" } } },
    attack: ({ port }) => {
      const attack = new Attack("service on the host's loopback");
      const socket = attack.get("socket", [2, 1, 0]);
      const address = Uint8Array.from([2, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
      return attack.call("connect", [socket, { bytes: address, label: `127.0.0.1:${port}` }, 16]).plan();
    },
  },
  simple("packet sockets", "packet(7)", withCapabilities("CAP_NET_RAW"), "socket", () => [17, 3, 0]),
  simple("crypto sockets and splice", "CVE-2026-31431", unconfined, "socket", () => [38, 5, 0]),
  simple("sockets to the hypervisor", "vsock(7)", unconfined, "socket", () => [40, 1, 0]),
  simple("key sockets", "RFC 2367", withCapabilities("CAP_NET_ADMIN"), "socket", () => [15, 3, 2]),
];

const terminal: readonly Technique[] = [
  {
    name: "typing into a shared terminal",
    source: "CVE-2017-5226",
    weakness: { ...withCapabilities("CAP_SYS_ADMIN"), stdin: "terminal" },
    stdin: "terminal",
    attack: () => new Attack("typing into a shared terminal").call("ioctl", [0, 0x5412, "x"]).plan(),
  },
  {
    name: "the same with a high bit set",
    source: "CVE-2019-10063",
    weakness: { ...withCapabilities("CAP_SYS_ADMIN"), stdin: "terminal" },
    stdin: "terminal",
    attack: () => new Attack("the same with a high bit set").call("ioctl", [0, 0x1_0000_5412n, "x"]).plan(),
  },
];

const perfAttributes = new Uint8Array(128);
new DataView(perfAttributes.buffer).setUint32(0, 1, true);
new DataView(perfAttributes.buffer).setUint32(4, 128, true);

const kernel: readonly Technique[] = [
  simple("new user namespace", "unshare(2)", unconfined, "unshare", () => [flags("CLONE_NEWUSER")]),
  {
    name: "new user namespace by clone",
    source: "clone(2)",
    weakness: unconfined,
    attack: () =>
      new Attack("new user namespace by clone")
        .call("clone", [flags("CLONE_NEWUSER", "SIGCHLD"), 0, 0, 0, 0], { onZero: "fail" })
        .plan(),
  },
  {
    name: "new user namespace by clone3",
    source: "clone3(2)",
    weakness: unconfined,
    attack: () =>
      new Attack("new user namespace by clone3")
        .call("clone3", [pointerTo(64, 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64], { onZero: "fail" })
        .plan(),
  },
  simple("io_uring", "io_uring_setup(2)", unconfined, "io_uring_setup", () => [1, { buffer: "ring", size: 120 }]),
  simple("userfaultfd", "userfaultfd(2)", unconfined, "userfaultfd", () => [1]),
  simple("BPF maps", "bpf(2)", withCapabilities("CAP_BPF", "CAP_SYS_ADMIN"), "bpf", () => [0, pointerTo(32, 2, 4, 4, 1), 16]),
  simple(
    "performance counters",
    "perf_event_open(2)",
    withCapabilities("CAP_PERFMON", "CAP_SYS_ADMIN"),
    "perf_event_open",
    () => [{ bytes: perfAttributes, label: "software event" }, 0, -1, -1, PERF_FLAG_FD_CLOEXEC],
  ),
  simple("keyrings of the user", "add_key(2)", unconfined, "add_key", () => ["user", "viv", "x", 1, KEY_SPEC_PROCESS_KEYRING]),
  simple("the kernel's log", "syslog(2)", withCapabilities("CAP_SYSLOG"), "syslog", () => [3, { buffer: "log", size: 64 }, 64]),
  simple("watching all file accesses", "fanotify_init(2)", withCapabilities("CAP_SYS_ADMIN"), "fanotify_init", () => [0, 0]),
  {
    name: "swap on a file of ours",
    source: "swapon(2)",
    weakness: withCapabilities("CAP_SYS_ADMIN"),
    attack: () => new Attack("swap on a file of ours").reaches("swapon", ["/no-such-file", 0], "ENOENT").plan(),
  },
  {
    name: "changing the clock",
    source: "clock_settime(2)",
    weakness: withCapabilities("CAP_SYS_TIME"),
    // A time that no clock can have: only whoever may set it is told so.
    attack: () => new Attack("changing the clock").reaches("settimeofday", [0, pointerTo(32, 99999, 0)], "EINVAL").plan(),
  },
  {
    name: "accounting to a file of ours",
    source: "acct(2)",
    weakness: withCapabilities("CAP_SYS_PACCT"),
    attack: () => new Attack("accounting to a file of ours").reaches("acct", ["/no-such-file"], "ENOENT").plan(),
  },
];

export const techniques: readonly Technique[] = [...files, ...processes, ...mounts, ...sockets, ...terminal, ...kernel];
