// Debian's kernel and firmware, unmodified, on the machine: with the built-in SBI, and from OpenSBI and U-Boot to the disk.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Disk } from "../../src/disk/disk.ts";
import { fetched } from "./fetched.ts";
import { Session } from "./session.ts";

const kernel = fetched("kernel.sh");
const firmware = fetched("firmware.sh");
const folder = mkdtempSync("/var/tmp/viv-boot-");
after(() => rmSync(folder, { recursive: true }));
const prompt = "# ";
const MiB = 2 ** 20;

test("the kernel finds all of the machine, has nothing to complain of, and starts a shell", async () => {
  const session = await Session.start({ ...kernel, append: "console=ttyS0" });
  await session.expect(prompt);
  const complaints = session.output
    .split("\n")
    .filter((line) => /\b(BUG|WARNING|Oops|failed to|error:|can't|unable)/i.test(line));
  assert.deepEqual(complaints, []);
  session.type("uname -r; grep ^isa /proc/cpuinfo; cat /proc/interrupts /sys/class/rtc/rtc0/name; date +%Y\n");
  const answer = await session.expect(`${new Date().getUTCFullYear()}\r\n`);
  assert.ok(answer.includes(kernel.release));
  for (const extension of ["zicbom", "zicond", "zacas", "zfa", "zbc", "sstc", "svinval", "svnapot", "svpbmt"]) {
    assert.match(answer, new RegExp(`isa.*_${extension}`));
  }
  assert.match(answer, /riscv-timer[\s\S]*ttyS0[\s\S]*goldfish_rtc/);
  session.type("poweroff -f\n");
  assert.deepEqual(await session.exited, { kind: "power-off" });
});

test("with time made of instructions, the whole boot repeats", async () => {
  const run = async () => {
    const session = await Session.start({ ...kernel, append: "console=ttyS0", icount: true });
    await session.expect(prompt);
    await session.stop();
    return session.output;
  };
  assert.equal(await run(), await run());
});

test("OpenSBI starts U-Boot, which resets the machine", async () => {
  const session = await Session.start({ firmware: firmware.opensbi_dynamic, kernel: firmware.uboot_smode });
  assert.match(await session.expect("Hit any key"), /OpenSBI v[\s\S]*Next Mode +: S-mode[\s\S]*U-Boot 20/);
  session.type(" ");
  await session.expect("=> ");
  session.type("reset\n");
  assert.deepEqual(await session.exited, { kind: "reset" });
});

test("U-Boot runs in M-mode, without firmware before it", async () => {
  const session = await Session.start({ firmware: firmware.uboot });
  await session.expect("Hit any key");
  session.type(" ");
  await session.expect("=> ");
  session.type("poweroff\n");
  assert.deepEqual(await session.exited, { kind: "power-off" });
});

const mke2fs = spawnSync("mke2fs", ["-V"], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });

test("OpenSBI, U-Boot and the kernel from the disk", { skip: mke2fs.error && "mke2fs is not installed" }, async () => {
  const session = await Session.start({
    firmware: firmware.opensbi_dynamic,
    kernel: firmware.uboot_smode,
    disks: [memoryDisk(bootDisk())],
  });
  await session.expect("Starting kernel ...");
  await session.expect("SBI implementation ID=0x1");
  await session.expect(prompt);
  session.type("cat /proc/cmdline\n");
  await session.expect("viv.test=1");
  session.type("poweroff -f\n");
  assert.deepEqual(await session.exited, { kind: "power-off" });
});

/** A disk with one bootable ext4 partition that holds kernel, initrd and a menu for U-Boot. */
function bootDisk(): Uint8Array {
  const [disk, content] = [join(folder, "disk"), join(folder, "content")];
  mkdirSync(join(content, "extlinux"), { recursive: true });
  copyFileSync(kernel.kernel, join(content, "vmlinux"));
  copyFileSync(kernel.initrd, join(content, "initrd"));
  const menu = "default l\ntimeout 1\nlabel l\n linux /vmlinux\n initrd /initrd\n append console=ttyS0 viv.test=1\n";
  writeFileSync(join(content, "extlinux/extlinux.conf"), menu);
  const size = 128 * MiB;
  const file = openSync(disk, "w");
  truncateSync(disk, size + MiB);
  // The partition table of a PC: one entry, bootable, type Linux, from the first MiB on.
  const entry = Buffer.alloc(16);
  entry[0] = 0x80;
  entry[4] = 0x83;
  entry.writeUInt32LE(MiB / 512, 8);
  entry.writeUInt32LE(size / 512, 12);
  writeSync(file, entry, 0, 16, 446);
  writeSync(file, Uint8Array.of(0x55, 0xaa), 0, 2, 510);
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", content, "-E", `offset=${MiB}`, disk, `${size / MiB}M`], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Uint8Array(readFileSync(disk));
}

function memoryDisk(bytes: Uint8Array): Disk {
  return {
    size: bytes.length,
    readOnly: false,
    read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
    write: (offset, from) => bytes.set(from, offset),
    writeZeroes: (offset, length) => bytes.fill(0, offset, offset + length),
    flush: () => {},
    close: () => {},
  };
}
