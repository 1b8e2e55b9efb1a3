// `npm test`: sets up, checks, then runs every test in dist/ with Node's test runner. `--quick` leaves out the checks and
// the suites in conformance/quick. Other arguments are path fragments that choose test files: `npm test -- wasm isa`.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, run, setup } from "./setup.mjs";

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const fragments = args.filter((arg) => !arg.startsWith("--"));

function testFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith(".test.js") ? [path] : [];
  });
}

setup();
if (!quick && fragments.length === 0) run(process.execPath, [join(root, "scripts/check.mjs")]);
const folders = quick
  ? ["dist/src", "dist/scripts", "dist/bench"]
  : ["dist/src", "dist/scripts", "dist/bench", "dist/conformance/quick"];
const files = folders
  .flatMap((folder) => testFiles(join(root, folder)))
  .filter((file) => fragments.length === 0 || fragments.some((fragment) => file.includes(fragment)));
if (files.length === 0) {
  console.error(`no test file matches ${fragments.join(", ")}`);
  process.exit(1);
}
const reporter = process.stdout.isTTY || fragments.length > 0 ? "spec" : "dot";
const result = spawnSync(
  process.execPath,
  [
    "--test",
    "--test-concurrency=2",
    `--test-reporter=${reporter}`,
    "--test-reporter-destination=stdout",
    "--test-reporter=./scripts/summary-reporter.mjs",
    "--test-reporter-destination=stdout",
    ...files,
  ],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
);
process.exit(result.status ?? 1);
