import { decodeUtf8 } from "../../core/text.ts";

/** One look-up of a file by a traced program. */
export interface FileUse {
  readonly call: "open" | "execute";
  /** Absolute, as the program named it. */
  readonly path: string;
  /** What was opened in the end, links resolved. */
  readonly resolved: string | undefined;
  readonly result: "done" | "missing" | "failed";
  /** It may have been made or written by this call. */
  readonly write: boolean;
}

const line = /^(\w+)\((.*)\)\s+= (-?\d+|\?)(?:<([^>]*)>)?(?: (E[A-Z]+))?/;
const firstPath = /^(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:\\x[0-9a-f]{2})*)"/;
const lastPath = /(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:\\x[0-9a-f]{2})*)"(?:, [\w|]+)?$/;

/**
 * Reads what `strace -xx -y -e trace=%file,chroot` wrote of one process.
 * @param directory the directory that the traced command was started in
 * @param jail for a command run by chroot: what comes before is left out, and paths are those of the jail
 */
export function parseTrace(text: string, directory: string, jail?: string): FileUse[] {
  let uses: FileUse[] = [];
  let current = directory;
  for (const row of text.split("\n")) {
    const match = line.exec(row);
    if (match === null) continue;
    const [, call, args, result, opened, error] = match;
    const path = firstPath.exec(args);
    if (path === null) continue;
    const base = path[1] === undefined ? current : inJail(unhex(path[1]), jail);
    const name = unhex(path[2]);
    if (call === "chroot") {
      if (result === "0" && jail !== undefined) {
        uses = [];
        current = "/";
      }
      continue;
    }
    if (path[1] !== undefined && args.startsWith("AT_FDCWD")) current = base;
    const absolute = name.startsWith("/") ? name : `${base === "/" ? "" : base}/${name}`;
    if (call === "chdir" && result === "0") current = absolute;
    if (/^(rename|link)/.test(call) && result === "0") {
      // What is moved or linked into a place was made by the program.
      const last = lastPath.exec(args);
      const target = last === null ? "" : unhex(last[2]);
      const from = last?.[1] === undefined ? current : inJail(unhex(last[1]), jail);
      const made = target.startsWith("/") ? target : `${from === "/" ? "" : from}/${target}`;
      uses.push({ call: "open", path: made, resolved: undefined, result: "done", write: true });
      continue;
    }
    const kind = /^(open|openat|openat2|creat)$/.test(call) ? "open" : /^execve(at)?$/.test(call) ? "execute" : undefined;
    if (kind === undefined || name === "") continue;
    uses.push({
      call: kind,
      path: absolute,
      resolved: opened === undefined ? undefined : inJail(unhex(opened), jail),
      result: error === undefined ? "done" : error === "ENOENT" || error === "ENOTDIR" ? "missing" : "failed",
      write: kind === "open" && (call === "creat" || /\bO_(WRONLY|RDWR|CREAT|TRUNC)\b/.test(args)),
    });
  }
  return uses;
}

function inJail(path: string, jail: string | undefined): string {
  if (jail === undefined) return path;
  if (path === jail) return "/";
  return path.startsWith(`${jail}/`) ? path.slice(jail.length) : path;
}

function unhex(text: string): string {
  const bytes = new Uint8Array(text.length / 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 4 + 2, i * 4 + 4), 16);
  return decodeUtf8(bytes);
}

/** Places whose files are made by the kernel or come and go: never part of a jail. */
const passing = /^\/(proc|sys|dev|tmp|run|var\/tmp|var\/run)(\/|$)/;

/** Paths that programs read and did not make themselves: what a jail must have for them. */
export function readFiles(uses: readonly FileUse[]): string[] {
  const made = new Set(
    uses.filter((use) => use.write && use.result === "done").flatMap((use) => [use.path, use.resolved ?? use.path]),
  );
  const read = uses.filter((use) => use.result === "done" && !use.write).map((use) => use.path);
  return [...new Set(read)].filter((path) => !passing.test(path) && !made.has(path));
}

/** Paths that programs looked for to read or run, and did not find. */
export function missedFiles(uses: readonly FileUse[]): string[] {
  const missed = uses.filter((use) => use.result === "missing" && !use.write).map((use) => use.path);
  return [...new Set(missed)].filter((path) => !passing.test(path));
}
