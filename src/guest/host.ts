import type { DiskFile } from "../disk/disk.ts";
import type { OverlayStore } from "../disk/overlay.ts";
import type { Decompress } from "../image/kernel.ts";
import type { MachineHost } from "../machine/host.ts";

/** What guests need of the host; handed in from the top, so that the same guest runs wherever one of these is. */
export interface Host extends MachineHost {
  /** As `uname` has them: `linux`, `darwin`...; `x86_64`, `riscv64`... */
  readonly platform: string;
  readonly architecture: string;
  /** All of a file, if it has at most `limit` bytes. */
  readFile(name: string, limit: number): Uint8Array;
  /** Opens and locks a disk's file. */
  openDiskFile(name: string, options: { writable: boolean }): DiskFile;
  /** A place for an overlay's writes that is gone with the process. */
  openOverlayStore(): OverlayStore;
  decompress: Decompress;
  /** Names of the embedded guest's files. */
  embeddedGuest(): { kernel: string; initrd: string };
}
