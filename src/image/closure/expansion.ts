import { VivError } from "../../core/errors.ts";
import { architectureOf } from "./architectures.ts";
import type { DebianPackages } from "./debian.ts";
import { importedFiles, nameServices } from "./expanders.ts";
import { baseName, parentOf } from "./filesystem.ts";
import { glob } from "./glob.ts";
import { loaderSymbols } from "./names.ts";
import { isLibc, type Process } from "./process.ts";
import type { Resolution, Resolver } from "./resolve.ts";
import { type Need, type Rule, runtimeRules } from "./runtimes/index.ts";
import type { Loaded } from "./search.ts";
import { SymbolFinder } from "./symbols.ts";
import type { ClosureRequest, Reason } from "./types.ts";

/** What rules may add to the closure. */
export interface ExpansionHost {
  readonly resolver: Resolver;
  readonly packages: () => DebianPackages;
  /** Adds a file; programs in it become programs of the closure, libraries join `process`. */
  readonly addFile: (path: string, reason: Reason, process: Process | undefined) => void;
  /** Adds a program by its name on PATH, if there is one. */
  readonly addProgram: (name: string, reason: Reason) => void;
}

/** Recognizes runtimes and adds what they need; each pattern, program and library once. */
export class Expansion {
  /** Rules that matched, with the files that made them. */
  readonly matched = new Map<string, string[]>();
  readonly users = new Set<string>();
  private readonly host: ExpansionHost;
  private readonly active: readonly Rule[];
  private readonly finder: SymbolFinder;
  private readonly symbols = new Map<string, ReadonlySet<string>>();
  private readonly expanded = new Set<string>();
  private readonly listed = new Map<string, readonly string[]>();

  /** @throws VivError `BAD_SPEC` for a name in `without` that no rule has */
  constructor(host: ExpansionHost, request: ClosureRequest) {
    this.host = host;
    const without = request.without ?? [];
    for (const name of without) {
      if (runtimeRules.some((rule) => rule.name === name)) continue;
      const known = runtimeRules.map((rule) => rule.name).join(", ");
      throw new VivError("BAD_SPEC", `--without ${name}: no such runtime; known: ${known}`);
    }
    this.active = request.withoutRuntimes ? [] : runtimeRules.filter((rule) => !without.includes(rule.name));
    this.finder = new SymbolFinder([...loaderSymbols, ...this.active.flatMap((rule) => rule.when.symbols ?? [])]);
  }

  /** Which of the symbols that rules ask for an object uses. */
  symbolsOf(object: Loaded): ReadonlySet<string> {
    let symbols = this.symbols.get(object.file.path);
    if (symbols === undefined) {
      symbols = this.finder.find(object.elf.dynamic?.strings ?? new Uint8Array(0));
      this.symbols.set(object.file.path, symbols);
    }
    return symbols;
  }

  /** Rules by the interpreter of a script. */
  matchScript(interpreter: string, path: string, file: Resolution): void {
    this.match((rule) => rule.when.interpreter?.exec(baseName(interpreter)) ?? undefined, path, file, undefined);
  }

  /** Rules by the name of a program, as it was asked for and behind its links. */
  matchProgram(path: string, file: Resolution, process: Process | undefined): void {
    for (const name of new Set([path, file.path])) {
      this.match((rule) => rule.when.program?.exec(baseName(name)) ?? undefined, name, file, process);
    }
  }

  /** Rules by the name of an object that is loaded, and by the functions that it uses. */
  matchObject(object: Loaded, process: Process): void {
    const names = [...new Set([baseName(object.path), object.elf.dynamic?.soname ?? "", baseName(object.file.path)])];
    const isProgram = object === process.main && object.elf.interpreter !== undefined;
    const ofLibc = isLibc(object);
    const symbols = this.symbolsOf(object);
    this.match(
      (rule) => {
        for (const name of isProgram ? [] : names) {
          const match = rule.when.library?.exec(name);
          if (match) return match;
        }
        return !ofLibc && rule.when.symbols?.some((symbol) => symbols.has(symbol)) ? [] : undefined;
      },
      object.path,
      object.file,
      process,
    );
  }

