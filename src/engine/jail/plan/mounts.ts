/** Operations that build a jail's tree of mounts and make it the root. */
import type { ConstantName } from "../constants.ts";
import { flags, type Steps, type Value } from "../operations.ts";
import type { DeviceSpec, JailSpec, MountSpec } from "../spec.ts";
import { ifPresent, mountPoint } from "./files.ts";

const empty = "";

/** mount_setattr(2) on a mount that a descriptor stands for. */
function setAttributes(steps: Steps, mount: Value, attributes: readonly ConstantName[], recursive = false): void {
  const attr: Value = {
    struct: [
      { name: "attr_set", bits: 64, value: { flags: attributes } },
      { name: "attr_clr", bits: 64, value: 0 },
      { name: "propagation", bits: 64, value: 0 },
      { name: "userns_fd", bits: 64, value: 0 },
    ],
  };
  steps.add("mount_setattr", [
    mount,
    empty,
    recursive ? flags("AT_EMPTY_PATH", "AT_RECURSIVE") : flags("AT_EMPTY_PATH"),
    attr,
    32,
  ]);
}

/** A new file system, not attached anywhere yet. */
function newFileSystem(
  steps: Steps,
  type: string,
  options: Readonly<Record<string, string | true>>,
  attributes: readonly ConstantName[],
) {
  const fs = steps.get("fs", "fsopen", [type, flags("FSOPEN_CLOEXEC")]);
  for (const [key, value] of Object.entries(options)) {
    if (value === true) steps.add("fsconfig", [fs, flags("FSCONFIG_SET_FLAG"), key, 0, 0]);
    else steps.add("fsconfig", [fs, flags("FSCONFIG_SET_STRING"), key, value, 0]);
  }
  steps.add("fsconfig", [fs, flags("FSCONFIG_CMD_CREATE"), 0, 0, 0]);
  return steps.get("mount", "fsmount", [fs, flags("FSMOUNT_CLOEXEC"), flags(...attributes)]);
}

function attach(steps: Steps, mount: Value, target: Value): void {
  steps.add("move_mount", [mount, empty, target, empty, flags("MOVE_MOUNT_F_EMPTY_PATH", "MOVE_MOUNT_T_EMPTY_PATH")]);
}

/** A copy of the mount at a place, or of the part of it below. */
function copyMount(steps: Steps, directory: Value, path: string, recursive: boolean) {
  const how: ConstantName[] = ["OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC"];
  if (path === "") how.push("AT_EMPTY_PATH");
  if (recursive) how.push("AT_RECURSIVE");
  return steps.get("tree", "open_tree", [directory, path, flags(...how)]);
}

/** Attaches the root directory over itself, which makes it a mount that can become `/`. */
export function mountRoot(steps: Steps, spec: JailSpec) {
  steps.step("keep mounts to ourselves");
  steps.add("mount", [0, "/", 0, flags("MS_REC", "MS_PRIVATE"), 0]);
  steps.step(`mount the root ${spec.root}`);
  const host = flags("AT_FDCWD");
  const root = copyMount(steps, host, spec.root, true);
  // Device nodes in the tree are dead: devices are in the jail's own /dev or nowhere.
  setAttributes(steps, root, ["MOUNT_ATTR_NODEV"], true);
  const target = steps.get("place", "openat", [host, spec.root, flags("O_PATH", "O_CLOEXEC"), 0]);
  attach(steps, root, target);
  return root;
}

const nodes: readonly DeviceSpec[] = [
  { path: "/dev/null", type: "c", major: 1, minor: 3, mode: 0o666, access: "rw" },
  { path: "/dev/zero", type: "c", major: 1, minor: 5, mode: 0o666, access: "rw" },
  { path: "/dev/full", type: "c", major: 1, minor: 7, mode: 0o666, access: "rw" },
  { path: "/dev/random", type: "c", major: 1, minor: 8, mode: 0o666, access: "rw" },
  { path: "/dev/urandom", type: "c", major: 1, minor: 9, mode: 0o666, access: "rw" },
  { path: "/dev/tty", type: "c", major: 5, minor: 0, mode: 0o666, access: "rw" },
];
/** Devices that every jail has. */
export const standardDevices = nodes;

