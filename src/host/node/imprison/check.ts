import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { VivError } from "../../../core/errors.ts";
import type { ArchiveEntry } from "../../../image/archive/entry.ts";
import { deviceExposure } from "../../../image/closure/exposure.ts";
import { computeClosure, DebianPackages, isElf, Resolver } from "../../../image/closure/index.ts";
import { hostError } from "./closure.ts";
import { GuardedTree } from "./directory.ts";
import { hostFiles } from "./files.ts";
import { lockJail, recoverJournal } from "./journal.ts";
import { type LoadedManifest, loadManifest, manifestPath } from "./manifest.ts";
import { differences, isIntact } from "./update.ts";
import { walkJail } from "./walk.ts";

export interface Finding {
  /** `error`: something will not work; `risk`: something gives away more than it should; `note`: worth knowing. */
  readonly severity: "error" | "risk" | "note";
  readonly code:
    | "missing-library"
    | "dangling-link"
    | "world-writable"
    | "setuid"
    | "capability"
    | "device"
    | "changed"
    | "manifest"
    | "outdated"
    | "security-update"
    | "added"
    | "not-checked";
  /** In the jail. */
  readonly path: string;
  readonly message: string;
}

/**
 * Looks at a jail, made by `viv jail make` or not: what is missing, what gives away too much, what has changed.
 * @throws VivError `ENOENT`, `BAD_MANIFEST`...
 */
export function checkJail(directory: string): Finding[] {
  const top = resolve(directory);
  if (!statSync(top, { throwIfNoEntry: false })?.isDirectory()) {
    throw new VivError("ENOENT", `${top} is not a directory; make a jail there by viv jail make`);
  }
  const tree = new GuardedTree(top);
  try {
    if (existsSync(`${top}${manifestPath}`)) recover(tree);
    const loaded = loadManifest(tree);
    const entries = walkJail(top, { attributes: true }).map(({ entry }) => ({ ...entry, path: `/${entry.path}` }));
    return [
      ...programFindings(top, entries),
      ...linkFindings(top, entries, loaded),
      ...permissionFindings(entries),
      ...manifestFindings(tree, entries, loaded),
      ...updateFindings(entries, loaded),
    ];
  } catch (error) {
    throw hostError(`checking ${top}`, error);
  } finally {
    tree.close();
  }
}

/** Ends what an interrupted change of the jail left behind. */
function recover(tree: GuardedTree): void {
  const release = lockJail(tree);
  try {
    recoverJournal(tree, loadManifest(tree)?.manifest.made);
  } finally {
    release();
  }
}

/** Every program and library in the jail finds its libraries in the jail. */
function programFindings(directory: string, entries: readonly ArchiveEntry[]): Finding[] {
  const files = hostFiles(directory);
  const programs = entries
    .filter((entry) => entry.kind === "file" && (entry.mode & 0o111) !== 0 && entry.size > 64)
    .filter((entry) => isElf(files.read(entry.path, 0, 4)) && !/\.so(\.|$)/.test(entry.path))
    .map((entry) => entry.path);
  const found = new Map<string, Finding>();
  for (const program of programs) {
    let problems: readonly { required: boolean; message: string; subject: string; wantedBy: string }[];
    try {
      problems = computeClosure(files, { programs: [program], withoutRuntimes: true }).problems;
    } catch (error) {
      if (!(error instanceof VivError)) throw error;
      problems = [{ required: true, message: error.message, subject: program, wantedBy: program }];
    }
    for (const problem of problems) {
      if (!problem.required) continue;
      const message = problem.message.replace(/; install it.*$/, "");
      found.set(message, { severity: "error", code: "missing-library", path: problem.wantedBy, message });
    }
  }
  return [...found.values()];
}

/** Places that are filled when a jail runs. */
const mounted = /^\/(proc|dev|sys|run)(\/|$)/;

function linkFindings(directory: string, entries: readonly ArchiveEntry[], loaded: LoadedManifest | undefined): Finding[] {
  const inside = new Resolver(hostFiles(directory));
  const original = loaded && new Resolver(hostFiles(loaded.manifest.request.root));
  return entries.flatMap((entry): Finding[] => {
    if (entry.kind !== "symlink" || inside.resolve(entry.path) !== undefined) return [];
    const target = entry.target ?? "";
    if (mounted.test(target) || mounted.test(entry.path)) return [];
    const before = loaded?.manifest.files[entry.path] !== undefined && original?.resolve(entry.path) === undefined;
    const where = before ? ", as the original does" : "";
    const message = `points to ${target}, which is not in the jail${where}`;
    return [{ severity: before ? "note" : "error", code: "dangling-link", path: entry.path, message }];
  });
}

