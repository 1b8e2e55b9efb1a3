/** Says of a failed operation what it means for the user, and what to do about it. */
import { errnoName } from "../../../engine/jail/errno.ts";
import { candidates } from "../../../engine/jail/plan/process.ts";
import { printFailure } from "../../../engine/jail/print.ts";
import type { Failure } from "../../../engine/jail/program.ts";
import type { JailSpec } from "../../../engine/jail/spec.ts";
import { readBelow } from "./users.ts";

const ENOENT = 2;
const ENOEXEC = 8;
const EACCES = 13;
const ENODEV = 19;
const EPERM = 1;
const ELOOP = 40;
const ENOSPC = 28;

/** e_machine (ELF-64 object file format and its registry) of hosts that jails run on, and of those that people have binaries for. */
const machineNames: Readonly<Record<number, string>> = {
  3: "i386",
  40: "arm",
  62: "x86-64",
  183: "arm64",
  243: "riscv64",
  21: "ppc64",
  22: "s390x",
  258: "loongarch64",
};

export function explainFailure(spec: JailSpec, failure: Failure): { code: string; message: string } {
  const { operation, errno } = failure;
  const name = errnoName(errno);
  const detail = printFailure(failure);
  const say = (code: string, text: string) => ({ code, message: `${text} (${detail})` });
  if (operation.call === "execve") return explainExecution(spec, errno, detail);
  if (operation.call === "chdir" && operation.step.startsWith("enter the directory")) {
    return say(name, `the jail has no directory ${spec.cwd} to start in`);
  }
  if (operation.step.startsWith("mount the root") || operation.step.startsWith("change the root")) {
    if (errno === ENOENT) return say("ENOENT", `there is no directory ${spec.root} for the jail`);
    if (errno === 20) return say("ENOTDIR", `${spec.root} is not a directory`);
  }
  if (errno === ELOOP && operation.call === "openat2") {
    return say(
      "ELOOP",
      `${operation.step}: a symbolic link is in the way in ${spec.root}; a jail's own mounts do not follow links: replace it by a directory`,
    );
  }
  if (operation.call === "openat2" && errno === ENOENT) {
    return say(
      "ENOENT",
      `${operation.step}: ${spec.root} has no such place and it cannot be made; make the directory in it first`,
    );
  }
  if (operation.call === "fsopen" && errno === ENODEV)
    return say("ENODEV", `${operation.step}: this kernel does not have that file system`);
  if (operation.call === "clone3" && errno === ENOSPC) {
    return say("ENOSPC", "the host's limit of namespaces is reached; raise the sysctls in /proc/sys/user/max_*_namespaces");
  }
  if (operation.call === "clone3" && errno === EPERM) {
    return say("EPERM", "making namespaces needs root, or a user namespace; see `viv host check`");
  }
  return { code: name, message: detail };
}

function explainExecution(spec: JailSpec, errno: number, detail: string): { code: string; message: string } {
  const program = spec.command[0]!;
  const found = candidates(spec)
    .map((path) => readBelow(spec.root, path, 64))
    .filter((start) => start !== undefined);
  const header = found[0];
  const machine = header === undefined ? undefined : elfMachine(header);
  if (errno === ENOEXEC && machine !== undefined) {
    return {
      code: "FOREIGN_ARCHITECTURE",
      message: `${program} is for ${machine} and this host is not: run it with --engine emulator (${detail})`,
    };
  }
  if (errno === ENOEXEC)
    return { code: "ENOEXEC", message: `${program} is not a program: no ELF file and no script with #! (${detail})` };
  if (errno === ENOENT && found.length > 0) {
    const shebang = header === undefined ? undefined : /^#!\s*(\S+)/.exec(new TextDecoder("latin1").decode(header))?.[1];
    const what = shebang === undefined ? "its dynamic loader" : `its interpreter ${shebang}`;
    return { code: "NO_INTERPRETER", message: `${program} is in the jail but ${what} is not (${detail})` };
  }
  if (errno === ENOENT) {
    const where = program.includes("/")
      ? ""
      : `; looked in ${candidates(spec)
          .map((path) => path.slice(0, path.lastIndexOf("/")))
          .join(", ")}`;
    return { code: "NO_PROGRAM", message: `no program ${program} in the jail ${spec.root}${where} (${detail})` };
  }
  if (errno === EACCES)
    return { code: "EACCES", message: `${program} may not be executed by user ${spec.user.uid} in the jail (${detail})` };
  return { code: errnoName(errno), message: detail };
}

function elfMachine(bytes: Uint8Array): string | undefined {
  if (bytes.length < 20 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) return undefined;
  const little = bytes[5] !== 2;
  const machine = new DataView(bytes.buffer, bytes.byteOffset).getUint16(18, little);
  return machineNames[machine] ?? `machine ${machine}`;
}
