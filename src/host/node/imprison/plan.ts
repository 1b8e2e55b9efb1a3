import { createHash } from "node:crypto";
import { type BigIntStats, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";
import { type Closure, parentOf, type Reason, selectAccounts } from "../../../image/closure/index.ts";
import { deviceNumber } from "../device-number.ts";
import type { FileRecord, JailRequest } from "./manifest.ts";

/** One file to be in the jail. */
export interface Entry {
  readonly path: string;
  readonly kind: FileRecord["kind"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly target?: string;
  readonly device?: { major: number; minor: number };
  /** Where it is copied from, a path of the host; not for what we write ourselves. */
  readonly source?: string;
  readonly content?: Buffer;
  /** Path of an earlier entry that is the same file. */
  readonly link?: string;
  /** Same for hard links of one file of the host. */
  readonly inode?: string;
  /** Changes whenever the original does. */
  readonly fingerprint: string;
  readonly why: readonly Reason[];
}

/** Places that are mounted in a running jail: nothing is copied into them. */
const mounted = ["/proc", "/sys", "/dev"];
const mountPoints: readonly [string, number][] = [
  ["/dev", 0o755],
  ["/proc", 0o555],
  ["/sys", 0o555],
  ["/tmp", 0o1777],
];

const devices: readonly [name: string, minorOf: readonly [number, number], mode: number][] = [
  ["null", [1, 3], 0o666],
  ["zero", [1, 5], 0o666],
  ["full", [1, 7], 0o666],
  ["random", [1, 8], 0o666],
  ["urandom", [1, 9], 0o666],
  ["tty", [5, 0], 0o666],
];
const deviceLinks: readonly [string, string][] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
];

/** Everything to be in a jail, parents first. Accounts are cut down to those that the jail needs. */
export function planJail(closure: Closure, request: JailRequest): { entries: Entry[]; missingUsers: string[] } {
  const base = request.root === "/" ? "" : request.root;
  const entries = new Map<string, Entry>();
  const inodes = new Map<string, string>();

  const copy = (path: string, why: readonly Reason[]): void => {
    if (path === "/" || entries.has(path)) return;
    const parent = parentOf(path);
    if (!entries.has(parent)) copy(parent, [{ from: path, kind: "needed", name: parent, why: "its directory" }]);
    const entry = fromHost(path, `${base}${path}`, why);
    if (entry === undefined) return;
    entries.set(path, entry);
  };
  for (const file of [...closure.files.values()].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (mounted.some((place) => file.path === place || file.path.startsWith(`${place}/`))) continue;
    copy(file.path, file.reasons);
  }
  const made = (entry: Omit<Entry, "fingerprint" | "uid" | "gid" | "why" | "size">, why: string): void => {
    if (entries.has(entry.path) && entry.content === undefined) return;
    const about = JSON.stringify([entry.mode, entry.target, entry.device, entry.content?.toString("base64")]);
    const fingerprint = `made ${createHash("sha256").update(about).digest("hex").slice(0, 32)}`;
    const reason: Reason = { from: "", kind: "asked", name: entry.path, why };
    entries.set(entry.path, { ...entry, uid: 0, gid: 0, size: entry.content?.length ?? 0, fingerprint, why: [reason] });
  };
  for (const [path, mode] of mountPoints) made({ path, kind: "directory", mode }, "a mount point of a running jail");
  if (request.dev) {
    for (const [name, [major, minor], mode] of devices) {
      made({ path: `/dev/${name}`, kind: "character", mode, device: { major, minor } }, "asked for by --dev");
    }
    for (const [name, target] of deviceLinks)
      made({ path: `/dev/${name}`, kind: "symlink", mode: 0o777, target }, "asked for by --dev");
    for (const name of ["pts", "shm"])
      made({ path: `/dev/${name}`, kind: "directory", mode: name === "shm" ? 0o1777 : 0o755 }, "asked for by --dev");
  }

  let missingUsers: string[] = [];
  if (entries.has("/etc/passwd") || request.users.length > 0) {
    const owners = [...entries.values()];
    const accounts = selectAccounts(textOf(`${base}/etc/passwd`), textOf(`${base}/etc/group`), {
      names: [...request.users, ...closure.users],
      uids: owners.map((entry) => entry.uid),
      gids: owners.map((entry) => entry.gid),
    });
    missingUsers = accounts.missing.filter((name) => request.users.includes(name));
    if (!entries.has("/etc")) copy("/etc", [{ from: "", kind: "asked", name: "/etc", why: "its directory" }]);
    const why = "accounts that the jail needs: root, nobody, owners of its files, those of its servers and of --users";
    made({ path: "/etc/passwd", kind: "file", mode: 0o644, content: Buffer.from(accounts.passwd) }, why);
    made({ path: "/etc/group", kind: "file", mode: 0o644, content: Buffer.from(accounts.group) }, why);
  }

  const sorted = [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { entries: sorted.map((entry) => linked(entry, inodes)), missingUsers };
}

function linked(entry: Entry, inodes: Map<string, string>): Entry {
  if (entry.inode === undefined) return entry;
  const first = inodes.get(entry.inode);
  if (first !== undefined) return { ...entry, link: first };
  inodes.set(entry.inode, entry.path);
  return entry;
}

function fromHost(path: string, source: string, why: readonly Reason[]): Entry | undefined {
  const stat = lstatSync(source, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined)
    throw new VivError("ECHANGED", `${source} disappeared while the jail was planned; run the command again`);
  const kind = kindOf(stat);
  // A socket is the end of a running server, not a file.
  if (kind === undefined) return undefined;
  return {
    path,
    kind,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: kind === "file" ? Number(stat.size) : 0,
    ...(kind === "symlink" && { target: readlinkSync(source) }),
    ...((kind === "character" || kind === "block") && { device: deviceNumber(Number(stat.rdev)) }),
    source,
    ...(kind !== "directory" && stat.nlink > 1n && { inode: `${stat.dev} ${stat.ino}` }),
    fingerprint: kind === "directory" ? `directory ${stat.mode} ${stat.uid} ${stat.gid}` : fingerprintOf(stat),
    why: why.slice(0, 8),
  };
}

export function kindOf(stat: BigIntStats): FileRecord["kind"] | undefined {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "character";
  if (stat.isBlockDevice()) return "block";
  return stat.isFIFO() ? "fifo" : undefined;
}

/** Differs after any change of contents or attributes: the kernel sets ctime itself. */
export function fingerprintOf(stat: BigIntStats): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
