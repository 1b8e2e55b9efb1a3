import { parentOf, readText } from "./filesystem.ts";
import { glob } from "./glob.ts";
import type { Resolver } from "./resolve.ts";

/** `include` may nest; a cycle must end. */
const maxDepth = 10;

/** Directories of an `ld.so.conf` with what it includes (ldconfig(8)), in order. */
export function readLdConf(resolver: Resolver, path = "/etc/ld.so.conf", depth = 0): string[] {
  const file = resolver.resolve(path);
  if (file?.status.kind !== "file" || depth > maxDepth) return [];
  const directories: string[] = [];
  for (const line of readText(resolver.fs, file.path).split("\n")) {
    const text = line.replace(/#.*/, "").trim();
    const include = /^include\s+(.+)$/.exec(text);
    if (include !== null) {
      for (const pattern of include[1]!.split(/\s+/)) {
        const absolute = pattern.startsWith("/") ? pattern : `${parentOf(file.path)}/${pattern}`;
        for (const match of glob(resolver, absolute)) directories.push(...readLdConf(resolver, match, depth + 1));
      }
    } else if (text !== "" && !text.startsWith("hwcap")) {
      // Directories may share a line, and an old suffix `=TYPE` names a libc.
      for (const item of text.split(/[\s:,]+/)) if (item.startsWith("/")) directories.push(item.replace(/=.*$/, ""));
    }
  }
  return [...new Set(directories)];
}

/** musl's list, `/etc/ld-musl-ARCH.path`: separated by colons or lines; undefined where there is none. */
export function readMuslPath(resolver: Resolver, arch: string): string[] | undefined {
  const file = resolver.resolve(`/etc/ld-musl-${arch}.path`);
  if (file?.status.kind !== "file") return undefined;
  return readText(resolver.fs, file.path)
    .split(/[:\n]/)
    .filter((item) => item.startsWith("/"));
}
