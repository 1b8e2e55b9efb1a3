/** A jail's process in the foreground of this one: terminal, signals, exit status. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { JailExit, JailProcess } from "./process.ts";
import { connectTerminal } from "./terminal.ts";

const passedOn = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT"] as const;

/** The status that a shell reports for an end: 128 and the signal's number for a signal. */
export function exitStatus({ status, signal }: JailExit): number {
  return signal === undefined ? (status ?? 1) : 128 + constants.signals[signal];
}

/**
 * Whether a signal would do nothing at all to a process: the first process of a namespace does not get those that it has no handler for,
 * where any other would be ended.
 */
function isLost(pid: number, signal: NodeJS.Signals): boolean {
  try {
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return caught !== undefined && (BigInt(`0x${caught}`) & (1n << BigInt(constants.signals[signal] - 1))) === 0n;
  } catch {
    return false;
  }
}

/**
 * Stays with a process until it ends: gives it the terminal if it has one of its own, passes signals on.
 *
 * @param hasInit the process is our init, which passes on every signal
 * @returns the exit status as a shell counts
 */
export async function attend(jail: JailProcess, hasInit: boolean): Promise<number> {
  let ended: number | undefined;
  const pass = (signal: NodeJS.Signals) => {
    const number = constants.signals[signal];
    try {
      if (signal !== "SIGCONT" && !hasInit && isLost(jail.pid, signal)) {
        ended = 128 + number;
        jail.kill("SIGKILL");
      } else {
        jail.kill(signal);
      }
    } catch {
      // It has ended.
    }
  };
  for (const signal of passedOn) process.on(signal, pass);
  const release = jail.terminal === undefined ? undefined : connectTerminal(jail.terminal);
  try {
    const exit = await jail.exited;
    await release?.();
    return exit.signal === "SIGKILL" && ended !== undefined ? ended : exitStatus(exit);
  } finally {
    for (const signal of passedOn) process.off(signal, pass);
  }
}
