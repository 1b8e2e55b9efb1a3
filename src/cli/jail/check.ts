import type { Command } from "commander";
import { checkJail } from "../../index.ts";

/** Adds `viv jail check` to `jail`. */
export function addJailCheckCommand(jail: Command, done: (code: number) => void): void {
  jail
    .command("check")
    .description("look for what a jail lacks, what it gives away, and what has changed in it")
    .argument("<DIR>", "the jail")
    .option("--json", "print the findings as JSON", false)
    .addHelpText("after", "\nExit status: 1 if there is an error or a risk.")
    .action((directory: string, { json }: { json: boolean }) => {
      const findings = checkJail(directory);
      if (json) process.stdout.write(`${JSON.stringify(findings, null, 1)}\n`);
      else {
        for (const { severity, path, message } of findings) process.stdout.write(`${severity}: ${path}: ${message}\n`);
        const count = (severity: string) => findings.filter((finding) => finding.severity === severity).length;
        process.stdout.write(`${count("error")} errors, ${count("risk")} risks, ${count("note")} notes\n`);
      }
      done(findings.some((finding) => finding.severity !== "note") ? 1 : 0);
    });
}