function permissionFindings(entries: readonly ArchiveEntry[]): Finding[] {
  return entries.flatMap((entry): Finding[] => {
    const found: Finding[] = [];
    const risk = (code: Finding["code"], message: string) => found.push({ severity: "risk", code, path: entry.path, message });
    const isFile = entry.kind === "file" || entry.kind === "hardlink";
    const sticky = entry.kind === "directory" && (entry.mode & 0o1000) !== 0;
    if ((isFile || entry.kind === "directory") && (entry.mode & 0o002) !== 0 && !sticky) {
      risk("world-writable", `everyone may write to it (mode ${entry.mode.toString(8)})`);
    }
    if (isFile && (entry.mode & 0o4000) !== 0) risk("setuid", `whoever runs it becomes user ${entry.uid} (setuid)`);
    if (isFile && (entry.mode & 0o2010) === 0o2010) risk("setuid", `whoever runs it joins group ${entry.gid} (setgid)`);
    if (entry.attributes?.has("security.capability")) risk("capability", "whoever runs it gets capabilities");
    if (entry.kind === "character" || entry.kind === "block") {
      const device = entry.device ?? { major: 0, minor: 0 };
      const { gives, harmless } = deviceExposure(entry.kind, device);
      const number = `${entry.kind} device ${device.major}:${device.minor}`;
      if (!harmless) risk("device", `${number} gives ${gives}`);
    }
    return found;
  });
}

function manifestFindings(tree: GuardedTree, entries: readonly ArchiveEntry[], loaded: LoadedManifest | undefined): Finding[] {
  if (loaded === undefined) {
    return [
      {
        severity: "note",
        code: "not-checked",
        path: "/",
        message: "it was not made by viv jail make: what changed in it is not known",
      },
    ];
  }
  const found: Finding[] = [];
  if (!loaded.genuine) {
    const message = "is not the one that viv jail make wrote on this host: changes may be hidden in it";
    found.push({ severity: "risk", code: "manifest", path: manifestPath, message });
  }
  for (const [path, record] of Object.entries(loaded.manifest.files)) {
    if (isIntact(tree, path, record, loaded.genuine)) continue;
    const message = differences(tree, path, record).join(", ");
    if (message !== "") found.push({ severity: "risk", code: "changed", path, message: `changed since it was made: ${message}` });
  }
  const added = entries.filter((entry) => entry.path !== "/" && loaded.manifest.files[entry.path] === undefined);
  if (added.length > 0) {
    const some = added
      .slice(0, 3)
      .map((entry) => entry.path)
      .join(", ");
    found.push({
      severity: "note",
      code: "added",
      path: added[0].path,
      message: `${added.length} files were added inside: ${some}`,
    });
  }
  return found;
}

/** Copies of files whose packages have newer versions: installed here already, or offered as security updates. */
function updateFindings(entries: readonly ArchiveEntry[], loaded: LoadedManifest | undefined): Finding[] {
  const root = loaded?.manifest.request.root ?? "/";
  const files = new Set(entries.filter((entry) => entry.kind === "file").map((entry) => entry.path));
  const found: Finding[] = [];
  const base = root === "/" ? "" : root;
  const outdated = Object.entries(loaded?.manifest.files ?? {}).filter(([path, record]) => {
    if (record.kind !== "file" || record.size === undefined || record.source.startsWith("made ")) return false;
    const now = statSync(`${base}${path}`, { bigint: true, throwIfNoEntry: false });
    // Size and time: an inode changes by a mere restore.
    const [, size, mtime] = record.source.split(" ");
    return now === undefined || `${now.size} ${now.mtimeNs}` !== `${size} ${mtime}`;
  });
  for (const [path] of outdated) {
    found.push({
      severity: "note",
      code: "outdated",
      path,
      message: "the original is another by now; viv jail make brings it up to date",
    });
  }
  if (root !== "/") return found;
  const updates = securityUpdates();
  if (updates === undefined) {
    const message = "security updates: there is no apt here to ask";
    return [...found, { severity: "note", code: "not-checked", path: "/", message }];
  }
  if (updates.size === 0) return found;
  const packages = new Map<string, { path: string; version: string; count: number }>();
  for (const [path, item] of new DebianPackages(new Resolver(hostFiles("/"))).owners(files)) {
    if (!updates.has(item.name)) continue;
    const known = packages.get(item.name);
    if (known === undefined) packages.set(item.name, { path, version: item.version, count: 1 });
    else known.count++;
  }
  for (const [name, { path, version, count }] of packages) {
    const more = count > 1 ? ` and ${count - 1} more files` : "";
    const message = `${name} ${version}${more}: security update ${updates.get(name)}; install it, then run viv jail make`;
    found.push({ severity: "risk", code: "security-update", path, message });
  }
  return found;
}

/** Packages with a newer version from a security archive, by apt's own lists; undefined without apt. */
function securityUpdates(): Map<string, string> | undefined {
  const result = spawnSync("apt", ["list", "--upgradable"], {
    encoding: "utf8",
    maxBuffer: 64 << 20,
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (result.error !== undefined || result.status !== 0) return undefined;
  const updates = new Map<string, string>();
  for (const line of result.stdout.split("\n")) {
    const match = /^([^/\s]+)\/(\S+) (\S+) \S+ \[upgradable from: /.exec(line);
    if (match?.[2].split(",").some((suite) => suite.endsWith("-security"))) updates.set(match[1], match[3]);
  }
  return updates;
}
