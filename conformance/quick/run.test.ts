// `viv run` as its users run it: the real command line, the real embedded guest.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { startViv, viv, vivPath } from "../../src/cli/testing/viv.ts";
import { noPty, Pty } from "../../src/host/node/testing/pty.ts";

const folder = mkdtempSync("/var/tmp/viv-run-");
after(() => rmSync(folder, { recursive: true }));
const { SIGTERM, SIGHUP } = constants.signals;

test("a command's output, errors and status are those of viv", async () => {
  const uname = await viv(["run", "--", "uname", "-a"]);
  assert.match(uname.stdout.toString(), /^Linux \S+ .* riscv64 GNU\/Linux\n$/);
  assert.deepEqual([uname.code, uname.stderr], [0, ""]);
  const script = 'echo "$A|$1"; pwd; echo oops >&2; exit 7';
  const result = await viv(["run", "-e", "A=it's", "-w", "/tmp", "--", "sh", "-c", script, "sh", "two words"]);
  assert.deepEqual([result.code, result.stdout.toString(), result.stderr], [7, "it's|two words\n/tmp\n", "oops\n"]);
});

test("statuses are as a shell has them", async () => {
  assert.equal((await viv(["run", "--", "sh", "-c", "kill -9 $$"])).code, 137);
  assert.equal((await viv(["run", "--", "no-such-program"])).code, 127);
  assert.equal((await viv(["run", "--", "/etc/passwd"])).code, 126);
  assert.equal((await viv(["run", "--timeout", "0.5", "--", "sleep", "1000"])).code, 124);
});

test("without a terminal and a command, a shell reads what comes", async () => {
  const { code, stdout } = await viv(["run"], "echo $((6 * 7))\nexit 3\n");
  assert.deepEqual([code, stdout.toString()], [3, "42\n"]);
  assert.equal((await viv(["run"])).code, 0);
});

test("megabytes go through unchanged, both ways", async () => {
  const bytes = Buffer.alloc(4_000_000);
  for (let i = 0, x = 1; i < bytes.length; i += 4) bytes.writeUInt32LE((x = Math.imul(x, 1664525) + 1013904223) >>> 0, i);
  const { code, stdout } = await viv(["run", "--", "cat"], bytes);
  assert.equal(code, 0);
  const digest = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
  assert.equal(stdout.length, bytes.length);
  assert.equal(digest(stdout), digest(bytes));
});

test("a reader that is slower than the guest loses nothing", async () => {
  const disk = join(folder, "slow.img");
  writeFileSync(disk, Buffer.alloc(4096));
  // With a disk that is written to, the guest powers off by itself; else it is stopped when the command has ended.
  const children = [[], ["--disk", disk]].map((options) =>
    startViv(["run", ...options, "--", "sh", "-c", "head -c 400000 /dev/zero; echo written >&2"]),
  );
  const lengths = children.map(async (child) => {
    await once(child.stderr!, "data");
    // More than viv takes without a reader is in the guest now. This is enough for one that does not wait to be over.
    await setTimeout(1000);
    let length = 0;
    for await (const bytes of child.stdout!) length += (bytes as Buffer).length;
    return length;
  });
  assert.deepEqual(await Promise.all(lengths), [400_000, 400_000]);
});

test("a reader that goes away ends it, as it would a program of the host", async () => {
  const child = startViv(["run", "--", "yes"]);
  const [first] = (await once(child.stdout!, "data")) as [Buffer];
  assert.match(first.toString(), /^y\n/);
  child.stdout?.destroy();
  assert.deepEqual(await once(child, "exit"), [141, null]);
});

test("output that cannot be written is an error", { skip: !existsSync("/dev/full") && "needs /dev/full" }, async () => {
  const full = openSync("/dev/full", "w");
  const child = startViv(["run", "--", "echo", "hi"], { stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  const [[message], [code]] = await Promise.all([once(child.stderr!, "data"), once(child, "exit")]);
  assert.equal(code, 125);
  assert.match(`${message}`, /^viv: cannot write the output: ENOSPC/);
});

test("signals stop the guest", async () => {
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ] as const) {
    const child = startViv(["run", "--", "sh", "-c", "echo ready; sleep 1000"]);
    await once(child.stdout!, "data");
    child.kill(signal);
    assert.deepEqual(await once(child, "exit"), [code, null]);
  }
});

test("a guest that fails is told from a command that fails", async () => {
  const panic = await viv(["run", "--", "sh", "-c", "echo c >/proc/sysrq-trigger"]);
  assert.equal(panic.code, 1);
  assert.match(panic.stderr, /Kernel panic - not syncing: sysrq triggered crash[\s\S]*viv: the guest's kernel panicked\n$/);
  const off = await viv(["run", "--", "poweroff", "-f"]);
  assert.deepEqual([off.code, /viv: the guest ended before its command did\n$/.test(off.stderr)], [1, true]);
  const reset = await viv(["run", "--", "reboot", "-f"]);
  assert.deepEqual([reset.code, /viv: the guest was reset before its command ended\n$/.test(reset.stderr)], [1, true]);
});

test("--verbose shows the boot log apart from the output", async () => {
  const { stdout, stderr } = await viv(["run", "--verbose", "--", "echo", "out"]);
  assert.equal(stdout.toString(), "out\n");
  assert.match(stderr, /^viv: emulator, because [\s\S]*Linux version 6/);
});

test("a kernel of one's own has its console on standard output", async () => {
  const guest = (name: string) => new URL(`../../../guests/linux-riscv64/${name}`, import.meta.url).pathname;
  const files = [guest("Image.gz"), "--initrd", guest("initramfs.cpio.gz")];
  for (const append of ["console=ttyS0 panic=-1", "console=hvc0 panic=-1"]) {
    const child = startViv(["run", ...files, "--append", append], { stdio: ["pipe", "pipe", "inherit"] });
    let shown = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (shown === "" || !shown.includes("# ")) {
        shown += text;
        if (shown.includes("# ")) child.stdin?.write("uname -m; exit\n");
      } else shown += text;
    });
    const [code] = await once(child, "close");
    assert.equal(code, 0);
    assert.match(shown, /# [\s\S]*\briscv64\r\n/, append);
  }
});

