import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { describeMedia, detectDirectory, detectionLength, detectMedia } from "./detect.ts";

/** Bytes with strings (a character is a byte) at offsets. */
function file(parts: Record<number, string>, length = detectionLength): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const [at, text] of Object.entries(parts)) bytes.set(Buffer.from(text, "latin1"), Number(at));
  return bytes;
}

test("each kind of file is told by its magic, and named for messages", () => {
  const cases: [Uint8Array, string][] = [
    [file({ 0: "MZ", 48: "RISCV\0\0\0", 56: "RSC\x05" }), "a Linux kernel for riscv64 (Image)"],
    [file({ 0: "MZ", 56: "ARM\x64" }), "a Linux kernel for aarch64 (Image)"],
    [file({ 510: "\x55\xaa", 514: "HdrS" }), "a Linux kernel for x86_64 (bzImage)"],
    [file({ 0: "MZ\0\0zimg", 60: "\x40", 64: "PE\0\0\x64\x50" }), "a Linux kernel for riscv64 (EFI zboot)"],
    [file({ 0: "\x7fELF\x02\x01\x01", 16: "\x02\0\xf3\0" }), "an ELF executable for riscv64"],
    [file({ 0: "\x7fELF\x01\x01\x01", 16: "\x03\0\xf3\0" }), "an ELF shared object for riscv32"],
    [file({ 0: "\x7fELF\x02\x02\x01", 16: "\0\x01\0\x16" }), "an ELF object for s390x"],
    [file({ 0: "\x7fELF\x02\x01\x01", 16: "\x02\0\xff\xff" }), "an ELF executable for machine 65535"],
    [file({ 0: "\x1f\x8b\x08" }), "a file compressed with gzip"],
    [file({ 0: "\x28\xb5\x2f\xfd" }), "a file compressed with zstd"],
    [file({ 0: "070701" }), "a cpio archive"],
    [file({ 257: "ustar" }), "a tar archive"],
    [file({ 0: "QFI\xfb" }), "a qcow2 disk"],
    [file({ 510: "\x55\xaa" }), "a disk (boot sector)"],
    [file({ 510: "\x55\xaa", 512: "EFI PART" }), "a disk (GPT)"],
    [file({ 1080: "\x53\xef" }), "a disk (ext file system)"],
    [file({ 32769: "CD001" }), "a disk (ISO 9660)"],
    [file({ 0: "\xd0\x0d\xfe\xed" }), "a device tree"],
    [file({ 0: "#!/bin/sh" }), "a script"],
    [file({ 0: "MZ", 60: "\x40", 64: "PE\0\0\x64\x86" }), "an EFI or Windows program for x86_64"],
    [file({}), "of a kind that is not known here"],
  ];
  for (const [bytes, words] of cases) assert.equal(describeMedia(detectMedia(bytes)), words);
  assert.equal(describeMedia(detectDirectory(["blobs", "oci-layout"])), "an OCI image layout");
  assert.equal(describeMedia(detectDirectory(["bin"])), "a directory");
});

test("a file cut short anywhere is no failure", () => {
  const whole = file({ 0: "\x7fELF\x02\x01\x01" }, 100);
  for (let length = 0; length < 64; length++) detectMedia(whole.subarray(0, length));
  const pe = file({ 0: "MZ", 60: "\xff\xff\xff\xff" }, 0x42);
  assert.equal(detectMedia(pe).kind, "unknown");
  assert.equal(detectMedia(new Uint8Array()).kind, "unknown");
});

test("this very Node is recognised", { skip: process.platform !== "linux" && "needs an ELF file" }, () => {
  const media = detectMedia(readFileSync(process.execPath).subarray(0, detectionLength));
  assert.equal(media.kind, "elf");
});
