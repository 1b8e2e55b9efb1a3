/** The guest that all contenders run: the embedded kernel and initial RAM disk, and programs built from guest/. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { cpuModel } from "../conformance/differential/qemu.ts";
import { fileType, writeCpio } from "../src/image/cpio.ts";
import { type NodeBinary, Skip } from "./benchmark.ts";

/** The project's folder, from dist/bench. */
export const root = fileURLToPath(new URL("../..", import.meta.url));
const sources = join(root, "bench/guest");
const guestFolder = join(root, "guests/linux-riscv64");
export interface Guest {
  readonly kernel: string;
  readonly initrd: string;
  /** A raw disk; what the guest writes to it is thrown away. */
  readonly disk?: string;
  /** MB of RAM (default 256). */
  readonly memory?: number;
}

const compilers = {
  guest: { command: "riscv64-linux-gnu-gcc", flags: ["-static"], packages: "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross" },
  host: { command: "gcc", flags: [], packages: "gcc libc6-dev" },
} as const;
// The same arithmetic everywhere: a fused multiply-add rounds once.
const flags = ["-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"];

/** Where everything is kept that is fetched or made. */
export const cache = process.env.VIV_CACHE ?? join(homedir(), ".cache/vivarium");

/** Makes a file in the cache once for all that it is made from. Seen only when it is whole. */
function kept(name: string, from: readonly (string | Uint8Array)[], make: (path: string) => void): string {
  const hash = createHash("sha256");
  for (const part of from) hash.update(part).update("\0");
  const path = join(cache, "bench", `${name}-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(path)) return path;
  mkdirSync(join(cache, "bench"), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  try {
    make(temporary);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  return path;
}

/** Builds a workload for guests or for the host; returns the program's path. */
export function program(name: string, target: keyof typeof compilers): string {
  const compiler = compilers[target];
  let version: string;
  try {
    version = execFileSync(compiler.command, ["--version"], { encoding: "utf8" });
  } catch {
    throw new Skip(`no ${compiler.command}: apt-get install ${compiler.packages}`);
  }
  const texts = readdirSync(sources)
    .filter((file) => ["bench.h", "main.c", `${name}.c`].includes(file))
    .map((file) => readFileSync(join(sources, file)));
  const options = [...flags, ...compiler.flags];
  return kept(`${name}-${target}`, [version, options.join(" "), ...texts], (path) => {
    const files = [join(sources, "main.c"), join(sources, `${name}.c`)];
    execFileSync(compiler.command, [...options, "-o", path, ...files, "-lm"], { stdio: ["ignore", 2, 2] });
  });
}

/** The embedded guest, unpacked. */
export function embedded(): Guest {
  const unpacked = (file: string) => {
    const packed = readFileSync(join(guestFolder, file));
    return kept(file.replace(".gz", ""), [packed], (path) => writeFileSync(path, gunzipSync(packed)));
  };
  return { kernel: unpacked("Image.gz"), initrd: unpacked("initramfs.cpio.gz") };
}

/** The embedded guest with another file in its initial RAM disk. */
export function withFile(path: string, content: Uint8Array): Guest {
  const { kernel, initrd } = embedded();
  const first = readFileSync(initrd);
  const padding = new Uint8Array((4 - (first.length % 4)) % 4);
  const second = writeCpio([{ path, mode: fileType.file | 0o755, data: content }]);
  const name = `${path.replaceAll("/", "-")}.cpio`;
  return {
    kernel,
    initrd: kept(name, [first, path, content], (to) => writeFileSync(to, Buffer.concat([first, padding, second]))),
  };
}

/** Runs `viv` on some Node: the file to start, and its arguments. */
export function viv(node: NodeBinary, args: readonly string[]): [string, string[]] {
  return [node.path, [join(root, "bin/viv.mjs"), ...args]];
}

/** Arguments of `viv` for a guest with its console on the serial port. */
export function vivGuest({ kernel, initrd, disk, memory = 256 }: Guest, append: string): string[] {
  const disks = disk === undefined ? [] : ["--disk", `${disk.replaceAll(",", ",,")},overlay`];
  return ["run", kernel, "--initrd", initrd, "--append", append, "--memory", `${memory}M`, "--no-reboot", ...disks];
}

let fetchedQemu: string | undefined;
/** Path of Debian's QEMU, fetched if need be. */
export function qemu(): string {
  if (fetchedQemu !== undefined) return fetchedQemu;
  const script = join(root, "scripts/debian/qemu.sh");
  try {
    fetchedQemu = execFileSync(script, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch (error) {
    throw new Skip(`${script} gives no QEMU: ${(error as { stderr?: string }).stderr?.trim()}`);
  }
  return fetchedQemu;
}

/** Arguments of QEMU for the same machine, without its serial port. */
export function qemuGuest({ kernel, initrd, disk, memory = 256 }: Guest, append: string): string[] {
  const machine = ["-M", "virt", "-cpu", cpuModel(), "-m", `${memory}`, "-nic", "none"];
  const host = ["-display", "none", "-monitor", "none", "-no-reboot"];
  const drive = `if=none,id=disk,format=raw,snapshot=on,file=${disk?.replaceAll(",", ",,")}`;
  const disks = disk === undefined ? [] : ["-drive", drive, "-device", "virtio-blk-device,drive=disk"];
  return [...machine, ...host, "-kernel", kernel, "-initrd", initrd, "-append", append, ...disks];
}
