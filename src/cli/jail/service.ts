import type { Command } from "commander";
import { startServices } from "../../index.ts";
import { exitCode } from "../exit-code.ts";
import { run } from "./run.ts";

const startHelp = `
A jail's file is JSON:
  {
    "path": "/srv/jails/web",              the root directory
    "hostname": "web",
    "command": ["/usr/sbin/nginx", "-g", "daemon off;"],
    "start": ["echo ready > /run/ready"],  shell commands in the jail, after its start
    "stop": ["nginx -s quit"],             and before it is stopped
    "depends": ["db"],
    "devices": ["/dev/fuse"],
    "mounts": [{ "type": "bind", "source": "/srv/data", "target": "/data", "readOnly": true }],
    "limits": { "memory": 268435456, "cpus": 1.5, "pids": 200 }
  }
Files are /etc/vivarium/jails/NAME.json for root, ~/.config/vivarium/jails/NAME.json for everybody.`;

export function addJailServiceCommands(jail: Command, done: (code: number) => void): void {
  jail
    .command("start")
    .description("start jails that files describe, and those that they depend on")
    .argument("<NAME...>", "names of jails, or paths of their files")
    .addHelpText("after", startHelp)
    .action(async (names: string[]) => {
      for (const name of await startServices(names)) process.stdout.write(`${name}\n`);
      done(exitCode.success);
    });
  jail
    .command("shell")
    .description("keep a user in a directory: as ForceCommand of sshd, or in a script that is a login shell")
    .argument("<ROOT>", "directory that becomes /")
    .argument("[ARGS...]", "arguments of the shell, such as -c COMMAND")
    .passThroughOptions()
    .option("--shell <path>", "the shell, in the jail", "/bin/sh")
    .option("--read-only", "the directory cannot be written")
    .action(async (root: string, args: string[], options: { shell: string; readOnly?: boolean }) =>
      done(await shell(root, args, options)),
    );
}

/** The command that a client of sshd asked for comes in the environment, when ForceCommand put us in its place. */
function shell(root: string, args: readonly string[], options: { shell: string; readOnly?: boolean }): Promise<number> {
  const asked = process.env.SSH_ORIGINAL_COMMAND;
  const words = args.length > 0 ? args : asked !== undefined && asked !== "" ? ["-c", asked] : ["-l"];
  const kept = Object.entries(process.env).filter(([name]) => /^(LANG|LC_[A-Z]+|TZ)$/.test(name));
  return run(root, [options.shell, ...words], {
    env: Object.fromEntries(kept) as Record<string, string>,
    readOnly: options.readOnly ?? false,
    init: true,
  });
}
