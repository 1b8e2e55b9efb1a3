import { type Command, Option } from "commander";
import {
  escapeHelp,
  type GuestExit,
  type GuestSpecInput,
  hasTerminal,
  isDirectory,
  Machine,
  pipeOutput,
  pipeStandardInput,
  Terminal,
  terminalWindow,
  VivError,
} from "../index.ts";
import { brokenStreamExitCode, exitCode, signalExitCode } from "./exit-code.ts";
import { runRoot } from "./jail/root.ts";
import { parseDisk, parseSeconds, parseSize, parseVariable } from "./options.ts";
import { statsText } from "./stats.ts";

interface RunOptions {
  engine: NonNullable<GuestSpecInput["engine"]>;
  memory?: number;
  kernel?: string;
  initrd?: string;
  append?: string;
  firmware?: string;
  disk?: GuestSpecInput["disks"];
  env?: Record<string, string>;
  workdir?: string;
  tty: boolean;
  reboot: boolean;
  icount?: boolean;
  tier: "0" | "1" | "auto";
  timeout?: number;
  verbose?: boolean;
  explain?: boolean;
  json?: boolean;
  stats?: "text" | "json";
}

const examples = `
Examples:
  viv run                                  a Linux shell in this terminal
  viv run -- uname -a                      a command in that Linux; its output and its exit status
  echo hi | viv run -- tr a-z A-Z          streams are passed on
  viv run Image --initrd root.cpio --append console=ttyS0
  viv run /srv/debian ls /                 a command in a directory that is a system's root: a jail
  viv run --firmware fw.elf --disk debian.img,overlay --memory 1G

In a terminal, Ctrl-] then q stops the guest; Ctrl-] then ? shows more keys.
Exit status: that of the guest's command; 124 after --timeout, 125 if viv fails, 2 for wrong usage, 1 if the guest fails.`;

/** Adds `viv run`. `command` is what followed `--`. */
export function addRunCommand(program: Command, command: readonly string[] | undefined, done: (code: number) => void): void {
  program
    .command("run")
    .description("boot a guest: the embedded Linux, or a kernel of your own")
    .usage("[IMAGE] [options] [-- COMMAND...]")
    .argument(
      "[IMAGE]",
      "what to boot: a kernel (the same as --kernel), or a system's root directory; nothing for the embedded Linux",
    )
    .argument("[COMMAND...]", "with a directory: program and arguments; after -- if they have options")
    .addOption(new Option("--engine <name>", "kind of world").choices(["auto", "jail", "hypervisor", "emulator"]).default("auto"))
    .option("-m, --memory <size>", "RAM, with K, M or G (default: 256M)", parseSize)
    .option("--kernel <file>", "Linux kernel: Image, Image.gz, ELF")
    .option("--initrd <file>", "initial RAM file system for it")
    .option("--append <text>", "command line of the kernel")
    .option("--firmware <file>", "firmware that starts in M-mode (OpenSBI, U-Boot) instead of the built-in SBI")
    .option(
      "--disk <file[,ro][,overlay][,raw]>",
      "attach a disk; ro: read only, overlay: throw writes away (repeatable)",
      parseDisk,
    )
    .option("-e, --env <name[=value]>", "environment variable for the command (repeatable)", parseVariable)
    .option("-w, --workdir <dir>", "directory of the command, in the guest")
    .option("--no-tty", "do not give the command a terminal, even if there is one")
    .option("--no-reboot", "end when the guest resets instead of starting it again")
    .option("--icount", "count time in instructions: every run is the same")
    .addOption(
      new Option("--tier <tier>", "emulated code: 0 interpreted, 1 translated at once, auto: translated where it pays")
        .choices(["0", "1", "auto"])
        .default("auto"),
    )
    .option("--timeout <seconds>", "stop the guest after so long", parseSeconds)
    .option("-v, --verbose", "show the boot log on stderr, and which engine was chosen")
    .addOption(
      new Option("--stats [format]", "at the end, say on stderr what the guest did: instructions, traps, devices, translation")
        .choices(["text", "json"])
        .preset("text"),
    )
    .option("--explain", "say which engine would be chosen and why, and start nothing")
    .option("--json", "with --explain: as JSON")
    .addHelpText("after", examples)
    .action(async (image: string | undefined, words: string[], options: RunOptions) => {
      if (image !== undefined && isDirectory(image)) {
        refuseMachineOptions(image, options);
        return done(await runRoot(image, command ?? words, options));
      }
      if (words.length > 0) throw new VivError("BAD_SPEC", `${words[0]} is one argument too many; a command follows --`);
      done(await run(image, options, command));
    });
}

