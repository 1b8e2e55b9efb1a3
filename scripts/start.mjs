// `npm start`: sets up, then `viv run` with the arguments given (`npm start -- -- uname -a`), or another command of viv (`npm start -- host check`).
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

setup();
const { commandNames } = await import("../dist/src/cli/commands.js");
const args = process.argv.slice(2);
const command = commandNames.includes(args[0]) || args[0] === "--help" || args[0] === "--version" ? args : ["run", ...args];
const child = spawn(process.execPath, [join(root, "bin/viv.mjs"), ...command], { stdio: "inherit" });
// The child shares our terminal and gets its signals itself; ours are passed on for those who signal only us.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("exit", (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
  process.exitCode = code ?? 1;
});
