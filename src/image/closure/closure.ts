import { VivError } from "../../core/errors.ts";
import { Collection } from "./collection.ts";
import { DebianPackages } from "./debian.ts";
import { type ByteSource, type Elf, isElf, parseElf } from "./elf.ts";
import { Expansion } from "./expansion.ts";
import { baseName, type FileSystem, readText } from "./filesystem.ts";
import { glob } from "./glob.ts";
import { parseLdCache } from "./ldcache.ts";
import { readLdConf, readMuslPath } from "./ldconf.ts";
import { dlopenNames, loaderSymbols, noteNames } from "./names.ts";
import { isLibc, newProcess, type Process } from "./process.ts";
import { type Resolution, Resolver } from "./resolve.ts";
import { parseScript, scriptHead } from "./script.ts";
import { isFound, LibrarySearch, type Loaded } from "./search.ts";
import { type Closure, type ClosureRequest, defaultSearchPath, type Reason } from "./types.ts";

const headSize = 4096;
const mergedDirectories = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** No process has as many objects; a hostile chain ends here. */
const maxObjects = 10_000;

/**
 * Everything that programs need to run in a root of their own, without running them.
 *
 * Libraries are found as the programs' own dynamic linkers would, one process at a time; `#!` lines and symlinks are
 * followed; tables of runtimes (`runtimes/`) add what is opened without a trace in any header.
 * @throws VivError `ENOENT` (no such program), `NOT_A_PROGRAM`, `BAD_ELF` (a program asked for is damaged), `BAD_SPEC`
 */
export function computeClosure(fs: FileSystem, request: ClosureRequest): Closure {
  return new Builder(fs, request).build();
}

interface Task {
  readonly path: string;
  readonly file: Resolution;
  readonly required: boolean;
}

class Builder {
  private readonly fs: FileSystem;
  private readonly request: ClosureRequest;
  private readonly resolver: Resolver;
  private readonly search: LibrarySearch;
  private readonly collection: Collection;
  private readonly expansion: Expansion;
  private readonly elves = new Map<string, Elf | undefined>();
  private readonly tasks: Task[] = [];
  /** Programs done, and whether as required ones. */
  private readonly done = new Map<string, boolean>();
  private readonly plugins = new Set<string>();
  private readonly scanned = new Map<string, readonly string[]>();
  private readonly preload: readonly string[];
  private debian: DebianPackages | undefined;

