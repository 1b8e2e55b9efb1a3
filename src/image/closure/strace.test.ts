import assert from "node:assert/strict";
import { test } from "node:test";
import { missedFiles, parseTrace, readFiles } from "./strace.ts";

const hex = (text: string) =>
  [...text].map((character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");

test("reads opens and executions, with relative paths and results", () => {
  const text = `execve("${hex("/bin/sh")}", ["${hex("sh")}"], 0x7ffc /* 3 vars */) = 0
access("${hex("/etc/ld.so.preload")}", R_OK) = -1 ENOENT (No such file or directory)
openat(AT_FDCWD<${hex("/tmp")}>, "${hex("/lib/a.so")}", O_RDONLY|O_CLOEXEC) = 3<${hex("/usr/lib/a.so.1")}>
chdir("${hex("/usr")}") = 0
open("${hex("share/x")}", O_RDONLY) = 4<${hex("/usr/share/x")}>
openat(5<${hex("/srv")}>, "${hex("data")}", O_RDONLY) = 6<${hex("/srv/data")}>
openat(AT_FDCWD<${hex("/usr")}>, "${hex("gone")}", O_RDONLY) = -1 ENOENT (No such file or directory)
openat(AT_FDCWD<${hex("/usr")}>, "${hex("made")}", O_RDWR|O_CREAT, 0666) = 7<${hex("/usr/made")}>
openat(AT_FDCWD<${hex("/usr")}>, "${hex("made")}", O_RDONLY) = 7<${hex("/usr/made")}>
openat(AT_FDCWD<${hex("/usr")}>, "${hex("/proc/self/maps")}", O_RDONLY) = 8<${hex("/proc/9/maps")}>
renameat(AT_FDCWD<${hex("/usr")}>, "${hex("a")}", AT_FDCWD<${hex("/usr")}>, "${hex("b")}") = 0
rename("${hex("/usr/c")}", "${hex("/usr/d")}") = 0
openat(AT_FDCWD<${hex("/usr")}>, "${hex("b")}", O_RDONLY) = 8<${hex("/usr/b")}>
openat(AT_FDCWD<${hex("/usr")}>, "${hex("d")}", O_RDONLY) = 8<${hex("/usr/d")}>
+++ exited with 0 +++
`;
  const uses = parseTrace(text, "/tmp");
  assert.deepEqual(readFiles(uses), ["/bin/sh", "/lib/a.so", "/usr/share/x", "/srv/data"]);
  assert.deepEqual(missedFiles(uses), ["/usr/gone"]);
  assert.equal(uses[1].resolved, "/usr/lib/a.so.1");
});

test("in a jail only what follows the chroot counts, with the jail's own paths", () => {
  const text = `openat(AT_FDCWD<${hex("/root")}>, "${hex("/etc/host-only")}", O_RDONLY) = 3<${hex("/etc/host-only")}>
chroot("${hex("/srv/j")}") = 0
execve("${hex("/bin/tool")}", ["${hex("tool")}"], 0x7ffc /* 3 vars */) = 0
openat(AT_FDCWD<${hex("/srv/j/data")}>, "${hex("x")}", O_RDONLY) = 3<${hex("/srv/j/data/x")}>
`;
  const uses = parseTrace(text, "/root", "/srv/j");
  assert.deepEqual(
    uses.map((use) => [use.path, use.resolved]),
    [
      ["/bin/tool", undefined],
      ["/data/x", "/data/x"],
    ],
  );
});

test("damaged lines are passed over", () => {
  assert.deepEqual(parseTrace('open("\\x2\nopenat(AT_FDCWD, \n= 3\nopen("", O_RDONLY) = 3\n', "/"), []);
});
