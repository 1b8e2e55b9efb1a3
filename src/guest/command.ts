import { encodeUtf8 } from "../core/text.ts";
import { type CpioEntry, fileType, writeCpio } from "../image/cpio.ts";
import type { GuestSpec } from "./spec.ts";

/** Ports of the embedded guest's virtio console, in the order in which it wants them (guests/linux-riscv64/README.md). */
export const commandPorts = {
  stdin: "org.vivarium.stdin",
  stdout: "org.vivarium.stdout",
  stderr: "org.vivarium.stderr",
  exit: "org.vivarium.exit",
} as const;

/**
 * The embedded guest's initial root file system with a command in it, as its protocol wants it: a second archive that
 * starts at a multiple of 4 bytes.
 */
export function withCommand(
  initrd: Uint8Array,
  spec: Pick<GuestSpec, "env" | "cwd" | "tty"> & { command: readonly string[] },
): Uint8Array<ArrayBuffer> {
  const entries: CpioEntry[] = [
    { path: "viv/command", mode: fileType.file | 0o600, data: encodeUtf8(commandScript(spec)) },
    ...(spec.tty ? [{ path: "viv/tty", mode: fileType.file | 0o600, data: new Uint8Array() }] : []),
  ];
  const archive = writeCpio(entries);
  const start = Math.ceil(initrd.length / 4) * 4;
  const whole = new Uint8Array(start + archive.length);
  whole.set(initrd);
  whole.set(archive, start);
  return whole;
}

function commandScript(spec: Pick<GuestSpec, "env" | "cwd"> & { command: readonly string[] }): string {
  const isName = (name: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
  const variables = Object.entries(spec.env);
  // What the shell does not take for a name goes through env.
  const odd = variables.filter(([name]) => !isName(name)).map(([name, value]) => `${name}=${value}`);
  const words = odd.length > 0 ? ["env", ...odd, ...spec.command] : spec.command;
  const lines = variables.filter(([name]) => isName(name)).map(([name, value]) => `export ${name}=${quote(value)}`);
  if (spec.cwd !== undefined) lines.push(`cd ${quote(spec.cwd)} || exit 126`);
  lines.push(`set -- ${words.map(quote).join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** One word of a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
