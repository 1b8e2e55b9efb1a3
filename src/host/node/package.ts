import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { VivError } from "../../core/errors.ts";

/** The folder that this package is installed in: the nearest above this file with a package.json. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** Vivarium's version, such as `0.1.0`. */
export function version(): string {
  return (JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8")) as { version: string }).version;
}

/**
 * Names of the embedded guest's files, which are part of the package.
 * @throws VivError `ENOENT` if they are not
 */
export function embeddedGuest(): { kernel: string; initrd: string } {
  const folder = join(packageFolder(), "guests/linux-riscv64");
  const files = { kernel: join(folder, "Image.gz"), initrd: join(folder, "initramfs.cpio.gz") };
  if (existsSync(files.kernel) && existsSync(files.initrd)) return files;
  throw new VivError("ENOENT", `the embedded guest is not in ${folder}; install Vivarium again, or give a kernel with --kernel`);
}

/**
 * The emulator's hart (`buildHartModule`), as the build left it; undefined if it did not. Also lets V8 heed the branch hints of the
 * code that follows, which keeps rare ways out of its loops, and use the processor's fused multiply-add where that takes a flag.
 */
export function hartModule(): Uint8Array<ArrayBuffer> | undefined {
  setFlagsFromString("--experimental-wasm-branch-hinting");
  // V8 12 and later has it without a flag.
  if (Number.parseInt(process.versions.v8, 10) < 12) setFlagsFromString("--experimental-wasm-relaxed-simd");
  const file = join(packageFolder(), "dist/riscv64-hart.wasm");
  return existsSync(file) ? new Uint8Array(readFileSync(file)) : undefined;
}
