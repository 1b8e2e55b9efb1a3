/**
 * The closure of 200 programs in one run, as a command from start to end, against lddtree (pax-utils) on the same programs.
 * Ours finds more (runtimes, dlopen, scripts); that it has all that lddtree finds is part of the run.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Benchmark, type Context, compare, Skip } from "./benchmark.ts";
import { viv } from "./guest.ts";
import { runProgram } from "./process.ts";

const directory = "/usr/bin";
const wanted = 200;
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/nonexistent", LANG: "C.UTF-8" };

function isDynamicProgram(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(4096);
    readSync(fd, head, 0, head.length, 0);
    return head.subarray(0, 4).toString("latin1") === "\x7fELF" && head.includes("/ld-linux");
  } finally {
    closeSync(fd);
  }
}

function dynamicPrograms(): string[] {
  const paths = readdirSync(directory)
    .sort()
    .map((name) => join(directory, name));
  return paths.filter(isDynamicProgram).slice(0, wanted);
}

function closure(name: string, options: readonly string[]): Benchmark {
  return {
    name,
    group: "imprison",
    async run(context: Context) {
      const programs = dynamicPrograms();
      if (spawnSync("lddtree", ["--version"], { env: environment }).error)
        throw new Skip("no lddtree: apt-get install pax-utils");
      let files = new Set<string>();
      let listed: string[] = [];
      const contenders = [
        ...context.nodes.map((node) => ({
          name: `viv on Node ${node.version}`,
          node: node.version,
          measure: async () => {
            const command = viv(node, ["jail", "deps", "--json", ...options, ...programs]);
            const { wall, cpu, output } = await runProgram(...command, { environment });
            files = new Set((JSON.parse(output) as { files: { path: string }[] }).files.map((file) => file.path));
            return { wall, cpu };
          },
        })),
        {
          name: "lddtree",
          measure: async () => {
            const { wall, cpu, output } = await runProgram("lddtree", ["-l", ...programs], { environment });
            listed = [...new Set(output.split("\n").filter((line) => line.startsWith("/")))];
            return { wall, cpu };
          },
        },
      ];
      await compare(name, contenders, { cpu: "s", wall: "s" }, context);
      const missing = listed.filter((path) => !files.has(realpathSync(path)));
      if (missing.length > 0) throw new Error(`lddtree finds what we do not: ${missing.join(", ")}`);
    },
  };
}

export const benchmarks: readonly Benchmark[] = [closure("closure", []), closure("libraries", ["--no-runtimes"])];