  private match(
    test: (rule: Rule) => readonly string[] | undefined,
    path: string,
    file: Resolution,
    process: Process | undefined,
  ): void {
    for (const rule of this.active) {
      const groups = test(rule);
      if (groups === undefined) continue;
      const subjects = this.matched.get(rule.name);
      if (subjects === undefined) this.matched.set(rule.name, [file.path]);
      else if (!subjects.includes(file.path)) subjects.push(file.path);
      for (const user of rule.users ?? []) this.users.add(user);
      for (const need of rule.needs) this.expand(rule, need, groups, path, file, process);
    }
  }

  private expand(
    rule: Rule,
    need: Need,
    groups: readonly string[],
    path: string,
    file: Resolution,
    process: Process | undefined,
  ): void {
    const from = file.path;
    const reason = (name: string): Reason => ({ from, kind: "rule", rule: rule.name, name, why: need.why });
    const triplets = process === undefined ? [] : architectureOf(process.main.elf).triplets;
    const once = (key: string): boolean => {
      if (this.expanded.has(key)) return false;
      this.expanded.add(key);
      return true;
    };
    const load = (name: string): void => {
      if (process === undefined || !once(`library ${triplets[0]} ${name}`)) return;
      process.later.push({ name, loader: process.main, reason: reason(name), required: false, silent: true });
    };
    if (need.library !== undefined) load(need.library);
    if (need.program !== undefined) {
      for (const name of substitute(need.program, groups, path, triplets)) {
        if (once(`program ${name}`)) this.host.addProgram(name, reason(name));
      }
    }
    if (need.expand === "nsswitch") {
      for (const name of nameServices(this.host.resolver)) load(name);
    } else if (need.expand === "imports") {
      for (const item of importedFiles(this.host.resolver, file.path)) this.host.addFile(item, reason(item), process);
    }
    if (need.package !== undefined) {
      const listed = this.packageFiles(need.package, triplets[0]);
      if (once(`package ${need.package}`)) for (const item of listed) this.host.addFile(item, reason(item), process);
      if (listed.length > 0) return;
    }
    if (need.path === undefined) return;
    for (const pattern of substitute(need.path, groups, path, triplets)) {
      if (!once(`path ${pattern} ${need.except?.source ?? ""}`)) continue;
      for (const item of glob(this.host.resolver, pattern)) {
        if (need.except?.test(item)) continue;
        this.host.addFile(item, reason(item), process);
      }
    }
  }

  /** Files that a runtime's rule needs of a package: without documentation; none where it is not installed. */
  private packageFiles(name: string, triplet: string | undefined): readonly string[] {
    const key = `${name}:${debianArchitectures[triplet ?? ""] ?? "any"}`;
    let files = this.listed.get(key);
    if (files === undefined) {
      const item = this.host.packages().find(key);
      const all = item === undefined ? [] : this.host.packages().files(item);
      files = all.filter((path) => !/^\/usr\/share\/(doc|man|lintian|locale)(\/|$)/.test(path));
      this.listed.set(key, files);
    }
    return files;
  }
}

const debianArchitectures: Readonly<Record<string, string>> = {
  "x86_64-linux-gnu": "amd64",
  "i386-linux-gnu": "i386",
  "aarch64-linux-gnu": "arm64",
  "arm-linux-gnueabihf": "armhf",
  "arm-linux-gnueabi": "armel",
  "riscv64-linux-gnu": "riscv64",
  "powerpc64le-linux-gnu": "ppc64el",
  "s390x-linux-gnu": "s390x",
  "loongarch64-linux-gnu": "loong64",
};

/** Fills the placeholders of a need; nothing if a group that it names did not match. */
function substitute(text: string, groups: readonly string[], path: string, triplets: readonly string[]): string[] {
  let complete = true;
  const filled = text
    .replace(/\{(\d)\}/g, (_, index: string) => {
      const group = groups[Number(index)];
      if (!group) complete = false;
      return group ?? "";
    })
    .replaceAll("{directory}", parentOf(path))
    .replaceAll("{prefix}", () => {
      const prefix = parentOf(parentOf(path));
      return prefix === "/" ? "" : prefix;
    });
  if (!complete) return [];
  return filled.includes("{triplet}") ? triplets.map((triplet) => filled.replaceAll("{triplet}", triplet)) : [filled];
}
