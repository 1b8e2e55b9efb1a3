// Runs the real `viv` for tests.
import { type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** `bin/viv.mjs`, seen from dist/src/cli/testing. */
export const vivPath = fileURLToPath(new URL("../../../../bin/viv.mjs", import.meta.url));

export interface VivResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Starts `viv`, so that a test can send it signals. */
export function startViv(args: readonly string[], options: SpawnOptions = {}) {
  return spawn(process.execPath, [vivPath, ...args], { stdio: ["ignore", "pipe", "pipe"], ...options });
}

/** Runs `viv` to its end. `input`: what it reads; nothing by default. */
export async function viv(args: readonly string[], input: Uint8Array | string = ""): Promise<VivResult> {
  const child = startViv(args, { stdio: ["pipe", "pipe", "pipe"] });
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout?.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // Whoever does not read all of its input is free not to.
  child.stdin?.on("error", () => {}).end(input);
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout: Buffer.concat(stdout), stderr };
}
