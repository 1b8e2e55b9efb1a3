import { version } from "../index.ts";
import { brokenStreamExitCode } from "./exit-code.ts";
import { addHostCommand } from "./host.ts";
import { addImprisonCommands } from "./jail/imprison.ts";
import { addJailCommands } from "./jail/main.ts";
import { addLockstepCommand } from "./lockstep.ts";
import { runProgram } from "./program.ts";
import { addRunCommand } from "./run.ts";
import { addSelftestCommand } from "./selftest.ts";
import { addTreeCommand } from "./tree.ts";
import { addWebCommand } from "./web.ts";

/** Runs `viv` with the arguments given (without those of Node) and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  exitOnBrokenPipe();
  // What follows `--` is the guest's, whatever it looks like.
  const end = args[0] === "run" || args[0] === "lockstep" ? args.indexOf("--") : -1;
  const ours = end < 0 ? args : args.slice(0, end);
  const command = end < 0 ? undefined : args.slice(end + 1);
  return runProgram(ours, (program, done) => {
    program.version(version(), "-V, --version", "print the version");
    addRunCommand(program, command, done);
    const jail = program.command("jail").description("jails, and what goes into them").enablePositionalOptions();
    addJailCommands(jail, done);
    addImprisonCommands(jail, done);
    addTreeCommand(program, done);
    addWebCommand(program, done);
    addLockstepCommand(program, command, done);
    addHostCommand(program, done);
    addSelftestCommand(program, done);
  });
}

/** Ends as a program does that writes to a pipe which nobody reads, unless a command has its own way. */
function exitOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const exit = (error: NodeJS.ErrnoException) => {
      if (stream.listenerCount("error") === 1) process.exit(brokenStreamExitCode(error));
    };
    stream.on("error", exit);
  }
}
