import { spawnSync } from "node:child_process";
import { fstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { VivError } from "../../core/errors.ts";
import { deviceNumber } from "./device-number.ts";

/**
 * Locks an open file for as long as it is open; the kernel releases it when the process ends, however that happens.
 *
 * `flock` locks belong to the open file, not to the process that asked (flock(2)), and Node does not reach the system
 * call; so the program of that name takes the lock on the descriptor that it inherits. Locks that QEMU holds are found, too.
 * @throws VivError `EBUSY` naming who has the file, `ENOLCK` if it cannot be locked
 */
export function lockFile(descriptor: number, name: string, kind: "exclusive" | "shared"): void {
  const result = spawnSync("flock", ["-n", kind === "exclusive" ? "-x" : "-s", "3"], {
    stdio: ["ignore", "ignore", "pipe", descriptor],
    encoding: "utf8",
  });
  if (result.error) {
    const fix =
      (result.error as NodeJS.ErrnoException).code === "ENOENT"
        ? "the program flock is missing (package util-linux)"
        : result.error.message;
    throw new VivError("ENOLCK", `cannot lock ${name}: ${fix}`, { cause: result.error });
  }
  if (result.status === 1) throw inUse(descriptor, name);
  if (result.status !== 0)
    throw new VivError("ENOLCK", `cannot lock ${name}: ${result.stderr.trim() || `flock exited with ${result.status}`}`);
  if (isLockedByQemu(descriptor, kind)) throw inUse(descriptor, name);
}

function inUse(descriptor: number, name: string): VivError {
  const owners = processesWith(descriptor);
  const by = owners.length > 0 ? owners.join(", ") : "a process that this user cannot see";
  return new VivError(
    "EBUSY",
    `disk ${name} is in use by ${by}; stop that, or add ,ro there and here, or give each guest a copy`,
  );
}

/**
 * QEMU locks bytes of an image, each for a permission that it uses (from 100) or does not share (from 200), the second of
 * which is to write (block/file-posix.c and include/block/block-common.h of QEMU). `/proc/locks` shows them.
 */
function isLockedByQemu(descriptor: number, kind: "exclusive" | "shared"): boolean {
  const file = identity(fstatSync(descriptor, { bigint: true }));
  return lines("/proc/locks").some((line) => {
    const fields = line.trim().split(/\s+/);
    if (fields[1] !== "OFDLCK" || fields[5] !== file) return false;
    const [first, last] = [Number(fields[6]), fields[7] === "EOF" ? Number.POSITIVE_INFINITY : Number(fields[7])];
    const covers = (byte: number) => first <= byte && byte <= last;
    return covers(101) || (kind === "exclusive" && covers(201));
  });
}

function identity(stat: { dev: bigint; ino: bigint }): string {
  const device = Number(stat.dev);
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  const { major, minor } = deviceNumber(device);
  return `${hex(major)}:${hex(minor)}:${stat.ino}`;
}

/** Processes that have the file open, in words: `process 1234 (viv run --disk a.img)`. */
function processesWith(descriptor: number): string[] {
  const file = fstatSync(descriptor);
  const owners: string[] = [];
  for (const pid of list("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const open = list(`/proc/${pid}/fd`).filter((fd) => isSame(`/proc/${pid}/fd/${fd}`, file));
    if (Number(pid) === process.pid ? open.length > 1 : open.length > 0) {
      owners.push(Number(pid) === process.pid ? "this process" : `process ${pid} (${commandOf(pid)})`);
    }
  }
  return owners;
}

function isSame(path: string, file: { dev: number; ino: number }): boolean {
  try {
    const stat = statSync(path);
    return stat.dev === file.dev && stat.ino === file.ino;
  } catch {
    return false;
  }
}

function commandOf(pid: string): string {
  const args = lines(`/proc/${pid}/cmdline`).join(" ").split("\0").filter(Boolean);
  if (args.length === 0) return "a program without a name";
  const words = basename(args[0]).startsWith("node") && args.length > 1 ? args.slice(1) : args;
  return [basename(words[0]).replace(/\.mjs$/, ""), ...words.slice(1)].join(" ").slice(0, 200);
}

/** Names in a directory of /proc; none if it is not there or not ours to read. */
function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}