test("disks keep what is written, unless they have an overlay or are read-only", async () => {
  const disk = join(folder, "a.img");
  writeFileSync(disk, "");
  truncateSync(disk, 1 << 20);
  const content = () => readFileSync(disk, "latin1").replace(/\0+$/, "");
  const run = async (flags: string, script: string) => {
    const { code, stdout, stderr } = await viv(["run", "--disk", `${disk}${flags}`, "--", "sh", "-c", script]);
    return [code, stdout.toString(), stderr] as const;
  };
  assert.deepEqual(await run("", "printf kept >/dev/vda; blockdev --getsize64 /dev/vda"), [0, "1048576\n", ""]);
  assert.equal(content(), "kept");
  assert.deepEqual(await run(",overlay", "printf lost >/dev/vda; sync; head -c 4 /dev/vda"), [0, "lost", ""]);
  assert.equal(content(), "kept");
  const readOnly = await run(",ro", "head -c 4 /dev/vda; printf lost >/dev/vda");
  assert.deepEqual([readOnly[1], readOnly[0] === 0], ["kept", false]);
  assert.equal(content(), "kept");
});

test("a disk in use is refused with its owner, and free once that is gone", async () => {
  const disk = join(folder, "b.img");
  writeFileSync(disk, Buffer.alloc(4096));
  const owner = startViv(["run", "--disk", disk, "--", "sh", "-c", "echo ready; sleep 1000"]);
  await once(owner.stdout!, "data");
  const refused = await viv(["run", "--disk", disk, "--", "true"]);
  assert.equal(refused.code, 125);
  assert.match(refused.stderr, new RegExp(`^viv: disk ${disk} is in use by process ${owner.pid} \\(viv run --disk .*\n$`));
  assert.equal((await viv(["run", "--disk", `${disk},ro`, "--", "true"])).code, 125);
  owner.kill("SIGKILL");
  await once(owner, "exit");
  assert.equal((await viv(["run", "--disk", disk, "--", "true"])).code, 0);
});

test("with --icount two runs are the same", async () => {
  const run = () =>
    viv(["run", "--icount", "--", "sh", "-c", "cat /proc/uptime /proc/stat; head -c 16 /dev/urandom | od -x; date"]);
  const [first, second] = [await run(), await run()];
  assert.equal(first.stdout.toString(), second.stdout.toString());
});

test("in a terminal", { skip: noPty(), timeout: 300_000 }, async (t) => {
  const prompt = /~ # /;
  const start = async (...args: string[]) => {
    const pty = new Pty(process.execPath, [vivPath, "run", ...args]);
    t.after(() => pty.close());
    await pty.expect(/viv: emulator, because .*Ctrl-\] then q leaves/);
    return pty;
  };

  await t.test("a shell has keys, Ctrl-C, the size of the window, and ends with the guest", async () => {
    const pty = await start();
    // No boot log.
    await pty.expect(/^, Ctrl-\] then \? helps\.\s+BusyBox/);
    await pty.expect(prompt);
    assert.equal(await pty.isRaw(), true);
    pty.type("tty; stty size; echo $TERM\r");
    await pty.expect(/\/dev\/hvc0\r\n24 80\r\nxterm\r\n/);
    pty.type("sh -c 'echo started; exec sleep 1000'\r");
    await pty.expect(/\nstarted\r\n/);
    pty.type("\x03");
    await pty.expect(prompt);
    pty.resize(50, 132);
    pty.type("stty size\r");
    await pty.expect(/(24 80|50 132)\r\n/);
    pty.type("stty size\r");
    await pty.expect(/50 132\r\n/);
    pty.type("exit\r");
    assert.deepEqual(await pty.ended(), { status: 0, restored: true });
  });

  await t.test("Ctrl-] q leaves, Ctrl-] ? helps, Ctrl-] p pauses", async () => {
    const pty = await start();
    await pty.expect(prompt);
    pty.type("\x1d?");
    await pty.expect(/Ctrl-\] q {2}stop the guest/);
    pty.type("\x1dp");
    await pty.expect(/viv: paused/);
    pty.type("\x1dp");
    await pty.expect(/viv: going on/);
    pty.type("echo $((40+2))\r");
    await pty.expect(/42\r\n/);
    pty.type("\x1dq");
    assert.deepEqual(await pty.ended(), { status: 0, restored: true });
  });

  await t.test("a command has the terminal, and its status is viv's", async () => {
    const pty = await start("--", "sh", "-c", "tty; read line; echo got:$line; exit 5");
    await pty.expect(/\/dev\/hvc0\r\n/);
    pty.type("hello\r");
    await pty.expect(/got:hello\r\n/);
    assert.deepEqual(await pty.ended(), { status: 5, restored: true });
  });

  await t.test("it ends when its window is closed", async () => {
    const pty = await start();
    await pty.expect(prompt);
    pty.hangUp();
    assert.equal((await pty.ended()).status, -SIGHUP);
  });

  await t.test("signals stop the guest and put the terminal back", async () => {
    for (const [signal, status] of [
      [SIGTERM, 143],
      [SIGHUP, 129],
    ]) {
      const pty = await start();
      await pty.expect(prompt);
      pty.kill(signal);
      assert.deepEqual(await pty.ended(), { status, restored: true });
    }
  });
});
