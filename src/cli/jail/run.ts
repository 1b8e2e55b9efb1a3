import type { Command } from "commander";
import {
  attend,
  completeMounts,
  createJail,
  enterNamed,
  exposures,
  isTerminal,
  type JailSpec,
  jailPlanText,
  jailSpecFor,
  jailState,
  printExposures,
  resolveUser,
  restoreBlocking,
} from "../../index.ts";
import { exitCode } from "../exit-code.ts";
import { parseVariable } from "../options.ts";
import { addJailOptions, type JailOptions, specOf } from "./options.ts";

interface RunOptions extends JailOptions {
  name?: string;
  tty?: boolean;
  detach?: boolean;
  plan?: boolean;
  explain?: boolean;
}

const examples = `
Examples:
  viv jail run ROOT                        a shell in ROOT
  viv jail run ROOT ls -l /                a command; its output and its exit status
  viv jail run --read-only --tmpfs /tmp --memory 256M --pids 64 ROOT COMMAND
  viv jail run --bind /srv/data:/data:ro -u www-data ROOT COMMAND
  viv jail run --plan ROOT COMMAND         the system calls that would make the jail
  viv jail run --explain --device /dev/sda ROOT COMMAND

Exit status: that of the command, 128 and more after a signal; 125 if the jail cannot be made, 2 for wrong usage.`;

export function addJailRunCommand(jail: Command, done: (code: number) => void): void {
  const command = jail
    .command("run")
    .description("run a command in a directory as its whole world")
    .argument("<ROOT>", "directory that becomes /")
    .argument("[COMMAND...]", "program and arguments (default: a shell)")
    .passThroughOptions()
    .option("-n, --name <name>", "name, for other commands")
    .option("-t, --tty", "a terminal of its own, even if there is none here")
    .option("--no-tty", "no terminal of its own, even if there is one here")
    .option("-d, --detach", "let it run in the background; prints its name")
    .option("--plan", "print the system calls that would make the jail, and make none")
    .option("--explain", "say what of the host the jail could reach, and start nothing")
    .addHelpText("after", examples);
  addJailOptions(command).action(async (root: string, words: string[], options: RunOptions) =>
    done(await run(root, words, options)),
  );
}

export async function run(root: string, words: readonly string[], options: RunOptions): Promise<number> {
  const hasOwnTerminal = !options.detach && !options.chrootOnly && (options.tty ?? isTerminal());
  const input = specOf(root, words.length === 0 ? ["/bin/sh"] : words, options);
  const complete = jailSpecFor(
    { ...input, terminal: hasOwnTerminal, init: (input.init ?? false) || (options.detach ?? false) },
    options.users,
  );
  const spec: JailSpec = { ...complete, mounts: completeMounts(complete.mounts) };
  if (options.explain) {
    process.stdout.write(printExposures(exposures(spec)));
    return exitCode.success;
  }
  if (options.plan) {
    process.stdout.write(jailPlanText(spec));
    return exitCode.success;
  }
  restoreBlocking();
  const made = await createJail(spec, {
    ...(options.name === undefined ? {} : { name: options.name }),
    listed: true,
    detached: options.detach ?? false,
  });
  if (options.detach) {
    process.stdout.write(`${made.name}\n`);
    return exitCode.success;
  }
  return attend(made, spec.init);
}

interface ExecOptions {
  env?: Record<string, string>;
  workdir?: string;
  user?: string;
  tty?: boolean;
}

export function addJailExecCommand(jail: Command, done: (code: number) => void): void {
  jail
    .command("exec")
    .description("run a command in a jail that is running")
    .argument("<NAME>", "the jail")
    .argument("<COMMAND...>", "program and arguments")
    .passThroughOptions()
    .option("-e, --env <name[=value]>", "environment variable of the command (repeatable)", parseVariable)
    .option("-w, --workdir <dir>", "directory of the command, in the jail")
    .option("-u, --user <user[:group]>", "whom the command runs as (default: root)")
    .option("-t, --tty", "a terminal of its own, even if there is none here")
    .option("--no-tty", "no terminal of its own, even if there is one here")
    .action(async (name: string, words: string[], options: ExecOptions) => done(await exec(name, words, options)));
}

async function exec(name: string, words: readonly string[], options: ExecOptions): Promise<number> {
  const user = options.user === undefined ? undefined : resolveUser(jailState(name).spec.root, options.user);
  restoreBlocking();
  const started = await enterNamed(name, {
    command: [...words],
    env: { ...(user?.home === undefined ? {} : { HOME: user.home }), ...options.env },
    ...(options.workdir === undefined ? {} : { cwd: options.workdir }),
    ...(user === undefined ? {} : { user: { uid: user.uid, gid: user.gid, groups: user.groups } }),
    terminal: options.tty ?? isTerminal(),
  });
  return attend(started, false);
}
