#!/usr/bin/env node
import { createRequire } from "node:module";

const { main } = createRequire(import.meta.url)("../dist/viv.cjs");
const code = await main(process.argv.slice(2));
// Streams to pipes are asynchronous; process.exit would cut them off.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
process.exit(code);
