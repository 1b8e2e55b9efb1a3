import type { Command } from "commander";
import { addJailCheckCommand } from "./check.ts";
import { addJailDepsCommand } from "./deps.ts";
import { addJailExportCommand } from "./export.ts";
import { addJailMakeCommand } from "./make.ts";

/** Adds the commands that make and keep jails' directories. */
export function addImprisonCommands(jail: Command, done: (code: number) => void): void {
  addJailDepsCommand(jail, done);
  addJailMakeCommand(jail, done);
  addJailCheckCommand(jail, done);
  addJailExportCommand(jail, done);
}
