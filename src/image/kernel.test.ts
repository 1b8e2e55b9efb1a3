import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { VivError } from "../core/errors.ts";
import { type Decompress, readFirmware, readKernel } from "./kernel.ts";

const decompress: Decompress = async (format, bytes, limit) => {
  if (format !== "gzip") throw new VivError("BAD_KERNEL", `no ${format} here`);
  try {
    return new Uint8Array(gunzipSync(bytes, { maxOutputLength: limit }));
  } catch (cause) {
    throw new VivError("BAD_KERNEL", "the compressed data is damaged", { cause });
  }
};

/** A RISC-V Image of 4 KiB with an EFI stub's section table that says so. */
function image(change: (view: DataView, bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from("MZ"), 0);
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, 0x50_0000n, true);
  bytes.set(Buffer.from("RISCV\0\0\0RSC\x05"), 48);
  view.setUint32(60, 64, true);
  bytes.set(Buffer.from("PE\0\0"), 64);
  view.setUint16(64 + 6, 1, true);
  view.setUint16(64 + 20, 0xa0, true);
  const section = 64 + 24 + 0xa0;
  view.setUint32(section + 16, 3072, true);
  view.setUint32(section + 20, 1024, true);
  change(view, bytes);
  return bytes;
}

/** An ELF executable with one segment: 16 bytes in the file, 32 in memory. */
function elf(change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 16);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  view.setBigUint64(24, 0xffff_ffff_8000_0004n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  [120n, 0xffff_ffff_8000_0000n, 0x8020_0000n, 16n, 32n].forEach((value, i) => {
    view.setBigUint64(72 + i * 8, value, true);
  });
  change(view);
  return bytes;
}

function zboot(payload: Uint8Array, type: string): Uint8Array {
  const bytes = new Uint8Array(256 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from("MZ\0\0zimg"));
  view.setUint32(8, 256, true);
  view.setUint32(12, payload.length, true);
  bytes.set(Buffer.from(type), 24);
  view.setUint32(0x3c, 64, true);
  bytes.set(Buffer.from("PE\0\0\x64\x50"), 64);
  bytes.set(payload, 256);
  return bytes;
}

test("an Image is read as it is, compressed, and from an EFI zboot image", async () => {
  for (const bytes of [image(), gzipSync(image()), zboot(gzipSync(image()), "gzip")]) {
    const kernel = await readKernel(bytes, "vmlinux", decompress);
    assert.equal(kernel.kind, "Image");
    assert.ok(kernel.kind === "Image");
    assert.deepEqual([kernel.textOffset, kernel.size, kernel.bytes.length], [0x20_0000, 0x50_0000, 4096]);
  }
});

test("an ELF program goes to its physical addresses, its entry with it", async () => {
  const kernel = await readKernel(elf(), "vmlinux", decompress);
  assert.ok(kernel.kind === "program");
  // The entry is a virtual address: it is found by its distance from the segment's.
  assert.equal(kernel.program.entry, 0x8020_0004);
  assert.deepEqual(
    kernel.program.segments.map(({ address, bytes, size }) => [address, bytes.length, size]),
    [[0x8020_0000, 16, 32]],
  );
});

test("what is not a kernel for this machine is refused by name", async () => {
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(), /vmlinux is empty/],
    [new Uint8Array(5000), /no magic/],
    [image((view) => view.setUint32(56, 0x644d5241, true)), /a Linux kernel for aarch64/],
    [image((_, bytes) => bytes.set([0x55, 0xaa, 0, 0, 0x48, 0x64, 0x72, 0x53], 0x1fe)).fill(0, 48, 64), /x86_64 .bzImage/],
    [image((view) => view.setUint8(24, 1)), /big-endian/],
    [image().subarray(0, 4000), /cut short/],
    [image().subarray(0, 64), /cut short/],
    [image((view) => view.setBigUint64(16, 2n ** 60n, true)), /beyond any memory/],
    [elf((view) => view.setUint16(18, 62, true)), /an ELF executable for x86_64/],
    [elf((view) => view.setUint8(4, 1)), /riscv32/],
    [elf((view) => view.setUint16(16, 1, true)), /no executable/],
    [elf().subarray(0, 130), /cut short/],
    [elf().subarray(0, 100), /cut short/],
    [elf((view) => view.setBigUint64(104, 8n, true)), /larger in the file/],
    [elf((view) => view.setBigUint64(88, 2n ** 60n, true)), /beyond any memory/],
    [elf((view) => view.setUint32(64, 2, true)), /nothing to load/],
    [elf((view) => view.setBigUint64(24, 0x1000n, true)), /entry point/],
    [gzipSync(gzipSync(image())), /compressed more than once/],
    [zboot(gzipSync(image()), "rot13"), /"rot13"/],
    [zboot(gzipSync(image()), "gzip").subarray(0, 270), /cut short/],
    [zboot(gzipSync(new Uint8Array(100)), "gzip"), /holds no RISC-V Linux Image/],
  ];
  for (const [bytes, message] of cases) {
    await assert.rejects(readKernel(bytes, "vmlinux", decompress), (error: VivError) => {
      assert.equal(error.code, "BAD_KERNEL");
      assert.match(error.message, message);
      return true;
    });
  }
});

test("any damage is an error of the file, or changes only what is loaded", async () => {
  for (const whole of [elf(), image(), zboot(gzipSync(image()), "gzip").subarray(0, 256)]) {
    for (let at = 0; at < Math.min(whole.length, 400); at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const bytes = whole.slice();
        bytes[at] = value;
        await readKernel(bytes, "vmlinux", decompress).catch((error) => assert.equal(error.code, "BAD_KERNEL"));
      }
    }
  }
});

test("a boot stage without a header is taken where firmware starts it", async () => {
  const stage = new Uint8Array(100).fill(0x13);
  assert.deepEqual(await readKernel(stage, "u-boot.bin", decompress, { raw: true }), { kind: "raw", bytes: stage });
  assert.equal(readFirmware(stage, "fw.bin").kind, "raw");
  assert.equal(
    readFirmware(
      elf((view) => view.setBigUint64(24, 0xffff_ffff_8000_0000n, true)),
      "fw.elf",
    ).kind,
    "program",
  );
  assert.throws(() => readFirmware(image(), "vmlinux"), { code: "BAD_FIRMWARE", message: /a Linux kernel for riscv64/ });
  assert.throws(() => readFirmware(new Uint8Array(), "none"), { code: "BAD_FIRMWARE", message: /none is empty/ });
});
