/**
 * Vivarium as a library, in a browser: in a page or, better, in a worker, because a running guest keeps its thread busy.
 *
 * ```js
 * import { Machine } from "vivarium/browser";
 * const machine = await Machine.create();
 * const { status, stdout } = await machine.run(["uname", "-m"]);
 * console.log(status, new TextDecoder().decode(stdout));
 * ```
 * @module
 */
import { VivError } from "./core/errors.ts";
import { createEmulatedVm } from "./engine/emulator/vm.ts";
import type { Host } from "./guest/host.ts";
import { Machine as GuestMachine } from "./guest/machine.ts";
import type { GuestSpecInput } from "./guest/spec.ts";
import { openDiskFile, openOverlayStore, readWholeFile } from "./host/browser/files.ts";
import { after, decompress, monotonic, randomBytes, wall, yieldToHost } from "./host/browser/machine-host.ts";

export { VivError } from "./core/errors.ts";
export type { VmStats as GuestStats } from "./engine/vm.ts";
export type { CommandResult, GuestConsole, GuestExit } from "./guest/machine.ts";
export type { GuestSpec, GuestSpecInput } from "./guest/spec.ts";
export type { GuestInput, GuestOutput } from "./guest/streams.ts";

export interface BrowserOptions {
  /** The bytes of the files that the specification names. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** URL of the folder that this package is served from; by default the one above that of this module's bundle. */
  readonly package?: string | URL;
}

const kernel = "Image.gz";
const initrd = "initramfs.cpio.gz";

/** A guest on a machine of its own, in this tab. */
export type Machine = GuestMachine;
export const Machine = {
  /**
   * Checks the specification and fetches what is to be booted: the embedded guest if it names no kernel. Nothing runs yet, and
   * nothing is fetched later.
   * @throws VivError naming the field or file that is wrong; `NO_FETCH` naming the address that does not answer; `NO_DISK` for disks
   */
  async create(spec: GuestSpecInput = {}, options: BrowserOptions = {}): Promise<Machine> {
    const base = new URL(options.package ?? "../../", import.meta.url);
    const files = new Map(Object.entries(options.files ?? {}));
    const isEmbedded = spec.boot?.kernel === undefined && spec.boot?.firmware === undefined;
    const guest = (name: string) => new URL(`guests/linux-riscv64/${name}`, base).href;
    const [hart] = await Promise.all([
      fetchBytes(new URL("dist/riscv64-hart.wasm", base).href),
      ...(isEmbedded ? [kernel, initrd] : []).map(async (name) => {
        files.set(guest(name), await fetchBytes(guest(name)));
      }),
    ]);
    const host: Host = {
      platform: "browser",
      architecture: "wasm32",
      readFile: (name, limit) => readWholeFile(files, name, limit),
      openDiskFile,
      openOverlayStore,
      decompress,
      embeddedGuest: () => ({ kernel: guest(kernel), initrd: guest(initrd) }),
      hartModule: () => hart,
      monotonic,
      wall,
      yieldToHost,
      after,
      randomBytes,
    };
    return GuestMachine.create(spec, host, async () => createEmulatedVm);
  },
};

async function fetchBytes(address: string): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch (cause) {
    throw new VivError("NO_FETCH", `cannot fetch ${address}`, { cause });
  }
  if (!response.ok) throw new VivError("NO_FETCH", `cannot fetch ${address}: the server answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