/** What makes a machine does not go with a directory, which shares the host's. */
function refuseMachineOptions(root: string, options: RunOptions): void {
  for (const name of ["kernel", "initrd", "append", "firmware", "disk", "icount", "stats", "timeout"] as const) {
    if (options[name] !== undefined)
      throw new VivError("BAD_SPEC", `--${name} does not go with the directory ${root}, which runs in a jail`);
  }
}

async function run(image: string | undefined, options: RunOptions, command: readonly string[] | undefined): Promise<number> {
  const machine = await Machine.create(toSpec(image, options, command));
  try {
    if (options.explain) {
      explain(machine, options.json ?? false);
      return exitCode.success;
    }
    const usesConsole = machine.spec.command === undefined || machine.spec.tty;
    const code = await (usesConsole ? runOnConsole(machine, options) : runOnStreams(machine, options));
    const stats = options.stats && machine.stats();
    if (stats) process.stderr.write(options.stats === "json" ? `${JSON.stringify(stats)}\n` : statsText(stats));
    return code;
  } finally {
    await machine.stop();
  }
}

function toSpec(image: string | undefined, options: RunOptions, command: readonly string[] | undefined): GuestSpecInput {
  if (image !== undefined && options.kernel !== undefined) {
    throw new VivError("BAD_SPEC", `${image} and --kernel ${options.kernel} are two kernels; give one`);
  }
  if (options.json && !options.explain) throw new VivError("BAD_SPEC", "--json needs --explain");
  const isEmbedded = (image ?? options.kernel ?? options.firmware) === undefined;
  // Without a terminal, the shell reads what comes, as `sh` does, and ends with it.
  const run = command ?? (isEmbedded && !hasTerminal() ? ["sh"] : undefined);
  if (command?.length === 0) throw new VivError("BAD_SPEC", "-- is to be followed by a command");
  return {
    engine: options.engine,
    machine: { ...(options.memory !== undefined && { memory: options.memory }) },
    boot: { firmware: options.firmware, kernel: image ?? options.kernel, initrd: options.initrd, append: options.append },
    disks: options.disk,
    ...(run !== undefined && { command: [...run], tty: options.tty && hasTerminal() }),
    env: options.env,
    cwd: options.workdir,
    terminal: { ...terminalWindow(), ...(hasTerminal() && process.env.TERM && { type: process.env.TERM }) },
    icount: options.icount,
    tier: options.tier === "auto" ? "auto" : (Number(options.tier) as 0 | 1),
    verbose: options.verbose,
    onReset: options.reboot ? undefined : "end",
    limits: { seconds: options.timeout },
  };
}

function explain(machine: Machine, json: boolean): void {
  const { engine, reason } = machine.choice;
  if (json) process.stdout.write(`${JSON.stringify({ engine, reason, spec: machine.spec })}\n`);
  else process.stdout.write(`${engine}, because ${reason}\n`);
}

