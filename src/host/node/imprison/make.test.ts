import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { VivError } from "../../../core/errors.ts";
import { buildElf } from "../../../image/closure/testing/elf-builder.ts";
import { readAttributes, writeAttribute } from "./attributes.ts";
import { GuardedTree } from "./directory.ts";
import { beginStage, lockJail, oldPath, stagePath, writeJournal } from "./journal.ts";
import { type MakeOptions, makeJail } from "./make.ts";
import { loadManifest } from "./manifest.ts";

const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), "viv-imprison-"));
process.env.XDG_STATE_HOME = join(scratch, "state");
after(() => rmSync(scratch, { recursive: true, force: true }));

let count = 0;

/** A system of a few files in a directory of its own, and the place of a jail. */
function system(files: Record<string, string | Uint8Array> = {}): { root: string; jail: string } {
  const root = join(scratch, `root${++count}`);
  const all: Record<string, string | Uint8Array> = {
    "/lib64/ld-linux-x86-64.so.2": buildElf(),
    "/usr/lib/liba.so": buildElf({ data: ["1"] }),
    "/usr/bin/tool": buildElf({ interpreter: "/lib64/ld-linux-x86-64.so.2", needed: ["liba.so"] }),
    ...files,
  };
  for (const [path, contents] of Object.entries(all)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), contents);
  }
  chmodSync(join(root, "/usr/bin/tool"), 0o755);
  return { root, jail: join(scratch, `jail${count}`) };
}

function make(place: { root: string; jail: string }, options: Partial<MakeOptions> = {}) {
  return makeJail({ directory: place.jail, root: place.root, programs: ["tool"], ...options });
}

function failsWith(code: string, message: RegExp, action: () => unknown): void {
  assert.throws(action, (error: unknown) => error instanceof VivError && error.code === code && message.test(error.message));
}

/** Everything below a directory, with what matters of it. */
function snapshot(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (path: string): void => {
    for (const name of readdirSync(path).sort()) {
      const child = join(path, name);
      const stat = lstatSync(child);
      const what = stat.isFile()
        ? createHash("sha256").update(readFileSync(child)).digest("hex")
        : stat.isSymbolicLink()
          ? readlinkSync(child)
          : "";
      found[child.slice(directory.length)] = `${stat.mode.toString(8)} ${stat.uid} ${stat.gid} ${what}`;
      if (stat.isDirectory()) walk(child);
    }
  };
  walk(directory);
  return found;
}

test("keeps modes, links, hard links, holes, times and extended attributes", () => {
  const place = system({ "/data/plain": "text", "/data/dir/inner": "x" });
  const at = (path: string) => join(place.root, path);
  chmodSync(at("/data/plain"), 0o4751);
  chmodSync(at("/data/dir"), 0o2750);
  linkSync(at("/data/plain"), at("/data/same"));
  symlinkSync("../data/plain", at("/data/link"));
  symlinkSync("/nowhere", at("/data/dangling"));
  utimesSync(at("/data/plain"), 1_000_000_000, 1_234_567_890.25);
  const sparse = openSync(at("/data/sparse"), "w");
  writeSync(sparse, Buffer.from("begin"), 0, 5, 0);
  writeSync(sparse, Buffer.from("end"), 0, 3, 40_000_000);
  closeSync(sparse);
  let attributes = true;
  try {
    writeAttribute(at("/data/plain"), "user.note", Buffer.from([0, 1, 255]));
  } catch (error) {
    if (!(error instanceof VivError) || error.code !== "ENOTSUP") throw error;
    attributes = false;
  }
  const result = make(place, { with: ["/data"] });
  assert.equal(result.copied, result.files);
  const inside = (path: string) => join(place.jail, path);
  assert.equal(readFileSync(inside("/data/plain"), "utf8"), "text");
  assert.equal(statSync(inside("/data/plain")).mode & 0o7777, 0o4751);
  assert.equal(statSync(inside("/data/dir")).mode & 0o7777, 0o2750);
  assert.equal(statSync(inside("/data/plain")).ino, statSync(inside("/data/same")).ino);
  assert.equal(statSync(inside("/data/plain")).mtimeMs, 1_234_567_890_250);
  assert.equal(readlinkSync(inside("/data/link")), "../data/plain");
  assert.equal(readlinkSync(inside("/data/dangling")), "/nowhere");
  assert.equal(statSync(inside("/data/sparse")).size, 40_000_003);
  assert.ok(statSync(inside("/data/sparse")).blocks * 512 < 1_000_000);
  assert.deepEqual(readFileSync(inside("/data/sparse")), readFileSync(at("/data/sparse")));
  if (attributes) assert.deepEqual([...readAttributes(inside("/data/plain"))], [["user.note", Buffer.from([0, 1, 255])]]);
  assert.deepEqual(readdirSync(place.jail).sort(), [".vivarium", "data", "dev", "lib64", "proc", "sys", "tmp", "usr"]);
});

