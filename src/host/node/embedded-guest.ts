import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { VivError } from "../../core/errors.ts";

/**
 * Names of the embedded guest's files, which are part of the package.
 * @throws VivError `ENOENT` if they are not
 */
export function embeddedGuest(): { kernel: string; initrd: string } {
  const here = dirname(fileURLToPath(import.meta.url));
  for (let folder = here; ; folder = dirname(folder)) {
    const guest = join(folder, "guests/linux-riscv64");
    const files = { kernel: join(guest, "Image.gz"), initrd: join(guest, "initramfs.cpio.gz") };
    if (existsSync(files.kernel)) return files;
    if (folder === dirname(folder)) {
      throw new VivError(
        "ENOENT",
        `the embedded guest (guests/linux-riscv64) is not in this installation; give a kernel with --kernel`,
      );
    }
  }
}
