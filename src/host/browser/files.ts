import { VivError } from "../../core/errors.ts";
import type { DiskFile } from "../../disk/disk.ts";
import type { OverlayStore } from "../../disk/overlay.ts";

/** Bytes by the names that a guest's specification has for them: a tab's files. */
export type FileTable = ReadonlyMap<string, Uint8Array>;

/**
 * The whole of a file.
 * @param limit bytes that are too many
 * @throws VivError `ENOENT`, `EFBIG`
 */
export function readWholeFile(files: FileTable, name: string, limit: number): Uint8Array {
  const bytes = files.get(name);
  if (bytes === undefined) throw new VivError("ENOENT", `cannot read ${name}: it is not among the files given to the machine`);
  if (bytes.length > limit) {
    throw new VivError("EFBIG", `cannot read ${name}: it has ${bytes.length} bytes, more than the ${limit} that fit`);
  }
  return bytes;
}

/** @throws VivError `NO_DISK`, always */
export function openDiskFile(name: string): DiskFile {
  throw new VivError("NO_DISK", `cannot open disk ${name}: disks in a browser are not there yet`);
}

/** @throws VivError `NO_DISK`, always */
export function openOverlayStore(): OverlayStore {
  throw new VivError("NO_DISK", "overlays of disks in a browser are not there yet");
}
