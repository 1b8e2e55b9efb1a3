import { VivError } from "../core/errors.ts";
import { type Architecture, describeMedia, type Media } from "../image/detect.ts";
import type { EngineName, GuestSpec } from "./spec.ts";

/** The engine that will run a guest, and why: `reason` continues the sentence "emulator, because ...". */
export interface EngineChoice {
  readonly engine: EngineName;
  readonly reason: string;
}

/** What the choice depends on. */
export interface ChoiceInputs {
  readonly host: { readonly platform: string; readonly architecture: string };
  /** What the guest starts with, in words ("the embedded guest", "the kernel Image"), and what it is; nothing for the embedded guest. */
  readonly boot: { readonly name: string; readonly media?: Media | undefined };
}

/** The architecture that each board has. */
const boards: Record<GuestSpec["machine"]["board"], Architecture> = { "riscv-virt": "riscv64" };

/**
 * Picks the engine: the lightest that holds the guest, or the one asked for.
 * @throws VivError `BAD_KERNEL` if no board here runs what is to be booted, `NO_ENGINE` if the engine asked for can not
 */
export function chooseEngine(spec: GuestSpec, { host, boot }: ChoiceInputs): EngineChoice {
  const board = boards[spec.machine.board];
  if (boot.media !== undefined) refuseForeign(boot.name, boot.media, board);
  if (spec.engine === "jail") {
    throw new VivError("NO_ENGINE", `engine jail shares the host's kernel and cannot boot ${boot.name}; use --engine emulator`);
  }
  if (spec.engine === "hypervisor") {
    throw new VivError("NO_ENGINE", `engine hypervisor is not there yet; use --engine emulator`);
  }
  if (spec.engine === "emulator") return { engine: "emulator", reason: "it was asked for" };
  const difference =
    host.architecture === board
      ? `${boot.name} needs a machine of its own and the engine hypervisor is not there yet`
      : `${boot.name} is for ${board} and this host is ${host.architecture}`;
  return { engine: "emulator", reason: difference };
}

/** Refuses what certainly does not run on the board. What is not recognised may be a flat binary and is let through. */
function refuseForeign(name: string, media: Media, board: Architecture): void {
  const words = describeMedia(media);
  if (media.kind === "kernel" || media.kind === "elf" || media.kind === "EFI program") {
    if (media.architecture === board && media.kind !== "EFI program") return;
    throw new VivError("BAD_KERNEL", `${name} is ${words}; the machine runs ${board}`);
  }
  if (media.kind === "compressed" || media.kind === "unknown") return;
  const fix: Partial<Record<Media["kind"], string>> = {
    disk: "; attach it with --disk",
    archive: "; an initial root file system goes to --initrd",
    directory: "; directories and OCI images can not be run yet",
  };
  throw new VivError("BAD_KERNEL", `${name} is ${words}, not a kernel${fix[media.kind] ?? ""}`);
}

/**
 * Picks the engine for a directory that is to be a whole system's root: programs of this host's own kind run in a jail.
 * @param program a program of that root, if it has any
 * @throws VivError `NO_ENGINE` if no engine here runs it, or not the one asked for
 */
export function chooseRootEngine(asked: EngineName | "auto", { host, boot }: ChoiceInputs): EngineChoice {
  const { media } = boot;
  const architecture = media?.kind === "elf" ? media.architecture : undefined;
  const isNative = architecture === undefined || architecture === host.architecture;
  if (asked === "hypervisor" || asked === "emulator") {
    throw new VivError(
      "NO_ENGINE",
      `engine ${asked} cannot run a directory yet; leave --engine out, or make a disk image of ${boot.name}`,
    );
  }
  if (host.platform !== "linux") {
    throw new VivError(
      "NO_ENGINE",
      `${boot.name} is a Linux system's directory, which needs a jail on a Linux host; this one is ${host.platform}`,
    );
  }
  if (!isNative) {
    throw new VivError(
      "NO_ENGINE",
      `the programs in ${boot.name} are for ${architecture} and this host is ${host.architecture}; make a disk image of it and run that with --engine emulator`,
    );
  }
  if (asked === "jail") return { engine: "jail", reason: "it was asked for" };
  return { engine: "jail", reason: `${boot.name} is a directory of programs for this host's own kernel` };
}
