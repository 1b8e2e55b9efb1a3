import assert from "node:assert/strict";
import { test } from "node:test";
import { readDeviceTree } from "../boards/testing/read-fdt.ts";
import type { Kernel } from "../image/kernel.ts";
import { type BootOptions, planBoot } from "./boot.ts";

const MiB = 2 ** 20;
const ram = 0x8000_0000;
const image = (size: number, bytes = 4096): Kernel & { kind: "Image" } => ({
  kind: "Image",
  bytes: new Uint8Array(bytes),
  textOffset: 2 * MiB,
  size,
});
const kernel = (size: number) => ({ name: "vmlinux", content: image(size) });
const initrd = (size: number) => ({ name: "initrd.cpio", content: new Uint8Array(size) });
const raw = (size: number) => ({ kind: "raw" as const, bytes: new Uint8Array(size) });
const plan = (options: BootOptions, memorySize = 64 * MiB) => planBoot(options, { harts: 1, memorySize, virtioSlots: [0] });

function chosen(blob: Uint8Array) {
  const properties = readDeviceTree(blob).get("/chosen")!;
  const address = (name: string) => {
    const bytes = properties.get(name);
    return bytes && Number(new DataView(bytes.buffer).getBigUint64(0));
  };
  return { start: address("linux,initrd-start"), end: address("linux,initrd-end"), bootargs: properties.get("bootargs") };
}

test("a kernel starts in S-mode with hart id and device tree", () => {
  const { segments, start, sbi } = plan({ kernel: kernel(20 * MiB), append: "quiet" });
  const [image, tree] = segments;
  assert.equal(image.address, ram + 2 * MiB);
  assert.deepEqual(start, { pc: BigInt(ram + 2 * MiB), a0: 0n, a1: BigInt(tree.address), mode: 1 });
  assert.equal(sbi, true);
  assert.equal(tree.address % 8, 0);
  assert.equal(Buffer.from(chosen(tree.bytes).bootargs!).toString(), "quiet\0");
});

test("firmware starts from the boot ROM, which tells it of the kernel and the device tree", () => {
  const { segments, start, sbi, rom } = plan({
    firmware: { name: "fw", content: raw(300_000) },
    kernel: { name: "u-boot.bin", content: raw(1_000_000) },
  });
  assert.deepEqual(
    segments.slice(0, 2).map(({ address }) => address),
    [ram, ram + 2 * MiB],
  );
  assert.deepEqual(start, { pc: 0x1000n, a0: 0n, a1: 0n, mode: 3 });
  assert.equal(sbi, false);
  const words = new BigUint64Array(rom.slice(24).buffer);
  assert.deepEqual([...words.slice(0, 2)], [BigInt(ram), BigInt(segments[2].address)]);
  assert.equal(words[4], BigInt(ram + 2 * MiB));
});

test("a program that may be moved goes where raw firmware would", () => {
  const segments = [
    { address: 0, bytes: new Uint8Array(16), size: 32 },
    { address: 0x40000, bytes: new Uint8Array(16), size: 32 },
  ];
  const firmware = { name: "fw.elf", content: { kind: "program" as const, program: { segments, entry: 8, movable: true } } };
  const { segments: placed, rom } = plan({ firmware });
  assert.deepEqual(
    placed.slice(0, 2).map(({ address }) => address),
    [ram, ram + 0x40000],
  );
  assert.equal(new BigUint64Array(rom.slice(24, 32).buffer)[0], BigInt(ram + 8));
  firmware.content.program.movable = false;
  assert.throws(() => plan({ firmware }), {
    code: "BAD_FIRMWARE",
    message: /needs memory from 0x0 to 0x20, and RAM is from 0x80000000/,
  });
});

test("whatever fits is placed apart, in any RAM; whatever does not is refused by name", () => {
  let placed = 0;
  for (const memory of [16, 17, 64, 100, 1024, 1030, 3584]) {
    for (const kernelSize of [1, 4, 13, 30, 1000]) {
      for (const initrdSize of [0, 1, 3 * MiB + 1, 40 * MiB, 600 * MiB]) {
        // The contents are one shared buffer: only addresses and sizes matter here.
        const options: BootOptions = { kernel: kernel(kernelSize * MiB) };
        if (initrdSize > 0) Object.assign(options, { initrd: initrd(initrdSize) });
        const total = 2 + kernelSize + initrdSize / MiB;
        try {
          const { segments } = plan(options, memory * MiB);
          const sorted = [...segments].sort((a, b) => a.address - b.address);
          sorted.forEach((segment, i) => {
            const end = segment.address + segment.size;
            assert.ok(segment.address >= ram && end <= (sorted[i + 1]?.address ?? ram + memory * MiB));
          });
          const tree = segments.at(-1)!;
          assert.ok(tree.address + tree.size <= 0xc000_0000);
          const { start, end } = chosen(tree.bytes);
          assert.equal(start === undefined ? 0 : end! - start, initrdSize);
          if (initrdSize > 0) assert.equal(segments.find((s) => s.address === start)?.size, initrdSize);
          placed++;
        } catch (error) {
          assert.match((error as { code: string }).code, /^BAD_(KERNEL|INITRD)$/);
          assert.ok(total > memory - 4.2, `${total} MiB do fit into ${memory}: ${error}`);
        }
      }
    }
  }
  assert.ok(placed > 50);
});

test("a large initrd goes above the device tree where there is RAM", () => {
  const { segments } = plan({ kernel: kernel(500 * MiB), initrd: initrd(700 * MiB) }, 3584 * MiB);
  assert.ok(segments[1].address > segments[2].address);
});

test("options that cannot work are refused", () => {
  assert.throws(() => plan({}), { code: "BAD_OPTION", message: /kernel or firmware/ });
  assert.throws(() => plan({ kernel: kernel(MiB), append: "x".repeat(1024) }), { code: "BAD_OPTION", message: /1023 fit/ });
  assert.throws(() => plan({ kernel: kernel(MiB), append: "a\nb" }), { code: "BAD_OPTION", message: /"\\n"/ });
  assert.throws(() => plan({ kernel: kernel(MiB), append: "ü" }), { code: "BAD_OPTION", message: /printable/ });
  assert.throws(() => plan({ kernel: kernel(MiB), initrd: initrd(0) }), { code: "BAD_INITRD", message: /initrd.cpio is empty/ });
  assert.throws(() => plan({ kernel: kernel(63 * MiB) }), { code: "BAD_KERNEL", message: /give the machine more memory/ });
  const firmware = { name: "fw", content: raw(3 * MiB) };
  assert.throws(() => plan({ firmware, kernel: kernel(MiB) }), {
    code: "BAD_KERNEL",
    message: /overlap firmware fw at 0x80200000/,
  });
});
