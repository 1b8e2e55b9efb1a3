/** What this host is, for planning jails. */
import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { VivError } from "../../../core/errors.ts";
import type { HostFacts } from "../../../engine/jail/plan/index.ts";
import { stubFor } from "../../../engine/jail/stub/index.ts";
import type { Architecture } from "../../../engine/jail/syscalls.ts";

/** The oldest kernel whose interfaces plans use: mount_setattr(2) is of 5.12. */
const oldest = [5, 12] as const;

let facts: HostFacts | undefined;

/** @throws VivError `UNSUPPORTED_HOST`, `UNSUPPORTED_ARCHITECTURE` */
export function hostFacts(): HostFacts {
  if (facts !== undefined) return facts;
  if (process.platform !== "linux") {
    throw new VivError("UNSUPPORTED_HOST", `jails need a Linux host; this one is ${process.platform}: use --engine emulator`);
  }
  stubFor(process.arch);
  const [major = 0, minor = 0] = release()
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  const isAtLeast = (wantedMajor: number, wantedMinor: number) =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  if (!isAtLeast(oldest[0], oldest[1])) {
    throw new VivError("UNSUPPORTED_HOST", `jails need Linux ${oldest.join(".")} or later; this host runs ${release()}`);
  }
  facts = {
    architecture: process.arch as Architecture,
    uid: process.geteuid!(),
    gid: process.getegid!(),
    lastCapability: Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8")),
    timeNamespace: isAtLeast(6, 1) && existsSync("/proc/self/ns/time"),
  };
  return facts;
}
