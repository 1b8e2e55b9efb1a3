import { VivError } from "../../../core/errors.ts";
import { type Architecture, architectures } from "../syscalls.ts";
import { arm64 } from "./arm64.ts";
import type { Stub } from "./record.ts";
import { riscv64 } from "./riscv64.ts";
import { x64 } from "./x86_64.ts";

const stubs: Readonly<Record<Architecture, Stub>> = { x64, arm64, riscv64 };

/**
 * The stub of a host architecture.
 *
 * @param architecture a name of Node's `process.arch`
 * @throws VivError `UNSUPPORTED_ARCHITECTURE`
 */
export function stubFor(architecture: string): Stub {
  const stub = (stubs as Readonly<Record<string, Stub | undefined>>)[architecture];
  if (stub === undefined) {
    const known = architectures.join(", ");
    throw new VivError(
      "UNSUPPORTED_ARCHITECTURE",
      `jails need a host of ${known}; this one is ${architecture}: use --engine emulator`,
    );
  }
  return stub;
}
