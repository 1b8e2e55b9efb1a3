/** Jails that are described by files: started with what they depend on, stopped in order. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { VivError } from "../../../core/errors.ts";
import { type JailConfig, parseJailConfig, specOfConfig, startOrder } from "../../../engine/jail/config.ts";
import { hostFacts } from "./facts.ts";
import { exitStatus } from "./foreground.ts";
import { completeMounts, deviceAt, readProfile } from "./inputs.ts";
import { createJail, enterNamed, specFor, stopJail } from "./jails.ts";
import { checkName, isAlive, JailStore } from "./store.ts";

/** Where jails' files are: `NAME.json` each. */
export function configDirectories(): string[] {
  const own = join(process.env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "vivarium/jails");
  return hostFacts().uid === 0 ? ["/etc/vivarium/jails", own] : [own];
}

function configFile(name: string): string {
  const found = configDirectories()
    .map((directory) => join(directory, `${checkName(name)}.json`))
    .find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new VivError(
    "NO_JAIL",
    `no file describes a jail ${name}; make ${name}.json in ${configDirectories()[0]}, or give its path`,
  );
}

/** Reads a jail's file: by the jail's name, or by the file's own path, whose last part is then the name. */
export function readJailConfig(nameOrFile: string): { name: string; config: JailConfig } {
  const isFile = nameOrFile.includes("/") || nameOrFile.endsWith(".json");
  const path = isFile ? nameOrFile : configFile(nameOrFile);
  const name = checkName(basename(path).replace(/\.json$/, ""));
  return { name, config: parseJailConfig(readProfile(path), path) };
}

async function runHooks(name: string, commands: readonly string[], store: JailStore): Promise<void> {
  for (const command of commands) {
    const { exited } = await enterNamed(name, { command: ["/bin/sh", "-c", command] }, {}, store);
    const status = exitStatus(await exited);
    if (status !== 0) throw new VivError("COMMAND_FAILED", `in the jail ${name}, \`${command}\` ended with status ${status}`);
  }
}

/**
 * Starts jails and, before them, those that they depend on; what runs already is left alone.
 *
 * @returns the names of the jails that were started, in order
 */
export async function startServices(namesOrFiles: readonly string[], store = new JailStore()): Promise<string[]> {
  const given = new Map(namesOrFiles.map(readJailConfig).map(({ name, config }) => [name, config]));
  const configOf = (name: string) => given.get(name) ?? readJailConfig(name).config;
  const started: string[] = [];
  store.sweep();
  for (const name of startOrder([...given.keys()], configOf)) {
    if (isAlive(store.find(name)?.first)) continue;
    const config = configOf(name);
    const spec = specFor(specOfConfig(name, config, config.devices.map(deviceAt)), config.users);
    await createJail({ ...spec, mounts: completeMounts(spec.mounts) }, { name, detached: true, store });
    try {
      await runHooks(name, config.start, store);
    } catch (error) {
      await stopJail(name, 0, store);
      throw error;
    }
    started.push(name);
  }
  return started;
}

/** Stops a jail, after its `stop` commands where a file describes them. A command that fails is told when all is stopped. */
export async function stopService(name: string, grace: number, store = new JailStore()): Promise<void> {
  store.sweep();
  store.get(name);
  const isDescribed = configDirectories().some((directory) => existsSync(join(directory, `${name}.json`)));
  let failure: unknown;
  if (isDescribed) {
    await runHooks(name, readJailConfig(name).config.stop, store).catch((error) => {
      failure = error;
    });
  }
  await stopJail(name, grace, store);
  if (failure !== undefined) throw failure;
}
