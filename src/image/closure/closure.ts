import { VivError } from "../../core/errors.ts";
import { architectureOf } from "./architectures.ts";
import { DebianPackages } from "./debian.ts";
import { type ByteSource, type Elf, isElf, parseElf } from "./elf.ts";
import { importedFiles, nameServices } from "./expanders.ts";
import { baseName, type FileStatus, type FileSystem, parentOf, readText } from "./filesystem.ts";
import { glob } from "./glob.ts";
import { parseLdCache } from "./ldcache.ts";
import { readLdConf, readMuslPath } from "./ldconf.ts";
import { dlopenNames, loaderSymbols, noteNames } from "./names.ts";
import { type Resolution, Resolver } from "./resolve.ts";
import { type Need, type Rule, runtimeRules } from "./runtimes/index.ts";
import { parseScript, scriptHead } from "./script.ts";
import { isFound, LibrarySearch, type Loaded } from "./search.ts";
import { SymbolFinder } from "./symbols.ts";

/** Why a file is in the closure. */
export interface Reason {
  /** The file that wants it, by physical path; empty for what the user asked for. */
  readonly from: string;
  readonly kind: "asked" | "interpreter" | "needed" | "dlopen" | "script" | "rule" | "with" | "package" | "trace";
  /** The name as written in `from`: a soname, a path, a program. */
  readonly name: string;
  /** For people. */
  readonly why: string;
  /** For `rule`: which. */
  readonly rule?: string;
}

export interface ClosureFile {
  /** Physical: no parent is a symlink. */
  readonly path: string;
  readonly status: FileStatus;
  /** For a symlink. */
  readonly target?: string;
  readonly reasons: Reason[];
  /** Without it a program that was asked for does not start. */
  required: boolean;
}

/** Something wanted that is not there or not usable. */
export interface Problem {
  readonly code: "MISSING_LIBRARY" | "MISSING_INTERPRETER" | "MISSING_PROGRAM" | "BAD_ELF" | "BAD_LD_CACHE" | "DANGLING_LINK";
  /** True if a program that was asked for cannot start because of it. */
  required: boolean;
  readonly subject: string;
  readonly wantedBy: string;
  readonly message: string;
}

export interface Closure {
  /** As asked, and where it was found. */
  readonly programs: readonly { readonly asked: string; readonly path: string; readonly file: string }[];
  /** By physical path, in the order found. */
  readonly files: ReadonlyMap<string, ClosureFile>;
  readonly problems: readonly Problem[];
  /** Runtimes recognized, each with the files that made it known. */
  readonly rules: ReadonlyMap<string, readonly string[]>;
  /** Accounts that programs of the closure run under. */
  readonly users: readonly string[];
}

export interface ClosureRequest {
  /** Paths, or names looked up on `searchPath`. */
  readonly programs: readonly string[];
  /** Files and whole directories to add, each with the programs and libraries in it. */
  readonly paths?: readonly { readonly path: string; readonly reason: Reason }[];
  /** Debian packages, whole and with what they depend on. */
  readonly packages?: readonly string[];
  /** Default: the usual six directories. */
  readonly searchPath?: readonly string[];
  /** As `LD_LIBRARY_PATH`. */
  readonly libraryPath?: readonly string[];
  /** Names of rules to leave out. */
  readonly without?: readonly string[];
  /** Only what headers, links and first lines name. */
  readonly withoutRuntimes?: boolean;
}

export const defaultSearchPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

const headSize = 4096;
const mergedDirectories = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** No process has as many objects; a hostile chain ends here. */
const maxObjects = 10_000;

/**
 * Everything that programs need to run in a root of their own, without running them.
 *
 * Libraries are found as the programs' own dynamic linkers would, one process at a time; `#!` lines and symlinks are
 * followed; tables of runtimes (`runtimes/`) add what is opened without a trace in any header.
 * @throws VivError `ENOENT` (no such program), `NOT_A_PROGRAM`, `BAD_ELF` (a program asked for is damaged), `BAD_OPTION`
 */
export function computeClosure(fs: FileSystem, request: ClosureRequest): Closure {
  return new Builder(fs, request).build();
}

