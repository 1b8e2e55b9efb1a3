import { decodeUtf8 } from "../../core/text.ts";
import { baseName } from "./filesystem.ts";

/** The first line of a script, as the kernel and `env` take it apart. */
export interface Script {
  /** The interpreter's path as written. */
  readonly interpreter: string;
  /** The program that `env` looks up on PATH. */
  readonly program: string | undefined;
}

/** Linux reads this much of a file to find the interpreter (BINPRM_BUF_SIZE, fs/binfmt_script.c). */
export const scriptHead = 256;

/** Reads `#!` from the start of a file; undefined if it is no script. */
export function parseScript(head: Uint8Array): Script | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  const line = decodeUtf8(head.subarray(2, scriptHead)).split("\n", 1)[0]!.trim();
  const match = /^(\S+)\s*(.*)$/.exec(line);
  if (match === null) return undefined;
  const interpreter = match[1]!;
  return { interpreter, program: baseName(interpreter) === "env" ? envProgram(match[2]!) : undefined };
}

/** The command of `env [-S STRING] [OPTION...] [NAME=VALUE...] COMMAND`; the kernel hands over all of it as one argument. */
function envProgram(argument: string): string | undefined {
  const split = /^(-S|--split-string[= ]|-\w*S)\s*/.exec(argument);
  const words = split === null ? [argument] : argument.slice(split[0].length).split(/\s+/);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!.replace(/^["']|["']$/g, "");
    if (word === "-u" || word === "-C" || word === "--unset" || word === "--chdir") i++;
    else if (word !== "" && !word.startsWith("-") && !/^[A-Za-z_]\w*=/.test(word)) return word;
  }
  return undefined;
}
