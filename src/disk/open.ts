import { VivError } from "../core/errors.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { Overlay, type OverlayStore } from "./overlay.ts";
import { RawDisk } from "./raw.ts";

export interface DiskOptions {
  readonly readOnly: boolean;
  /** Writes are thrown away when the disk is closed; the file stays as it is. */
  readonly overlay: boolean;
  /** `raw` takes the file's bytes as they are, whatever they look like. */
  readonly format?: "raw" | undefined;
}

/** "QFI\xfb", the first four bytes of a qcow2 file. */
const qcow2Magic = [0x51, 0x46, 0x49, 0xfb];

/**
 * A disk from an open file, which it owns from now on.
 * @param store makes the place for an overlay's writes
 * @throws VivError `BAD_DISK` for an empty file and for formats that are not supported
 */
export function openDisk(file: DiskFile, options: DiskOptions, store: () => OverlayStore): Disk {
  if (options.format !== "raw") {
    const magic = new Uint8Array(4);
    file.read(0, magic);
    if (qcow2Magic.every((byte, index) => magic[index] === byte)) {
      throw new VivError(
        "BAD_DISK",
        `disk ${file.name} looks like qcow2, which is not supported yet; convert it (qemu-img convert -O raw), or add ",raw" to use its bytes as they are`,
      );
    }
  }
  const raw = new RawDisk(file, { readOnly: options.readOnly || options.overlay });
  return options.overlay && !options.readOnly ? new Overlay(raw, store()) : raw;
}
