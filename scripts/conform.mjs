// `npm run conform [NAME...] [-- OPTION...]`: sets up, then runs the suites of conformance/: every folder with a suite.ts,
// or those named. A suite exports `main(options)`, which returns `{ passed, failed, skipped }`; what follows the names goes to
// it. Prints a line per suite and closes with `N passed, N failed, N skipped`.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, setup } from "./setup.mjs";

const args = process.argv.slice(2);
const end = args.findIndex((arg) => arg.startsWith("-"));
const names = end < 0 ? args : args.slice(0, end);
const options = end < 0 ? [] : args.slice(args[end] === "--" ? end + 1 : end);

const suites = readdirSync(join(root, "conformance"))
  .filter((name) => existsSync(join(root, "conformance", name, "suite.ts")))
  .sort();
const unknown = names.filter((name) => !suites.includes(name));
if (unknown.length > 0) {
  console.error(`no suite named ${unknown.join(", ")}; there are ${suites.join(", ")}`);
  process.exit(1);
}
setup();
process.chdir(root);
const total = { passed: 0, failed: 0, skipped: 0 };
const text = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;
for (const name of names.length > 0 ? names : suites) {
  let result;
  try {
    const { main } = await import(pathToFileURL(join(root, "dist/conformance", name, "suite.js")));
    result = await main(options);
  } catch (error) {
    console.error(`${name}: ${error.stack ?? error}`);
    result = { passed: 0, failed: 1, skipped: 0 };
  }
  console.log(`${name}: ${text(result)}`);
  for (const key of Object.keys(total)) total[key] += result[key];
}
console.log(text(total));
process.exitCode = total.failed > 0 ? 1 : 0;
