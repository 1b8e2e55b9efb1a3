import { VivError } from "../core/errors.ts";
import { describeMedia, detectionLength, detectMedia, type Media } from "./detect.ts";
import { type Program, readElf64 } from "./elf64.ts";

/**
 * Undoes a compression; handed in by the host. Rejects with `VivError` for damaged input, output above `limit` bytes, or a
 * format that it does not know.
 */
export type Decompress = (format: CompressionFormat, bytes: Uint8Array, limit: number) => Promise<Uint8Array>;
export type CompressionFormat = (Media & { kind: "compressed" })["format"];

/** What a machine can start after its firmware, or in its place. */
export type Kernel =
  /** A Linux `Image`: it runs where it is put, at `textOffset` bytes after a multiple of 2 MiB. */
  | { readonly kind: "Image"; readonly bytes: Uint8Array; readonly textOffset: number; readonly size: number }
  /** A program with addresses of its own. */
  | { readonly kind: "program"; readonly program: Program }
  /** Bytes without a header, for a boot stage at an agreed address. */
  | { readonly kind: "raw"; readonly bytes: Uint8Array };

/** Offsets in the header of a RISC-V `Image` (Linux, Documentation/arch/riscv/boot-image-header.rst). */
const imageHeader = { textOffset: 8, imageSize: 16, flags: 24, peOffset: 60, size: 64 } as const;
/** A kernel above this is a mistake. */
const decompressedLimit = 2 ** 30;

/**
 * Reads a kernel: a RISC-V Linux `Image`, as it is, compressed, or in an EFI zboot wrapper; or an ELF program.
 * @param name of the file, for messages
 * @param options `raw`: also takes a file without any header, as firmware does with its next stage
 * @throws VivError `BAD_KERNEL` for a file that is none of these, cut short, or for another machine
 */
export async function readKernel(
  bytes: Uint8Array,
  name: string,
  decompress: Decompress,
  options: { raw?: boolean } = {},
): Promise<Kernel> {
  const bad = (what: string) => new VivError("BAD_KERNEL", `kernel ${name} ${what}`);
  const media = detectMedia(bytes.subarray(0, detectionLength));
  switch (media.kind) {
    case "compressed": {
      const inner = await decompress(media.format, bytes, decompressedLimit);
      if (detectMedia(inner.subarray(0, detectionLength)).kind === "compressed") throw bad("is compressed more than once");
      return readKernel(inner, name, decompress, options);
    }
    case "kernel":
      if (media.architecture !== "riscv64") break;
      if (media.format === "EFI zboot") {
        const { format, payload } = zbootPayload(bytes, bad);
        return { kind: "Image", ...imageFields(await decompress(format, payload, decompressedLimit), bad) };
      }
      return { kind: "Image", ...imageFields(bytes, bad) };
    case "elf":
      if (media.architecture !== "riscv64") break;
      return { kind: "program", program: readElf64(bytes, `kernel ${name}`, "BAD_KERNEL") };
    case "unknown":
      if (bytes.length === 0) throw bad("is empty");
      if (options.raw) return { kind: "raw", bytes };
      throw bad("is no RISC-V Linux Image and no ELF file (it has no magic of either)");
  }
  throw bad(`is ${describeMedia(media)}; this machine starts kernels for riscv64`);
}

function imageFields(bytes: Uint8Array, bad: (what: string) => VivError) {
  if (bytes.length < imageHeader.size) throw bad("is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (detectMedia(bytes.subarray(0, detectionLength)).kind !== "kernel") throw bad("holds no RISC-V Linux Image");
  if ((view.getBigUint64(imageHeader.flags, true) & 1n) !== 0n) throw bad("is big-endian; build it little-endian");
  const textOffset = Number(view.getBigUint64(imageHeader.textOffset, true));
  const imageSize = Number(view.getBigUint64(imageHeader.imageSize, true));
  if (!Number.isSafeInteger(textOffset + imageSize)) throw bad("names a size beyond any memory in its header");
  if (isCutShort(view)) throw bad("is cut short; fetch or build it again");
  return { bytes, textOffset, size: Math.max(imageSize, bytes.length) };
}

/**
 * The header's `image_size` counts memory that is not in the file, so only the sections of an EFI stub (PE format, "Section
 * Table") tell what the file must hold.
 */
function isCutShort(image: DataView): boolean {
  // Without an EFI stub nothing says how much of the size is in the file; but it is the larger part of any real kernel.
  if (image.getUint16(0, true) !== 0x5a4d) return image.byteLength < Number(image.getBigUint64(imageHeader.imageSize, true)) / 2; // "MZ"
  const pe = image.getUint32(imageHeader.peOffset, true);
  if (pe + 24 > image.byteLength) return true;
  if (image.getUint32(pe, true) !== 0x4550) return false; // "PE\0\0"
  const sections = pe + 24 + image.getUint16(pe + 20, true);
  const end = sections + image.getUint16(pe + 6, true) * 40;
  if (end > image.byteLength) return true;
  for (let at = sections; at < end; at += 40) {
    const [size, start] = [image.getUint32(at + 16, true), image.getUint32(at + 20, true)];
    if (start + size > image.byteLength) return true;
  }
  return false;
}

/** The compressed Image inside an EFI zboot image (Linux, drivers/firmware/efi/libstub/zboot-header.S). */
function zbootPayload(bytes: Uint8Array, bad: (what: string) => VivError) {
  if (bytes.length < 64) throw bad("is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, size] = [view.getUint32(8, true), view.getUint32(12, true)];
  if (start + size > bytes.length) throw bad("is cut short; fetch or build it again");
  const type = String.fromCharCode(...bytes.subarray(24, 56)).replace(/\0.*$/s, "");
  const formats: Record<string, CompressionFormat> = { gzip: "gzip", zstd22: "zstd", xzkern: "xz", lz4: "lz4" };
  const format = Object.hasOwn(formats, type) ? formats[type] : undefined;
  if (format === undefined) throw bad(`is an EFI zboot image compressed with ${JSON.stringify(type)}, which is not known here`);
  return { format, payload: bytes.subarray(start, start + size) };
}

/**
 * Reads firmware for M-mode: an ELF program, or raw bytes for the first address of RAM.
 * @throws VivError `BAD_FIRMWARE` for anything that is recognisably something else
 */
export function readFirmware(bytes: Uint8Array, name: string): Exclude<Kernel, { kind: "Image" }> {
  const media = detectMedia(bytes.subarray(0, detectionLength));
  if (media.kind === "elf" && media.architecture === "riscv64") {
    return { kind: "program", program: readElf64(bytes, `firmware ${name}`, "BAD_FIRMWARE") };
  }
  if (media.kind === "unknown" && bytes.length > 0) return { kind: "raw", bytes };
  const what = bytes.length === 0 ? "empty" : describeMedia(media);
  throw new VivError("BAD_FIRMWARE", `firmware ${name} is ${what}; give an ELF file or a raw image for riscv64`);
}
