// QEMU's `virt` board with its processor stopped: its registers and RAM, over the qtest protocol (docs/devel/qtest of QEMU).
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export const qemu = "qemu-system-riscv64";

export function installed(): boolean {
  return spawnSync(qemu, ["--version"]).error === undefined;
}

export class Qtest {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { command: string; resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  #stderr = "";

  constructor(args: readonly string[]) {
    const fixed = ["-M", "virt", "-m", "64", "-S", "-bios", "none", "-display", "none", "-nodefaults"];
    this.#child = spawn(qemu, [...fixed, "-qtest", "stdio", "-qtest-log", "/dev/null", ...args]);
    this.#child.stderr.on("data", (text) => {
      this.#stderr += text;
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      if (line.startsWith("IRQ")) return;
      const { command, resolve, reject } = this.#waiting.shift()!;
      if (line.startsWith("OK")) resolve(line.slice(3));
      else reject(new Error(`${command}: ${line}`));
    });
    this.#child.on("exit", () => {
      for (const { command, reject } of this.#waiting.splice(0)) reject(new Error(`${command}: QEMU has ended: ${this.#stderr}`));
    });
  }

  command(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      this.#child.stdin.write(`${command}\n`);
    });
  }

  async read(address: number, size: 1 | 2 | 4): Promise<number> {
    return Number(await this.command(`read${"bw l"[size - 1]} 0x${address.toString(16)}`));
  }

  async write(address: number, size: 1 | 2 | 4, value: number): Promise<void> {
    await this.command(`write${"bw l"[size - 1]} 0x${address.toString(16)} 0x${value.toString(16)}`);
  }

  async readMemory(address: number, length: number): Promise<Uint8Array> {
    const hex = await this.command(`read 0x${address.toString(16)} 0x${length.toString(16)}`);
    return new Uint8Array(Buffer.from(hex.slice(2), "hex"));
  }

  async writeMemory(address: number, bytes: Uint8Array): Promise<void> {
    const hex = Buffer.from(bytes).toString("hex");
    await this.command(`write 0x${address.toString(16)} 0x${bytes.length.toString(16)} 0x${hex}`);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
