import { joinPath } from "./filesystem.ts";
import type { Resolver } from "./resolve.ts";

/** Entries one pattern may yield, and how deep a tree is walked: a hostile tree must not use up memory. */
const maxMatches = 500_000;
const maxDepth = 64;

/**
 * Paths that match an absolute pattern, sorted: `*` and `?` within a name, and `**` as the last component for everything
 * below (directories included). Links in the fixed part are followed; a tree is walked without following links.
 */
export function glob(resolver: Resolver, pattern: string): string[] {
  const parts = pattern.split("/").filter((part) => part !== "");
  let paths = [""];
  for (const [index, part] of parts.entries()) {
    if (part === "**" && index === parts.length - 1) return paths.flatMap((path) => tree(resolver, path === "" ? "/" : path));
    if (/[*?]/.test(part)) {
      const expression = namePattern(part);
      paths = paths.flatMap((path) =>
        names(resolver, path === "" ? "/" : path)
          .filter((name) => expression.test(name) && (part.startsWith(".") || !name.startsWith(".")))
          .map((name) => `${path}/${name}`),
      );
    } else paths = paths.map((path) => `${path}/${part}`);
  }
  return paths.filter((path) => path === "" || resolver.resolveLink(path) !== undefined);
}

function names(resolver: Resolver, path: string): string[] {
  const directory = resolver.resolve(path);
  return directory?.status.kind === "directory" ? resolver.fs.list(directory.path).sort() : [];
}

function tree(resolver: Resolver, top: string): string[] {
  const directory = resolver.resolve(top);
  if (directory === undefined) return [];
  if (directory.status.kind !== "directory") return [top];
  const found: string[] = [top];
  const walk = (path: string, depth: number): void => {
    for (const name of resolver.fs.list(path).sort()) {
      const child = joinPath(path, name);
      if (found.length >= maxMatches) return;
      found.push(child);
      if (resolver.status(child)?.kind === "directory" && depth < maxDepth) walk(child, depth + 1);
    }
  };
  walk(directory.path, 0);
  return found;
}

function namePattern(text: string): RegExp {
  const escaped = text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\*/g, "[^/]*").replace(/\?/g, "[^/]")}$`);
}
