import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startJail } from "./start.ts";
import { makeTree, type Tree, whyNoJails } from "./testing/tree.ts";

const skip = await whyNoJails();
let tree: Tree;
before(() => {
  tree = makeTree();
});
after(() => tree.remove());

const mountsOfHost = () => readFileSync("/proc/self/mountinfo", "utf8");
const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim();

test("a jail is a world of its own", { skip }, async () => {
  const before = mountsOfHost();
  const script = `
    echo pid $$
    hostname
    ls /
    ls /dev
    grep -E 'CapEff|NoNewPrivs|^Seccomp:' /proc/self/status
    ls /proc/self/fd | wc -l
    ls /sys/class/net
    cat /proc/1/comm`;
  const { text, exit } = await tree.run(script, { hostname: "burrow" });
  assert.deepEqual(exit, { status: 0 }, text);
  const lines = text.split("\n");
  assert.ok(lines.includes("pid 1"));
  assert.ok(lines.includes("burrow"));
  for (const device of ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm"])
    assert.ok(lines.includes(device), device);
  assert.match(text, /CapEff:\s+00000000800405fb\nNoNewPrivs:\s+1\nSeccomp:\s+2/);
  assert.match(text, /^lo$/m);
  assert.doesNotMatch(text, /^eth0$/m);
  assert.equal(mountsOfHost(), before, "the host's mounts are as they were");
  assert.equal(existsSync(join(tree.root, "proc/self")), false);
});

test("status and signal of the command are those of the jail, with and without an init", { skip }, async () => {
  assert.deepEqual((await tree.run("exit 7")).exit, { status: 7 });
  assert.deepEqual((await tree.run("exit 7", { init: true })).exit, { status: 7 });
  assert.deepEqual((await tree.run("kill -9 $$", { init: true })).exit, { status: 137 });
  assert.deepEqual((await tree.run("exit 0", { init: true })).exit, { status: 0 });
  const jail = await startJail(tree.spec(["/bin/sleep", "1000"]));
  jail.kill("SIGKILL");
  assert.deepEqual(await jail.exited, { signal: "SIGKILL" });
});

test("init reaps orphans, passes signals on, and is nothing but itself", { skip }, async () => {
  const { text } = await tree.run(
    "(sleep 0.05 &); sleep 0.3; for p in /proc/[0-9]*; do cat $p/comm; done; readlink /proc/1/exe || echo hidden; grep Seccomp: /proc/1/status",
    { init: true },
  );
  assert.doesNotMatch(text, /sleep/);
  assert.match(text, /memfd:viv-init/);
  assert.match(text, /^hidden\nSeccomp:\s+2$/m, "init cannot be looked into or traced, and has a filter of its own");
  const jail = await startJail(tree.spec(["/bin/sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.01; done"], { init: true }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  jail.kill("SIGTERM");
  assert.deepEqual(await jail.exited, { status: 9 });
});

test("mounts: read-only binds, files, tmpfs, a read-only root, links inside the root", { skip }, async () => {
  writeFileSync(join(tree.root, "etc/motd"), "");
  if (!existsSync(join(tree.root, "var-link"))) symlinkSync("/tmp", join(tree.root, "var-link"));
  const { text } = await tree.run(
    `touch /mnt/x || echo refused bind
     touch /x || echo refused root
     cat /etc/motd
     echo y > /t/y && cat /t/y
     grep -c . /tmp/deep/hosts`,
    {
      readOnly: true,
      mounts: [
        { type: "bind", source: "/etc", target: "/mnt", readOnly: true },
        { type: "bind", source: "/proc/sys/kernel/ostype", target: "/etc/motd", file: true, readOnly: true },
        { type: "tmpfs", target: "/t" },
        { type: "bind", source: "/etc/hosts", target: "/var-link/deep/hosts", file: true },
      ],
    },
  );
  assert.match(text, /refused bind/);
  assert.match(text, /refused root/);
  assert.match(text, /^Linux$/m);
  assert.match(text, /^y$/m);
  assert.match(text, /^\d+$/m);
});

test("a mount of the jail's own never follows a link that the tree has in its place", { skip }, async () => {
  const trap = makeTree();
  try {
    rmdirSync(join(trap.root, "dev"));
    symlinkSync("/etc", join(trap.root, "dev"));
    await assert.rejects(trap.run("true"), { code: "ELOOP", message: /mount \/dev: a symbolic link is in the way/ });
    assert.deepEqual(readdirSync(join(trap.root, "etc")), []);
  } finally {
    trap.remove();
  }
});

test("a mount target that is a link out of the tree stays in the tree", { skip }, async () => {
  const trap = makeTree();
  try {
    mkdirSync(join(trap.root, "srv"));
    symlinkSync("../../../../../../etc", join(trap.root, "srv/out"));
    const { text } = await trap.run("ls /etc", { mounts: [{ type: "tmpfs", target: "/srv/out/made" }] });
    assert.equal(text.trim(), "made");
    assert.equal(existsSync("/etc/made"), false);
  } finally {
    trap.remove();
  }
});

test("what cannot be run is said, with the operation, and nothing stays", { skip }, async () => {
  const rejects = (command: string[], code: string, message: RegExp, more = {}) =>
    assert.rejects(startJail(tree.spec(command, more)), (error: Error & { code: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
  const foreign = new Uint8Array(64);
  foreign.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  foreign[16] = 2;
  foreign[18] = process.arch === "riscv64" ? 62 : 243;
  writeFileSync(join(tree.root, "tmp/foreign"), foreign, { mode: 0o755 });
  writeFileSync(join(tree.root, "tmp/script"), "#!/no/such/interpreter\n", { mode: 0o755 });
  writeFileSync(join(tree.root, "tmp/text"), "text\n", { mode: 0o755 });
  writeFileSync(join(tree.root, "tmp/plain"), "#!/bin/sh\n", { mode: 0o644 });
  for (const init of [false, true]) {
    await rejects(["no-such-program"], "NO_PROGRAM", /no program no-such-program in the jail .*looked in .*failed: ENOENT/, {
      init,
    });
    await rejects(["/tmp/foreign"], "FOREIGN_ARCHITECTURE", /--engine emulator/, { init });
    await rejects(["/tmp/script"], "NO_INTERPRETER", /its interpreter \/no\/such\/interpreter is not/, { init });
    await rejects(["/tmp/text"], "ENOEXEC", /no ELF file and no script/, { init });
    await rejects(["/tmp/plain"], "EACCES", /may not be executed/, { init });
    await rejects(["/bin/true"], "ENOENT", /no directory \/nowhere to start in/, { init, cwd: "/nowhere" });
  }
  await assert.rejects(startJail({ ...tree.spec(["/bin/true"]), root: "/no/such/root" }), {
    code: "ENOENT",
    message: /there is no directory/,
  });
  await assert.rejects(startJail({ ...tree.spec(["/bin/true"]), root: "/etc/passwd" }), { code: "ENOTDIR" });
  assert.equal(children(), "", "no process is left");
});

test("many jails at once leave no descriptor and no process", { skip }, async () => {
  const descriptors = () => readdirSync("/proc/self/fd").length;
  await tree.run("true");
  const before = descriptors();
  const jails = await Promise.all(
    Array.from({ length: 40 }, (_, index) => startJail(tree.spec(["/bin/sh", "-c", `exit ${index}`], { init: index % 2 === 0 }))),
  );
  const exits = await Promise.all(jails.map(({ exited }) => exited));
  assert.deepEqual(
    exits,
    exits.map((_, status) => ({ status })),
  );
  assert.equal(descriptors(), before);
  assert.equal(children(), "");
});

test("a terminal is the jail's own, and the caller holds its other side", { skip }, async () => {
  const jail = await startJail(
    tree.spec(["/bin/sh", "-c", "tty; test -c /dev/console && echo console; stty size"], { terminal: true, init: true }),
  );
  const { ReadStream } = await import("node:tty");
  const stream = new ReadStream(jail.terminal!);
  let text = "";
  stream.on("data", (chunk) => {
    text += chunk;
  });
  // EIO is how the end of a terminal shows.
  const ended = new Promise<void>((resolve) => stream.once("error", () => resolve()).once("end", () => resolve()));
  assert.deepEqual(await jail.exited, { status: 0 });
  await ended;
  assert.match(text, /^\/dev\/pts\/0\r\nconsole\r\n/);
});
