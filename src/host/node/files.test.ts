import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { openDiskFile, openOverlayStore, readWholeFile } from "./files.ts";

// Not tmpfs, which Linux does not lock in the same way on all versions.
const folder = mkdtempSync("/var/tmp/viv-files-");
after(() => rmSync(folder, { recursive: true }));

function image(name: string, size = 4096): string {
  const path = join(folder, name);
  writeFileSync(path, "");
  truncateSync(path, size);
  return path;
}

test("what is written is in the file, and the end of the file is told", async () => {
  const path = image("a.img");
  const file = openDiskFile(path, { writable: true });
  assert.equal(file.size, 4096);
  file.write(4000, Buffer.alloc(200, "x"));
  await file.sync();
  const bytes = new Uint8Array(300);
  assert.equal(file.read(3990, bytes), 210);
  assert.deepEqual(bytes.subarray(0, 12), new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 120, 120]));
  file.close();
  assert.equal(readFileSync(path).length, 4200);
});

test("what cannot be opened is one error with the name", () => {
  const missing = join(folder, "missing");
  assert.throws(() => openDiskFile(missing, { writable: true }), { code: "ENOENT", message: /missing: there is no such file/ });
  assert.throws(() => openDiskFile(folder, { writable: true }), { code: "EISDIR" });
  assert.throws(() => openDiskFile(folder, { writable: false }), { code: "BAD_DISK" });
  assert.throws(() => openDiskFile("/dev/null", { writable: true }), { code: "BAD_DISK" });
  assert.throws(() => readWholeFile(missing, 100), { code: "ENOENT" });
  assert.throws(() => readWholeFile(folder, 100), { code: "EISDIR" });
  assert.throws(() => readWholeFile(image("large", 101), 100), { code: "EFBIG" });
});

test("a file has one writer or several readers, also within a process", () => {
  const path = image("b.img");
  const writer = openDiskFile(path, { writable: true });
  assert.throws(() => openDiskFile(path, { writable: true }), { code: "EBUSY", message: /b\.img is in use by this process/ });
  assert.throws(() => openDiskFile(path, { writable: false }), { code: "EBUSY" });
  writer.close();
  const readers = [openDiskFile(path, { writable: false }), openDiskFile(path, { writable: false })];
  assert.throws(() => openDiskFile(path, { writable: true }), { code: "EBUSY" });
  for (const reader of readers) reader.close();
  openDiskFile(path, { writable: true }).close();
});

test("the owner is named, and its lock ends with it, even when it is killed", async () => {
  const path = image("c.img");
  const script = `
    import { openDiskFile } from ${JSON.stringify(new URL("./files.js", import.meta.url).href)};
    openDiskFile(${JSON.stringify(path)}, { writable: true });
    console.log("locked");
    setInterval(() => {}, 1000);
  `;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(owner.stdout, "data");
  assert.throws(() => openDiskFile(path, { writable: true }), {
    code: "EBUSY",
    message: new RegExp(`c\\.img is in use by process ${owner.pid} \\(`),
  });
  owner.kill("SIGKILL");
  await once(owner, "exit");
  openDiskFile(path, { writable: true }).close();
});

test("an overlay's file has no name and is sparse", () => {
  const temporary = join(folder, "tmp");
  mkdirSync(temporary);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = temporary;
  try {
    const store = openOverlayStore();
    assert.deepEqual(readdirSync(temporary), []);
    store.write(1 << 30, Uint8Array.of(1));
    const bytes = new Uint8Array(2);
    assert.equal(store.read((1 << 30) - 1, bytes), 2);
    assert.deepEqual(bytes, Uint8Array.of(0, 1));
    store.close();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});
