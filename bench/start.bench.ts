/** From nothing to a shell, to the end of a command, to Debian's prompt; and the memory that guests cost the host. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeUtf8 } from "../src/core/text.ts";
import { type Benchmark, type Contender, type Context, compare, Skip } from "./benchmark.ts";
import { instructionsTo } from "./counted.ts";
import { cache, embedded, type Guest, qemu, qemuGuest, root, viv, vivGuest, withFile } from "./guest.ts";
import { runProgram, type Usage } from "./process.ts";
import { workloadContenders } from "./workload.ts";

type Sample = { readonly wall: number; readonly cpu: number; readonly rss: number };
const metrics = { cpu: "s", wall: "s", rss: "MB" };

const sample = ({ wall, cpu, peak }: Usage): Sample => ({ wall, cpu, rss: peak });

/** Runs a program until it prints a text; what it has used then. */
async function until(text: string, [file, args]: [string, string[]]): Promise<Sample> {
  let reached: Usage | undefined;
  await runProgram(file, args, {
    onOutput: (output, usage) => {
      if (reached !== undefined || !output.includes(text)) return false;
      reached = usage();
      return true;
    },
  });
  if (reached === undefined) throw new Error(`${file} ended without ${JSON.stringify(text)}`);
  return sample(reached);
}

/** Ours on every Node and QEMU, with the console on the serial port, until it shows a text. */
function bootContenders(guest: Guest, append: string, text: string, { nodes }: Context): Contender<Sample>[] {
  return [
    ...nodes.map((node) => ({
      name: `viv on Node ${node.version}`,
      node: node.version,
      measure: () => until(text, viv(node, vivGuest(guest, append))),
    })),
    { name: "qemu", measure: () => until(text, [qemu(), [...qemuGuest(guest, append), "-serial", "stdio"]]) },
  ];
}

const serialConsole = "console=ttyS0 quiet TERM=dumb";
const prompt = "~ # ";

const boot: Benchmark = {
  name: "boot",
  group: "start",
  async run(context) {
    const guest = embedded();
    context.progress("boot: counting instructions");
    const ours = await instructionsTo(prompt, guest, serialConsole);
    context.report({ name: "boot.instructions", peer: "none", ours, unit: "million", runs: 1, node: process.version });
    await compare("boot", bootContenders(guest, serialConsole, prompt, context), metrics, context);
  },
};

/** QEMU's devices for a command in the embedded guest (guests/linux-riscv64/README.md). */
function commandDevices(folder: string): string[] {
  const port = (name: string) => {
    const file = join(folder, name);
    return ["-chardev", `file,id=${name},path=${file}`, "-device", `virtserialport,chardev=${name},name=org.vivarium.${name}`];
  };
  const random = ["-device", "virtio-rng-device", "-device", "virtio-serial-device"];
  const terminal = ["-chardev", `file,id=console,path=${join(folder, "console")}`, "-device", "virtconsole,chardev=console"];
  return [...random, ...terminal, ...["stdin", "stdout", "stderr", "exit"].flatMap(port), "-serial", "null"];
}

/** `viv run -- true`: with QEMU, all that has to be done for the same. */
const command: Benchmark = {
  name: "command",
  group: "start",
  async run(context) {
    const guest = withFile("viv/command", encodeUtf8("set -- 'true'\n"));
    const folder = mkdtempSync(join(tmpdir(), "viv-bench-"));
    const args = [...qemuGuest(guest, "console=hvc0 quiet"), ...commandDevices(folder)];
    try {
      await compare<Sample>(
        "command",
        [
          ...context.nodes.map((node) => ({
            name: `viv on Node ${node.version}`,
            node: node.version,
            measure: async () => sample(await runProgram(...viv(node, ["run", "--", "true"]))),
          })),
          { name: "qemu", measure: async () => sample(await runProgram(qemu(), args)) },
        ],
        metrics,
        context,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** What the host's memory has to hold for a guest that uses 128 MB of its own. */
const touch: Benchmark = {
  name: "touch",
  group: "memory",
  run: async (context) => {
    const contenders = workloadContenders("touch", context).filter(({ name }) => name !== "native");
    await compare("touch", contenders, { rss: "MB" }, context);
  },
};

const debianKernel: Benchmark = {
  name: "debian-kernel",
  group: "debian",
  async run(context) {
    let lines: string;
    try {
      const script = join(root, "scripts/debian/kernel.sh");
      lines = execFileSync(script, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      throw new Skip(`no kernel of Debian's: ${(error as { stderr?: string }).stderr?.trim()}`);
    }
    const { kernel, initrd } = Object.fromEntries(
      lines
        .trim()
        .split("\n")
        .map((line) => line.split(/=(.*)/s, 2)),
    );
    await compare("debian-kernel", bootContenders({ kernel, initrd }, serialConsole, prompt, context), metrics, context);
  },
};

/** Making the disk takes long, so this is for those who have it. */
const debianLogin: Benchmark = {
  name: "debian-login",
  group: "debian",
  async run(context) {
    const folder = join(cache, "debian");
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("rootfs-")) : [];
    const [newest] = names.map((name) => join(folder, name)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
    if (newest === undefined) throw new Skip(`no root disk of Debian's in ${folder}`);
    const [disk, kernel, initrd] = ["disk.img", "kernel", "initrd"].map((name) => join(newest, name));
    const contenders = bootContenders(
      { kernel, initrd, disk, memory: 1024 },
      "root=/dev/vda1 rw console=ttyS0 quiet",
      "login: ",
      context,
    );
    await compare("debian-login", contenders, metrics, context);
  },
};

export const benchmarks: readonly Benchmark[] = [boot, command, touch, debianKernel, debianLogin];
