/** Runs the known ways out of jails against weakened jails, where they must work, and against the default jail, where none may. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VivError } from "../../../core/errors.ts";
import { executable } from "../../../engine/jail/elf.ts";
import { escapedStatus, type Target } from "../../../engine/jail/escapes/attack.ts";
import { type Technique, techniques, type Weakness } from "../../../engine/jail/escapes/techniques.ts";
import { layOut } from "../../../engine/jail/program.ts";
import type { JailSpecInput } from "../../../engine/jail/spec.ts";
import { stubFor } from "../../../engine/jail/stub/index.ts";
import { openTerminalPair } from "../ffi/descriptors.ts";
import { addressOf, mustSyscall, syscall } from "../ffi/libc.ts";
import { hostFacts } from "./facts.ts";
import { specFor } from "./jails.ts";
import { startJail } from "./start.ts";

/** `escaped`: the technique got out; `held`: it did not; `impossible`: such a jail cannot be made here, and why. */
export type AttemptResult =
  | { readonly outcome: "escaped" | "held" }
  | { readonly outcome: "impossible"; readonly reason: string };

export interface EscapeResult {
  readonly name: string;
  readonly source: string;
  /** In the weakened jail, where it must have escaped for the rest to mean anything. */
  readonly weakened: AttemptResult;
  readonly byDefault: AttemptResult;
}

const CLONE_NEWNS = 0x20000;
const MS_REC_PRIVATE = 0x4000 | (1 << 18);
const S_IFCHR = 0o020000;
const IPC_CREAT = 0o1000;
const IPC_RMID = 0;

/**
 * Tries every technique as the user that we are.
 *
 * This thread goes into a mount namespace of its own for good, so that an attack that works leaves the host as it is: call it in a
 * process that does nothing else.
 */
