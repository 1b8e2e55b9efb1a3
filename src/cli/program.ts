import { Command, CommanderError } from "commander";
import { VivError } from "../index.ts";
import { exitCode } from "./exit-code.ts";

/**
 * Parses arguments with the commands that `add` adds, runs the one they name, and returns its exit code. Errors are told here, in one line.
 */
export async function runProgram(
  args: readonly string[],
  add: (program: Command, done: (code: number) => void) => void,
): Promise<number> {
  let code: number = exitCode.success;
  const program = new Command("viv")
    .description("Run guests in worlds of their own.")
    .helpOption("-h, --help", "show this help, or that of a command: viv run --help")
    .helpCommand(false)
    // Options after a command's own arguments are that command's.
    .enablePositionalOptions()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "viv: ")) })
    .exitOverride();
  add(program, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
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
