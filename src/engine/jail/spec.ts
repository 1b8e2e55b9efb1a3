/** What a jail is made from: plain data, checked before anything is done with it. */
import * as v from "valibot";
import { VivError } from "../../core/errors.ts";
import { capabilityNames, defaultCapabilities } from "./capabilities.ts";

const text = v.pipe(
  v.string(),
  v.check((value) => !value.includes("\0"), "must not contain NUL"),
);
const absolutePath = v.pipe(text, v.startsWith("/", "must be an absolute path"), v.maxLength(4095, "is longer than 4095 bytes"));
const id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xfffffffe));
const count = v.pipe(v.number(), v.safeInteger("must be a whole number"), v.minValue(0));

const idRange = v.strictObject({
  inside: id,
  outside: id,
  size: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xffffffff)),
});
export type IdRange = v.InferOutput<typeof idRange>;

const mount = v.variant("type", [
  v.strictObject({
    type: v.literal("bind"),
    source: absolutePath,
    target: absolutePath,
    readOnly: v.optional(v.boolean(), false),
    /** Mounts below the source come along. */
    recursive: v.optional(v.boolean(), true),
    /** The source is a file, so its mount point must be one. */
    file: v.optional(v.boolean(), false),
    /** Programs may be started from it. */
    exec: v.optional(v.boolean(), true),
  }),
  v.strictObject({
    type: v.literal("tmpfs"),
    target: absolutePath,
    /** Bytes. */
    size: v.optional(count, 64 << 20),
    mode: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o7777)), 0o1777),
    exec: v.optional(v.boolean(), false),
    readOnly: v.optional(v.boolean(), false),
  }),
  v.strictObject({
    type: v.literal("overlay"),
    target: absolutePath,
    lower: v.pipe(
      v.array(absolutePath),
      v.minLength(1, "must name a directory"),
      v.maxLength(400, "has more layers than overlayfs takes"),
    ),
    /** Writes go to `upper`; `work` is an empty directory on the same file system. Without them the mount is read-only. */
    upper: v.optional(absolutePath),
    work: v.optional(absolutePath),
  }),
]);
export type MountSpec = v.InferOutput<typeof mount>;

const device = v.strictObject({
  path: v.pipe(absolutePath, v.regex(/^\/dev\/[^/]+(\/[^/]+)*$/, "must be below /dev")),
  type: v.picklist(["c", "b"]),
  major: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xfff)),
  minor: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xfffff)),
  mode: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o777)), 0o666),
  access: v.optional(v.pipe(v.string(), v.regex(/^[rwm]{1,3}$/, "must be of the letters r, w and m")), "rw"),
});
export type DeviceSpec = v.InferOutput<typeof device>;

const rlimitNames = [
  "RLIMIT_CPU",
  "RLIMIT_FSIZE",
  "RLIMIT_DATA",
  "RLIMIT_STACK",
  "RLIMIT_CORE",
  "RLIMIT_RSS",
  "RLIMIT_NPROC",
  "RLIMIT_NOFILE",
  "RLIMIT_MEMLOCK",
  "RLIMIT_AS",
  "RLIMIT_LOCKS",
  "RLIMIT_SIGPENDING",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
] as const;
/** The number of a resource limit: its place in the kernel's list. */
export function rlimitNumber(name: (typeof rlimitNames)[number]): number {
  return rlimitNames.indexOf(name);
}

const seccompRule = v.object({
  names: v.array(v.string()),
  action: v.string(),
  errnoRet: v.optional(count),
  args: v.optional(
    v.nullable(
      v.array(
        v.object({
          index: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5)),
          value: v.union([count, v.bigint()]),
          valueTwo: v.optional(v.union([count, v.bigint()])),
          op: v.string(),
        }),
      ),
    ),
  ),
});
const seccompProfile = v.object({
  defaultAction: v.string(),
  defaultErrnoRet: v.optional(count),
  architectures: v.optional(v.array(v.string())),
  flags: v.optional(v.array(v.string())),
  syscalls: v.optional(v.array(seccompRule)),
});
/** `linux.seccomp` of the OCI runtime specification. */
export type SeccompProfile = v.InferOutput<typeof seccompProfile>;
export type SeccompRule = v.InferOutput<typeof seccompRule>;

const limits = v.strictObject({
  /** Bytes of memory, page cache included; the kernel ends a process of the jail when there is no more. */
  memory: v.optional(count),
  /** Processor time: 1.5 is one and a half cores. */
  cpus: v.optional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(4096))),
  /** Relative share when cores are contended, 1 to 10000, 100 is usual (`cpu.weight`). */
  cpuWeight: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10000))),
  /** Cores that may be used: `0-2,5`. */
  cpuset: v.optional(v.pipe(v.string(), v.regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, "must be like 0-2,5"))),
  pids: v.optional(v.pipe(count, v.minValue(1))),
});
export type Limits = v.InferOutput<typeof limits>;

const ipv4 = v.pipe(v.string(), v.ipv4("is no IPv4 address"));
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));