test("keeps owners and file capabilities, and makes device nodes", { skip: !isRoot && "needs root" }, () => {
  const place = system({ "/data/owned": "x", "/data/capable": "x" });
  chownSync(join(place.root, "/data/owned"), 1234, 4321);
  // VFS_CAP_REVISION_2 with CAP_NET_RAW.
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
  writeAttribute(join(place.root, "/data/capable"), "security.capability", capability);
  make(place, { with: ["/data"], dev: true });
  const stat = statSync(join(place.jail, "/data/owned"));
  assert.deepEqual([stat.uid, stat.gid], [1234, 4321]);
  assert.deepEqual(readAttributes(join(place.jail, "/data/capable")).get("security.capability"), capability);
  const node = statSync(join(place.jail, "/dev/null"));
  assert.ok(node.isCharacterDevice());
  assert.equal(node.mode & 0o777, 0o666);
  assert.equal(node.rdev, statSync("/dev/null").rdev);
  assert.equal(make(place, { with: ["/data"], dev: true }).copied, 0);
});

test("a second run copies only what changed, and takes away what nothing needs any more", () => {
  const place = system({
    "/usr/bin/other": buildElf({ interpreter: "/lib64/ld-linux-x86-64.so.2", needed: ["libb.so"] }),
    "/usr/lib/libb.so": buildElf(),
  });
  chmodSync(join(place.root, "/usr/bin/other"), 0o755);
  make(place, { programs: ["tool", "other"] });
  assert.deepEqual({ copied: 0, removed: 0 }, pick(make(place)));
  writeFileSync(join(place.root, "/usr/lib/liba.so"), buildElf({ data: ["2"] }));
  assert.deepEqual({ copied: 1, removed: 0 }, pick(make(place)));
  assert.deepEqual(readFileSync(join(place.jail, "/usr/lib/liba.so")), readFileSync(join(place.root, "/usr/lib/liba.so")));
  assert.ok(existsSync(join(place.jail, "/usr/bin/other")), "what was asked for before stays");
  assert.deepEqual({ copied: 0, removed: 2 }, pick(make(place, { replace: true })));
  assert.ok(!existsSync(join(place.jail, "/usr/lib/libb.so")));
  assert.ok(!existsSync(join(place.jail, ".vivarium/stage")));
});

function pick({ copied, removed }: { copied: number; removed: number }) {
  return { copied, removed };
}

test("what was changed inside is restored; under /etc it is kept unless asked; files of the jail's own stay", () => {
  const place = system({ "/etc/tool.conf": "a", "/etc/other.conf": "a", "/usr/share/text": "a" });
  const options = { with: ["/etc/tool.conf", "/etc/other.conf", "/usr/share/text"] };
  make(place, options);
  const inside = (path: string) => join(place.jail, path);
  writeFileSync(inside("/etc/tool.conf"), "mine");
  writeFileSync(inside("/usr/share/text"), "mine");
  mkdirSync(inside("/root"));
  writeFileSync(inside("/root/foobar"), "own");
  writeFileSync(join(place.root, "/etc/other.conf"), "b");
  const result = make(place, options);
  assert.deepEqual(result.kept, ["/etc/tool.conf"]);
  assert.equal(readFileSync(inside("/etc/tool.conf"), "utf8"), "mine");
  assert.equal(readFileSync(inside("/etc/other.conf"), "utf8"), "b");
  assert.equal(readFileSync(inside("/usr/share/text"), "utf8"), "a");
  assert.equal(readFileSync(inside("/root/foobar"), "utf8"), "own");
  assert.deepEqual(make(place, { ...options, restore: true }).kept, []);
  assert.equal(readFileSync(inside("/etc/tool.conf"), "utf8"), "a");
});

