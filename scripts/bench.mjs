// `npm run bench`: sets up, then runs what bench/main.ts says of itself.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, setup } from "./setup.mjs";
import { nodeBinary } from "./with-node.mjs";

setup();
const { main } = await import(pathToFileURL(join(root, "dist/bench/main.js")));
try {
  process.exitCode = await main(process.argv.slice(2), (major) => {
    const path = nodeBinary(major);
    return { path, version: execFileSync(path, ["--version"], { encoding: "utf8" }).trim() };
  });
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
}