const network = v.variant("kind", [
  v.strictObject({ kind: v.literal("none") }),
  v.strictObject({ kind: v.literal("loopback") }),
  v.strictObject({ kind: v.literal("host") }),
  v.strictObject({
    kind: v.literal("bridge"),
    /** The bridge's interface on the host; made if it is not there. */
    bridge: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,15}$/, "is no name of an interface")), "viv0"),
    /** The jail's own address. */
    address: ipv4,
    prefix: v.optional(v.pipe(v.number(), v.integer(), v.minValue(8), v.maxValue(30)), 16),
    /** The bridge's address, the jail's way out. */
    gateway: ipv4,
    /** Ports of the host that lead to ports of the jail. */
    publish: v.optional(
      v.array(v.strictObject({ host: port, jail: port, protocol: v.optional(v.picklist(["tcp", "udp"]), "tcp") })),
      [],
    ),
  }),
]);
export type BridgeNetwork = Extract<v.InferOutput<typeof network>, { kind: "bridge" }>;

const specSchema = v.strictObject({
  /** The directory that becomes `/`. */
  root: absolutePath,
  /** Program and arguments. Empty with `init`: the jail is there for what is started in it later. */
  command: v.array(text),
  env: v.optional(v.record(v.pipe(v.string(), v.regex(/^[^=\0]+$/, "is not a name of a variable")), text), {}),
  cwd: v.optional(absolutePath, "/"),
  user: v.optional(v.strictObject({ uid: id, gid: id, groups: v.optional(v.array(id), []) }), { uid: 0, gid: 0 }),
  hostname: v.optional(v.pipe(text, v.minLength(1), v.maxLength(64, "is longer than 64 bytes")), "jail"),
  /** A terminal of its own, whose other side the caller gets. */
  terminal: v.optional(v.boolean(), false),
  /** A small init is pid 1: it reaps orphans and passes signals on to the command. */
  init: v.optional(v.boolean(), false),
  readOnly: v.optional(v.boolean(), false),
  /** Only the root directory changes: no namespaces, no limits. The classic, kept for comparison and for trusted programs. */
  chrootOnly: v.optional(v.boolean(), false),
  /** A user namespace with these mappings; without, ids inside are the host's. */
  userNamespace: v.optional(v.strictObject({ uids: v.array(idRange), gids: v.array(idRange) })),
  network: v.optional(network, { kind: "loopback" }),
  mounts: v.optional(v.array(mount), []),
  devices: v.optional(v.array(device), []),
  capabilities: v.optional(v.array(v.picklist(capabilityNames, "is not a capability")), [...defaultCapabilities]),
  noNewPrivileges: v.optional(v.boolean(), true),
  /** `default`, `unconfined`, or a profile as in the OCI runtime specification. */
  seccomp: v.optional(v.union([v.literal("default"), v.literal("unconfined"), seccompProfile]), "default"),
  rlimits: v.optional(v.array(v.strictObject({ type: v.picklist(rlimitNames), soft: count, hard: count })), []),
  limits: v.optional(limits, {}),
  maskedPaths: v.optional(v.array(absolutePath), [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
  ]),
  readonlyPaths: v.optional(v.array(absolutePath), ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]),
  /** The jail is killed when the thread that started it ends. */
  dieWithParent: v.optional(v.boolean(), false),
});

export type JailSpecInput = v.InferInput<typeof specSchema>;
export type JailSpec = v.InferOutput<typeof specSchema>;

/**
 * Checks a jail's specification and fills in what it leaves out.
 *
 * @throws VivError `BAD_SPEC` naming the field
 */
export function parseJailSpec(value: unknown): JailSpec {
  const parsed = v.safeParse(specSchema, value);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    const field = v.getDotPath(issue) ?? "specification";
    throw new VivError(
      "BAD_SPEC",
      `jail: ${field} ${issue.message.startsWith("Invalid") ? `is wrong (${issue.message})` : issue.message}`,
    );
  }
  const spec = parsed.output;
  if (spec.command.length === 0 && !spec.init) throw new VivError("BAD_SPEC", "jail: command must name a program");
  if (spec.chrootOnly && (spec.init || spec.terminal)) {
    throw new VivError("BAD_SPEC", "jail: a change of root only has no init and no terminal of its own; leave one of them out");
  }
  if (spec.chrootOnly) {
    const others = {
      mounts: spec.mounts.length > 0,
      devices: spec.devices.length > 0,
      readOnly: spec.readOnly,
      userNamespace: spec.userNamespace !== undefined,
    };
    const limited = Object.values(spec.limits).some((limit) => limit !== undefined);
    const extra = limited ? "limits" : Object.entries(others).find(([, isGiven]) => isGiven)?.[0];
    if (extra !== undefined)
      throw new VivError("BAD_SPEC", `jail: ${extra} does not go with chrootOnly, which changes the root and nothing else`);
  }
  for (const { target } of spec.mounts) {
    if (target.split("/").includes("..")) throw new VivError("BAD_SPEC", `jail: the mount target ${target} contains ..`);
    if (target.replaceAll("/", "") === "")
      throw new VivError("BAD_SPEC", "jail: a mount target is /; the root is named by `root`");
  }
  for (const [kind, ranges] of Object.entries(spec.userNamespace ?? {})) {
    if (!ranges.some(({ inside }) => inside === 0)) {
      throw new VivError("BAD_SPEC", `jail: userNamespace.${kind} maps no id 0, which setting the jail up needs`);
    }
  }
  return spec;
}