test("the manifest says why each file is there, and notices that it was changed", () => {
  const place = system();
  make(place);
  const tree = new GuardedTree(place.jail);
  const loaded = loadManifest(tree)!;
  assert.equal(loaded.genuine, true);
  assert.deepEqual(loaded.manifest.files["/usr/lib/liba.so"].why[0].from, "/usr/bin/tool");
  assert.deepEqual(loaded.manifest.request.programs, ["tool"]);
  const file = join(place.jail, ".vivarium/imprison.json");
  writeFileSync(file, readFileSync(file, "utf8").replace("tool", "fool"));
  assert.equal(loadManifest(tree)!.genuine, false);
  writeFileSync(
    file,
    JSON.stringify({
      schema: "vivarium.imprison",
      version: 1,
      made: "",
      request: loaded.manifest.request,
      files: { "/../x": {} },
    }),
  );
  failsWith("BAD_MANIFEST", /imprison\.json: files/, () => loadManifest(tree));
  tree.close();
});

test("directories that are not ours are left alone", () => {
  const place = system();
  mkdirSync(place.jail);
  writeFileSync(join(place.jail, "precious"), "x");
  failsWith("NOT_EMPTY", /is not empty \(precious\)/, () => make(place));
  assert.deepEqual(readdirSync(place.jail), ["precious"]);
  failsWith("ENOTDIR", /is not a directory/, () => make({ ...place, jail: join(place.jail, "precious") }));
  failsWith("ENOENT", /does not exist; make it first/, () => make({ ...place, jail: join(scratch, "no/where") }));
  failsWith("BAD_SPEC", /lies in the tree/, () => make({ ...place, jail: join(place.root, "jail") }));
});

test("a jail of nothing, and of itself, is refused", () => {
  const place = system();
  failsWith("BAD_SPEC", /nothing to put into .*: name a program/, () => make(place, { programs: [] }));
  assert.ok(!existsSync(place.jail));
  const home = mkdtempSync(join(scratch, "home-"));
  writeFileSync(join(home, "file"), "x");
  mkdirSync(join(home, "jail"));
  const own = { directory: join(home, "jail"), programs: [], with: [home] };
  failsWith("BAD_SPEC", /lies in the jail itself/, () => makeJail(own));
  assert.deepEqual(readdirSync(join(home, "jail")), []);
});

test("a missing library is named and nothing is made", () => {
  const place = system();
  rmSync(join(place.root, "/usr/lib/liba.so"));
  failsWith("MISSING_LIBRARY", /\/usr\/bin\/tool needs liba\.so/, () => make(place));
  assert.ok(!existsSync(place.jail));
  assert.deepEqual(make(place, { allowMissing: true }).problems.length, 1);
});

test("a failure leaves nothing of a new jail, and an old one as it was", () => {
  const place = system({ "/usr/share/a": "1", "/usr/share/b": "1", "/usr/share/c": "1" });
  const options = { with: ["/usr/share"] };
  // The original changes while it is copied: what a full disk or an upgrade does, at a moment of our choosing.
  const breaking = (after_: number): Partial<MakeOptions> => ({
    ...options,
    progress: ({ phase, files }) => {
      if (phase === "copy" && files === after_) writeFileSync(join(place.root, "/usr/share/c"), `${Math.random()}`);
    },
  });
  failsWith("ECHANGED", /share\/c was changed while/, () => make(place, breaking(5)));
  assert.ok(!existsSync(place.jail));
  assert.deepEqual(
    readdirSync(scratch).filter((name) => name.includes(".viv-")),
    [],
  );

  make(place, options);
  const before = snapshot(place.jail);
  writeFileSync(join(place.root, "/usr/share/a"), "2");
  writeFileSync(join(place.root, "/usr/share/c"), "2");
  failsWith("ECHANGED", /share\/c was changed while/, () => make(place, breaking(1)));
  assert.deepEqual(snapshot(place.jail), before);
});

