import type { Blob } from "./blob.ts";

/** Something that runs a blob. Swappable: QEMU of any version, our machine on any tier. */
export interface Contender {
  readonly name: string;
  /**
   * Runs all cases of the blob; the bytes of their results. A case that hangs is left with `status` 0, and the rest is run.
   * @param extensions what the hart must have besides for these cases, where that can be chosen
   */
  run(blob: Blob, extensions?: readonly string[]): Promise<Uint8Array>;
}