interface Task {
  readonly path: string;
  readonly file: Resolution;
  readonly required: boolean;
  readonly asked: boolean;
}

/** One program with what its dynamic linker would load. */
interface Process {
  readonly main: Loaded;
  readonly objects: Loaded[];
  /** By every name the dynamic linker would take for an object it has already. */
  readonly names: Map<string, Loaded>;
  readonly pending: { name: string; loader: Loaded; reason: Reason; required: boolean; silent: boolean }[];
}

class Builder {
  private readonly fs: FileSystem;
  private readonly request: ClosureRequest;
  private readonly resolver: Resolver;
  private readonly search: LibrarySearch;
  private readonly files = new Map<string, ClosureFile>();
  private readonly problems = new Map<string, Problem>();
  private readonly elves = new Map<string, Elf | undefined>();
  private readonly tasks: Task[] = [];
  /** Programs done, and whether as required ones. */
  private readonly done = new Map<string, boolean>();
  private readonly plugins = new Set<string>();
  private readonly scanned = new Map<string, readonly string[]>();
  private readonly expanded = new Set<string>();
  private readonly rules = new Map<string, string[]>();
  private readonly users = new Set<string>();
  private readonly activeRules: readonly Rule[];
  private readonly preload: readonly string[];
  private debian: DebianPackages | undefined;
  private readonly finder: SymbolFinder;
  private readonly symbols = new Map<string, ReadonlySet<string>>();
  private readonly recorded = new Set<string>();
  private readonly listed = new Map<string, readonly string[]>();

  constructor(fs: FileSystem, request: ClosureRequest) {
    this.fs = fs;
    this.request = request;
    this.resolver = new Resolver(fs);
    const without = request.without ?? [];
    for (const name of without) {
      if (!runtimeRules.some((rule) => rule.name === name)) {
        const known = runtimeRules.map((rule) => rule.name).join(", ");
        throw new VivError("BAD_OPTION", `--without ${name}: no such runtime; known: ${known}`);
      }
    }
    this.activeRules = request.withoutRuntimes ? [] : runtimeRules.filter((rule) => !without.includes(rule.name));
    this.finder = new SymbolFinder([...loaderSymbols, ...this.activeRules.flatMap((rule) => rule.when.symbols ?? [])]);
    this.search = new LibrarySearch({
      resolver: this.resolver,
      elf: (path) => this.elf(path),
      cache: this.readCache(),
      configured: readLdConf(this.resolver),
      muslPath: (arch) => readMuslPath(this.resolver, arch),
      libraryPath: request.libraryPath ?? [],
    });
    const preload = this.resolver.resolve("/etc/ld.so.preload");
    this.preload =
      preload?.status.kind === "file"
        ? readText(fs, preload.path, 65536)
            .replace(/#.*/g, "")
            .split(/[\s:]+/)
            .filter((name) => name !== "")
        : [];
  }

  build(): Closure {
    const programs = this.request.programs.map((asked) => {
      const { path, file } = this.askedProgram(asked);
      this.include(path, { from: "", kind: "asked", name: asked, why: "asked for" }, true);
      this.tasks.push({ path, file, required: true, asked: true });
      return { asked, path, file: file.path };
    });
    for (const { path, reason } of this.request.paths ?? []) {
      const found = this.resolver.resolveLink(path);
      if (found === undefined) throw new VivError("ENOENT", `${reason.kind === "with" ? "--with " : ""}${path}: no such file`);
      const all = found.status.kind === "directory" ? glob(this.resolver, `${path}/**`) : [path];
      for (const item of all) this.includeAndInspect(item, reason, undefined);
    }
    this.addPackages(this.request.packages ?? []);
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) this.runProgram(task);
    this.addMergedDirectories();
    return {
      programs,
      files: this.files,
      problems: [...this.problems.values()],
      rules: this.rules,
      users: [...this.users],
    };
  }

