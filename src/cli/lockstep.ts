import { type Command, InvalidArgumentError, Option } from "commander";
import { type GuestSpecInput, lockstep, VivError } from "../index.ts";
import { exitCode } from "./exit-code.ts";
import { parseDisk, parseSize } from "./options.ts";

interface LockstepOptions {
  memory?: number;
  kernel?: string;
  initrd?: string;
  append?: string;
  firmware?: string;
  disk?: GuestSpecInput["disks"];
  tier: "1" | "auto";
  step?: number;
  until?: number;
}

/** Adds `viv lockstep`. `command` is what followed `--`. */
export function addLockstepCommand(program: Command, command: readonly string[] | undefined, done: (code: number) => void): void {
  program
    .command("lockstep")
    .description("run a guest interpreted and translated at once, and compare: finds mistakes of the emulator")
    .usage("[options] [-- COMMAND...]")
    .option("-m, --memory <size>", "RAM, with K, M or G (default: 256M)", parseSize)
    .option("--kernel <file>", "Linux kernel: Image, Image.gz, ELF")
    .option("--initrd <file>", "initial RAM file system for it")
    .option("--append <text>", "command line of the kernel")
    .option("--firmware <file>", "firmware that starts in M-mode")
    .option("--disk <file,ro|overlay>", "attach a disk (repeatable)", parseDisk)
    .addOption(new Option("--tier <tier>", "what to compare with tier 0").choices(["1", "auto"]).default("1"))
    .option("--step <count>", "compare registers at least every so many instructions", parseCount)
    .option("--until <count>", "stop after so many instructions", parseCount)
    .action(async (options: LockstepOptions) => done(await run(options, command)));
}

async function run(options: LockstepOptions, command: readonly string[] | undefined): Promise<number> {
  const own = (options.kernel ?? options.firmware) !== undefined;
  if (own && options.until === undefined) {
    throw new VivError(
      "BAD_SPEC",
      "nobody types to a guest in lockstep: with a kernel or firmware of your own, say --until when to stop",
    );
  }
  const { memory, kernel, initrd, append, firmware, disk } = options;
  const result = await lockstep(
    {
      machine: { ...(memory !== undefined && { memory }) },
      boot: { kernel, initrd, append, firmware },
      disks: disk,
      ...(!own && { command: [...(command ?? ["true"])] }),
      ...(own && command !== undefined && { command: [...command] }),
    },
    {
      tier: options.tier === "auto" ? "auto" : 1,
      step: options.step,
      until: options.until,
      say: (message) => process.stderr.write(`viv: ${message}\n`),
    },
  );
  const compared = `${result.instructions} instructions, compared ${result.boundaries} times`;
  if (result.report === undefined) {
    process.stdout.write(`the same: ${compared}\n`);
    return exitCode.success;
  }
  process.stdout.write(result.report);
  return exitCode.guestFailed;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError("it is not a whole number above 0");
  return count;
}
