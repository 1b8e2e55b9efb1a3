import { type Command, InvalidArgumentError } from "commander";
import { jailProcesses, killJail, listJails, removeJail, stopService } from "../../index.ts";
import { exitCode } from "../exit-code.ts";

/** Adds the commands for jails that are there: `ls`, `ps`, `kill`, `stop`, `rm`. */
export function addJailManageCommands(jail: Command, done: (code: number) => void): void {
  jail
    .command("ls")
    .description("list jails")
    .option("--json", "as JSON, one jail a line")
    .action((options: { json?: boolean }) => done(list(options.json ?? false)));
  jail
    .command("ps")
    .description("list the processes of a jail")
    .argument("<NAME>", "the jail")
    .action((name: string) => {
      const rows = jailProcesses(name).map(({ pid, inside, user, command }) => [String(pid), String(inside), user, command]);
      process.stdout.write(table([["PID", "INSIDE", "USER", "COMMAND"], ...rows]));
      done(exitCode.success);
    });
  jail
    .command("kill")
    .description("send a signal to a jail's first process")
    .argument("<NAME>", "the jail")
    .argument("[SIGNAL]", "name or number of the signal", "TERM")
    .action((name: string, signal: string) => {
      killJail(name, signal);
      done(exitCode.success);
    });
  jail
    .command("stop")
    .description("end jails: SIGTERM, then SIGKILL")
    .argument("<NAME...>", "the jails")
    .option("--grace <seconds>", "time between the two", parseGrace, 10)
    .action(async (names: string[], { grace }: { grace: number }) => {
      for (const name of names) await stopService(name, 1000 * grace);
      done(exitCode.success);
    });
  jail
    .command("rm")
    .description("end jails at once and remove what is left of them")
    .argument("<NAME...>", "the jails")
    .action(async (names: string[]) => {
      for (const name of names) await removeJail(name);
      done(exitCode.success);
    });
}

function parseGrace(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0 && Number.isFinite(seconds))) throw new InvalidArgumentError("it is not a number of seconds");
  return seconds;
}

function list(json: boolean): number {
  const jails = listJails();
  if (json) {
    for (const state of jails) process.stdout.write(`${JSON.stringify(state)}\n`);
    return exitCode.success;
  }
  const rows = jails.map(({ name, first, created, spec }) => [
    name,
    first === undefined ? "-" : String(first.pid),
    created.slice(0, 19).replace("T", " "),
    spec.root,
    spec.command.join(" "),
  ]);
  process.stdout.write(table([["NAME", "PID", "SINCE (UTC)", "ROOT", "COMMAND"], ...rows]));
  return exitCode.success;
}

/** Columns as wide as their widest cell; control characters of guests' own words are not for the terminal. */
function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => cell.replace(/\p{Cc}/gu, "?")));
  const widths = clean[0]!.map((_, column) => Math.max(...clean.map((row) => row[column]!.length)));
  return clean
    .map(
      (row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]! + 2))).join("")}\n`,
    )
    .join("");
}