/** Linux's encoding of a device number in 64 bits (`new_encode_dev`). */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function addDevice(steps: Steps, dev: Value, device: DeviceSpec, bindNodes: boolean): void {
  steps.step(`make ${device.path}`);
  const name = device.path.slice("/dev/".length);
  if (bindNodes) {
    // A user namespace cannot make device nodes: the host's own is mounted over an empty file.
    const target = mountPoint(steps, dev, name, "none", true);
    attach(steps, copyMount(steps, flags("AT_FDCWD"), device.path, false), target);
    return;
  }
  const parts = name.split("/");
  parts.slice(0, -1).forEach((_, index) => {
    steps.add("mkdirat", [dev, parts.slice(0, index + 1).join("/"), 0o755], { onError: "next" });
  });
  const type = device.type === "c" ? 0o020000 : 0o060000;
  steps.add("mknodat", [dev, name, type | device.mode, deviceNumber(device.major, device.minor)]);
}

/** A /dev of the jail's own. Everything in it is reached through its descriptor: whatever /dev the image has is never followed. */
function mountDev(steps: Steps, root: Value, spec: JailSpec) {
  const bindNodes = spec.userNamespace !== undefined;
  steps.step("mount /dev");
  const dev = newFileSystem(steps, "tmpfs", { mode: "755", size: "1m", nr_inodes: "1024" }, [
    "MOUNT_ATTR_NOSUID",
    "MOUNT_ATTR_NOEXEC",
  ]);
  attach(steps, dev, mountPoint(steps, root, "/dev", "none"));
  for (const device of [...nodes, ...spec.devices]) addDevice(steps, dev, device, bindNodes);
  steps.step("make links in /dev");
  for (const [name, to] of [
    ["fd", "/proc/self/fd"],
    ["stdin", "/proc/self/fd/0"],
    ["stdout", "/proc/self/fd/1"],
    ["stderr", "/proc/self/fd/2"],
    ["ptmx", "pts/ptmx"],
  ] as const) {
    steps.add("symlinkat", [to, dev, name]);
  }
  steps.step("mount /dev/pts");
  const options: Record<string, string> = { mode: "620", ptmxmode: "666" };
  // Group 5 is `tty` by convention; a user namespace that does not map it has no way to name it.
  if (spec.userNamespace === undefined || spec.userNamespace.gids.some(({ inside, size }) => inside <= 5 && inside + size > 5))
    options.gid = "5";
  const pts = newFileSystem(steps, "devpts", options, ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NOEXEC"]);
  attach(steps, pts, mountPoint(steps, dev, "pts", "none"));
  steps.step("mount /dev/shm");
  const shm = newFileSystem(steps, "tmpfs", { mode: "1777", size: "64m" }, [
    "MOUNT_ATTR_NOSUID",
    "MOUNT_ATTR_NODEV",
    "MOUNT_ATTR_NOEXEC",
  ]);
  attach(steps, shm, mountPoint(steps, dev, "shm", "none"));
  steps.step("mount /dev/mqueue");
  const mqueue = newFileSystem(steps, "mqueue", {}, ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV", "MOUNT_ATTR_NOEXEC"]);
  attach(steps, mqueue, mountPoint(steps, dev, "mqueue", "none"));
  return { dev, pts };
}

function mountUserMount(steps: Steps, root: Value, mount: MountSpec, isUser: boolean): void {
  steps.step(`mount ${mount.type} at ${mount.target}`);
  if (mount.type === "bind") {
    const tree = copyMount(steps, flags("AT_FDCWD"), mount.source, mount.recursive);
    const attributes: ConstantName[] = ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV"];
    if (mount.readOnly) attributes.push("MOUNT_ATTR_RDONLY");
    if (!mount.exec) attributes.push("MOUNT_ATTR_NOEXEC");
    setAttributes(steps, tree, attributes, mount.recursive);
    attach(steps, tree, mountPoint(steps, root, mount.target, "inside", mount.file));
    return;
  }
  if (mount.type === "tmpfs") {
    const attributes: ConstantName[] = ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV"];
    if (!mount.exec) attributes.push("MOUNT_ATTR_NOEXEC");
    if (mount.readOnly) attributes.push("MOUNT_ATTR_RDONLY");
    const fs = newFileSystem(steps, "tmpfs", { mode: mount.mode.toString(8), size: String(mount.size) }, attributes);
    attach(steps, fs, mountPoint(steps, root, mount.target, "inside"));
    return;
  }
  // In a user namespace overlayfs may not use the attributes that it uses otherwise.
  const options: Record<string, string | true> = isUser ? { userxattr: true } : {};
  options.lowerdir = mount.lower.map(escapeLayer).join(":");
  if (mount.upper !== undefined && mount.work !== undefined) {
    options.upperdir = mount.upper;
    options.workdir = mount.work;
  }
  const fs = newFileSystem(steps, "overlay", options, ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV"]);
  attach(steps, fs, mountPoint(steps, root, mount.target, "inside"));
}

/** overlayfs separates layers by colons and takes a backslash before one that is meant. */
function escapeLayer(path: string): string {
  return path.replace(/[\\:]/g, "\\$&");
}

/** Opens the system's own file system that holds `path`, so that what the image or a mount put there is never followed. */
function baseOf(path: string, root: Value, own: { readonly proc: Value; readonly sys: Value }): readonly [Value, string] {
  if (path.startsWith("/proc/")) return [own.proc, path.slice("/proc/".length)];
  if (path.startsWith("/sys/")) return [own.sys, path.slice("/sys/".length)];
  return [root, path];
}

/** What covers masked directories: made in the jail's /dev and, once it is mounted, removed from there. One file system serves them all. */
const blank = ".masked";

function mask(steps: Steps, root: Value, own: { proc: Value; sys: Value; dev: Value }, path: string): void {
  steps.step(`mask ${path}`);
  const [base, below] = baseOf(path, root, own);
  ifPresent(steps, base, below, "none", (target) => {
    // An empty read-only directory over a directory; over a file that fails with ENOTDIR and /dev/null takes its place.
    const directory = copyMount(steps, own.dev, blank, false);
    setAttributes(steps, directory, ["MOUNT_ATTR_RDONLY", "MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV", "MOUNT_ATTR_NOEXEC"]);
    steps.add("move_mount", [directory, empty, target, empty, flags("MOVE_MOUNT_F_EMPTY_PATH", "MOVE_MOUNT_T_EMPTY_PATH")], {
      onError: "next",
      onZero: { skip: 2 },
    });
    attach(steps, copyMount(steps, own.dev, "null", false), target);
  });
}

function makeReadOnly(steps: Steps, root: Value, own: { proc: Value; sys: Value }, path: string): void {
  steps.step(`make ${path} read-only`);
  const [base, below] = baseOf(path, root, own);
  ifPresent(steps, base, below, "none", (target) => {
    const tree = copyMount(steps, target, "", true);
    setAttributes(steps, tree, ["MOUNT_ATTR_RDONLY", "MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV", "MOUNT_ATTR_NOEXEC"], true);
    attach(steps, tree, target);
  });
}

/** Everything below the root: file systems of the kernel, devices, the specification's mounts, masks. */
export function mountTree(steps: Steps, root: Value, spec: JailSpec) {
  steps.step("mount /proc");
  const kernel: ConstantName[] = ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV", "MOUNT_ATTR_NOEXEC"];
  const proc = newFileSystem(steps, "proc", {}, kernel);
  attach(steps, proc, mountPoint(steps, root, "/proc", "none"));
  const devices = mountDev(steps, root, spec);
  steps.step("mount /sys");
  let sys: Value;
  const isHostNetwork = spec.network.kind === "host";
  if (isHostNetwork && spec.userNamespace !== undefined) {
    // sysfs shows a network namespace, and one that is not the user namespace's own may not be shown anew.
    sys = copyMount(steps, flags("AT_FDCWD"), "/sys", true);
    setAttributes(steps, sys, ["MOUNT_ATTR_RDONLY", ...kernel], true);
  } else {
    sys = newFileSystem(steps, "sysfs", {}, ["MOUNT_ATTR_RDONLY", ...kernel]);
  }
  attach(steps, sys, mountPoint(steps, root, "/sys", "none"));
  const own = { proc, sys, dev: devices.dev };
  for (const mount of spec.mounts) mountUserMount(steps, root, mount, spec.userNamespace !== undefined);
  for (const path of spec.readonlyPaths) makeReadOnly(steps, root, own, path);
  if (spec.maskedPaths.length > 0) {
    steps.step("make an empty directory for masks");
    steps.add("mkdirat", [devices.dev, blank, 0o555]);
    for (const path of spec.maskedPaths) mask(steps, root, own, path);
    steps.step("hide the directory of the masks");
    steps.add("unlinkat", [devices.dev, blank, flags("AT_REMOVEDIR")]);
  }
  return { ...devices, ...own };
}

export function makeRootReadOnly(steps: Steps, root: Value): void {
  steps.step("make the root read-only");
  setAttributes(steps, root, ["MOUNT_ATTR_RDONLY"]);
}

/** Makes the tree `/` and lets go of the host's. */
export function pivot(steps: Steps, root: Value): void {
  steps.step("make the tree the root");
  const old = steps.get("old", "openat", [flags("AT_FDCWD"), "/", flags("O_PATH", "O_CLOEXEC"), 0]);
  steps.add("fchdir", [root]);
  steps.add("pivot_root", [".", "."]);
  // The old root now lies over the new one; detached by its own descriptor, nothing of it stays reachable.
  steps.add("fchdir", [old]);
  steps.add("umount2", [".", flags("MNT_DETACH")]);
  steps.add("chdir", ["/"]);
}
