/**
 * `npm run bench [-- NAME... OPTION...]`: benchmarks side by side with peers.
 *
 *   NAME           a benchmark, or a group of them (default: all)
 *   --json         an object a line: { name, peer, ours, theirs, ratio, unit, runs, node }
 *   --runs N       how often each contender is measured (default 3)
 *   --nodes 20,24  Node versions that ours runs on (default: this one)
 *   --list         only the names
 */
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Benchmark, type Context, type NodeBinary, type Row, Skip, steady } from "./benchmark.ts";
import { geometricMeans, json, table } from "./report.ts";

async function allBenchmarks(): Promise<Benchmark[]> {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".bench.js"));
  const modules = await Promise.all(files.sort().map((file) => import(`./${file}`) as Promise<{ benchmarks: Benchmark[] }>));
  return modules.flatMap(({ benchmarks }) => benchmarks);
}

/** @param nodeBinary gives the binary of a Node major */
export async function main(args: readonly string[], nodeBinary: (major: string) => NodeBinary): Promise<number> {
  const { values: options, positionals: names } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      runs: { type: "string", default: "3" },
      nodes: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const runs = Number(options.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${options.runs}: not a number of runs`);
  const all = await allBenchmarks();
  if (options.list) {
    for (const { name, group } of all) console.log(`${name} (${group})`);
    return 0;
  }
  const isNamed = ({ name, group }: Benchmark) => names.length === 0 || names.includes(name) || names.includes(group);
  const unknown = names.filter((name) => !all.some((benchmark) => benchmark.name === name || benchmark.group === name));
  if (unknown.length > 0) throw new Error(`no benchmark or group named ${unknown.join(", ")}; --list names them`);
  const nodes = options.nodes?.split(",").map(nodeBinary) ?? [{ version: process.version, path: process.execPath }];

  const steadyRows: Row[] = [];
  let isFailed = false;
  for (const benchmark of all.filter(isNamed)) {
    try {
      await benchmark.run(contextOf(benchmark));
    } catch (error) {
      clearProgress();
      if (error instanceof Skip) console.error(`${benchmark.name}: skipped: ${error.message}`);
      else {
        console.error(`${benchmark.name}: ${(error as Error).message}`);
        isFailed = true;
      }
    }
  }
  for (const mean of geometricMeans(steady, steadyRows)) print(mean);
  clearProgress();
  return isFailed ? 1 : 0;

  function contextOf({ group }: Benchmark): Context {
    return {
      runs,
      nodes,
      report: (row) => {
        if (group === steady) steadyRows.push(row);
        print(row);
      },
      progress: (text) => {
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
      },
    };
  }

  function print(row: Row): void {
    clearProgress();
    if (options.json) console.log(json(row));
    else for (const line of table(row)) console.log(line);
  }
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}
