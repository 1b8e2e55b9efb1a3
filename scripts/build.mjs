// Compiles the project: type-check and emit in one pass, stale outputs removed.
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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

/** commander loads child_process, for a feature that we do not use; that takes longer than starting a jail. */
const lazyChildProcess = {
  name: "lazy child_process",
  setup(build) {
    build.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes("commander") ? { path: "child_process", namespace: "lazy" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "lazy" }, ({ path }) => ({
      contents: `const name = "node:${path}"; module.exports = { spawn: (...args) => require(name).spawn(...args) };`,
    }));
  },
};

/**
 * The command line as one file: it starts sooner than its modules one by one. CommonJS, because Node reads that without
 * analysing it first. Packages with native parts stay outside. Jails start in less time than Node takes to read all of that: their
 * commands have a file of their own.
 */
async function bundle() {
  const { build } = await import("esbuild");
  await build({
    entryPoints: { viv: join(dist, "src/cli/main.js"), "viv-jail": join(dist, "src/cli/jail/main.js") },
    outdir: dist,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    external: ["koffi"],
    define: { "import.meta.url": "moduleUrl" },
    banner: { js: 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [lazyChildProcess],
    legalComments: "linked",
    logLevel: "warning",
  });
}

/** The worker has the library from the page's server, as others have. */
const libraryBeside = {
  name: "library beside",
  setup(build) {
    build.onResolve({ filter: /\/browser\.js$/ }, ({ kind }) =>
      kind === "entry-point" ? undefined : { path: "./vivarium.js", external: true },
    );
  },
};

/** The library for browsers as one file that a page imports as it is, and the page of `viv web`. */
async function bundleForBrowsers() {
  const { build } = await import("esbuild");
  await build({
    entryPoints: {
      vivarium: join(dist, "src/browser.js"),
      page: join(dist, "src/web/tab/page.js"),
      worker: join(dist, "src/web/tab/worker.js"),
      style: join(root, "src/web/tab/style.css"),
    },
    outdir: join(dist, "browser"),
    bundle: true,
    platform: "browser",
    target: "es2022",
    format: "esm",
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [libraryBeside],
    legalComments: "linked",
    logLevel: "warning",
  });
  copyFileSync(join(root, "src/web/tab/index.html"), join(dist, "browser/index.html"));
}

const started = new Date();
for (const folder of sourceRoots) removeStale(folder);
run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "tsconfig.json"]);
// The emulator's hart is the same for every machine: built once, it need not be at every start.
const { buildHartModule } = await import("../dist/src/isa/riscv64/core.js");
writeFileSync(join(dist, "riscv64-hart.wasm"), buildHartModule());
await bundle();
await bundleForBrowsers();
writeFileSync(join(dist, ".built"), `${started.toISOString()}\n`);
