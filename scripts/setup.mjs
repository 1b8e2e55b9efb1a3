// Set-up that every command does for itself: dependencies installed, sources compiled. Quick when there is nothing to do.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a command of the project; its output goes to stderr so that stdout stays the guest's. Exits with its status if it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], ...options });
  if (result.error) {
    console.error(`${command}: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return /\.(ts|json|html|css)$/.test(path) ? stat.mtimeMs : 0;
  return readdirSync(path).reduce((time, name) => Math.max(time, newest(join(path, name))), stat.mtimeMs);
}

function mtime(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

export function install() {
  const installed = mtime(join(root, "node_modules/.package-lock.json"));
  if (installed >= mtime(join(root, "package-lock.json")) && installed > 0) return;
  if (process.stderr.isTTY) console.error("vivarium: installing dependencies");
  // Not `npm ci`: it refuses a lock file without download addresses when packages of other platforms are optional.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
}

/** Compiles `src/` to `dist/` unless `dist/` is newer than every source. */
export function build({ force = false } = {}) {
  const stamp = mtime(join(root, "dist/.built"));
  const inputs = ["src", "conformance", "bench", "scripts", "package-lock.json"].concat(
    readdirSync(root).filter((name) => name.startsWith("tsconfig")),
  );
  if (
    !force &&
    stamp >= Math.max(...inputs.filter((name) => existsSync(join(root, name))).map((name) => newest(join(root, name))))
  )
    return;
  if (process.stderr.isTTY) console.error("vivarium: compiling");
  run(process.execPath, [join(root, "scripts/build.mjs")]);
}

export function setup(options) {
  install();
  build(options);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup({ force: process.argv.includes("--force") });