  /** Where /bin is a link to /usr/bin and so on, programs go by both names: in passwd, in scripts, in people's hands. */
  private addMergedDirectories(): void {
    for (const path of mergedDirectories) {
      const link = this.resolver.status(path);
      const directory = link?.kind === "symlink" ? this.resolver.resolve(path) : undefined;
      if (link === undefined || directory === undefined) continue;
      const inside = [...this.files.values()].find((file) => file.path.startsWith(`${directory.path}/`));
      if (inside === undefined) continue;
      const reason: Reason = { from: inside.path, kind: "needed", name: path, why: "another name of its directory" };
      this.record(path, link, reason, inside.required);
    }
  }

  private readCache(): Map<string, string[]> {
    const file = this.resolver.resolve("/etc/ld.so.cache");
    if (file?.status.kind !== "file") return new Map();
    try {
      return parseLdCache(this.fs.read(file.path, 0, Math.min(file.status.size, 64 << 20)));
    } catch (error) {
      if (!(error instanceof VivError)) throw error;
      this.problem("BAD_LD_CACHE", false, file.path, file.path, error.message);
      return new Map();
    }
  }

  private askedProgram(asked: string): { path: string; file: Resolution } {
    const found = asked.includes("/") ? this.located(asked) : this.onPath(asked);
    if (found === undefined) {
      const where = asked.includes("/") ? "" : ` on ${(this.request.searchPath ?? defaultSearchPath).join(":")}`;
      throw new VivError("ENOENT", `${asked}: no such program${where}; install it, or give its path`);
    }
    if (found.file.status.kind !== "file")
      throw new VivError("NOT_A_PROGRAM", `${asked}: is a ${found.file.status.kind}, not a program`);
    const head = this.fs.read(found.file.path, 0, scriptHead);
    if (isElf(head)) parseElf(this.source(found.file), found.path);
    else if (parseScript(head) === undefined) {
      throw new VivError(
        "NOT_A_PROGRAM",
        `${asked}: is neither an ELF file nor a script with a #! line; add plain files by --with`,
      );
    }
    return found;
  }

  private located(path: string): { path: string; file: Resolution } | undefined {
    const file = path.startsWith("/") ? this.resolver.resolve(path) : undefined;
    return file && { path, file };
  }

  private onPath(name: string): { path: string; file: Resolution } | undefined {
    for (const directory of this.request.searchPath ?? defaultSearchPath) {
      const found = this.located(`${directory}/${name}`);
      if (found?.file.status.kind === "file" && (found.file.status.mode & 0o111) !== 0) return found;
    }
    return undefined;
  }

  /** A file's bytes; the first page, where the headers are, is read once. */
  private source(file: Resolution): ByteSource {
    const head = this.fs.read(file.path, 0, headSize);
    return {
      size: file.status.size,
      read: (offset, length) =>
        offset + length <= head.length ? head.subarray(offset, offset + length) : this.fs.read(file.path, offset, length),
    };
  }

  private elf(path: string): Elf | undefined {
    if (this.elves.has(path)) return this.elves.get(path);
    const status = this.resolver.status(path);
    let elf: Elf | undefined;
    if (status?.kind === "file") {
      try {
        elf = parseElf(this.source({ path, status, links: [] }), path);
      } catch (error) {
        if (!(error instanceof VivError)) throw error;
        // A text file named like a library (a linker script) is no news; a damaged ELF file is.
        if (isElf(this.fs.read(path, 0, 4))) this.problem("BAD_ELF", false, path, path, error.message);
      }
    }
    this.elves.set(path, elf);
    return elf;
  }

  private problem(code: Problem["code"], required: boolean, subject: string, wantedBy: string, message: string): void {
    const key = `${code} ${subject} ${wantedBy}`;
    const known = this.problems.get(key);
    if (known !== undefined) known.required ||= required;
    else this.problems.set(key, { code, required, subject, wantedBy, message });
  }

  /** Adds a file with the symlinks on the way to it. */
  private include(path: string, reason: Reason, required: boolean): Resolution | undefined {
    const end = this.resolver.resolveLink(path);
    if (end === undefined) return undefined;
    for (const link of end.links) this.record(link, this.resolver.status(link)!, reason, required);
    this.record(end.path, end.status, reason, required);
    if (end.status.kind !== "symlink") return end;
    const file = this.resolver.resolve(path);
    if (file === undefined) return undefined;
    for (const link of file.links) this.record(link, this.resolver.status(link)!, reason, required);
    this.record(file.path, file.status, reason, required);
    return file;
  }

