import { type Command, InvalidArgumentError } from "commander";
import { directoryTree } from "../index.ts";

/** Adds `viv tree`. */
export function addTreeCommand(program: Command, done: (code: number) => void): void {
  program
    .command("tree")
    .description("show the files below a directory as a tree")
    .argument("[DIR]", "the directory", ".")
    .option("-L, --level <number>", "show so many levels only", parseLevel)
    .option("-a, --all", "show names that begin with a dot, too", false)
    .option("-d, --directories", "show directories only", false)
    .action((directory: string, options: { level?: number; all: boolean; directories: boolean }) => {
      let text = "";
      for (const line of directoryTree(directory, { ...options, directoriesOnly: options.directories })) {
        text += `${line}\n`;
        if (text.length < 65536) continue;
        process.stdout.write(text);
        text = "";
      }
      process.stdout.write(text);
      done(0);
    });
}

function parseLevel(text: string): number {
  const level = Number(text);
  if (!Number.isInteger(level) || level < 1) throw new InvalidArgumentError("it is not a number of levels above 0");
  return level;
}
