import type { Command } from "commander";
import { runProgram } from "../program.ts";
import { addJailManageCommands } from "./manage.ts";
import { addJailExecCommand, addJailRunCommand } from "./run.ts";
import { addJailServiceCommands } from "./service.ts";

/** Adds the commands that make jails and work with those that are there. */
export function addJailCommands(jail: Command, done: (code: number) => void): void {
  addJailRunCommand(jail, done);
  addJailExecCommand(jail, done);
  addJailServiceCommands(jail, done);
  addJailManageCommands(jail, done);
}

/** `main` of the bundle that has these commands only: Node reads it in a fraction of the time of the whole. */
export function main(args: readonly string[]): Promise<number> {
  return runProgram(args, (program, done) => addJailCommands(program.command("jail").enablePositionalOptions(), done));
}
