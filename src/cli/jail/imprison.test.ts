import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildElf } from "../../image/closure/testing/elf-builder.ts";

const scratch = mkdtempSync(join(tmpdir(), "viv-cli-jail-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function viv(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const command = join(import.meta.dirname, "../../../../bin/viv.mjs");
  const env = { ...process.env, XDG_STATE_HOME: join(scratch, "state") };
  return spawnSync(process.execPath, [command, ...args], { encoding: "utf8", env, cwd: scratch });
}

function system(name: string, needed: string[]): string {
  const root = join(scratch, name);
  for (const directory of ["usr/bin", "usr/lib", "lib64"]) mkdirSync(join(root, directory), { recursive: true });
  const interpreter = "/lib64/ld-linux-x86-64.so.2";
  writeFileSync(join(root, interpreter), buildElf());
  writeFileSync(join(root, "usr/lib/liba.so"), buildElf());
  writeFileSync(join(root, "usr/bin/tool"), buildElf({ interpreter, needed }));
  chmodSync(join(root, "usr/bin/tool"), 0o755);
  return root;
}

test("deps, make, check and export, one after the other", () => {
  const root = system("whole", ["liba.so"]);
  const deps = viv("jail", "deps", "tool", "--root", root, "--size");
  assert.equal(deps.status, 0, deps.stderr);
  assert.match(
    deps.stdout,
    /^\/usr\/bin\/tool {2}\d+ B\n├── \/lib64\/ld-linux-x86-64\.so\.2 .*\n└── liba\.so => \/usr\/lib\/liba\.so .*\n\n3 files, /,
  );
  const data = JSON.parse(viv("jail", "deps", "tool", "--root", root, "--json").stdout);
  assert.deepEqual(data.programs, [{ asked: "tool", path: "/usr/bin/tool", file: "/usr/bin/tool" }]);
  assert.match(
    viv("jail", "deps", "tool", "--root", root, "--why", "/usr/lib/liba.so").stdout,
    /\/usr\/bin\/tool\n.*\n\/usr\/lib\/liba\.so/,
  );

  const made = viv("jail", "make", "j", "tool", "--root", root);
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stdout, /\/j: \d+ files, .*: \d+ copied, 0 unchanged\n$/);
  assert.equal(made.stderr, "", "progress is for terminals");
  assert.match(viv("jail", "make", "j", "--root", root).stdout, /: 0 copied, \d+ unchanged\n$/);
  assert.equal(viv("jail", "check", "j").status, 0);
  writeFileSync(join(scratch, "j/usr/lib/liba.so"), "changed");
  const check = viv("jail", "check", "j");
  assert.equal(check.status, 1);
  assert.match(check.stdout, /risk: \/usr\/lib\/liba\.so: changed since it was made: contents changed/);
  assert.equal(viv("jail", "export", "j").status, 0);
  assert.ok(existsSync(join(scratch, "j.tar")));
  assert.equal(viv("jail", "export", "j", "--tar", "--cpio").status, 2);
});

test("what is missing is said in one line, with the exit status", () => {
  const root = system("broken", ["libgone.so"]);
  const deps = viv("jail", "deps", "tool", "--root", root);
  assert.equal(deps.status, 1);
  assert.match(deps.stderr, /^viv: \/usr\/bin\/tool needs libgone\.so, which is not in .*\n$/);
  assert.match(deps.stdout, /libgone\.so {2}not found/);
  const made = viv("jail", "make", "broken-jail", "tool", "--root", root);
  assert.equal(made.status, 125);
  assert.match(made.stderr, /^viv: \/usr\/bin\/tool needs libgone\.so.*--allow-missing\n$/);
  assert.ok(!existsSync(join(scratch, "broken-jail")));
  assert.match(viv("jail", "deps", "nothing", "--root", root).stderr, /^viv: nothing: no such program on .*\n$/);
});
