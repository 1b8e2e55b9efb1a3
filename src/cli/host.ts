import type { Command } from "commander";
import { checkHost } from "../index.ts";
import { exitCode } from "./exit-code.ts";

export function addHostCommand(program: Command, done: (code: number) => void): void {
  program
    .command("host")
    .description("this host")
    .command("check")
    .description("say what this host can do for jails, and what to do about the rest")
    .option("--json", "as JSON, one check a line")
    .addHelpText("after", "\nExit status: 1 if jails cannot be made at all.")
    .action(async (options: { json?: boolean }) => done(await check(options.json ?? false)));
}

async function check(json: boolean): Promise<number> {
  const results = await checkHost();
  const width = Math.max(...results.map(({ name }) => name.length));
  for (const result of results) {
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      process.stdout.write(`${result.name.padEnd(width)}  ${result.state.padEnd(7)}  ${result.detail}\n`);
      if (result.fix !== undefined) process.stdout.write(`${" ".repeat(width)}  ${" ".repeat(7)}  fix: ${result.fix}\n`);
    }
  }
  const works = results.some(({ name, state }) => name.startsWith("jails") && state === "yes");
  return works ? exitCode.success : exitCode.guestFailed;
}