  private record(path: string, status: FileStatus, reason: Reason, required: boolean): void {
    if (path === "/") return;
    const known = this.files.get(path);
    const key = `${path}\0${reason.from}\0${reason.kind}\0${reason.rule ?? reason.name}`;
    if (known === undefined) {
      const target = status.kind === "symlink" ? { target: this.resolver.readLink(path) } : {};
      this.files.set(path, { path, status, ...target, reasons: [reason], required });
      this.recorded.add(key);
      return;
    }
    known.required ||= required;
    if (reason.from === path || this.recorded.has(key)) return;
    this.recorded.add(key);
    known.reasons.push(reason);
  }

  /** Adds a file of a runtime's tree; programs in it become programs of the closure, libraries join `process`. */
  private includeAndInspect(path: string, reason: Reason, process: Process | undefined): void {
    const file = this.include(path, reason, false);
    if (file?.status.kind !== "file") return;
    const library = /\.so(\.|$)/.test(baseName(file.path));
    const executable = (file.status.mode & 0o111) !== 0;
    if (!library && !executable) return;
    const head = this.fs.read(file.path, 0, scriptHead);
    if (isElf(head)) {
      const elf = this.elf(file.path);
      if (elf === undefined) return;
      if (elf.interpreter !== undefined && executable && !library) this.tasks.push({ path, file, required: false, asked: false });
      else if (elf.dynamic !== undefined) this.plugin(path, file, elf, process);
    } else if (executable && (reason.kind === "with" || reason.kind === "package" || reason.kind === "trace")) {
      // A script that merely lies in a runtime's tree is not followed: few are ever run, and each would bring its interpreter.
      this.tasks.push({ path, file, required: false, asked: false });
    }
  }

  private plugin(path: string, file: Resolution, elf: Elf, process: Process | undefined): void {
    if (this.plugins.has(file.path)) return;
    this.plugins.add(file.path);
    const object: Loaded = { path, file, elf, loader: process?.main };
    // A library by itself: no process to join, so it stands as its own main object.
    const home = process ?? { main: object, objects: [], names: new Map(), pending: [] };
    this.join(home, object, false);
    if (process === undefined) this.drain(home);
  }

  private runProgram(task: Task): void {
    const done = this.done.get(task.file.path);
    if (done !== undefined && (done || !task.required)) return;
    this.done.set(task.file.path, task.required);
    const head = this.fs.read(task.file.path, 0, scriptHead);
    const script = parseScript(head);
    if (script !== undefined) {
      this.runScript(task, script.interpreter, script.program);
      this.matchProgram(task, undefined);
      return;
    }
    const elf = this.elf(task.file.path);
    if (elf === undefined) return;
    const main: Loaded = { path: task.path, file: task.file, elf, loader: undefined };
    const process: Process = { main, objects: [], names: new Map(), pending: [] };
    if (elf.interpreter !== undefined) this.loadInterpreter(process, elf.interpreter, task.required);
    this.join(process, main, task.required);
    if (elf.interpreter?.includes("ld-linux") || elf.interpreter?.includes("ld64")) {
      for (const name of this.preload) {
        const reason: Reason = { from: "/etc/ld.so.preload", kind: "needed", name, why: "preloaded" };
        process.pending.push({ name, loader: main, reason, required: false, silent: false });
      }
    }
    this.matchProgram(task, process);
    this.drain(process);
  }

  private loadInterpreter(process: Process, path: string, required: boolean): void {
    const wanter = process.main.file.path;
    const file = this.include(path, { from: wanter, kind: "interpreter", name: path, why: "its dynamic linker" }, required);
    const elf = file && this.elf(file.path);
    if (file === undefined || elf === undefined) {
      const state = file === undefined ? "does not exist" : "is no usable ELF file";
      this.problem(
        "MISSING_INTERPRETER",
        required,
        path,
        wanter,
        `${wanter} needs the dynamic linker ${path}, which ${state}; install its C library, or give its system's tree by --root`,
      );
      return;
    }
    this.join(process, { path, file, elf, loader: process.main }, required);
  }

