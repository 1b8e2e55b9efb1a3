#!/usr/bin/env node
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";

const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
// Node aborts when it exits and cannot put a terminal back because that is gone: the hang-up is what ends us then.
process.on("exit", () => {
  if (terminals.every((descriptor) => isatty(descriptor))) return;
  process.removeAllListeners("SIGHUP");
  process.kill(process.pid, "SIGHUP");
});

// Since Node 22: what was compiled once is kept, in a place of this user's own.
module.enableCompileCache?.(join(process.env.VIV_CACHE ?? join(homedir(), ".cache/vivarium"), "compile"));
const args = process.argv.slice(2);
// Commands that are as quick as Node's own start have a bundle of their own.
const isQuick =
  args[0] === "jail" && (args[1] === "run" || args[1] === "exec") && !args.includes("--help") && !args.includes("-h");
const { main } = module.createRequire(import.meta.url)(isQuick ? "../dist/viv-jail.cjs" : "../dist/viv.cjs");
const code = await main(args);
// Streams to pipes are asynchronous; process.exit would cut them off. The quick commands write a line at most.
if (!isQuick) for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
process.exit(code);
