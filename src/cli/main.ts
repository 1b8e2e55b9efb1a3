import { Command, CommanderError } from "commander";
import { VivError, version } from "../index.ts";
import { exitCode, signalExitCode } from "./exit-code.ts";
import { addHostCommand } from "./host.ts";
import { addImprisonCommands } from "./jail/imprison.ts";
import { addJailManageCommands } from "./jail/manage.ts";
import { addJailExecCommand, addJailRunCommand } from "./jail/run.ts";
import { addJailServiceCommands } from "./jail/service.ts";
import { addLockstepCommand } from "./lockstep.ts";
import { addRunCommand } from "./run.ts";
import { addSelftestCommand } from "./selftest.ts";
import { addTreeCommand } from "./tree.ts";

/** Runs `viv` with the arguments given (without those of Node) and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  exitOnBrokenPipe();
  // What follows `--` is the guest's, whatever it looks like.
  const end = args[0] === "run" || args[0] === "lockstep" ? args.indexOf("--") : -1;
  const ours = end < 0 ? args : args.slice(0, end);
  const command = end < 0 ? undefined : args.slice(end + 1);
  let code: number = exitCode.success;
  const done = (result: number) => {
    code = result;
  };
  const program = new Command("viv")
    .description("Run guests in worlds of their own.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help, or that of a command: viv run --help")
    .helpCommand(false)
    // Options after a command's own arguments are that command's.
    .enablePositionalOptions()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "viv: ")) })
    .exitOverride();
  addRunCommand(program, command, done);
  const jail = program.command("jail").description("jails, and what goes into them").enablePositionalOptions();
  addJailRunCommand(jail, done);
  addJailExecCommand(jail, done);
  addJailServiceCommands(jail, done);
  addJailManageCommands(jail, done);
  addImprisonCommands(jail, done);
  addTreeCommand(program, done);
  addLockstepCommand(program, command, done);
  addHostCommand(program, done);
  addSelftestCommand(program, done);
  try {
    await program.parseAsync(ours.length === 0 ? ["--help"] : ours, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.success : exitCode.usage;
    if (error instanceof VivError) {
      process.stderr.write(`viv: ${error.message}\n`);
      return error.code === "BAD_SPEC" ? exitCode.usage : exitCode.failure;
    }
    const report = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`viv: this is a mistake in Vivarium, please report it\n${report}\n`);
    return exitCode.failure;
  }
  return code;
}

/** Ends as a program does that writes to a pipe which nobody reads, unless a command has its own way. */
function exitOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const exit = () => {
      if (stream.listenerCount("error") === 1) process.exit(signalExitCode.SIGPIPE);
    };
    stream.on("error", exit);
  }
}