export async function tryEscapes(chosen: (name: string) => boolean = () => true): Promise<EscapeResult[]> {
  const isRoot = hostFacts().uid === 0;
  if (isRoot) {
    mustSyscall("making a mount namespace for the attacks", "unshare", CLONE_NEWNS);
    const none = new TextEncoder().encode("/\0");
    mustSyscall("keeping mounts to ourselves", "mount", 0, addressOf(none), 0, MS_REC_PRIVATE, 0);
  }
  const folder = mkdtempSync(join(tmpdir(), "viv-escapes-"));
  const range = new Range(folder);
  try {
    await range.open();
    const results: EscapeResult[] = [];
    for (const technique of techniques.filter(({ name }) => chosen(name))) {
      results.push({
        name: technique.name,
        source: technique.source,
        weakened: await range.attempt(technique, technique.weakness),
        byDefault: await range.attempt(technique, technique.stdin === undefined ? {} : { stdin: technique.stdin }),
      });
    }
    return results;
  } finally {
    range.close();
    unmountBelow(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Detaches what attacks have mounted in our own namespace. */
function unmountBelow(folder: string): void {
  const MNT_DETACH = 2;
  const mounted = readFileSync("/proc/thread-self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounted.reverse()) {
    mustSyscall("unmounting after the attacks", "umount2", addressOf(new TextEncoder().encode(`${path}\0`)), MNT_DETACH);
  }
}

/** What the attacks aim at, and the trees that they start in. */
class Range {
  readonly #folder: string;
  readonly #secret: string;
  readonly #servers: Server[] = [];
  /** As long as such a name can be: shorter ones are padded by some versions of Node and not by others. */
  readonly #abstractSocket = `viv-escapes-${process.pid}`.padEnd(107, "x");
  readonly #key = 0x76697600 + (process.pid & 0xff);
  #outsider: ChildProcess | undefined;
  #port = 0;
  #segment = -1;
  #terminal: { master: number; slave: number } | undefined;
  #count = 0;

  constructor(folder: string) {
    chmodSync(folder, 0o755);
    this.#folder = folder;
    this.#secret = join(folder, "secret");
  }

  async open(): Promise<void> {
    writeFileSync(this.#secret, "outside\n");
    this.#outsider = spawn("sleep", ["1000"], { stdio: "ignore" });
    this.#segment = syscall("shmget", this.#key, 4096, IPC_CREAT | 0o666);
    this.#terminal = openTerminalPair();
    const listen = (server: Server, where: Parameters<Server["listen"]>[0]) =>
      new Promise<void>((resolve, reject) => {
        this.#servers.push(server);
        server.once("error", reject).listen(where, () => resolve());
      });
    const service = createServer((socket) => socket.destroy());
    await listen(service, { host: "127.0.0.1", port: 0 });
    this.#port = (service.address() as { port: number }).port;
    await listen(
      createServer((socket) => socket.destroy()),
      { path: `\0${this.#abstractSocket}` },
    );
  }

  close(): void {
    for (const server of this.#servers) server.close();
    this.#outsider?.kill("SIGKILL");
    if (this.#segment >= 0) syscall("shmctl", this.#segment, IPC_RMID, 0);
    if (this.#terminal !== undefined) {
      closeSync(this.#terminal.master);
      closeSync(this.#terminal.slave);
    }
  }

  #target(): Target {
    return {
      secret: this.#secret,
      pid: process.pid,
      programInode: statSync(process.execPath).ino % 2 ** 32,
      abstractSocket: this.#abstractSocket,
      port: this.#port,
      sharedMemoryKey: this.#key,
      disk: hostDisk(),
      sysfsFile: existsSync("/sys/kernel/rcu_expedited") ? "/sys/kernel/rcu_expedited" : "/sys/kernel/mm/ksm/run",
    };
  }

  async attempt(technique: Technique, weakness: Weakness): Promise<AttemptResult> {
    const root = this.#makeTree(technique);
    const { architecture } = hostFacts();
    const program = layOut(technique.attack(this.#target()), architecture);
    writeFileSync(join(root, "attack"), executable(program, stubFor(architecture), architecture), { mode: 0o755 });
    if (technique.tree === "setuid") {
      copyFileSync(join(root, "attack"), join(root, "setuid"));
      chmodSync(join(root, "setuid"), 0o4755);
    }
    const input: JailSpecInput = {
      init: technique.init === true && weakness.spec?.chrootOnly !== true,
      ...(technique.user === undefined ? {} : { user: technique.user }),
      ...weakness.spec,
      root,
      command: ["/attack"],
      dieWithParent: true,
    };
    const opened = weakness.stdin === "terminal" ? undefined : openSync(weakness.stdin === "directory" ? "/" : "/dev/null", "r");
    const output = openSync("/dev/null", "w");
    try {
      const jail = await startJail(specFor(input, hostFacts().uid === 0 ? "host" : "own"), {
        stdin: opened ?? this.#terminal!.slave,
        stdout: output,
        stderr: output,
      });
      const { status } = await jail.exited;
      return { outcome: status === escapedStatus ? "escaped" : "held" };
    } catch (error) {
      if (!(error instanceof VivError)) throw error;
      return { outcome: "impossible", reason: error.message };
    } finally {
      closeSync(output);
      if (opened !== undefined) closeSync(opened);
    }
  }

  /** A tree for one attempt: the attack is all that is in it, besides what the technique has brought along. */
  #makeTree(technique: Technique): string {
    const root = join(this.#folder, `root${++this.#count}`);
    mkdirSync(root, { mode: 0o755 });
    if (technique.tree === "device node" && hostFacts().uid === 0) {
      const kmsg = (1 << 8) | 11;
      const path = new TextEncoder().encode(`${join(root, "node")}\0`);
      mustSyscall("making a device node", "mknodat", -100, addressOf(path), S_IFCHR | 0o666, kmsg);
    }
    return root;
  }
}

/** A disk of the host, as Linux encodes its number; a number that no disk has if there is none. */
function hostDisk(): number {
  for (const name of existsSync("/dev") ? readdirSync("/dev") : []) {
    if (!/^(sd|vd|xvd|hd)[a-z]$|^nvme\d+n\d+$|^mmcblk\d+$/.test(name)) continue;
    const { rdev } = statSync(join("/dev", name));
    return rdev;
  }
  return statSync("/").dev;
}
