/**
 * What a file is, told from its first bytes. This picks an engine and makes error messages; it is no validation. Never use
 * it on a disk that a guest has written to decide how to read it.
 */

/** Names of processors as Linux's `uname -m` has them. */
export type Architecture = "riscv64" | "riscv32" | "x86_64" | "i386" | "aarch64" | "arm" | "ppc64" | "s390x" | "loongarch64";

export type Media =
  /** A Linux kernel in the form its own build makes for a boot loader. */
  | {
      readonly kind: "kernel";
      readonly format: "Image" | "bzImage" | "EFI zboot";
      readonly architecture: Architecture | undefined;
    }
  | {
      readonly kind: "elf";
      /** `undefined` for a machine that has no name here; its number is `machine`. */
      readonly architecture: Architecture | undefined;
      readonly machine: number;
      readonly type: "relocatable" | "executable" | "shared" | "core" | "other";
      readonly entry: bigint;
    }
  | { readonly kind: "compressed"; readonly format: "gzip" | "zstd" | "xz" | "bzip2" | "lz4" }
  | { readonly kind: "archive"; readonly format: "cpio" | "tar" }
  | {
      readonly kind: "disk";
      readonly format: "raw" | "qcow2";
      readonly content: "boot sector" | "GPT" | "ext file system" | "ISO 9660" | "squashfs" | "qcow2";
    }
  | { readonly kind: "device tree" }
  | { readonly kind: "script" }
  | { readonly kind: "EFI program"; readonly architecture: Architecture | undefined }
  | { readonly kind: "directory"; readonly format: "OCI layout" | "root" }
  | { readonly kind: "unknown" };

/** `e_machine` of the ELF specification. */
const elfMachines = new Map<number, Architecture>([
  [3, "i386"],
  [21, "ppc64"],
  [22, "s390x"],
  [40, "arm"],
  [62, "x86_64"],
  [183, "aarch64"],
  [243, "riscv64"],
  [258, "loongarch64"],
]);

/** `Machine` of the COFF file header (PE format). */
const peMachines = new Map<number, Architecture>([
  [0x14c, "i386"],
  [0x8664, "x86_64"],
  [0xaa64, "aarch64"],
  [0x5064, "riscv64"],
  [0x5032, "riscv32"],
  [0x6264, "loongarch64"],
]);

const elfTypes = ["other", "relocatable", "executable", "shared", "core"] as const;

const elfTypeWords = {
  other: "file",
  relocatable: "object",
  executable: "executable",
  shared: "shared object",
  core: "core dump",
} as const;

/** Bytes of a file's start that `detectMedia` looks at. */
export const detectionLength = 0x8006;

/**
 * Says what a file is.
 * @param start the file's first `detectionLength` bytes, or all of a shorter file
 */
export function detectMedia(start: Uint8Array): Media {
  const has = (at: number, text: string) => matches(start, at, text);
  if (has(0, "\x7fELF")) return elf(start);
  // Documentation/arch/riscv/boot-image-header.rst and Documentation/arch/arm64/booting.rst of Linux
  if (has(0x30, "RISCV\0") && has(0x38, "RSC\x05")) return { kind: "kernel", format: "Image", architecture: "riscv64" };
  if (has(0x38, "ARM\x64")) return { kind: "kernel", format: "Image", architecture: "aarch64" };
  // Documentation/arch/x86/boot.rst
  if (has(0x202, "HdrS") && has(0x1fe, "\x55\xaa")) return { kind: "kernel", format: "bzImage", architecture: "x86_64" };
  if (has(0, "MZ") && has(4, "zimg")) return { kind: "kernel", format: "EFI zboot", architecture: peMachine(start) };
  if (has(0, "\x1f\x8b")) return { kind: "compressed", format: "gzip" };
  if (has(0, "\x28\xb5\x2f\xfd")) return { kind: "compressed", format: "zstd" };
  if (has(0, "\xfd7zXZ\0")) return { kind: "compressed", format: "xz" };
  if (has(0, "BZh")) return { kind: "compressed", format: "bzip2" };
  if (has(0, "\x04\x22\x4d\x18") || has(0, "\x02\x21\x4c\x18")) return { kind: "compressed", format: "lz4" };
  if (has(0, "070701") || has(0, "070702")) return { kind: "archive", format: "cpio" };
  if (has(257, "ustar")) return { kind: "archive", format: "tar" };
  if (has(0, "QFI\xfb")) return { kind: "disk", format: "qcow2", content: "qcow2" };
  if (has(0, "\xd0\x0d\xfe\xed")) return { kind: "device tree" };
  if (has(0, "#!")) return { kind: "script" };
  if (has(0x8001, "CD001")) return { kind: "disk", format: "raw", content: "ISO 9660" };
  if (has(512, "EFI PART")) return { kind: "disk", format: "raw", content: "GPT" };
  if (has(0x438, "\x53\xef")) return { kind: "disk", format: "raw", content: "ext file system" };
  if (has(0, "hsqs")) return { kind: "disk", format: "raw", content: "squashfs" };
  if (has(0, "MZ") && peMachine(start) !== undefined) return { kind: "EFI program", architecture: peMachine(start) };
  if (has(0x1fe, "\x55\xaa")) return { kind: "disk", format: "raw", content: "boot sector" };
  return { kind: "unknown" };
}

/** Says what a directory is, from the names in it. */
export function detectDirectory(names: readonly string[]): Media {
  return { kind: "directory", format: names.includes("oci-layout") ? "OCI layout" : "root" };
}

/** The medium in words, with its article, for messages: "a Linux kernel for riscv64 (Image)". */
export function describeMedia(media: Media): string {
  switch (media.kind) {
    case "kernel":
      return `a Linux kernel for ${media.architecture ?? "an unknown machine"} (${media.format})`;
    case "elf": {
      const machine = media.architecture ?? `machine ${media.machine}`;
      return `an ELF ${elfTypeWords[media.type]} for ${machine}`;
    }
    case "compressed":
      return `a file compressed with ${media.format}`;
    case "archive":
      return `a ${media.format} archive`;
    case "disk":
      return media.format === "qcow2" ? "a qcow2 disk" : `a disk (${media.content})`;
    case "device tree":
      return "a device tree";
    case "script":
      return "a script";
    case "EFI program":
      return `an EFI or Windows program for ${media.architecture}`;
    case "directory":
      return media.format === "OCI layout" ? "an OCI image layout" : "a directory";
    case "unknown":
      return "of a kind that is not known here";
  }
}

/** Characters of `text` are bytes. */
function matches(bytes: Uint8Array, at: number, text: string): boolean {
  if (at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function elf(start: Uint8Array): Media {
  if (start.length < 0x20) return { kind: "unknown" };
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const is64 = start[4] === 2;
  const little = start[5] !== 2;
  const machine = view.getUint16(18, little);
  const named = elfMachines.get(machine);
  return {
    kind: "elf",
    architecture: named === "riscv64" && !is64 ? "riscv32" : named,
    machine,
    type: elfTypes[view.getUint16(16, little)] ?? "other",
    entry: is64 ? view.getBigUint64(24, little) : BigInt(view.getUint32(24, little)),
  };
}

function peMachine(start: Uint8Array): Architecture | undefined {
  if (start.length < 0x40) return undefined;
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const header = view.getUint32(0x3c, true);
  if (header + 6 > start.length || !matches(start, header, "PE\0\0")) return undefined;
  return peMachines.get(view.getUint16(header + 4, true));
}
