import { VivError } from "../core/errors.ts";
import type { Disk } from "../disk/disk.ts";
import { openDisk } from "../disk/open.ts";
import type { VmSetup } from "../engine/vm.ts";
import { detectionLength, detectMedia, type Media } from "../image/detect.ts";
import { type Decompress, readFirmware, readKernel } from "../image/kernel.ts";
import type { Host } from "./host.ts";
import type { GuestSpec } from "./spec.ts";

interface File {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The files that a guest starts with. */
export interface BootFiles {
  readonly isEmbedded: boolean;
  readonly kernel?: File | undefined;
  readonly firmware?: File | undefined;
  readonly initrd?: File | undefined;
  /** What is booted, for the choice of the engine. */
  readonly subject: { readonly name: string; readonly media?: Media | undefined };
}

/** More than fits into any guest's memory. */
const fileLimit = 2 ** 31 - 1;

/**
 * Reads kernel, initial RAM file system and firmware.
 * @throws VivError with the system's code, naming the file
 */
export function readBootFiles(spec: GuestSpec, host: Host): BootFiles {
  const read = (name: string) => ({ name, bytes: host.readFile(name, fileLimit) });
  const { boot } = spec;
  if (boot.kernel === undefined && boot.firmware === undefined) {
    const { kernel, initrd } = host.embeddedGuest();
    return { isEmbedded: true, kernel: read(kernel), initrd: read(initrd), subject: { name: "the embedded guest" } };
  }
  const kernel = boot.kernel === undefined ? undefined : read(boot.kernel);
  const firmware = boot.firmware === undefined ? undefined : read(boot.firmware);
  const first = (firmware ?? kernel) as File;
  return {
    isEmbedded: false,
    kernel,
    firmware,
    initrd: boot.initrd === undefined ? undefined : read(boot.initrd),
    subject: { name: first.name, media: detectMedia(first.bytes.subarray(0, detectionLength)) },
  };
}

/**
 * Unpacks and reads what is booted.
 * @throws VivError `BAD_KERNEL`, `BAD_FIRMWARE` or `BAD_COMPRESSION`, naming the file
 */
export async function prepareBoot(files: BootFiles, spec: GuestSpec, host: Host): Promise<VmSetup["boot"]> {
  const { kernel, firmware, initrd } = files;
  const [kernelContent, initrdContent] = await Promise.all([
    kernel && readKernel(kernel.bytes, kernel.name, naming(kernel.name, host.decompress), { raw: firmware !== undefined }),
    // Linux unpacks its initial RAM file system itself; that of the embedded guest is unpacked here, where it is quicker.
    initrd && (files.isEmbedded ? naming(initrd.name, host.decompress)("gzip", initrd.bytes, fileLimit) : initrd.bytes),
  ]);
  return {
    ...(kernel && kernelContent && { kernel: { name: kernel.name, content: kernelContent } }),
    ...(firmware && { firmware: { name: firmware.name, content: readFirmware(firmware.bytes, firmware.name) } }),
    ...(initrd && initrdContent && { initrd: { name: initrd.name, content: initrdContent } }),
    append: files.isEmbedded ? embeddedCommandLine(spec) : spec.boot.append,
  };
}

/** The device that the guest will have its console on: Linux takes the last that its command line names, else the UART. */
export function consoleDevice(append: string | undefined): VmSetup["console"]["device"] {
  const named = [...(append ?? "").matchAll(/(?:^|\s)console=(\S+)/g)].at(-1)?.[1];
  return named?.startsWith("hvc") ? "virtio-console" : "uart16550";
}

/**
 * Opens and locks the disks; if one fails, none stays open.
 * @throws VivError `ENOENT`, `EBUSY`, `BAD_DISK`... naming the file
 */
export function openDisks(spec: GuestSpec, host: Host): Disk[] {
  const disks: Disk[] = [];
  try {
    for (const { file, readOnly, overlay, format } of spec.disks) {
      const opened = host.openDiskFile(file, { writable: !readOnly && !overlay });
      try {
        disks.push(openDisk(opened, { readOnly, overlay, format }, () => host.openOverlayStore()));
      } catch (error) {
        opened.close();
        throw error;
      }
    }
  } catch (error) {
    for (const disk of disks) disk.close();
    throw error;
  }
  return disks;
}

/**
 * The command line of the embedded guest (guests/linux-riscv64/README.md). Linux loses what it printed before hvc0 is there,
 * unless an early console has shown it.
 */
function embeddedCommandLine(spec: GuestSpec): string {
  const words = [
    // Before `earlycon`, which shows at once what the log has.
    spec.verbose ? "" : "quiet",
    "console=hvc0",
    "earlycon=sbi",
    "panic=-1",
    `TERM=${spec.terminal.type}`,
    spec.boot.append ?? "",
  ];
  return words.filter((word) => word !== "").join(" ");
}

/** Failures of `decompress` say which file it was. */
function naming(name: string, decompress: Decompress): Decompress {
  return async (format, bytes, limit) => {
    try {
      return await decompress(format, bytes, limit);
    } catch (cause) {
      if (cause instanceof VivError) throw new VivError(cause.code, `${name}: ${cause.message}`, { cause });
      throw cause;
    }
  };
}