/** The guest's console is this terminal, or these streams if there is none. */
async function runOnConsole(machine: Machine, options: RunOptions): Promise<number> {
  const { engine, reason } = machine.choice;
  if (!hasTerminal()) {
    if (options.verbose) process.stderr.write(`viv: ${engine}, because ${reason}\n`);
    const stopInput = pipeStandardInput(machine.console);
    const outputs = new Outputs(machine);
    outputs.pipe(machine.console.output, process.stdout);
    return outputs.exitCode(await finish(machine, outputs.shown(), stopInput, { logIsShown: true }));
  }
  const terminal = new Terminal();
  terminal.say(`viv: ${engine}, because ${reason}. Ctrl-] then q leaves, Ctrl-] then ? helps.`);
  let isPaused = false;
  const shown = terminal.attach(machine.console, (key) => {
    if (key === "quit") void machine.stop();
    else if (key === "help") for (const line of escapeHelp) terminal.say(line);
    else {
      isPaused = !isPaused;
      if (isPaused) void machine.pause();
      else machine.resume();
      terminal.say(isPaused ? "viv: paused; Ctrl-] then p goes on" : "viv: going on");
    }
  });
  return finish(machine, shown, terminal.detach, { logIsShown: true });
}

/** The command has this process's streams; the boot log is apart. */
async function runOnStreams(machine: Machine, options: RunOptions): Promise<number> {
  const { engine, reason } = machine.choice;
  const outputs = new Outputs(machine);
  outputs.pipe(machine.stdout, process.stdout);
  outputs.pipe(machine.stderr, process.stderr);
  if (options.verbose) {
    process.stderr.write(`viv: ${engine}, because ${reason}\n`);
    outputs.pipe(machine.console.output, process.stderr);
  }
  const stopInput = pipeStandardInput(machine.stdin);
  return outputs.exitCode(await finish(machine, outputs.shown(), stopInput, { logIsShown: options.verbose ?? false }));
}

/** A guest's outputs on their way to streams of this process; when one takes nothing any more, the guest is stopped. */
class Outputs {
  readonly #machine: Machine;
  readonly #pipes: Promise<void>[] = [];
  #brokenBy: NodeJS.ErrnoException | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  pipe(output: AsyncIterable<Uint8Array>, stream: NodeJS.WriteStream): void {
    const broken = (error: NodeJS.ErrnoException) => {
      this.#brokenBy ??= error;
      void this.#machine.stop();
    };
    this.#pipes.push(pipeOutput(output, stream, broken));
  }

  /** Done when all is written. */
  async shown(): Promise<void> {
    await Promise.all(this.#pipes);
  }

  /** `code`, unless it was we who ended the guest. */
  exitCode(code: number): number {
    return this.#brokenBy === undefined ? code : brokenStreamExitCode(this.#brokenBy);
  }
}

/** Starts the machine, waits for its end, and says by what exit code and words. */
async function finish(
  machine: Machine,
  shown: Promise<unknown>,
  release: () => void,
  { logIsShown }: { logIsShown: boolean },
): Promise<number> {
  let signalled: keyof typeof signalExitCode | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    // Whoever asks twice does not want to wait; what must be put back is, when the process exits.
    if (signalled !== undefined) process.exit(signalExitCode[signalled]);
    signalled = signal as keyof typeof signalExitCode;
    void machine.stop();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    machine.start();
    const exit = await machine.exited;
    await shown;
    release();
    return signalled === undefined ? report(exit, machine, logIsShown) : signalExitCode[signalled];
  } finally {
    release();
    for (const signal of signals) process.off(signal, onSignal);
  }
}

function report(exit: GuestExit, machine: Machine, logIsShown: boolean): number {
  const fail = (message: string, code: number) => {
    const log = logIsShown ? "" : machine.console.tail();
    process.stderr.write(`${log}${log === "" || log.endsWith("\n") ? "" : "\n"}viv: ${message}\n`);
    return code;
  };
  switch (exit.kind) {
    case "status":
      return exit.status;
    case "power-off":
      return machine.spec.command === undefined
        ? exitCode.success
        : fail("the guest ended before its command did", exitCode.guestFailed);
    case "reset":
      return machine.spec.command === undefined
        ? exitCode.success
        : fail("the guest was reset before its command ended", exitCode.guestFailed);
    case "panic":
      return fail("the guest's kernel panicked", exitCode.guestFailed);
    case "timeout":
      return fail(`the guest was stopped after ${machine.spec.limits.seconds} s`, exitCode.timeout);
    case "stopped":
      return exitCode.success;
  }
}
