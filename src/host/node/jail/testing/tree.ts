/** Trees for tests: an empty root with this host's own programs mounted read-only. */
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JailSpec, type JailSpecInput, parseJailSpec } from "../../../../engine/jail/spec.ts";
import type { JailExit } from "../process.ts";
import { startJail } from "../start.ts";

const system = ["bin", "sbin", "lib", "lib32", "lib64", "usr"];

/** What a user namespace needs where we are not root; root needs none. */
function ownIds(): Pick<JailSpecInput, "userNamespace"> {
  const uid = process.geteuid!();
  if (uid === 0) return {};
  return {
    userNamespace: { uids: [{ inside: 0, outside: uid, size: 1 }], gids: [{ inside: 0, outside: process.getegid!(), size: 1 }] },
  };
}

export interface Tree {
  readonly root: string;
  spec(command: readonly string[], more?: Partial<JailSpecInput>): JailSpec;
  /** Runs a shell command in a jail of the tree; gives what it printed on both streams, and how it ended. */
  run(script: string, more?: Partial<JailSpecInput>): Promise<{ text: string; exit: JailExit }>;
  remove(): void;
}

export function makeTree(): Tree {
  const folder = mkdtempSync(join(tmpdir(), "viv-jail-"));
  const root = join(folder, "root");
  mkdirSync(root);
  for (const name of ["proc", "sys", "dev", "tmp", "root", "etc"]) mkdirSync(join(root, name));
  const mounts: NonNullable<JailSpecInput["mounts"]> = [];
  for (const name of system) {
    const host = `/${name}`;
    if (!existsSync(host)) continue;
    if (lstatSync(host).isSymbolicLink()) symlinkSync(readlinkSync(host), join(root, name));
    else mounts.push({ type: "bind", source: host, target: host, readOnly: true });
  }
  const spec = (command: readonly string[], more: Partial<JailSpecInput> = {}) =>
    parseJailSpec({ root, command: [...command], ...ownIds(), ...more, mounts: [...mounts, ...(more.mounts ?? [])] });
  return {
    root,
    spec,
    run: async (script, more) => {
      const path = join(folder, "output");
      const output = openSync(path, "w+");
      const input = openSync("/dev/null", "r");
      try {
        const jail = await startJail(spec(["/bin/sh", "-c", script], more), { stdin: input, stdout: output, stderr: output });
        const exit = await jail.exited;
        return { text: readFileSync(path, "utf8"), exit };
      } finally {
        closeSync(output);
        closeSync(input);
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Why jails cannot be tested here, or false. */
export async function whyNoJails(): Promise<string | false> {
  if (process.platform !== "linux") return `jails need Linux, this is ${process.platform}`;
  const tree = makeTree();
  try {
    await tree.run("exit 0");
    return false;
  } catch (error) {
    return `this host lets us make no jails: ${(error as Error).message}`;
  } finally {
    tree.remove();
  }
}
