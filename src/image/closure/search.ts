import { type Architecture, architectureOf } from "./architectures.ts";
import type { Elf } from "./elf.ts";
import { baseName, joinPath, parentOf } from "./filesystem.ts";
import type { Resolution, Resolver } from "./resolve.ts";

/** An object in one process, as the dynamic linker has it in its list. */
export interface Loaded {
  /** The path it was found under; what `$ORIGIN` of a library is taken from. */
  readonly path: string;
  readonly file: Resolution;
  readonly elf: Elf;
  /** The object that wanted it first; RPATH is inherited along this chain. */
  readonly loader: Loaded | undefined;
}

export interface Found {
  readonly path: string;
  readonly file: Resolution;
  readonly elf: Elf;
  /** The same library built for newer processors (glibc-hwcaps), of which the processor picks one. */
  readonly variants: readonly string[];
  /** Where the search found it, for people. */
  readonly how: string;
}

export interface NotFound {
  readonly searched: readonly string[];
  /** Files of that name of another class or machine. */
  readonly foreign: readonly string[];
}

export interface SearchSystem {
  readonly resolver: Resolver;
  /** Parses the file at a physical path; undefined if it is no usable ELF file. */
  elf(path: string): Elf | undefined;
  /** Contents of `/etc/ld.so.cache`. */
  readonly cache: ReadonlyMap<string, readonly string[]>;
  readonly configured: readonly string[];
  muslPath(arch: string): readonly string[] | undefined;
  /** As `LD_LIBRARY_PATH`. */
  readonly libraryPath: readonly string[];
}

type Candidate = readonly [path: string, how: string];

/** musl answers to these names itself (ldso/dynlink.c, load_library). */
const muslReserved = /^(libc|libpthread|librt|libm|libdl|libutil|libxnet)\.so(\.|$)|^libc\.musl-[^/]*\.so/;

/** Finds libraries as ld.so(8) of glibc and musl's dynamic linker do. One for a system; remembers directories. */
export class LibrarySearch {
  private readonly system: SearchSystem;
  private readonly hwcaps = new Map<string, readonly string[]>();

  constructor(system: SearchSystem) {
    this.system = system;
  }

  /** @param main the program of the process; its RPATH holds for all of it */
  find(name: string, loader: Loaded, main: Loaded): Found | NotFound {
    const interpreter = main.elf.interpreter ?? "";
    const musl = /^ld-musl-(.+)\.so\.1$/.exec(baseName(interpreter));
    if (musl !== null && muslReserved.test(name)) return this.pick([[interpreter, "musl's own name"]], loader.elf);
    const architecture = architectureOf(loader.elf);
    if (name.includes("/")) {
      return this.pick(
        expand(name, loader, main, architecture).map((path): Candidate => [path, "a path in the object"]),
        loader.elf,
      );
    }
    const candidates = musl === null ? this.glibc(name, loader, main, architecture) : this.musl(name, loader, main, musl[1]!);
    return this.pick(candidates, loader.elf);
  }

  private *glibc(name: string, loader: Loaded, main: Loaded, architecture: Architecture): Generator<Candidate> {
    const dynamic = loader.elf.dynamic;
    if (dynamic?.runpath === undefined) {
      // DT_RPATH of the loader, of its loaders, then of the program; each counts only without a DT_RUNPATH of its own.
      const chain: Loaded[] = [];
      for (let item: Loaded | undefined = loader; item !== undefined && chain.length < 1000; item = item.loader) chain.push(item);
      if (!chain.includes(main)) chain.push(main);
      for (const item of chain) {
        if (item.elf.dynamic?.rpath === undefined || item.elf.dynamic.runpath !== undefined) continue;
        yield* this.directories(name, pathList(item.elf.dynamic.rpath, item, main, architecture), `RPATH of ${item.path}`);
      }
    }
    yield* this.directories(name, this.system.libraryPath, "library path");
    if (dynamic?.runpath !== undefined) {
      yield* this.directories(name, pathList(dynamic.runpath, loader, main, architecture), `RUNPATH of ${loader.path}`);
    }
    const defaults = defaultDirectories(architecture);
    for (const path of this.system.cache.get(name) ?? []) {
      if (dynamic?.noDefaultLibraries && defaults.includes(parentOf(path))) continue;
      yield [path, "ld.so.cache"];
    }
    if (!dynamic?.noDefaultLibraries) yield* this.directories(name, defaults, "default directory");
    // Only ldconfig reads it, so a library found just here needs a new cache; better found than missing.
    yield* this.directories(name, this.system.configured, "ld.so.conf, but not in ld.so.cache");
  }

