import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  deviceAt,
  freeAddress,
  type JailSpecInput,
  jailCapabilities,
  readProfile,
  resolveUser,
  type UserMapping,
  userMappings,
  VivError,
} from "../../index.ts";
import { parseSize, parseVariable } from "../options.ts";

type Mounts = NonNullable<JailSpecInput["mounts"]>;
type Publish = Extract<NonNullable<JailSpecInput["network"]>, { kind: "bridge" }>["publish"];
type Rlimits = NonNullable<JailSpecInput["rlimits"]>;

/** What every command that makes a jail takes. */
export interface JailOptions {
  env?: Record<string, string>;
  workdir?: string;
  user?: string;
  hostname?: string;
  init?: boolean;
  readOnly?: boolean;
  chrootOnly?: boolean;
  bind?: Mounts;
  tmpfs?: Mounts;
  overlay?: boolean;
  network?: "none" | "loopback" | "host" | "bridge";
  address?: string;
  publish?: Publish;
  device?: string[];
  capAdd?: string[];
  capDrop?: string[];
  seccomp?: string;
  users?: UserMapping;
  newPrivileges?: boolean;
  rlimit?: Rlimits;
  memory?: number;
  cpus?: number;
  cpuset?: string;
  pids?: number;
}

const collect = (text: string, previous: readonly string[] = []) => [...previous, text];

function parseBind(text: string, previous: Mounts = []): Mounts {
  const [source = "", target = source, ...flags] = text.split(":");
  if (source === "") throw new InvalidArgumentError("it names no directory; use SOURCE[:TARGET][:ro][:noexec]");
  for (const flag of flags) {
    if (flag !== "ro" && flag !== "rw" && flag !== "noexec")
      throw new InvalidArgumentError(`"${flag}" is none of ro, rw and noexec`);
  }
  const path = resolve(source);
  return [
    ...previous,
    {
      type: "bind",
      source: path,
      target: target === source ? path : target,
      readOnly: flags.includes("ro"),
      exec: !flags.includes("noexec"),
    },
  ];
}

function parseTmpfs(text: string, previous: Mounts = []): Mounts {
  const [target = "", size] = text.split(":");
  return [...previous, { type: "tmpfs", target, ...(size === undefined ? {} : { size: parseSize(size) }) }];
}

function parseRlimit(text: string, previous: Rlimits = []): Rlimits {
  const match = /^([a-z]+)=(\d+)(?::(\d+))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError("use NAME=SOFT[:HARD], such as nofile=1024:4096");
  const soft = Number(match[2]);
  return [
    ...previous,
    { type: `RLIMIT_${match[1]!.toUpperCase()}` as Rlimits[number]["type"], soft, hard: Number(match[3] ?? soft) },
  ];
}

function parsePublished(text: string, previous: Publish = []): Publish {
  const match = /^(\d+):(\d+)(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError("use HOST:JAIL, such as 8080:80, or 5353:53/udp");
  return [...previous, { host: Number(match[1]), jail: Number(match[2]), protocol: (match[3] ?? "tcp") as "tcp" | "udp" }];
}

/** The jail's network; on a bridge, the first address of its network is the bridge's. */
function networkOf({ network = "loopback", address, publish }: JailOptions): JailSpecInput["network"] {
  if (network !== "bridge") {
    if (address !== undefined || publish !== undefined)
      throw new VivError("BAD_SPEC", "--address and --publish go with --network bridge");
    return { kind: network };
  }
  const [own, prefix = "16"] = (address ?? freeAddress()).split("/");
  const bits = Number(prefix);
  const number = own!.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const first = number - (number % 2 ** (32 - bits)) + 1;
  const gateway = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".");
  return { kind: "bridge", address: own!, prefix: bits, gateway, ...(publish === undefined ? {} : { publish }) };
}

function parseNumber(text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) throw new InvalidArgumentError("it is not a number above 0");
  return number;
}