  constructor(fs: FileSystem, request: ClosureRequest) {
    this.fs = fs;
    this.request = request;
    this.resolver = new Resolver(fs);
    this.collection = new Collection(this.resolver);
    this.expansion = new Expansion(
      {
        resolver: this.resolver,
        packages: () => this.packages(),
        addFile: (path, reason, process) => this.includeAndInspect(path, reason, process),
        addProgram: (name, reason) => this.addProgram(name, reason),
      },
      request,
    );
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
      this.collection.include(path, { from: "", kind: "asked", name: asked, why: "asked for" }, true);
      this.tasks.push({ path, file, required: true });
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
      files: this.collection.files,
      problems: this.collection.problems,
      rules: this.expansion.matched,
      users: [...this.expansion.users],
    };
  }

  /** Where /bin is a link to /usr/bin and so on, programs go by both names: in passwd, in scripts, in people's hands. */
  private addMergedDirectories(): void {
    for (const path of mergedDirectories) {
      const link = this.resolver.status(path);
      const directory = link?.kind === "symlink" ? this.resolver.resolve(path) : undefined;
      if (link === undefined || directory === undefined) continue;
      const inside = [...this.collection.files.values()].find((file) => file.path.startsWith(`${directory.path}/`));
      if (inside === undefined) continue;
      const reason: Reason = { from: inside.path, kind: "needed", name: path, why: "another name of its directory" };
      this.collection.record(path, link, reason, inside.required);
    }
  }

  private readCache(): Map<string, string[]> {
    const file = this.resolver.resolve("/etc/ld.so.cache");
    if (file?.status.kind !== "file") return new Map();
    try {
      return parseLdCache(this.fs.read(file.path, 0, Math.min(file.status.size, 64 << 20)));
    } catch (error) {
      if (!(error instanceof VivError)) throw error;
      this.collection.problem("BAD_LD_CACHE", false, file.path, file.path, error.message);
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
        if (isElf(this.fs.read(path, 0, 4))) this.collection.problem("BAD_ELF", false, path, path, error.message);
      }
    }
    this.elves.set(path, elf);
    return elf;
  }

  /** Adds a file of a runtime's tree; programs in it become programs of the closure, libraries join `process`. */
  private includeAndInspect(path: string, reason: Reason, process: Process | undefined): void {
    const file = this.collection.include(path, reason, false);
    if (file?.status.kind !== "file") return;
    const library = /\.so(\.|$)/.test(baseName(file.path));
    const executable = (file.status.mode & 0o111) !== 0;
    if (!library && !executable) return;
    const head = this.fs.read(file.path, 0, scriptHead);
    if (isElf(head)) {
      const elf = this.elf(file.path);
      if (elf === undefined) return;
      if (elf.interpreter !== undefined && executable && !library) this.tasks.push({ path, file, required: false });
      else if (elf.dynamic !== undefined) this.plugin(path, file, elf, process);
    } else if (executable && (reason.kind === "with" || reason.kind === "package" || reason.kind === "trace")) {
      // A script that merely lies in a runtime's tree is not followed: few are ever run, and each would bring its interpreter.
      this.tasks.push({ path, file, required: false });
    }
  }

  private addProgram(name: string, reason: Reason): void {
    const found = this.onPath(name);
    if (found === undefined) return;
    this.collection.include(found.path, reason, false);
    this.tasks.push({ ...found, required: false });
  }

  private plugin(path: string, file: Resolution, elf: Elf, process: Process | undefined): void {
    if (this.plugins.has(file.path)) return;
    this.plugins.add(file.path);
    const object: Loaded = { path, file, elf, loader: process?.main };
    // A library by itself: no process to join, so it stands as its own main object.
    const home = process ?? newProcess(object);
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
      this.expansion.matchProgram(task.path, task.file, undefined);
      return;
    }
    const elf = this.elf(task.file.path);
    if (elf === undefined) return;
    const main: Loaded = { path: task.path, file: task.file, elf, loader: undefined };
    const process = newProcess(main);
    if (elf.interpreter !== undefined) this.loadInterpreter(process, elf.interpreter, task.required);
    this.join(process, main, task.required);
    if (elf.interpreter?.includes("ld-linux") || elf.interpreter?.includes("ld64")) {
      for (const name of this.preload) {
        const reason: Reason = { from: "/etc/ld.so.preload", kind: "needed", name, why: "preloaded" };
        process.needed.push({ name, loader: main, reason, required: false, silent: false });
      }
    }
    this.expansion.matchProgram(task.path, task.file, process);
    this.drain(process);
  }

  private loadInterpreter(process: Process, path: string, required: boolean): void {
    const wanter = process.main.file.path;
    const file = this.collection.include(
      path,
      { from: wanter, kind: "interpreter", name: path, why: "its dynamic linker" },
      required,
    );
    const elf = file && this.elf(file.path);
    if (file === undefined || elf === undefined) {
      const state = file === undefined ? "does not exist" : "is no usable ELF file";
      this.collection.problem(
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
        this.collection.problem("MISSING_PROGRAM", task.required, name, from, message);
        continue;
      }
      this.collection.include(found.path, { from, kind: "script", name, why: "interpreter of the script" }, task.required);
      this.tasks.push({ ...found, required: task.required });
      this.expansion.matchScript(name, task.path, task.file);
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
      const list = kind === "needed" ? process.needed : process.later;
      list.push({ name, loader: object, reason: { from, kind, name, why }, required: isRequired, silent });
    };
    for (const name of dynamic.needed) want(name, "needed", "linked library", required, false);
    for (const { name, required: strict } of dynamic.filters) want(name, "needed", "filter library", required && strict, !strict);
    for (const name of dynamic.audit) want(name, "needed", "audit library", false, true);
    for (const name of this.opened(object)) want(name, "dlopen", "loads it while running", false, true);
    this.expansion.matchObject(object, process);
  }

  private opened(object: Loaded): readonly string[] {
    // What the C library itself loads is in the table, bound to the functions that load it.
    if (isLibc(object) || this.request.withoutRuntimes) return [];
    let names = this.scanned.get(object.file.path);
    if (names === undefined) {
      const loads = loaderSymbols.some((symbol) => this.expansion.symbolsOf(object).has(symbol));
      names = [
        ...(loads ? dlopenNames(this.fs, object.file.path, object.elf) : []),
        ...noteNames(this.fs, object.file.path, object.elf),
      ];
      this.scanned.set(object.file.path, names);
    }
    return names;
  }

  private drain(process: Process): void {
    const next = () => process.needed.shift() ?? process.later.shift();
    for (let item = next(); item !== undefined; item = next()) {
      const known = process.names.get(item.name);
      if (known !== undefined) {
        this.collection.record(known.file.path, known.file.status, item.reason, item.required);
        continue;
      }
      const found = this.search.find(item.name, item.loader, process.main);
      if (!isFound(found)) {
        if (!item.silent) this.missing(item.name, item.loader, process.main, item.required, found.searched, found.foreign);
        continue;
      }
      const reason = { ...item.reason, why: `${item.reason.why}, from ${found.how}` };
      this.collection.include(found.path, reason, item.required);
      for (const variant of found.variants)
        this.collection.include(variant, { ...reason, why: `${reason.why}, for newer processors` }, false);
      const already = process.objects.find((object) => object.file.path === found.file.path);
      if (already !== undefined) process.names.set(item.name, already);
      else {
        process.names.set(item.name, { path: found.path, file: found.file, elf: found.elf, loader: item.loader });
        this.join(process, process.names.get(item.name)!, item.required);
      }
    }
  }

  private packages(): DebianPackages {
    this.debian ??= new DebianPackages(this.resolver);
    return this.debian;
  }

  private addPackages(names: readonly string[]): void {
    for (const name of names) {
      for (const { item, for: wanter } of this.packages().closure(name)) {
        const why = wanter === "" ? `of the package ${item.name}` : `of the package ${item.name}, on which ${wanter} depends`;
        const reason: Reason = { from: "", kind: "package", name: item.name, why };
        for (const path of this.packages().files(item)) this.includeAndInspect(path, reason, undefined);
      }
    }
    if (names.length === 0) return;
    for (const link of this.packages().alternatives()) {
      const target = this.resolver.resolve(link);
      if (target === undefined || !this.collection.files.has(target.path)) continue;
      this.collection.include(link, { from: target.path, kind: "package", name: link, why: "chosen among alternatives" }, false);
    }
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
    this.collection.problem("MISSING_LIBRARY", required, name, loader.file.path, message);
  }
}
