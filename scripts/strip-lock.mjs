// Takes the download addresses out of package-lock.json. npm can omit them itself, but then it also leaves out the optional
// packages of other platforms, and `npm ci` refuses the file. After changing a dependency:
//   rm -r node_modules package-lock.json && npm install --package-lock-only --omit-lockfile-registry-resolved=false && node scripts/strip-lock.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

const path = join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
for (const entry of Object.values(lock.packages)) delete entry.resolved;
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