test("a change that was cut off is undone by the next run, at every step", () => {
  const place = system({ "/usr/share/a": "1" });
  const options = { with: ["/usr/share/a"] };
  make(place, options);
  const before = snapshot(place.jail);
  const steps = [
    { path: "/usr/share/a", kind: "place", existed: true },
    { path: "/usr/new", kind: "mkdir", existed: false },
    { path: "/usr/new/b", kind: "place", existed: false },
    { path: "/usr/lib/liba.so", kind: "remove", existed: true },
  ] as const;
  for (let done = 0; done <= 2 * steps.length; done++) {
    const tree = new GuardedTree(place.jail);
    beginStage(tree);
    for (const index of [0, 2]) writeFileSync(tree.at(stagePath(index)), "new");
    writeJournal(tree, "another time", steps);
    // Each placement is two renames: the process may end between them.
    const actions = [
      () => tree.rename("/usr/share/a", oldPath(0)),
      () => tree.rename(stagePath(0), "/usr/share/a"),
      () => tree.makeDirectory("/usr/new"),
      () => tree.rename(stagePath(2), "/usr/new/b"),
      () => tree.rename("/usr/lib/liba.so", oldPath(3)),
    ];
    for (const action of actions.slice(0, done)) action();
    tree.close();
    assert.equal(make(place, options).copied, 0);
    const now = snapshot(place.jail);
    delete now["/.vivarium/imprison.json"];
    delete before["/.vivarium/imprison.json"];
    assert.deepEqual(now, before, `after ${done} actions`);
  }
});

test("what could not be finished is removed, also from directories that forbid writing", () => {
  const place = system({ "/data/closed/file": "x" });
  chmodSync(join(place.root, "/data/closed"), 0o555);
  try {
    // Everything is copied and has its permissions; then the manifest cannot be recorded outside.
    const state = join(scratch, "no-directory");
    writeFileSync(state, "");
    const before = process.env.XDG_STATE_HOME;
    process.env.XDG_STATE_HOME = state;
    try {
      assert.throws(() => make(place, { with: ["/data"] }), /ENOTDIR|EEXIST/);
    } finally {
      process.env.XDG_STATE_HOME = before;
    }
    assert.deepEqual(
      readdirSync(scratch).filter((name) => name.includes(".viv-")),
      [],
    );
    assert.ok(!existsSync(place.jail));
  } finally {
    chmodSync(join(place.root, "/data/closed"), 0o755);
  }
});

test("two changes at once: the second is refused with the first one's process", () => {
  const place = system();
  make(place);
  const tree = new GuardedTree(place.jail);
  const release = lockJail(tree);
  failsWith("EBUSY", new RegExp(`being changed by process ${process.pid}`), () => make(place));
  release();
  // A process that is no more does not hold it.
  const gone = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(join(place.jail, ".vivarium/lock"), `${gone}\n`);
  assert.equal(make(place).copied, 0);
  tree.close();
});

test("a link planted in the jail does not lead a copy outside", () => {
  const place = system({ "/usr/share/a": "1" });
  make(place, { with: ["/usr/share/a"] });
  const outside = join(scratch, `outside${count}`);
  mkdirSync(outside);
  rmSync(join(place.jail, "/usr/share"), { recursive: true });
  symlinkSync(outside, join(place.jail, "/usr/share"));
  failsWith("UNSAFE_PATH", /usr\/share is (a symlink|not a directory)/, () => make(place, { with: ["/usr/share/a"] }));
  assert.deepEqual(readdirSync(outside), []);
  rmSync(join(place.jail, "/usr/share"));
  writeFileSync(join(outside, "victim"), "whole");
  symlinkSync(join(outside, "victim"), join(place.jail, ".vivarium/imprison.json.new"));
  make(place, { with: ["/usr/share/a"] });
  assert.equal(readFileSync(join(outside, "victim"), "utf8"), "whole");
  rmSync(join(outside, "victim"));
  rmSync(join(place.jail, "/.vivarium"), { recursive: true });
  symlinkSync(outside, join(place.jail, "/.vivarium"));
  failsWith("UNSAFE_PATH", /\.vivarium is a symlink/, () => make(place));
  assert.deepEqual(readdirSync(outside), []);
});

test("a device that may not be made is named, with the fix", { skip: isRoot && "root may make devices" }, () => {
  failsWith("EPERM", /^\/dev\/full cannot be copied: .*EPERM; only root makes device nodes/, () => make(system(), { dev: true }));
});

test("accounts: the jail's passwd has only those that it needs", () => {
  const place = system({
    "/etc/passwd": "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:$6$h:1001:1001::/:/bin/sh\n",
    "/etc/group": "root:x:0:\nbob:x:1001:\n",
  });
  const result = make(place, { users: ["bob", "carol"] });
  assert.deepEqual(result.missingUsers, ["carol"]);
  assert.equal(readFileSync(join(place.jail, "/etc/passwd"), "utf8"), "root:x:0:0::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n");
  assert.equal(readFileSync(join(place.jail, "/etc/group"), "utf8"), "root:x:0:\nbob:x:1001:\n");
});