  private runScript(task: Task, interpreter: string, program: string | undefined): void {
    const from = task.file.path;
    const wanted: [string, { path: string; file: Resolution } | undefined][] = [[interpreter, this.located(interpreter)]];
    if (program !== undefined) wanted.push([program, program.includes("/") ? this.located(program) : this.onPath(program)]);
    for (const [name, found] of wanted) {
      if (found?.file.status.kind !== "file") {
        const message = `${from} is a script for ${name}, which does not exist; install it`;
        this.problem("MISSING_PROGRAM", task.required, name, from, message);
        continue;
      }
      this.include(found.path, { from, kind: "script", name, why: "interpreter of the script" }, task.required);
      this.tasks.push({ ...found, required: task.required, asked: false });
      this.match((rule) => rule.when.interpreter?.exec(baseName(name)) ?? undefined, task.path, task.file, undefined);
    }
  }

  private join(process: Process, object: Loaded, required: boolean): void {
    if (process.objects.length >= maxObjects) return;
    process.objects.push(object);
    const { dynamic } = object.elf;
    for (const name of [baseName(object.path), dynamic?.soname, object.path]) if (name) process.names.set(name, object);
    if (dynamic === undefined) return;
    const from = object.file.path;
    const want = (name: string, kind: "needed" | "dlopen", why: string, isRequired: boolean, silent: boolean): void => {
      process.pending.push({ name, loader: object, reason: { from, kind, name, why }, required: isRequired, silent });
    };
    for (const name of dynamic.needed) want(name, "needed", "linked library", required, false);
    for (const { name, required: strict } of dynamic.filters) want(name, "needed", "filter library", required && strict, !strict);
    for (const name of dynamic.audit) want(name, "needed", "audit library", false, true);
    for (const name of this.opened(object)) want(name, "dlopen", "loads it while running", false, true);
    this.matchLibrary(object, process);
  }

  private opened(object: Loaded): readonly string[] {
    // What the C library itself loads is in the table, bound to the functions that load it.
    if (isLibc(object) || this.request.withoutRuntimes) return [];
    let names = this.scanned.get(object.file.path);
    if (names === undefined) {
      const loads = loaderSymbols.some((symbol) => this.symbolsOf(object).has(symbol));
      names = [
        ...(loads ? dlopenNames(this.fs, object.file.path, object.elf) : []),
        ...noteNames(this.fs, object.file.path, object.elf),
      ];
      this.scanned.set(object.file.path, names);
    }
    return names;
  }

  /** Which of the symbols that rules ask for an object uses. */
  private symbolsOf(object: Loaded): ReadonlySet<string> {
    let symbols = this.symbols.get(object.file.path);
    if (symbols === undefined) {
      symbols = this.finder.find(object.elf.dynamic?.strings ?? new Uint8Array(0));
      this.symbols.set(object.file.path, symbols);
    }
    return symbols;
  }

  private drain(process: Process): void {
    for (let item = process.pending.shift(); item !== undefined; item = process.pending.shift()) {
      const known = process.names.get(item.name);
      if (known !== undefined) {
        this.record(known.file.path, known.file.status, item.reason, item.required);
        continue;
      }
      const found = this.search.find(item.name, item.loader, process.main);
      if (!isFound(found)) {
        if (!item.silent) this.missing(item.name, item.loader, process.main, item.required, found.searched, found.foreign);
        continue;
      }
      const reason = { ...item.reason, why: `${item.reason.why}, from ${found.how}` };
      this.include(found.path, reason, item.required);
      for (const variant of found.variants)
        this.include(variant, { ...reason, why: `${reason.why}, for newer processors` }, false);
      const already = process.objects.find((object) => object.file.path === found.file.path);
      if (already !== undefined) process.names.set(item.name, already);
      else {
        process.names.set(item.name, { path: found.path, file: found.file, elf: found.elf, loader: item.loader });
        this.join(process, process.names.get(item.name)!, item.required);
      }
    }
  }

  private get packages(): DebianPackages {
    return (this.debian ??= new DebianPackages(this.resolver));
  }

