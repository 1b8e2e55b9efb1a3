import { spawnSync } from "node:child_process";
import { type Command, InvalidArgumentError } from "commander";
import { type AttemptResult, type EscapeResult, tryEscapes } from "../index.ts";
import { exitCode } from "./exit-code.ts";

interface EscapesOptions {
  json?: boolean;
  only?: string;
  rootless?: boolean;
}

/** `nobody`: who has nothing on the host but what everybody has. */
const nobody = 65534;

export function addSelftestCommand(program: Command, done: (code: number) => void): void {
  program
    .command("selftest")
    .description("test this installation against this host")
    .command("escapes")
    .description("try known ways out of jails: each must work in a weakened jail, and fail in a default one")
    .option("--json", "as JSON, one technique a line")
    .option("--only <text>", "only techniques with this in their names")
    .option("--no-rootless", "as root: leave out the second round as an ordinary user")
    .addHelpText("after", "\nExit status: 1 if anything escaped from a default jail.")
    .action(async (options: EscapesOptions) => done(await escapes(options)));
}

async function escapes(options: EscapesOptions): Promise<number> {
  const results = await tryEscapes((name) => name.includes(options.only ?? ""));
  if (results.length === 0) throw new InvalidArgumentError(`no technique has ${options.only} in its name`);
  const isRoot = process.geteuid?.() === 0;
  const rootless = isRoot && options.rootless !== false && !options.json ? asNobody(options) : undefined;
  if (options.json) for (const result of results) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(table(results, rootless, isRoot));
  const all = [...results, ...(rootless ?? [])];
  return all.some(({ byDefault }) => byDefault.outcome === "escaped") ? exitCode.guestFailed : exitCode.success;
}

/** The same by a process that is an ordinary user. */
function asNobody(options: EscapesOptions): EscapeResult[] | undefined {
  const args = [
    process.argv[1]!,
    "selftest",
    "escapes",
    "--json",
    ...(options.only === undefined ? [] : ["--only", options.only]),
  ];
  const result = spawnSync(process.execPath, args, {
    uid: nobody,
    gid: nobody,
    cwd: "/",
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "" },
    maxBuffer: 1 << 24,
  });
  const lines = result.stdout?.split("\n").filter(Boolean) ?? [];
  if (lines.length === 0) {
    const reason = result.error === undefined ? result.stderr.trim() : `user ${nobody} cannot run ${process.execPath}`;
    process.stderr.write(`viv: left out the round as an ordinary user: ${reason}; run it as one\n`);
    return undefined;
  }
  return lines.map((line) => JSON.parse(line) as EscapeResult);
}

function table(results: readonly EscapeResult[], rootless: readonly EscapeResult[] | undefined, isRoot: boolean): string {
  const second = (name: string) => rootless?.find((result) => result.name === name);
  const word = (result: AttemptResult | undefined) =>
    result === undefined ? "" : result.outcome === "escaped" ? "ESCAPED" : result.outcome === "held" ? "held" : "-";
  const header = ["technique", "source", "weakened", isRoot ? "root" : "user", ...(rootless === undefined ? [] : ["user"])];
  const rows = results.map((result) => {
    const other = second(result.name);
    const shown = [result.weakened, other?.weakened].some((attempt) => attempt?.outcome === "escaped");
    return [
      result.name,
      result.source,
      shown ? "escapes" : "not shown",
      word(result.byDefault),
      ...(rootless === undefined ? [] : [word(other?.byDefault)]),
    ];
  });
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]!.length)));
  const lines = [header, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  const count = (wanted: (row: string[]) => boolean) => rows.filter(wanted).length;
  const shown = count((row) => row[2] === "escapes");
  const out = count((row) => row.slice(3).includes("ESCAPED"));
  const notShown = rows.length - shown;
  lines.push(
    "",
    `${rows.length} techniques, ${shown} shown to work in a weakened jail${notShown === 0 ? "" : `, ${notShown} that this host's kernel does not have or we may not use`}; ${out} escaped from a default jail`,
  );
  return `${lines.join("\n")}\n`;
}
