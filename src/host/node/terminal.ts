import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import { type EscapeCommand, EscapeKeyFilter } from "./escape-key.ts";
import { TerminalModes } from "./terminal-modes.ts";

/** What a terminal is connected to: the console of a guest. */
export interface TerminalPeer {
  readonly output: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
  resize(columns: number, rows: number): void;
}

/** Whether this process has a terminal to type into and to read from. */
export function hasTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Size of the terminal's window; `undefined` if it does not know. */
export function terminalWindow(): { columns: number; rows: number } | undefined {
  const { columns, rows } = process.stdout;
  return columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

/** This process's terminal, given to a guest: keys go to it one by one, Ctrl-C included. */
export class Terminal {
  readonly #filter = new EscapeKeyFilter();
  readonly #modes = new TerminalModes();
  #isRaw = false;
  #atLineStart = true;

  /**
   * Connects the terminal until `detach`, or the end of the process, which put it back as it was.
   * @param command is called for the keys that are ours (see `escapeHelp`), and with "quit" when the terminal is gone
   * @returns a promise that is done when the guest's output has ended and is shown
   */
  attach(peer: TerminalPeer, command: (command: EscapeCommand) => void): Promise<void> {
    const { stdin, stdout } = process;
    const resize = () => {
      const size = terminalWindow();
      if (size !== undefined) peer.resize(size.columns, size.rows);
    };
    const type = (bytes: Uint8Array) => {
      const keys = this.#filter.filter(bytes, command);
      if (keys.length === 0) return;
      stdin.pause();
      void peer.write(keys).then(() => this.#isRaw && stdin.resume());
    };
    const hangup = () => command("quit");
    this.#setRaw(true);
    stdin.on("data", type).on("end", hangup).on("error", hangup);
    stdout.on("resize", resize).on("error", hangup);
    // A shell that stops and continues us has set the terminal to its own liking meanwhile.
    process.on("SIGCONT", this.#continue).on("exit", this.restore);
    resize();
    this.detach = () => {
      stdin.off("data", type).off("end", hangup).off("error", hangup).pause();
      stdout.off("resize", resize);
      process.off("SIGCONT", this.#continue).off("exit", this.restore);
      this.restore();
    };
    return this.#show(peer.output);
  }

  /** Gives the terminal back; nothing if it is not attached. */
  detach: () => void = () => {};

  /** Shows a line of ours between what the guest shows. */
  say(line: string): void {
    const lineEnd = this.#isRaw ? "\r\n" : "\n";
    process.stderr.write(`${this.#atLineStart ? "" : lineEnd}${line}${lineEnd}`);
    this.#atLineStart = true;
  }

  readonly restore = (): void => {
    if (!this.#isRaw) return;
    this.#setRaw(false);
    const sequences = `${this.#modes.restore()}${this.#atLineStart ? "" : "\r\n"}`;
    this.#atLineStart = true;
    try {
      // Not the stream: this also runs while the process exits.
      if (sequences !== "") writeSync(1, sequences);
    } catch {
      // The terminal is gone.
    }
  };

  readonly #continue = (): void => {
    this.#setRaw(false);
    try {
      this.#setRaw(true);
    } catch {
      // A terminal that goes away continues us, too; what reads it sees that it is gone.
    }
  };

  #setRaw(raw: boolean): void {
    this.#isRaw = raw;
    try {
      process.stdin.setRawMode(raw);
    } catch (error) {
      if (raw) throw error;
    }
    // Node's raw mode still makes "\r\n" of "\n", with which a guest's editor means one line down in the same column.
    if (raw) spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
  }

  async #show(output: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const bytes of output) {
      this.#modes.feed(bytes);
      this.#atLineStart = bytes.at(-1) === 0x0a;
      if (!process.stdout.write(bytes)) await drained(process.stdout);
    }
  }
}

/** Done when the stream takes more, or never will. */
export function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done).off("close", done).off("error", done);
      resolve();
    };
    stream.on("drain", done).on("close", done).on("error", done);
  });
}
