import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { viv } from "./testing/viv.ts";

const folder = mkdtempSync("/var/tmp/viv-cli-");
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, bytes: Uint8Array | string) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

/** Runs `viv run`, which must fail with one line. */
async function failure(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await viv(["run", ...args]);
  assert.equal(stdout.length, 0, `${args}: wrote ${stdout}`);
  assert.match(stderr, /^viv: .+\n$/, `${args}`);
  return `${code} ${stderr.trimEnd()}`;
}

test("help and version go to stdout", async () => {
  const help = await viv(["run", "--help"]);
  assert.equal(help.code, 0);
  assert.equal(help.stderr, "");
  for (const option of ["--kernel", "--disk", "--memory", "--icount", "--verbose", "Ctrl-]", "Exit status"]) {
    assert.ok(help.stdout.includes(option), option);
  }
  const version = await viv(["--version"]);
  const { version: expected } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  assert.equal(version.stdout.toString(), `${expected}\n`);
  assert.deepEqual(await viv([]).then(({ code, stdout }) => [code, /^Usage: viv/.test(`${stdout}`)]), [0, true]);
});

test("wrong usage is one line and exit code 2", async () => {
  assert.equal(await failure("--bogus"), "2 viv: unknown option '--bogus'");
  assert.match(await failure("--memory", "3X"), /^2 .*512M/);
  assert.match(await failure("--memory", "1.0001K"), /^2 .*(multiple of 4096|512M)/);
  assert.match(await failure("--disk", "a,b"), /^2 .*"b" is none of/);
  assert.match(await failure("--disk", "a,ro,overlay"), /^2 .*disk a cannot be/);
  assert.match(await failure("--engine", "qemu"), /^2 .*emulator/);
  assert.match(await failure("--json"), /^2 .*--explain/);
  assert.match(await failure("--initrd", "x"), /^2 .*an initrd needs a kernel/);
  assert.match(await failure("--timeout", "-1"), /^2 .*seconds/);
  assert.match(await failure("-e", "=x", "--", "true"), /^2 /);
  assert.match(await failure("-e", "VIV_NOT_SET", "--", "true"), /^2 .*VIV_NOT_SET is not set/);
  assert.match(await failure("--kernel", "x", "--", "true"), /^2 .*embedded guest only/);
  assert.match(await failure("a", "--kernel", "b"), /^2 .*two kernels/);
  assert.match(await failure("-w", "here", "--", "true"), /^2 .*cwd must be an absolute path/);
  assert.match(await failure("--"), /^2 .*command/);
});

test("what cannot be booted or attached is one line that names it, and exit code 125", async () => {
  const image = new Uint8Array(65536);
  image.set(Buffer.from("RISCV"), 0x30);
  image.set(Buffer.from("RSC\x05"), 0x38);
  const cutImage = image.slice();
  new DataView(cutImage.buffer).setBigUint64(16, 6_000_000n, true);
  const bzImage = Buffer.alloc(1024);
  bzImage.write("\x55\xaa", 0x1fe, "latin1");
  bzImage.write("HdrS", 0x202);
  const cases: [string[], RegExp][] = [
    [[join(folder, "missing")], /missing: there is no such file/],
    [[folder], /in the jail|namespaces/],
    [[file("empty", "")], /empty is empty/],
    [[file("text", "hello")], /text is no RISC-V Linux Image/],
    [[file("bzImage", bzImage)], /bzImage is a Linux kernel for x86_64 \(bzImage\); the machine runs riscv64/],
    [[process.execPath], /is an ELF .* for .*; the machine runs riscv64|node/],
    [[file("cut.gz", gzipSync(image).subarray(0, 40))], /cut\.gz: cannot unpack gzip data: it is cut short/],
    [[file("cutImage", cutImage)], /cutImage is cut short/],
    [["--firmware", file("firmware", image)], /firmware.* is a Linux kernel/],
    [["--disk", join(folder, "missing")], /missing: there is no such file/],
    [["--disk", folder], /it is a directory/],
    [["--disk", file("empty.img", "")], /empty\.img is empty/],
    [["--disk", file("qcow2.img", Buffer.from(`QFI\xfb${"\0".repeat(600)}`, "latin1"))], /qcow2, which is not supported yet/],
    [["--disk", "/dev/null,ro"], /neither a file nor a block device/],
    [["--memory", "4M", "--", "true"], /cannot give the guest 4 MiB of memory: choose from 16 to \d+ MiB/],
    [["--memory", "100G", "--", "true"], /cannot give the guest 102400 MiB of memory/],
    [["--append", "é", "--", "true"], /command line has "é"/],
    [["--engine", "jail"], /cannot boot the embedded guest; use --engine emulator/],
    [["--engine", "hypervisor"], /not there yet; use --engine emulator/],
  ];
  for (const [args, message] of cases) {
    const line = await failure(...args);
    assert.match(line, /^125 viv: /, `${args}`);
    assert.match(line, message, `${args}`);
  }
});

test("--explain says which engine and why, and starts nothing", async () => {
  const words = await viv(["run", "--explain", "--", "true"]);
  assert.match(words.stdout.toString(), /^emulator, because .+\n$/);
  const { stdout } = await viv(["run", "--explain", "--json", "--memory", "1G", "-e", "A=b", "--", "sh", "--json"]);
  const { engine, reason, spec } = JSON.parse(stdout.toString());
  assert.equal(engine, "emulator");
  assert.ok(reason.length > 0);
  assert.deepEqual([spec.machine.memory, spec.env, spec.command], [2 ** 30, { A: "b" }, ["sh", "--json"]]);
});
