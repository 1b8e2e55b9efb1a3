import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Closure } from "../../src/index.ts";
import { environment } from "./jail.ts";

/** A tool that does a part of the same, with the files that it finds for programs. */
export interface Peer {
  readonly name: string;
  readonly find: (programs: readonly string[]) => string[];
}

function lines(command: string, args: readonly string[]): string[] {
  return (spawnSync(command, args, { env: environment, encoding: "utf8", maxBuffer: 64 << 20 }).stdout ?? "").split("\n");
}

/** Files that jailkit copies are found by letting it copy; it refuses to below a directory that others may write to. */
function jailkit(programs: readonly string[]): string[] {
  const jail = mkdtempSync("/var/lib/viv-jailkit-");
  try {
    mkdirSync(join(jail, "etc"));
    spawnSync("jk_cp", ["-j", jail, ...programs], { env: environment, stdio: "ignore" });
    return (readdirSync(jail, { recursive: true }) as string[])
      .map((path) => `/${path}`)
      .filter((path) => !path.startsWith("/etc"));
  } finally {
    rmSync(jail, { recursive: true, force: true });
  }
}

export const peers: readonly Peer[] = [
  {
    name: "ldd",
    find: (programs) =>
      programs.flatMap((program) => lines("ldd", [program]).flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? [])),
  },
  { name: "lddtree", find: (programs) => lines("lddtree", ["-l", ...programs]).filter((line) => line.startsWith("/")) },
  { name: "jailkit", find: jailkit },
];

/** What a peer finds that the closure lacks. */
export function missingFrom(closure: Closure, files: readonly string[]): string[] {
  return files.filter((file) => {
    try {
      const path = realpathSync(file);
      return !closure.files.has(path) && ![...closure.files.keys()].some((known) => known.startsWith(`${path}/`));
    } catch {
      return false;
    }
  });
}
