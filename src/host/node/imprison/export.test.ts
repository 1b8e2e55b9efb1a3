import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
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
import { readAttributes, writeAttribute } from "./attributes.ts";
import { checkJail } from "./check.ts";
import { type ExportFormat, exportJail } from "./export.ts";
import { directoryTree } from "./tree.ts";

const scratch = mkdtempSync(join(tmpdir(), "viv-export-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const long = `${"d".repeat(90)}/${"n".repeat(120)}-ü`;
let attributes = true;

function jail(): string {
  const directory = mkdtempSync(join(scratch, "jail-"));
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, ".vivarium"));
  mkdirSync(join(directory, "bin"));
  mkdirSync(join(directory, "d".repeat(90)));
  writeFileSync(join(directory, long), "long name");
  writeFileSync(join(directory, "bin/tool"), "#!/bin/sh\n");
  chmodSync(join(directory, "bin/tool"), 0o4755);
  utimesSync(join(directory, "bin/tool"), 1_000_000_000, 1_234_567_890.5);
  linkSync(join(directory, "bin/tool"), join(directory, "bin/same"));
  symlinkSync("t".repeat(150), join(directory, "bin/link"));
  const fd = openSync(join(directory, "sparse"), "w");
  writeSync(fd, Buffer.from("data"), 0, 4, 20_000_000);
  closeSync(fd);
  writeFileSync(join(directory, "empty"), "");
  try {
    writeAttribute(join(directory, "bin/tool"), "user.note", Buffer.from("a=\n\0b"));
  } catch (error) {
    if (!(error instanceof VivError) || error.code !== "ENOTSUP") throw error;
    attributes = false;
  }
  return directory;
}

function extract(command: string, args: readonly string[], archive?: string): string {
  const target = mkdtempSync(join(scratch, "out-"));
  const result = spawnSync(command, args, { cwd: target, encoding: "utf8", ...(archive && { input: readFileSync(archive) }) });
  assert.equal(result.status, 0, `${command}: ${result.error?.message ?? result.stderr}`);
  return target;
}

function compare(original: string, copy: string): void {
  for (const path of [long, "bin/tool", "bin/same", "sparse", "empty"]) {
    assert.deepEqual(readFileSync(join(copy, path)), readFileSync(join(original, path)), path);
    assert.equal(statSync(join(copy, path)).mode, statSync(join(original, path)).mode, path);
  }
  assert.equal(statSync(join(copy, "bin/tool")).ino, statSync(join(copy, "bin/same")).ino);
  assert.equal(readlinkSync(join(copy, "bin/link")), "t".repeat(150));
  assert.ok(!existsSync(join(copy, ".vivarium")), "our own state stays outside");
}

test("GNU tar takes a tar archive apart to the same files", async () => {
  const directory = jail();
  const { output, size } = await exportJail({ directory, format: "tar" });
  assert.equal(output, `${directory}.tar`);
  assert.ok(size < 1_000_000, "holes take no room");
  const copy = extract("tar", ["--xattrs", "--xattrs-include=*", "-xpf", output]);
  compare(directory, copy);
  assert.equal(statSync(join(copy, "bin/tool")).mtimeMs, 1_234_567_890_500);
  assert.ok(statSync(join(copy, "sparse")).blocks * 512 < 1_000_000);
  if (attributes) assert.deepEqual([...readAttributes(join(copy, "bin/tool"))], [["user.note", Buffer.from("a=\n\0b")]]);
});

test("cpio takes a cpio archive apart to the same files", {
  skip: spawnSync("cpio", ["--version"]).error && "no cpio here",
}, async () => {
  const directory = jail();
  const { output } = await exportJail({ directory, format: "cpio", output: join(scratch, "out.cpio") });
  compare(directory, extract("cpio", ["-id", "--quiet"], output));
});

test("an OCI image: every digest is right and the layer is the jail", async () => {
  const directory = jail();
  const { output } = await exportJail({ directory, format: "oci" });
  const layout = extract("tar", ["-xf", output]);
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const sum = (file: string) => `sha256:${spawnSync("sha256sum", [file], { encoding: "utf8" }).stdout.split(" ")[0]}`;
  const read = (file: string) => JSON.parse(readFileSync(file, "utf8"));
  const [entry] = read(join(layout, "index.json")).manifests;
  assert.equal(sum(blob(entry.digest)), entry.digest);
  assert.equal(statSync(blob(entry.digest)).size, entry.size);
  const manifest = read(blob(entry.digest));
  const config = read(blob(manifest.config.digest));
  for (const item of [manifest.config, ...manifest.layers]) {
    assert.equal(sum(blob(item.digest)), item.digest);
    assert.equal(statSync(blob(item.digest)).size, item.size);
  }
  compare(directory, extract("tar", ["-xzpf", blob(manifest.layers[0].digest)]));
  const plain = spawnSync("sh", ["-c", `gzip -dc ${blob(manifest.layers[0].digest)} | sha256sum`], { encoding: "utf8" });
  assert.equal(`sha256:${plain.stdout.split(" ")[0]}`, config.rootfs.diff_ids[0]);
  assert.equal(config.os, "linux");
});

test("an export that cannot be leaves nothing", async () => {
  const directory = jail();
  const fails = (format: ExportFormat, output: string | undefined, code: string) =>
    assert.rejects(
      exportJail({ directory, format, output }),
      (error: unknown) => error instanceof VivError && error.code === code && error.message.includes(scratch),
    );
  writeFileSync(`${directory}.tar`, "precious");
  await fails("tar", undefined, "EEXIST");
  assert.equal(readFileSync(`${directory}.tar`, "utf8"), "precious");
  await fails("tar", join(directory, "inside.tar"), "BAD_SPEC");
  await fails("tar", join(scratch, "no/where.tar"), "ENOENT");
  await assert.rejects(exportJail({ directory: join(scratch, "nothing"), format: "tar" }), /is not a directory; make a jail/);
});

test("check finds what gives too much away", () => {
  const directory = jail();
  chmodSync(join(directory, "empty"), 0o666);
  symlinkSync("/proc/self/fd", join(directory, "fd"));
  const findings = checkJail(directory);
  const codes = (path: string) =>
    findings.filter((finding) => finding.path === path).map((finding) => `${finding.severity} ${finding.code}`);
  assert.deepEqual(codes("/bin/tool"), ["risk setuid"]);
  assert.deepEqual(codes("/empty"), ["risk world-writable"]);
  assert.deepEqual(codes("/bin/link"), ["error dangling-link"]);
  assert.deepEqual(codes("/fd"), [], "filled when the jail runs");
});

test("tree: sorted, links not followed, levels, control characters shown", () => {
  const directory = mkdtempSync(join(scratch, "tree-"));
  mkdirSync(join(directory, "b/c/d"), { recursive: true });
  writeFileSync(join(directory, "a\x1b[31m"), "");
  writeFileSync(join(directory, ".hidden"), "");
  symlinkSync("b", join(directory, "z"));
  assert.deepEqual(
    [...directoryTree(directory, { level: 2 })],
    [directory, "├── a\\x1b[31m", "├── b", "│   └── c", "└── z -> b", "", "2 directories, 2 files"],
  );
  assert.ok([...directoryTree(directory, { all: true })].includes("├── .hidden"));
  assert.throws(() => [...directoryTree(join(directory, ".hidden"))], /is not a directory/);
});
