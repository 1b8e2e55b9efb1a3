import assert from "node:assert/strict";
import { test } from "node:test";
import type { Media } from "../image/detect.ts";
import { chooseEngine, chooseRootEngine } from "./choose.ts";
import { parseSpec } from "./spec.ts";

const host = { platform: "linux", architecture: "x86_64" };
const embedded = { name: "the embedded guest" };

test("the choice comes with its reason", () => {
  assert.deepEqual(chooseEngine(parseSpec({}), { host, boot: embedded }), {
    engine: "emulator",
    reason: "the embedded guest is for riscv64 and this host is x86_64",
  });
  assert.match(
    chooseEngine(parseSpec({}), { host: { ...host, architecture: "riscv64" }, boot: embedded }).reason,
    /hypervisor is not/,
  );
  assert.equal(chooseEngine(parseSpec({ engine: "emulator" }), { host, boot: embedded }).reason, "it was asked for");
});

test("an engine that cannot run the guest says so, with what can", () => {
  for (const engine of ["jail", "hypervisor"] as const) {
    assert.throws(() => chooseEngine(parseSpec({ engine }), { host, boot: embedded }), {
      code: "NO_ENGINE",
      message: /--engine emulator$/,
    });
  }
});

test("a foreign kernel is refused by name, and so is what is no kernel", () => {
  const boot = (media: Media) => chooseEngine(parseSpec({}), { host, boot: { name: "the kernel x", media } });
  const cases: [Media, RegExp][] = [
    [
      { kind: "kernel", format: "bzImage", architecture: "x86_64" },
      /^the kernel x is a Linux kernel for x86_64 \(bzImage\); the machine runs riscv64$/,
    ],
    [{ kind: "elf", architecture: "aarch64", machine: 183, type: "executable", entry: 0n }, /for aarch64; the machine runs/],
    [{ kind: "disk", format: "raw", content: "GPT" }, /not a kernel; attach it with --disk/],
    [{ kind: "archive", format: "cpio" }, /--initrd/],
    [{ kind: "script" }, /is a script, not a kernel/],
    [{ kind: "directory", format: "OCI layout" }, /yet/],
  ];
  for (const [media, message] of cases) assert.throws(() => boot(media), { code: "BAD_KERNEL", message });
  assert.equal(boot({ kind: "kernel", format: "Image", architecture: "riscv64" }).engine, "emulator");
  assert.equal(boot({ kind: "compressed", format: "gzip" }).engine, "emulator");
  assert.equal(boot({ kind: "unknown" }).engine, "emulator");
});

test("a directory of the host's own programs is run in a jail", () => {
  const program = (architecture: "x86_64" | "riscv64"): Media => ({
    kind: "elf",
    architecture,
    machine: 0,
    type: "executable",
    entry: 0n,
  });
  const root = (media?: Media) => ({ host, boot: { name: "/srv/root", media } });
  assert.deepEqual(chooseRootEngine("auto", root(program("x86_64"))), {
    engine: "jail",
    reason: "/srv/root is a directory of programs for this host's own kernel",
  });
  assert.equal(chooseRootEngine("jail", root()).reason, "it was asked for");
  const refuse = (inputs: Parameters<typeof chooseRootEngine>, message: RegExp) =>
    assert.throws(() => chooseRootEngine(...inputs), { code: "NO_ENGINE", message });
  refuse(["auto", root(program("riscv64"))], /are for riscv64 and this host is x86_64/);
  refuse(["emulator", root(program("x86_64"))], /cannot run a directory yet/);
  refuse(["auto", { ...root(), host: { platform: "darwin", architecture: "x86_64" } }], /needs a jail on a Linux host/);
});
