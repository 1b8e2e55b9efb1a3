// Runs a program on a pseudo-terminal of its own, for tests. Node has none to offer; Python does.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type { Readable, Writable } from "node:stream";

const bridge = `
import fcntl, json, os, select, signal, struct, sys, termios
master, slave = os.openpty()
def resize(rows, columns): fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
resize(24, 80)
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2): os.dup2(slave, fd)
    os.closerange(3, 64)
    os.execvp(sys.argv[1], sys.argv[1:])
def raw():
    flags = termios.tcgetattr(slave)
    return not (flags[3] & (termios.ICANON | termios.ECHO | termios.ISIG) or flags[1] & termios.OPOST)
sources, status, control, gone = [0, master, 3], None, b"", False
while True:
    ready = select.select(sources, [], [], 0.05)[0]
    if master in ready: os.write(1, os.read(master, 65536))
    if 0 in ready:
        data = os.read(0, 65536)
        if data: os.write(master, data)
        else: sources.remove(0)
    if 3 in ready:
        data = os.read(3, 65536)
        if not data: sources.remove(3)
        control += data
        while b"\\n" in control:
            line, control = control.split(b"\\n", 1)
            words = line.decode().split()
            if words[0] == "resize": resize(int(words[1]), int(words[2]))
            elif words[0] == "kill": os.kill(pid, int(words[1]))
            elif words[0] == "hangup":
                gone = True
                os.close(master)
                sources.remove(master)
            elif words[0] == "cook": termios.tcsetattr(slave, termios.TCSANOW, before)
            elif words[0] == "raw": os.write(4, (json.dumps(raw()) + "\\n").encode())
    if status is None:
        done, code = os.waitpid(pid, os.WNOHANG)
        if done: status = os.waitstatus_to_exitcode(code)
    elif master not in ready: break
os.write(4, (json.dumps({"status": status, "restored": gone or termios.tcgetattr(slave) == before}) + "\\n").encode())
`;

/** Why there is no pseudo-terminal to be had; `false` if there is one. */
export function noPty(): string | false {
  return spawnSync("python3", ["-c", "import pty, termios"]).status !== 0 && "needs python3 with termios for a pseudo-terminal";
}

export class Pty {
  /** All that the program has shown. */
  output = "";
  readonly #child: ChildProcess;
  readonly #reports: string[] = [];
  #closed = false;
  #changed: () => void = () => {};

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn("python3", ["-c", bridge, program, ...args], {
      stdio: ["pipe", "pipe", "inherit", "pipe", "pipe"],
      env: { ...env, TERM: "xterm" },
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      this.#changed();
    });
    let rest = "";
    (this.#child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      this.#reports.push(...lines);
      this.#changed();
    });
    this.#child.on("close", () => {
      this.#closed = true;
      this.#changed();
    });
  }

  /** Types text. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  resize(rows: number, columns: number): void {
    this.#control(`resize ${rows} ${columns}`);
  }

  kill(signal: number): void {
    this.#control(`kill ${signal}`);
  }

  /** The terminal goes away, as when its window is closed. */
  hangUp(): void {
    this.#control("hangup");
  }

  /** Sets the terminal as it was at first, as a shell does that stops a program. */
  cook(): void {
    this.#control("cook");
  }

  /** Whether keys go to the program one by one, Ctrl-C included, and its output to the terminal as it is. */
  async isRaw(): Promise<boolean> {
    this.#control("raw");
    return JSON.parse(await this.#report()) as boolean;
  }

  /** Waits until the program has shown something; what is before it is forgotten. Fails when the program ends without. */
  async expect(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) {
        this.output = this.output.slice(match.index + match[0].length);
        return match;
      }
      assert.ok(!this.#closed, `the program ended before it showed ${pattern}; it showed ${this.output}`);
      await this.#change();
    }
  }

  /** How the program ended (negative: by a signal), and whether the terminal's settings are what they were. */
  async ended(): Promise<{ status: number; restored: boolean }> {
    const result = JSON.parse(await this.#report()) as { status: number; restored: boolean };
    while (!this.#closed) await this.#change();
    return result;
  }

  /** Ends it with all that runs on it, if it still does. */
  close(): void {
    this.#child.kill();
  }

  async #report(): Promise<string> {
    while (this.#reports.length === 0) {
      assert.ok(!this.#closed, `the program ended without a report; it showed ${this.output}`);
      await this.#change();
    }
    return this.#reports.shift() as string;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  #control(line: string): void {
    (this.#child.stdio[3] as Writable).write(`${line}\n`);
  }
}