  private *musl(name: string, loader: Loaded, main: Loaded, arch: string): Generator<Candidate> {
    yield* this.directories(name, this.system.libraryPath, "library path");
    // musl has one list for DT_RPATH and DT_RUNPATH, and both are inherited.
    for (let item: Loaded | undefined = loader; item !== undefined; item = item.loader) {
      const list = item.elf.dynamic?.runpath ?? item.elf.dynamic?.rpath;
      if (list === undefined) continue;
      yield* this.directories(name, pathList(list, item, main, architectureOf(item.elf)), `RUNPATH of ${item.path}`);
    }
    const configured = this.system.muslPath(arch);
    if (configured !== undefined) yield* this.directories(name, configured, `/etc/ld-musl-${arch}.path`);
    else yield* this.directories(name, ["/lib", "/usr/local/lib", "/usr/lib"], "default directory");
  }

  private *directories(name: string, directories: readonly string[], how: string): Generator<Candidate> {
    for (const directory of directories) {
      yield [joinPath(directory, name), how];
      for (const level of this.levels(directory)) yield [`${directory}/glibc-hwcaps/${level}/${name}`, `${how} (glibc-hwcaps)`];
    }
  }

  private levels(directory: string): readonly string[] {
    let levels = this.hwcaps.get(directory);
    if (levels === undefined) {
      const { resolver } = this.system;
      const found = resolver.resolve(`${directory}/glibc-hwcaps`);
      levels = found?.status.kind === "directory" ? resolver.fs.list(found.path) : [];
      this.hwcaps.set(directory, levels);
    }
    return levels;
  }

  private pick(candidates: Iterable<Candidate>, like: Elf): Found | NotFound {
    const searched: string[] = [];
    const foreign: string[] = [];
    let chosen: { path: string; file: Resolution; elf: Elf; how: string } | undefined;
    const variants: string[] = [];
    for (const [path, how] of candidates) {
      const isVariant = path.includes("/glibc-hwcaps/");
      if (chosen !== undefined && !isVariant) {
        // The directory is decided; what follows in the search is only reached for other levels of the same directory.
        break;
      }
      const directory = parentOf(path);
      if (!searched.includes(directory) && !isVariant) searched.push(directory);
      const file = this.system.resolver.resolve(path);
      if (file?.status.kind !== "file") continue;
      const elf = this.system.elf(file.path);
      if (elf === undefined || !sameMachine(elf, like)) {
        foreign.push(path);
        continue;
      }
      if (chosen === undefined) chosen = { path, file, elf, how };
      else if (parentOf(parentOf(directory)) === parentOf(chosen.path)) variants.push(path);
    }
    return chosen === undefined ? { searched, foreign } : { ...chosen, variants };
  }
}

export function isFound(result: Found | NotFound): result is Found {
  return "elf" in result;
}

function sameMachine(a: Elf, b: Elf): boolean {
  return a.class === b.class && a.machine === b.machine && a.littleEndian === b.littleEndian;
}

/** Directories that glibc's ld.so has compiled in: Debian's multiarch ones, then those of the other distributions. */
export function defaultDirectories(architecture: Architecture): string[] {
  const names = [...architecture.triplets.map((triplet) => `lib/${triplet}`), ...architecture.libraries, "lib"];
  return [...new Set(names)].flatMap((name) => [`/${name}`, `/usr/${name}`]);
}

function pathList(list: string, object: Loaded, main: Loaded, architecture: Architecture): string[] {
  // An empty or relative element means the directory the program is started in, which nobody knows beforehand.
  return list.split(":").flatMap((item) => expand(item, object, main, architecture).filter((path) => path.startsWith("/")));
}

/** Replaces `$ORIGIN`, `$LIB` and `$PLATFORM` (ld.so(8), dynamic string tokens) by each value they may have. */
function expand(text: string, object: Loaded, main: Loaded, architecture: Architecture): string[] {
  if (!text.includes("$")) return [text];
  // The kernel names the program by its physical path (/proc/self/exe); libraries go by the path they were found under.
  const origin = parentOf(object === main ? object.file.path : object.path);
  const libraries = [...architecture.triplets.map((triplet) => `lib/${triplet}`), ...architecture.libraries, "lib"];
  const replaceAll = (items: string[], token: string, values: readonly string[]): string[] =>
    items.flatMap((item) =>
      new RegExp(`\\$(${token}\\b|\\{${token}\\})`).test(item)
        ? values.map((value) => item.replace(new RegExp(`\\$(${token}\\b|\\{${token}\\})`, "g"), () => value))
        : [item],
    );
  let items = replaceAll([text], "ORIGIN", [origin === "/" ? "" : origin]);
  items = replaceAll(items, "LIB", libraries);
  return replaceAll(items, "PLATFORM", architecture.platforms);
}
