/** QEMU as a contender, driven over QMP on its standard streams. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Blob, skipTo } from "./blob.ts";
import type { Contender } from "./contender.ts";
import { header, headerBase, ramBase, ramSize, resultSize } from "./layout.ts";

/** The hart that we claim to be: the extensions of issue 2 and no others. */
const extensions: Record<string, boolean> = {
  h: false,
  v: false,
  debug: false,
  b: true,
  zba: true,
  zbb: true,
  zbc: true,
  zbs: true,
  zicbom: true,
  zicbop: true,
  zicboz: true,
  zawrs: true,
  zacas: true,
  zfa: true,
  zicond: true,
  sstc: true,
  svadu: true,
  svinval: true,
  svnapot: true,
  svpbmt: true,
};

/** QEMU's `-cpu` for that hart. @param more extensions that it has besides */
export function cpuModel(more: readonly string[] = []): string {
  const chosen = { ...extensions, ...Object.fromEntries(more.map((name) => [name, true])) };
  return ["rv64", ...Object.entries(chosen).map(([name, on]) => `${name}=${on}`)].join(",");
}

type Reply = { return?: unknown; error?: { desc: string }; event?: string };

class Qmp {
  readonly #child: ChildProcessWithoutNullStreams;
  #waiting: { accept: (reply: Reply) => boolean; resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  #stderr = "";
  readonly exited: Promise<void>;

  constructor(path: string, args: readonly string[]) {
    this.#child = spawn(path, args, { stdio: "pipe" });
    this.#child.stderr.on("data", (chunk) => {
      this.#stderr += chunk;
    });
    this.exited = new Promise((resolve) => {
      const end = (error: Error) => {
        for (const waiting of this.#waiting) waiting.reject(error);
        this.#waiting = [];
        resolve();
      };
      this.#child.on("error", end);
      this.#child.on("close", (code, signal) =>
        end(new Error(`${path} ended with ${signal ?? `status ${code}`}: ${this.#stderr.trim()}`)),
      );
    });
    createInterface(this.#child.stdout).on("line", (line) => {
      const reply = JSON.parse(line) as Reply;
      const index = this.#waiting.findIndex(({ accept }) => accept(reply));
      if (index >= 0) this.#waiting.splice(index, 1)[0].resolve(reply);
    });
  }

  #wait(accept: (reply: Reply) => boolean): Promise<Reply> {
    return new Promise((resolve, reject) => this.#waiting.push({ accept, resolve, reject }));
  }
  async command(execute: string, args: object = {}): Promise<unknown> {
    const reply = this.#wait((reply) => "return" in reply || "error" in reply);
    this.#child.stdin.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    const { error, return: value } = await reply;
    if (error) throw new Error(`QMP ${execute}: ${error.desc}`);
    return value;
  }
  event(name: string): Promise<Reply> {
    return this.#wait((reply) => reply.event === name);
  }
  kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    return this.exited;
  }
}

/** Seconds without progress after which a case counts as hanging. */
const patience = 5;

/** @param path of `qemu-system-riscv64` */
export function qemu(path: string): Contender {
  return {
    name: "QEMU",
    async run(blob, more = []) {
      const cpu = cpuModel(more);
      const folder = mkdtempSync(join(tmpdir(), "viv-differential-"));
      try {
        const results = new Uint8Array(blob.results.length);
        for (let first = 0; first < blob.count; ) first = await runFrom(path, cpu, folder, blob, first, results);
        return results;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** Runs cases from `first` until all are done or one hangs; returns the case to go on with. */
async function runFrom(
  path: string,
  cpu: string,
  folder: string,
  blob: Blob,
  first: number,
  results: Uint8Array,
): Promise<number> {
  const bytes = skipTo(blob, first);
  const file = join(folder, "blob");
  writeFileSync(file, bytes);
  const machine = ["-M", "virt", "-cpu", cpu, "-m", `${ramSize >> 20}M`, "-bios", "none"];
  const load = ["-device", `loader,file=${file},addr=${ramBase},force-raw=on`];
  const host = ["-display", "none", "-serial", "null", "-monitor", "none", "-no-reboot", "-action", "shutdown=pause"];
  const qmp = new Qmp(path, [...machine, ...load, ...host, "-S", "-qmp", "stdio"]);
  try {
    await qmp.command("qmp_capabilities");
    const stopped = qmp.event("SHUTDOWN").then(() => true);
    // Its failure is seen by the command in progress.
    stopped.catch(() => {});
    await qmp.command("cont");
    const dump = async (address: bigint, length: number) => {
      const target = join(folder, "dump");
      await qmp.command("pmemsave", { val: Number(address), size: length, filename: target });
      return readFileSync(target);
    };
    let progress = first - 1;
    for (;;) {
      const done = await Promise.race([stopped, sleep(patience)]);
      const now = Number((await dump(headerBase + BigInt(header.progress), 8)).readBigUInt64LE());
      if (!done && now !== progress) {
        progress = now;
        continue;
      }
      const part = await dump(blob.results.address + BigInt(first * resultSize), (now - first) * resultSize || 1);
      results.set(part.subarray(0, (now - first) * resultSize), first * resultSize);
      return done ? blob.count : now + 1;
    }
  } finally {
    await qmp.kill();
  }
}

function sleep(seconds: number): Promise<false> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), seconds * 1000).unref();
  });
}
