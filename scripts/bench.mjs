// `npm run bench [NAME...]`: sets up, then runs bench/*.bench.ts, or those named, one after the other. Each is a program that
// prints a JSON line per comparison, `{ name, peer, ours, theirs, ratio, unit, runs, node }`; a ratio above 1 says that we are
// better. What it says for people goes to stderr. Failing benchmarks do not stop the others.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

const ending = ".bench.ts";
const folder = join(root, "bench");
const all = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(ending)) : [];
const known = all.map((name) => name.slice(0, -ending.length)).sort();
const names = process.argv.slice(2);
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`no benchmark named ${unknown.join(", ")}; there are ${known.join(", ")}`);
  process.exit(1);
}
setup();
for (const name of names.length > 0 ? names : known) {
  const result = spawnSync(process.execPath, [join(root, "dist/bench", `${name}.bench.js`)], { cwd: root, stdio: "inherit" });
  if (result.status === 0) continue;
  console.error(`${name}: ended with ${result.signal ?? `status ${result.status}`}`);
  process.exitCode = 1;
}
