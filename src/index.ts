/**
 * Vivarium as a library, on Node.
 *
 * ```js
 * import { Machine } from "vivarium";
 * const machine = await Machine.create();
 * const { status, stdout } = await machine.run(["uname", "-m"]);
 * console.log(status, new TextDecoder().decode(stdout));
 * ```
 * @module
 */
import { arch, platform } from "node:process";
import { chooseRootEngine, type EngineChoice } from "./guest/choose.ts";
import type { Host } from "./guest/host.ts";
import type { LockstepResult, LockstepRun } from "./guest/lockstep.ts";
import { Machine as GuestMachine } from "./guest/machine.ts";
import type { GuestSpec, GuestSpecInput } from "./guest/spec.ts";
import { openDiskFile, openOverlayStore, readWholeFile } from "./host/node/files.ts";
import { sampleProgram } from "./host/node/jail/inputs.ts";
import { after, decompress, monotonic, randomBytes, wall, yieldToHost } from "./host/node/machine-host.ts";
import { embeddedGuest, hartModule } from "./host/node/package.ts";

export { VivError } from "./core/errors.ts";
export { defaultCapabilities as jailCapabilities } from "./engine/jail/capabilities.ts";
export { type Exposure, exposures, printExposures } from "./engine/jail/exposure.ts";
export { type JailSpec, type JailSpecInput, parseJailSpec } from "./engine/jail/spec.ts";
export type { VmStats as GuestStats } from "./engine/vm.ts";
export type { EngineChoice } from "./guest/choose.ts";
export type { LockstepResult, LockstepRun } from "./guest/lockstep.ts";
export type { CommandResult, GuestConsole, GuestExit } from "./guest/machine.ts";
export type { EngineName, GuestSpec, GuestSpecInput } from "./guest/spec.ts";
export type { GuestInput, GuestOutput } from "./guest/streams.ts";
export { escapeHelp } from "./host/node/escape-key.ts";
export { closureOf, type HostClosureRequest } from "./host/node/imprison/closure.ts";
export { type MakeOptions, type MakeProgress, type MakeResult, makeJail } from "./host/node/imprison/make.ts";
export { checkHost, type HostCheck } from "./host/node/jail/check.ts";
export { type AttemptResult, type EscapeResult, tryEscapes } from "./host/node/jail/escapes.ts";
export { attend } from "./host/node/jail/foreground.ts";
export { completeMounts, deviceAt, isDirectory, readProfile } from "./host/node/jail/inputs.ts";
export {
  createJail,
  enterNamed,
  freeAddress,
  type Jail,
  type JailOptions,
  jailPlanText,
  jailProcesses,
  jailState,
  killJail,
  listJails,
  removeJail,
  specFor as jailSpecFor,
  stopJail,
  type UserMapping,
  userMappings,
} from "./host/node/jail/jails.ts";
export { JailError, type JailExit, type JailProcess, type JailStreams } from "./host/node/jail/process.ts";
export { startServices, stopService } from "./host/node/jail/services.ts";
export { isTerminal, restoreBlocking } from "./host/node/jail/terminal.ts";
export { resolveUser } from "./host/node/jail/users.ts";
export { version } from "./host/node/package.ts";
export { pipeOutput, pipeStandardInput } from "./host/node/pipes.ts";
export { hasTerminal, Terminal, type TerminalPeer, terminalWindow } from "./host/node/terminal.ts";
export {
  type Closure,
  type ClosureFile,
  closureData,
  closureTree,
  explainFile,
  formatSize,
  type Problem,
  type Reason,
  sizeOf,
} from "./image/closure/index.ts";

/** Names of processors as `uname -m` has them, by Node's. */
const architectures: Partial<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", ia32: "i386" };

/** A function, so that a bundle which has no use for machines does not have them in it. */
const nodeHost = (): Host => ({
  platform,
  architecture: architectures[arch] ?? arch,
  readFile: readWholeFile,
  openDiskFile,
  openOverlayStore,
  decompress,
  embeddedGuest,
  hartModule,
  monotonic,
  wall,
  yieldToHost,
  after,
  randomBytes,
});

/** A guest on a machine of its own, on this host. */
export type Machine = GuestMachine;
export const Machine = {
  /**
   * Checks the specification, chooses the engine, reads what is to be booted, opens and locks the disks. Nothing runs yet.
   * @throws VivError naming the field or file that is wrong
   */
  create(spec: GuestSpecInput = {}): Promise<Machine> {
    return GuestMachine.create(spec, nodeHost(), async () => (await import("./engine/emulator/vm.ts")).createEmulatedVm);
  },
};

/**
 * Runs a guest twice at once, interpreted and translated, and compares: to find mistakes of the translator. Time is counted in
 * instructions, and nobody types.
 * @throws VivError as `Machine.create`; `BAD_SPEC` for disks that the guest can write
 */
export async function lockstep(spec: GuestSpecInput, options: LockstepRun = {}): Promise<LockstepResult> {
  const { runLockstep } = await import("./guest/lockstep.ts");
  return runLockstep(spec, nodeHost(), options);
}
export { checkJail, type Finding } from "./host/node/imprison/check.ts";
export { type ExportFormat, type ExportOptions, exportJail } from "./host/node/imprison/export.ts";
export { makeTracedJail, type TracedResult } from "./host/node/imprison/trace.ts";
export { directoryTree } from "./host/node/imprison/tree.ts";
export type { PageServer } from "./host/node/web/server.ts";
export { serveTab } from "./host/node/web/tab.ts";

/**
 * Which engine runs a directory that is a whole system's root, and why.
 * @throws VivError `NO_ENGINE` if none does, or not the one asked for
 */
export function chooseRoot(root: string, asked: GuestSpec["engine"] = "auto"): EngineChoice {
  return chooseRootEngine(asked, { host: nodeHost(), boot: { name: root, media: sampleProgram(root) } });
}
