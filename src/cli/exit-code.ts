/** Exit codes of `viv` itself; all others are the guest's. 124 as timeout(1), 125 as env(1) and container tools have it. */
export const exitCode = { success: 0, guestFailed: 1, usage: 2, timeout: 124, failure: 125 } as const;

/** The exit code of a process that was ended by a signal, as shells count. */
export const signalExitCode = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGPIPE: 141, SIGTERM: 143 } as const;

/** The exit code when a stream of ours takes nothing any more: that of SIGPIPE if nobody reads it, else a failure, which is said. */
export function brokenStreamExitCode(error: NodeJS.ErrnoException): number {
  if (error.code === "EPIPE") return signalExitCode.SIGPIPE;
  process.stderr.write(`viv: cannot write the output: ${error.message}\n`);
  return exitCode.failure;
}
