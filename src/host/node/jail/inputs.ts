/** What users name on the host when they describe a jail. */
import { readFileSync, statSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";
import type { DeviceSpec, MountSpec } from "../../../engine/jail/spec.ts";
import { detectMedia, type Media } from "../../../image/detect.ts";
import { deviceNumber } from "../device-number.ts";
import { readBelow } from "./users.ts";

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? "EIO";

/** A device node of the host, as the jail will have it. @throws VivError `ENOENT`, `NOT_A_DEVICE` */
export function deviceAt(path: string): DeviceSpec {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch (error) {
    throw new VivError(codeOf(error), `there is no device ${path} on this host`, { cause: error });
  }
  if (!stat!.isCharacterDevice() && !stat!.isBlockDevice())
    throw new VivError("NOT_A_DEVICE", `${path} is not a device; show files and directories with --bind`);
  const { major, minor } = deviceNumber(stat!.rdev);
  return { path, type: stat!.isBlockDevice() ? "b" : "c", major, minor, mode: stat!.mode & 0o777, access: "rw" };
}

/** A program that is likely in a root directory, as a sample of what its programs are; undefined if none of them is there. */
export function sampleProgram(root: string): Media | undefined {
  for (const path of ["bin/sh", "usr/bin/env", "bin/ls", "sbin/init", "bin/busybox"]) {
    const start = readBelow(root, path, 4096);
    const media = start === undefined ? undefined : detectMedia(start);
    if (media?.kind === "elf") return media;
  }
  return undefined;
}

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The JSON of a file. @throws VivError `ENOENT`, `BAD_SPEC` */
export function readProfile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new VivError(codeOf(error), `reading ${path} failed: ${codeOf(error)}`, { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new VivError("BAD_SPEC", `${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Looks at what binds show, so that a file gets a file as its mount point. @throws VivError `ENOENT` */
export function completeMounts(mounts: readonly MountSpec[]): MountSpec[] {
  return mounts.map((mount) => {
    if (mount.type !== "bind") return mount;
    try {
      return { ...mount, file: !statSync(mount.source).isDirectory() };
    } catch (error) {
      throw new VivError(codeOf(error), `there is nothing at ${mount.source} to show in the jail`, { cause: error });
    }
  });
}
