import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { VivError } from "../index.ts";
import { exitCode } from "./exit-code.ts";
import { addJailDepsCommand } from "./jail/deps.ts";

/** Runs `viv` with the arguments given (without those of Node) and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCode.success;
  const done = (result: number) => {
    code = result;
  };
  const program = new Command("viv")
    .description("Run guests in worlds of their own.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help, or that of a command: viv run --help")
    .helpCommand(false)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "viv: ")) })
    .exitOverride();
  const jail = program.command("jail").description("jails, and what goes into them");
  addJailDepsCommand(jail, done);
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

function version(): string {
  const file = new URL("../../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
