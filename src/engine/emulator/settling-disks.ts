import type { BlockBackend } from "../../devices/virtio/block/backend.ts";
import type { Disk } from "../../disk/disk.ts";

/**
 * Disks whose unfinished work can be waited for: where guest time is made of instructions, a flush is to end at the same
 * instruction in every run, however long the host takes for it.
 */
export class SettlingDisks {
  readonly #unfinished = new Set<Promise<void>>();

  wrap(disk: Disk): BlockBackend {
    return {
      size: disk.size,
      readOnly: disk.readOnly,
      read: (offset, into) => disk.read(offset, into),
      write: (offset, from) => disk.write(offset, from),
      writeZeroes: (offset, length) => disk.writeZeroes(offset, length),
      ...(disk.discard && { discard: (offset, length) => disk.discard?.(offset, length) }),
      flush: () => {
        const flushed = disk.flush();
        if (flushed === undefined) return;
        this.#unfinished.add(flushed);
        const over = () => this.#unfinished.delete(flushed);
        flushed.then(over, over);
        return flushed;
      },
    };
  }

  /** Resolves when nothing is left that was begun before. How it went, the one who began it hears. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#unfinished);
  }
}
