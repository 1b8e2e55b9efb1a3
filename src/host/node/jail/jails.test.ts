import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createJail, enterNamed, jailProcesses, killJail, listJails, stopJail } from "./jails.ts";
import { startServices } from "./services.ts";
import { identify, JailStore } from "./store.ts";
import { makeTree, type Tree, whyNoJails } from "./testing/tree.ts";
import { resolveUser } from "./users.ts";

const skip = await whyNoJails();
let tree: Tree;
let folder: string;
let store: JailStore;
before(() => {
  tree = makeTree();
  folder = mkdtempSync(join(tmpdir(), "viv-state-"));
  store = new JailStore(join(folder, "jails"));
});
after(() => {
  tree.remove();
  rmSync(folder, { recursive: true, force: true });
});

const idle = () => tree.spec([], { init: true });

test("a named jail can be found, entered, looked into and stopped", { skip }, async () => {
  const jail = await createJail(idle(), { name: "box", detached: true, store });
  assert.deepEqual(
    listJails(store).map(({ name, first }) => [name, first?.pid]),
    [["box", jail.pid]],
  );
  await assert.rejects(createJail(idle(), { name: "box", store }), { code: "EBUSY", message: /a jail box is there already/ });
  const entered = await enterNamed("box", { command: ["/bin/sh", "-c", "test $$ -gt 1 && exit 6"] }, {}, store);
  assert.deepEqual(await entered.exited, { status: 6 });
  await assert.rejects(enterNamed("box", { command: ["no-such-program"] }, {}, store), { code: "NO_PROGRAM" });
  const sleeping = await enterNamed("box", { command: ["/bin/sleep", "1000"] }, {}, store);
  assert.deepEqual(
    jailProcesses("box", store).map(({ inside, command }) => (inside === 1 ? command : "other")),
    ["init", "other"],
  );
  await stopJail("box", 1000, store);
  assert.deepEqual(await sleeping.exited, { signal: "SIGKILL" }, "what was started in it ends with it");
  await jail.exited;
  assert.deepEqual(listJails(store), []);
  assert.throws(() => killJail("box", "TERM", store), { code: "NO_JAIL" });
});

test("a terminal of a command in a running jail is that jail's", { skip }, async () => {
  const jail = await createJail(idle(), { name: "terminal", store });
  const entered = await enterNamed("terminal", { command: ["/bin/sh", "-c", "tty; exit 3"], terminal: true }, {}, store);
  const { ReadStream } = await import("node:tty");
  const stream = new ReadStream(entered.terminal!);
  let text = "";
  stream.on("data", (chunk) => {
    text += chunk;
  });
  const ended = new Promise<void>((resolve) => stream.once("error", () => resolve()).once("end", () => resolve()));
  assert.deepEqual(await entered.exited, { status: 3 });
  await ended;
  assert.match(text, /^\/dev\/pts\/\d+\r\n$/);
  await stopJail("terminal", 1000, store);
  await jail.exited;
});

test("a jail without a name and limits is not noted down", { skip }, async () => {
  const jail = await createJail(tree.spec(["/bin/true"]), { store });
  assert.deepEqual(listJails(store), []);
  assert.deepEqual(await jail.exited, { status: 0 });
});

test("what dead makers have left is removed, what lives is not", () => {
  const dead = { pid: 0x3ffffff, startTime: "1" };
  const spec = tree.spec(["/bin/true"]);
  store.create({ name: "left", spec, owner: dead, cgroups: [] });
  store.create({ name: "kept", spec, owner: identify(process.pid)!, cgroups: [] });
  // A number that was given to another process since is not the same process.
  store.create({ name: "reused", spec, owner: { pid: process.pid, startTime: "1" }, cgroups: [] });
  store.sweep();
  assert.deepEqual(
    store.list().map(({ name }) => name),
    ["kept"],
  );
  store.remove("kept");
});

test("a state that somebody forged is no order to remove things", () => {
  const victim = join(folder, "victim");
  mkdirSync(victim);
  const forged = join(store.directory, "forged");
  mkdirSync(forged, { recursive: true });
  const owner = { pid: 0x3ffffff, startTime: "1" };
  writeFileSync(
    join(forged, "state.json"),
    JSON.stringify({ version: 1, name: "forged", created: "", spec: tree.spec(["/x"]), owner, cgroups: [victim] }),
  );
  store.sweep();
  assert.equal(existsSync(victim), true);
  assert.deepEqual(readdirSync(store.directory), []);
});

test("a directory of states that others can write is not trusted", () => {
  const open = join(folder, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  assert.throws(() => new JailStore(open).sweep(), { code: "EPERM", message: /is not trusted/ });
});

test("names are names of files and nothing more", { skip }, async () => {
  for (const name of ["../x", "", ".", "a/b", "x".repeat(64), "-x"]) {
    await assert.rejects(createJail(idle(), { name, store }), { code: "BAD_SPEC" }, name);
  }
});

test("jails from files start after what they depend on, with their commands", { skip }, async () => {
  const file = (name: string, more: object) => {
    const { mounts } = tree.spec([], { init: true });
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ path: tree.root, mounts, ...more }));
    return join(folder, `${name}.json`);
  };
  const second = file("second", { depends: ["first"], start: ["exit 0"] });
  const first = file("first", { command: ["/bin/sleep", "1000"] });
  assert.deepEqual(await startServices([second, first], store), ["first", "second"]);
  assert.deepEqual(await startServices([second, first], store), [], "what runs is left alone");
  const broken = file("broken", { start: ["exit 4"] });
  await assert.rejects(startServices([broken], store), {
    code: "COMMAND_FAILED",
    message: /in the jail broken, `exit 4` ended with status 4/,
  });
  assert.deepEqual(
    listJails(store).map(({ name }) => name),
    ["first", "second"],
  );
  for (const name of ["second", "first"]) await stopJail(name, 1000, store);
});

test("users are looked up in the jail's own files, not through links out of it", { skip }, () => {
  writeFileSync(join(tree.root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n");
  writeFileSync(join(tree.root, "etc/group"), "ann:x:1001:\nstaff:x:50:bob,ann\n");
  assert.deepEqual(resolveUser(tree.root, "ann"), { uid: 1000, gid: 1001, groups: [50], home: "/home/ann" });
  assert.deepEqual(resolveUser(tree.root, "ann:staff"), { uid: 1000, gid: 50, groups: [50], home: "/home/ann" });
  assert.deepEqual(resolveUser(tree.root, "1234:5"), { uid: 1234, gid: 5, groups: [] });
  assert.throws(() => resolveUser(tree.root, "nobody-here"), { code: "NO_USER" });
  rmSync(join(tree.root, "etc/passwd"));
  symlinkSync("/../../../../../../etc/passwd", join(tree.root, "etc/passwd"));
  assert.throws(() => resolveUser(tree.root, "daemon"), { code: "NO_USER" });
});
