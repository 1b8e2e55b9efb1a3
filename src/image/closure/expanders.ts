import { baseName, parentOf, readText } from "./filesystem.ts";
import { glob } from "./glob.ts";
import type { Resolver } from "./resolve.ts";
import { parseScript, scriptHead } from "./script.ts";

/** Libraries of the name services that `/etc/nsswitch.conf` lists (nsswitch.conf(5)), and glibc's defaults without it. */
export function nameServices(resolver: Resolver): string[] {
  const services = new Set(["files", "dns"]);
  const file = resolver.resolve("/etc/nsswitch.conf");
  if (file?.status.kind === "file") {
    for (const line of readText(resolver.fs, file.path, 65536).split("\n")) {
      const list = /^\s*\w+:(.*)$/.exec(line.replace(/#.*/, ""))?.[1];
      for (const word of (list ?? "").replace(/\[[^\]]*\]/g, " ").split(/\s+/)) if (/^\w+$/.test(word)) services.add(word);
    }
  }
  return [...services].map((service) => `libnss_${service}.so.2`);
}

const maxModules = 5000;

/**
 * Files that a script imports by name beyond its language's own library, with what those import: found by reading the
 * text, so that an import made at run time is not seen.
 */
export function importedFiles(resolver: Resolver, script: string): string[] {
  const head = parseScript(resolver.fs.read(script, 0, scriptHead));
  const language = baseName(head?.program ?? head?.interpreter ?? "");
  if (language.startsWith("python")) return pythonImports(resolver, script);
  if (language.startsWith("perl")) return perlImports(resolver, script);
  if (language.startsWith("node")) return nodePackages(resolver, script);
  return [];
}

function pythonImports(resolver: Resolver, script: string): string[] {
  const roots = [
    parentOf(script),
    ...["/usr/local/lib/python3.*/dist-packages", "/usr/lib/python3/dist-packages", "/usr/lib/python3.*/site-packages"].flatMap(
      (pattern) => glob(resolver, pattern),
    ),
  ];
  return follow(resolver, script, (text) => {
    const names = new Set<string>();
    for (const match of text.matchAll(/^[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import|import[ \t]+([\w., \t]+))/gm)) {
      for (const part of (match[1] ?? match[2]!).split(",")) names.add(part.trim().split(/[. ]/, 1)[0]!);
    }
    return [...names].flatMap((name) => {
      if (!/^\w+$/.test(name)) return [];
      const found = roots.flatMap((root) => [
        ...glob(resolver, `${root}/${name}/__init__.py`).flatMap(() => glob(resolver, `${root}/${name}/**`)),
        ...glob(resolver, `${root}/${name}.py`),
        ...glob(resolver, `${root}/${name}.*.so`),
      ]);
      return found.length === 0 ? [] : [...found, ...roots.flatMap((root) => glob(resolver, `${root}/${name}-*.egg-info`))];
    });
  });
}

function perlImports(resolver: Resolver, script: string): string[] {
  const patterns = [
    "/etc/perl",
    "/usr/local/share/perl/*",
    "/usr/share/perl5",
    "/usr/lib/*/perl5/*",
    "/usr/share/perl5/vendor_perl",
  ];
  const roots = patterns.flatMap((pattern) => glob(resolver, pattern));
  return follow(resolver, script, (text) => {
    const names = new Set<string>();
    for (const match of text.matchAll(/^\s*(?:use|require|no)\s+([A-Z]\w*(?:::\w+)*)/gm))
      names.add(match[1]!.replaceAll("::", "/"));
    for (const match of text.matchAll(/^\s*use\s+(?:base|parent)\s+[^;]*?([A-Z]\w*(?:::\w+)+)/gm))
      names.add(match[1]!.replaceAll("::", "/"));
    return [...names].flatMap((name) =>
      roots.flatMap((root) => [...glob(resolver, `${root}/${name}.pm`), ...glob(resolver, `${root}/auto/${name}/*`)]),
    );
  });
}

/** The package a script belongs to (the nearest directory with a package.json), and those it depends on. */
function nodePackages(resolver: Resolver, script: string): string[] {
  const files: string[] = [];
  const seen = new Set<string>();
  const visit = (directory: string): void => {
    if (seen.has(directory) || seen.size > maxModules) return;
    seen.add(directory);
    files.push(...glob(resolver, `${directory}/**`));
    const manifest = resolver.resolve(`${directory}/package.json`);
    if (manifest?.status.kind !== "file") return;
    for (const name of dependencies(readText(resolver.fs, manifest.path))) {
      for (let at = directory; ; at = parentOf(at)) {
        const found = resolver.resolve(`${at === "/" ? "" : at}/node_modules/${name}`);
        if (found !== undefined) {
          visit(found.path);
          break;
        }
        if (at === "/") break;
      }
      const debian = resolver.resolve(`/usr/share/nodejs/${name}`);
      if (debian !== undefined) visit(debian.path);
    }
  };
  for (let at = parentOf(script); at !== "/" && at !== "/usr"; at = parentOf(at)) {
    if (resolver.resolve(`${at}/package.json`) === undefined) continue;
    visit(at);
    break;
  }
  return files;
}

function dependencies(manifest: string): string[] {
  try {
    const value: unknown = JSON.parse(manifest);
    const listed = (value as { dependencies?: unknown } | null)?.dependencies;
    return listed && typeof listed === "object" ? Object.keys(listed).filter((name) => /^(@[\w.-]+\/)?[\w.-]+$/.test(name)) : [];
  } catch {
    return [];
  }
}

function follow(resolver: Resolver, script: string, imports: (text: string) => string[]): string[] {
  const found = new Set<string>();
  const queue = [script];
  for (let path = queue.shift(); path !== undefined && found.size < maxModules; path = queue.shift()) {
    const file = resolver.resolve(path);
    if (file?.status.kind !== "file" || /\.(so|pyc|pyi)$/.test(path)) continue;
    for (const item of imports(readText(resolver.fs, file.path))) {
      if (found.has(item)) continue;
      found.add(item);
      queue.push(item);
    }
  }
  return [...found];
}
