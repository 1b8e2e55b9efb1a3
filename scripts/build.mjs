// Compiles the project: type-check and emit in one pass, stale outputs removed.
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./setup.mjs";

const dist = join(root, "dist");
const sourceRoots = ["src", "conformance", "bench", "scripts"];

/** A file that was deleted or renamed must not live on in dist/ (a stale test would still run). */
function removeStale(folder) {
  if (!existsSync(join(dist, folder))) return;
  for (const entry of readdirSync(join(dist, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      removeStale(path);
      continue;
    }
    const source = path.replace(/\.(js|d\.ts|js\.map)$/, ".ts");
    if (source !== path && !existsSync(join(root, source))) rmSync(join(dist, path));
  }
}

const started = new Date();
for (const folder of sourceRoots) removeStale(folder);
run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "tsconfig.json"]);
writeFileSync(join(dist, ".built"), `${started.toISOString()}\n`);
