import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTrace, readFiles } from "../../src/image/closure/strace.ts";

/** A command line for `spawn`. */
export interface Invocation {
  readonly file: string;
  readonly args: readonly string[];
}

/** The same for runs on the host and in a jail, and nothing of the user's own. */
export const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/tmp/viv-home",
  TERM: "xterm",
  LANG: "C.UTF-8",
};

export interface JailedOptions {
  readonly input?: string;
  /** Account in the jail, as `chroot --userspec` takes it. */
  readonly user?: string;
}

const viv = join(import.meta.dirname, "../../../bin/viv.mjs");

/** The one place that knows how a jail is entered. Its network is the host's, for servers on the loopback interface. */
export function invocation(directory: string, command: readonly string[], user?: string): Invocation {
  const variables = Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const as = user === undefined ? [] : ["--user", user];
  const options = ["--network", "host", "--tmpfs", "/tmp", ...variables, ...as];
  return { file: process.execPath, args: [viv, "jail", "run", ...options, directory, ...command] };
}

export function runJailed(directory: string, command: readonly string[], options: JailedOptions = {}): SpawnSyncReturns<string> {
  const { file, args } = invocation(directory, command, options.user);
  return spawnSync(file, args, {
    env: environment,
    cwd: "/",
    encoding: "utf8",
    maxBuffer: 64 << 20,
    input: options.input ?? "",
    timeout: 300_000,
    killSignal: "SIGKILL",
  });
}

/** Starts a command in the jail that goes on; `stop` ends it with everything that it started. */
export function startJailed(directory: string, command: readonly string[]): { stop: () => Promise<void> } {
  const { file, args } = invocation(directory, command);
  const child = spawn(file, args, { env: environment, cwd: "/", stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

function quote(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

export interface HostTrace {
  readonly command: readonly string[];
  /** Typed at a terminal of its own, one after the other; without, it has none. */
  readonly keys?: readonly (readonly string[])[];
  readonly user?: string;
}

/** Runs a command on the host and tells which files it read. */
export async function traceHost({ command, keys, user }: HostTrace): Promise<string[]> {
  const scratch = mkdtempSync(join(tmpdir(), "viv-conform-trace-"));
  try {
    // The traced program writes its logs there whatever user it runs as.
    chmodSync(scratch, 0o1777);
    rmSync(environment.HOME, { recursive: true, force: true });
    mkdirSync(environment.HOME);
    chmodSync(environment.HOME, 0o1777);
    const as = user === undefined ? [] : ["-u", user];
    const options = ["-ff", "-xx", "-y", "-s", "8192", ...as, "-e", "trace=%file,chroot", "-e", "signal=none"];
    const args = [...options, "-o", join(scratch, "log"), ...command];
    if (keys === undefined) {
      const settings = { env: environment, cwd: "/tmp", timeout: 300_000, killSignal: "SIGKILL", stdio: "ignore" } as const;
      const result = spawnSync("strace", args, settings);
      if (result.error) throw result.error;
    } else {
      const screen = new Screen({ file: "strace", args });
      try {
        let before = await screen.shows(/\S/);
        for (const names of keys) {
          screen.keys(...names);
          before = await screen.changes(before);
        }
        await screen.ends();
      } finally {
        screen.close();
      }
    }
    const logs = readdirSync(scratch).map((name) => readFileSync(join(scratch, name), "latin1"));
    return readFiles(logs.flatMap((text) => parseTrace(text, "/tmp")));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(environment.HOME, { recursive: true, force: true });
  }
}

export function isRegularFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

/** A terminal of 80 by 24 that runs a command; keys go in, the screen comes out. */
export class Screen {
  private readonly socket = `viv-imprison-${process.pid}`;

  constructor(command: Invocation) {
    const text = `env -i ${Object.entries(environment)
      .map(([name, value]) => quote([`${name}=${value}`]))
      .join(" ")} ${quote([command.file, ...command.args])}`;
    this.tmux("-f", "/dev/null", "new-session", "-d", "-c", "/tmp", "-x", "80", "-y", "24", text);
  }

  keys(...names: string[]): void {
    this.tmux("send-keys", ...names);
  }

  text(): string {
    return this.tmux("capture-pane", "-p");
  }

  /** Waits until the screen shows something; returns the screen in any case. */
  async shows(expected: RegExp): Promise<string> {
    for (let tries = 0; tries < 300; tries++) {
      if (expected.test(this.text())) break;
      await pause();
    }
    return this.text();
  }

  /** Waits, up to a few seconds, until the screen is another: not every key changes it. */
  async changes(before: string): Promise<string> {
    for (let tries = 0; tries < 30 && this.text() === before; tries++) await pause();
    return this.text();
  }

  /** Waits until the command has ended. */
  async ends(): Promise<void> {
    const alive = () => spawnSync("tmux", ["-L", this.socket, "has-session"], { stdio: "ignore" }).status === 0;
    for (let tries = 0; tries < 300 && alive(); tries++) await pause();
    if (alive()) throw new Error(`the command does not end; its screen:\n${this.text()}`);
  }

  close(): void {
    spawnSync("tmux", ["-L", this.socket, "kill-server"], { stdio: "ignore" });
  }

  private tmux(...args: string[]): string {
    const result = spawnSync("tmux", ["-L", this.socket, ...args], { encoding: "utf8" });
    return result.stdout ?? "";
  }
}
