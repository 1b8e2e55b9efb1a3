import {
  attend,
  chooseRoot,
  completeMounts,
  createJail,
  isTerminal,
  jailSpecFor,
  restoreBlocking,
  VivError,
} from "../../index.ts";
import { exitCode } from "../exit-code.ts";
import { specOf } from "./options.ts";

/** What `viv run` has been asked for, as far as it goes with a directory. */
export interface RootOptions {
  readonly engine: "auto" | "jail" | "hypervisor" | "emulator";
  readonly memory?: number;
  readonly env?: Record<string, string>;
  readonly workdir?: string;
  readonly tty: boolean;
  readonly verbose?: boolean;
  readonly explain?: boolean;
  readonly json?: boolean;
}

/** `viv run DIRECTORY [COMMAND...]`: a directory is a whole system's root. */
export async function runRoot(root: string, words: readonly string[], options: RootOptions): Promise<number> {
  const { engine, reason } = chooseRoot(root, options.engine);
  if (options.json && !options.explain) throw new VivError("BAD_SPEC", "--json needs --explain");
  const terminal = options.tty && isTerminal();
  const { memory, env, workdir } = options;
  const spec = jailSpecFor({
    ...specOf(root, words.length === 0 ? ["/bin/sh"] : words, { memory, env, workdir }),
    init: true,
    terminal,
  });
  if (options.explain) {
    const text = options.json ? JSON.stringify({ engine, reason, spec }) : `${engine}, because ${reason}`;
    process.stdout.write(`${text}\n`);
    return exitCode.success;
  }
  if (options.verbose || terminal) process.stderr.write(`viv: ${engine}, because ${reason}.\n`);
  restoreBlocking();
  const jail = await createJail({ ...spec, mounts: completeMounts(spec.mounts) }, { listed: true });
  return attend(jail, spec.init);
}
