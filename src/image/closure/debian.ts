import { VivError } from "../../core/errors.ts";
import { baseName, readText } from "./filesystem.ts";
import type { Resolver } from "./resolve.ts";

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Depends and Pre-Depends: of each group one alternative is needed; versions are dpkg's business. */
  readonly depends: readonly (readonly string[])[];
  readonly provides: readonly string[];
}

const statusPath = "/var/lib/dpkg/status";

/** Installed packages by name, and by the names they provide (dpkg's status file, deb822(5)). */
export class DebianPackages {
  private readonly resolver: Resolver;
  private readonly byName = new Map<string, DebianPackage[]>();

  constructor(resolver: Resolver) {
    this.resolver = resolver;
    const file = resolver.resolve(statusPath);
    if (file?.status.kind !== "file") return;
    for (const paragraph of readText(resolver.fs, file.path, 256 << 20).split(/\n\n+/)) {
      const item = parsePackage(paragraph);
      if (item === undefined) continue;
      for (const name of [item.name, ...item.provides]) {
        const list = this.byName.get(name);
        if (list === undefined) this.byName.set(name, [item]);
        else if (name === item.name) list.unshift(item);
        else list.push(item);
      }
    }
  }

  get exist(): boolean {
    return this.byName.size > 0;
  }

  /** The installed package of that name (`name` or `name:architecture`), or one that provides it. */
  find(name: string): DebianPackage | undefined {
    const [plain, architecture] = name.split(":") as [string, string?];
    return this.byName
      .get(plain)
      ?.find((item) => architecture === undefined || architecture === "any" || item.architecture === architecture);
  }

  /** Files and directories that dpkg lists for a package. */
  files(item: DebianPackage): string[] {
    for (const name of [`${item.name}:${item.architecture}`, item.name]) {
      const list = this.resolver.resolve(`/var/lib/dpkg/info/${name}.list`);
      if (list?.status.kind !== "file") continue;
      return readText(this.resolver.fs, list.path, 64 << 20)
        .split("\n")
        .filter((line) => line.startsWith("/") && line !== "/.");
    }
    return [];
  }

  /**
   * A package and everything it depends on, in that order.
   * @throws VivError `ENOENT`: not installed, or no dpkg here
   */
  closure(name: string): { item: DebianPackage; for: string }[] {
    if (!this.exist) throw new VivError("ENOENT", `--package ${name}: this system has no ${statusPath}; add its files by --with`);
    const first = this.find(name);
    if (first === undefined) throw new VivError("ENOENT", `--package ${name}: not installed; run apt-get install ${name}`);
    const found = new Map([[first, ""]]);
    for (const [item] of found) {
      for (const group of item.depends) {
        const chosen = group.map((alternative) => this.find(alternative)).find((candidate) => candidate !== undefined);
        if (chosen !== undefined && !found.has(chosen)) found.set(chosen, item.name);
      }
    }
    return [...found].map(([item, wanter]) => ({ item, for: wanter }));
  }

  /** Links of the alternatives system (update-alternatives(1)) that belong to no package: each with where it points now. */
  alternatives(): string[] {
    const directory = this.resolver.resolve("/var/lib/dpkg/alternatives");
    if (directory?.status.kind !== "directory") return [];
    return this.resolver.fs.list(directory.path).flatMap((name) => {
      const file = this.resolver.resolve(`${directory.path}/${name}`);
      if (file?.status.kind !== "file") return [];
      // Status, master link, then name and link of each slave up to an empty line.
      const [, master, ...rest] = readText(this.resolver.fs, file.path, 1 << 20).split("\n");
      const end = rest.indexOf("");
      return [master, ...rest.slice(0, Math.max(end, 0)).filter((_, index) => index % 2 === 1)].filter((link) =>
        link?.startsWith("/"),
      );
    });
  }

  /** The package of each file of a set, for the files that have one. */
  owners(paths: ReadonlySet<string>): Map<string, DebianPackage> {
    const owners = new Map<string, DebianPackage>();
    const seen = new Set<DebianPackage>();
    const names = new Set([...paths].map(baseName));
    for (const item of [...this.byName.values()].flat()) {
      if (seen.has(item)) continue;
      seen.add(item);
      for (const listed of this.files(item)) {
        if (!names.has(baseName(listed))) continue;
        const path = this.resolver.resolveLink(listed)?.path;
        if (path !== undefined && paths.has(path) && this.resolver.status(path)?.kind !== "directory") owners.set(path, item);
      }
    }
    return owners;
  }
}

function parsePackage(paragraph: string): DebianPackage | undefined {
  const fields = new Map<string, string>();
  for (const line of paragraph.replace(/\n[ \t]+/g, " ").split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const name = fields.get("Package");
  if (name === undefined || baseName(name) !== name || !/ installed$/.test(fields.get("Status") ?? "")) return undefined;
  const architecture = fields.get("Architecture") ?? "";
  const names = (text: string | undefined): string[][] =>
    (text ?? "")
      .split(",")
      .map((group) => group.split("|").map((item) => item.replace(/\(.*\)/, "").trim()))
      .filter((group) => group[0] !== "");
  return {
    name,
    version: fields.get("Version") ?? "",
    architecture: baseName(architecture),
    depends: [...names(fields.get("Pre-Depends")), ...names(fields.get("Depends"))],
    provides: names(fields.get("Provides")).flat(),
  };
}