  private addPackages(names: readonly string[]): void {
    for (const name of names) {
      for (const { item, for: wanter } of this.packages.closure(name)) {
        const why = wanter === "" ? `of the package ${item.name}` : `of the package ${item.name}, on which ${wanter} depends`;
        const reason: Reason = { from: "", kind: "package", name: item.name, why };
        for (const path of this.packages.files(item)) this.includeAndInspect(path, reason, undefined);
      }
    }
    if (names.length === 0) return;
    for (const link of this.packages.alternatives()) {
      const target = this.resolver.resolve(link);
      if (target === undefined || !this.files.has(target.path)) continue;
      this.include(link, { from: target.path, kind: "package", name: link, why: "chosen among alternatives" }, false);
    }
  }

  /** Files that a runtime's rule needs of a package: without documentation; none where it is not installed. */
  private packageFiles(name: string, triplet: string | undefined): readonly string[] {
    const key = `${name}:${debianArchitectures[triplet ?? ""] ?? "any"}`;
    let files = this.listed.get(key);
    if (files === undefined) {
      const item = this.packages.find(key);
      const all = item === undefined ? [] : this.packages.files(item);
      files = all.filter((path) => !/^\/usr\/share\/(doc|man|lintian|locale)(\/|$)/.test(path));
      this.listed.set(key, files);
    }
    return files;
  }

  private missing(
    name: string,
    loader: Loaded,
    main: Loaded,
    required: boolean,
    searched: readonly string[],
    foreign: readonly string[],
  ): void {
    const chain = loader === main ? "" : ` (for ${main.file.path})`;
    const other = foreign.length > 0 ? `; ${foreign[0]} is for another machine` : "";
    const message = `${loader.file.path}${chain} needs ${name}, which is not in ${searched.join(", ")}${other}; install it, or give its directory by --library-path`;
    this.problem("MISSING_LIBRARY", required, name, loader.file.path, message);
  }

  private matchProgram(task: Task, process: Process | undefined): void {
    for (const path of new Set([task.path, task.file.path])) {
      this.match((rule) => rule.when.program?.exec(baseName(path)) ?? undefined, path, task.file, process);
    }
  }

  private matchLibrary(object: Loaded, process: Process): void {
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
    for (const rule of this.activeRules) {
      const groups = test(rule);
      if (groups === undefined) continue;
      const subjects = this.rules.get(rule.name);
      if (subjects === undefined) this.rules.set(rule.name, [file.path]);
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
      process.pending.push({ name, loader: process.main, reason: reason(name), required: false, silent: true });
    };
    if (need.library !== undefined) load(need.library);
    if (need.program !== undefined) {
      for (const name of substitute(need.program, groups, path, triplets)) {
        const found = once(`program ${name}`) ? this.onPath(name) : undefined;
        if (found === undefined) continue;
        this.include(found.path, reason(name), false);
        this.tasks.push({ ...found, required: false, asked: false });
      }
    }
    if (need.expand === "nsswitch") {
      for (const name of nameServices(this.resolver)) load(name);
    } else if (need.expand === "imports") {
      for (const item of importedFiles(this.resolver, file.path)) this.includeAndInspect(item, reason(item), process);
    }
    if (need.package !== undefined) {
      const listed = this.packageFiles(need.package, triplets[0]);
      if (once(`package ${need.package}`)) for (const item of listed) this.includeAndInspect(item, reason(item), process);
      if (listed.length > 0) return;
    }
    if (need.path === undefined) return;
    for (const pattern of substitute(need.path, groups, path, triplets)) {
      if (!once(`path ${pattern} ${need.except?.source ?? ""}`)) continue;
      for (const item of glob(this.resolver, pattern)) {
        if (need.except?.test(item)) continue;
        this.includeAndInspect(item, reason(item), process);
      }
    }
  }
}

/** The C library defines the functions by which programs are recognized, and so says nothing of them. */
function isLibc(object: Loaded): boolean {
  return /^(libc|libresolv|libpthread|libnss_files|libnss_dns|libanl|ld-|ld64|libc\.musl)/.test(baseName(object.path));
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
