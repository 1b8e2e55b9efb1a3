#!/usr/bin/env node
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// Since Node 22: what was compiled once is kept, in a place of this user's own.
module.enableCompileCache?.(join(process.env.VIV_CACHE ?? join(homedir(), ".cache/vivarium"), "compile"));
const { main } = module.createRequire(import.meta.url)("../dist/viv.cjs");
const code = await main(process.argv.slice(2));
// Streams to pipes are asynchronous; process.exit would cut them off.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
process.exit(code);
