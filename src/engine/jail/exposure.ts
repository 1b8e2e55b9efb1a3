/** What a jail can reach of the host, in words: for `--explain`, before anything starts. */
import { defaultCapabilities } from "./capabilities.ts";
import type { JailSpec } from "./spec.ts";

export interface Exposure {
  readonly subject: string;
  readonly gives: string;
  /** `host`: the host can be taken over with it; `data`: files or devices of the host; `none`: nothing outside the jail. */
  readonly level: "none" | "data" | "host";
}

const capabilityGives: Readonly<Record<string, string>> = {
  CAP_SYS_ADMIN: "mounting, namespaces and most of the kernel's administration: with it a jail's root can take over the host",
  CAP_SYS_MODULE: "loading code into the host's kernel",
  CAP_SYS_RAWIO: "the host's memory and I/O ports",
  CAP_SYS_PTRACE: "reading and changing every process that the jail can see",
  CAP_DAC_READ_SEARCH: "opening any file of a mounted file system by its handle, also outside the jail",
  CAP_SYS_BOOT: "restarting the host",
  CAP_SYS_TIME: "setting the host's clock",
  CAP_SYSLOG: "the kernel's log and addresses",
  CAP_NET_ADMIN: "configuring the jail's network; with the host's network, the host's",
  CAP_NET_RAW: "forging packets on the networks that the jail has",
  CAP_MKNOD: "making any device node in the jail's /dev: every disk of the host",
  CAP_BPF: "loading BPF programs into the kernel",
  CAP_PERFMON: "tracing the kernel and every process",
  CAP_MAC_ADMIN: "changing the host's mandatory access control",
  CAP_MAC_OVERRIDE: "going past the host's mandatory access control",
  CAP_CHECKPOINT_RESTORE: "restoring processes with chosen numbers",
};

const devices: readonly (readonly [pattern: RegExp, gives: string])[] = [
  [/^\/dev\/(sd|vd|hd|xvd)[a-z]+$|^\/dev\/nvme\d+n\d+$|^\/dev\/mmcblk\d+$/, "the whole disk, with all its partitions"],
  [/^\/dev\/(sd|vd|hd|xvd)[a-z]+\d+$|^\/dev\/nvme\d+n\d+p\d+$/, "the whole partition, whatever its files' permissions say"],
  [/^\/dev\/(dm-|mapper\/)/, "the whole volume, whatever its files' permissions say"],
  [/^\/dev\/(mem|kmem|port)$/, "the host's memory: everything"],
  [/^\/dev\/kmsg$/, "the kernel's log"],
  [/^\/dev\/kvm$/, "virtual machines, and the kernel code that runs them"],
  [/^\/dev\/net\/tun$/, "making network interfaces in the jail's network"],
  [/^\/dev\/fuse$/, "mounting file systems of its own making, where it may mount"],
  [/^\/dev\/(input|uinput)/, "what is typed on the host"],
  [/^\/dev\/dri\//, "the graphics card, and with it what other programs draw"],
  [/^\/dev\/snd\//, "microphone and loudspeaker"],
  [/^\/dev\/loop/, "attaching files as disks of the host"],
];

const paths: readonly (readonly [pattern: RegExp, gives: string])[] = [
  [/^\/$/, "every file of the host"],
  [/\/(docker|podman|containerd|crio)[^/]*\.sock$/, "the container service: whoever talks to it is root on the host"],
  [/^\/(proc|sys)(\/|$)/, "the host's kernel settings"],
  [/^\/dev\/?$/, "every device of the host"],
  [/^\/(etc|usr|bin|sbin|lib|lib64|boot|root)(\/|$)/, "what the host itself runs and trusts"],
  [/^\/var\/run\/?$|^\/run\/?$/, "the sockets of the host's services"],
  [/^\/home(\/[^/]+)?\/?$/, "people's files and keys"],
];

const match = (table: readonly (readonly [RegExp, string])[], text: string) => table.find(([pattern]) => pattern.test(text))?.[1];

/** Each mount, device, capability and relaxed protection of a jail, and what it gives away. */
export function exposures(spec: JailSpec): Exposure[] {
  const list: Exposure[] = [
    {
      subject: `root ${spec.root}`,
      gives: `${spec.readOnly ? "reading" : "reading and changing"} ${match(paths, spec.root) ?? "the files below it"}`,
      level: match(paths, spec.root) === undefined || spec.readOnly ? "data" : "host",
    },
  ];
  if (spec.chrootOnly) {
    list.push({
      subject: "change of root only",
      gives: "no protection against root inside: processes, network, devices and mounts are the host's",
      level: spec.user.uid === 0 ? "host" : "data",
    });
  }
  for (const mount of spec.mounts) {
    if (mount.type === "tmpfs")
      list.push({ subject: `tmpfs ${mount.target}`, gives: `${mount.size} bytes of the host's memory`, level: "none" });
    else if (mount.type === "overlay") {
      list.push({
        subject: `overlay ${mount.target}`,
        gives: `reading ${mount.lower.join(", ")}${mount.upper === undefined ? "" : `; writing ${mount.upper}`}`,
        level: "data",
      });
    } else {
      const known = match(paths, mount.source) ?? match(devices, mount.source);
      list.push({
        subject: `${mount.source} at ${mount.target}`,
        gives: `${mount.readOnly ? "reading" : "reading and changing"} ${known ?? "the files below it"}`,
        // A socket is spoken to even through a read-only mount.
        level: known !== undefined && (!mount.readOnly || mount.source.endsWith(".sock")) ? "host" : "data",
      });
    }
  }
  for (const device of spec.devices) {
    const known = match(devices, device.path);
    const kind = device.type === "b" ? "the whole block device" : "the device";
    list.push({
      subject: device.path,
      gives: `${device.path} gives ${known ?? kind} (${device.type} ${device.major}:${device.minor}, ${device.access})`,
      level: known === undefined && device.type === "c" ? "data" : "host",
    });
  }
  for (const capability of spec.capabilities) {
    if (defaultCapabilities.includes(capability)) continue;
    const isShielded = spec.userNamespace !== undefined;
    list.push({
      subject: capability,
      gives: `${capabilityGives[capability] ?? "a privilege of root"}${isShielded ? " (only over what belongs to the jail's user namespace)" : ""}`,
      level: isShielded || capability === "CAP_NET_RAW" ? "data" : "host",
    });
  }
  if (spec.network.kind === "host") {
    list.push({
      subject: "network host",
      gives: "the host's interfaces, its loopback services and abstract sockets",
      level: "host",
    });
  }
  if (spec.seccomp === "unconfined")
    list.push({ subject: "seccomp unconfined", gives: "every system call of the kernel", level: "data" });
  if (!spec.noNewPrivileges) list.push({ subject: "new privileges", gives: "setuid programs of the tree work", level: "data" });
  if (spec.userNamespace === undefined) {
    list.push({
      subject: "users",
      gives: `user ${spec.user.uid} inside is user ${spec.user.uid} outside; --users shifted makes them nobody's`,
      level: "data",
    });
  }
  return list;
}

/** One line each, the worst first. */
export function printExposures(list: readonly Exposure[]): string {
  const order = { host: 0, data: 1, none: 2 } as const;
  const marks = { host: "HOST", data: "data", none: "    " } as const;
  return [...list]
    .sort((a, b) => order[a.level] - order[b.level])
    .map(({ subject, gives, level }) => `${marks[level]}  ${subject}: ${gives}\n`)
    .join("");
}