export function addJailOptions(command: Command): Command {
  return command
    .option("-e, --env <name[=value]>", "environment variable of the command (repeatable)", parseVariable)
    .option("-w, --workdir <dir>", "directory of the command, in the jail")
    .option("-u, --user <user[:group]>", "whom the command runs as: names of the jail, or numbers (default: root)")
    .option("--hostname <name>", "the jail's host name")
    .option("--init", "a small init is process 1: reaps orphans, passes signals on")
    .option("--read-only", "the root directory cannot be written")
    .option("--chroot-only", "only change the root: the classic, without protection against root inside")
    .option("--bind <source[:target][:ro]>", "show a file or directory of the host (repeatable)", parseBind)
    .option("--tmpfs <target[:size]>", "an empty directory in memory (repeatable)", parseTmpfs)
    .addOption(
      new Option("--network <kind>", "network of the jail").choices(["none", "loopback", "host", "bridge"]).default("loopback"),
    )
    .option("--address <address[/prefix]>", "with --network bridge: the jail's own (default: a free one of 10.88.0.0/16)")
    .option(
      "-p, --publish <port:port[/udp]>",
      "with --network bridge: a port of the host that leads to one of the jail (repeatable)",
      parsePublished,
    )
    .option("--device <path>", "a device of the host (repeatable)", collect)
    .option("--cap-add <name>", "a capability more for root in the jail, such as net_raw (repeatable)", collect)
    .option("--cap-drop <name>", "a capability less, or all (repeatable)", collect)
    .option("--seccomp <file>", "profile as in the OCI runtime specification, or: default, unconfined")
    .addOption(new Option("--users <mapping>", "who the jail's users are outside").choices([...userMappings]))
    .option("--new-privileges", "setuid programs work")
    .option("--rlimit <name=soft[:hard]>", "resource limit of the command, such as nofile=1024 (repeatable)", parseRlimit)
    .option("-m, --memory <size>", "memory limit, with K, M or G", parseSize)
    .option("--cpus <number>", "processor time limit, in cores", parseNumber)
    .option("--cpuset <list>", "cores that may be used, such as 0-2,5")
    .option("--pids <number>", "limit of processes and threads", parseNumber);
}

/** `net_raw`, `NET_RAW` and `CAP_NET_RAW` are the same. */
function capabilityName(text: string): string {
  const upper = text.toUpperCase();
  return upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
}

function capabilities(options: JailOptions): string[] {
  const dropped = (options.capDrop ?? []).map(capabilityName);
  const kept = dropped.includes("CAP_ALL") ? [] : jailCapabilities.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...(options.capAdd ?? []).map(capabilityName)])];
}

/** The specification that the options describe. */
export function specOf(root: string, command: readonly string[], options: JailOptions): JailSpecInput {
  const path = resolve(root);
  const user = options.user === undefined ? undefined : resolveUser(path, options.user);
  const term = process.env.TERM;
  return {
    root: path,
    command: [...command],
    env: {
      ...(user?.home === undefined ? {} : { HOME: user.home }),
      ...(term === undefined ? {} : { TERM: term }),
      ...options.env,
    },
    ...(options.workdir === undefined ? {} : { cwd: options.workdir }),
    ...(user === undefined ? {} : { user: { uid: user.uid, gid: user.gid, groups: user.groups } }),
    ...(options.hostname === undefined ? {} : { hostname: options.hostname }),
    init: options.init ?? false,
    readOnly: options.readOnly ?? false,
    chrootOnly: options.chrootOnly ?? false,
    mounts: [...(options.tmpfs ?? []), ...(options.bind ?? [])],
    network: networkOf(options),
    devices: (options.device ?? []).map(deviceAt),
    capabilities: capabilities(options) as NonNullable<JailSpecInput["capabilities"]>,
    noNewPrivileges: !(options.newPrivileges ?? false),
    seccomp: seccompOf(options.seccomp),
    rlimits: options.rlimit ?? [],
    limits: { memory: options.memory, cpus: options.cpus, cpuset: options.cpuset, pids: options.pids },
  };
}

function seccompOf(text = "default"): JailSpecInput["seccomp"] {
  if (text === "default" || text === "unconfined") return text;
  const profile = readProfile(text);
  if (typeof profile !== "object") throw new VivError("BAD_SPEC", `${text} is not a seccomp profile`);
  return profile as JailSpecInput["seccomp"];
}
