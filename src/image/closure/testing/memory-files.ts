import { encodeUtf8 } from "../../../core/text.ts";
import { type FileStatus, type FileSystem, joinPath, parentOf } from "../filesystem.ts";

type Entry = string | Uint8Array | { link: string } | { directory: true };

/** A file system of an object: paths to contents; strings are text, a mode may follow the path as `path|755`. */
export function memoryFiles(files: Record<string, Entry>): FileSystem {
  const entries = new Map<string, { status: FileStatus; entry: Entry }>();
  let inode = 1;
  const add = (path: string, kind: FileStatus["kind"], entry: Entry, mode: number, size: number): void => {
    const status = { kind, mode, uid: 0, gid: 0, size, device: 1, inode: inode++, links: 1 };
    entries.set(path, { status, entry });
  };
  const addParents = (path: string): void => {
    if (entries.has(path)) return;
    if (path !== "/") addParents(parentOf(path));
    add(path, "directory", { directory: true }, 0o755, 0);
  };
  for (const [key, entry] of Object.entries(files)) {
    const [path, mode = ""] = key.split("|") as [string, string?];
    addParents(parentOf(path));
    const bytes = typeof entry === "string" ? encodeUtf8(entry) : entry;
    if (bytes instanceof Uint8Array) {
      add(path, "file", bytes, mode === "" ? (isProgram(bytes) ? 0o755 : 0o644) : Number.parseInt(mode, 8), bytes.length);
    } else if ("link" in bytes) add(path, "symlink", bytes, 0o777, bytes.link.length);
    else if (!entries.has(path)) add(path, "directory", bytes, 0o755, 0);
  }
  const get = (path: string) => {
    const found = entries.get(path);
    if (found === undefined) throw new Error(`not there: ${path}`);
    return found.entry;
  };
  return {
    status: (path) => entries.get(path)?.status,
    readLink: (path) => (get(path) as { link: string }).link,
    list: (path) =>
      [...entries.keys()]
        .filter((key) => key !== "/" && parentOf(key) === path)
        .map((key) => key.slice(joinPath(path, "").length)),
    read: (path, offset, length) => (get(path) as Uint8Array).subarray(offset, offset + length),
  };
}

function isProgram(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x7f && bytes[1] === 0x45) || (bytes[0] === 0x23 && bytes[1] === 0x21);
}
