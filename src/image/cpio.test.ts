import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { type CpioEntry, fileType, readCpio, writeCpio } from "./cpio.ts";

const entries: CpioEntry[] = [
  { path: "viv", mode: fileType.directory | 0o755, data: new Uint8Array() },
  { path: "viv/command", mode: fileType.file | 0o600, data: Buffer.from("set -- echo 'a b'\n") },
  { path: "viv/é", mode: fileType.file | 0o644, data: Buffer.from("abc") },
  { path: "viv/link", mode: fileType.link | 0o777, data: Buffer.from("command") },
];

test("what is written is read back, and the length lets another archive follow", () => {
  const archive = writeCpio(entries);
  assert.equal(archive.length % 4, 0);
  const read = readCpio(archive).map((entry) => ({ ...entry, data: Buffer.from(entry.data).toString() }));
  assert.deepEqual(
    read,
    entries.map((entry) => ({ ...entry, data: Buffer.from(entry.data).toString() })),
  );
});

const cpio = spawnSync("cpio", ["--version"]).status === 0;
test("cpio reads it", { skip: !cpio && "no cpio here" }, () => {
  const { stdout, status } = spawnSync("cpio", ["-itv", "--quiet"], { input: writeCpio(entries), encoding: "utf8" });
  assert.equal(status, 0);
  assert.match(stdout, /drwxr-xr-x .* viv\n-rw-------.* 18 .* viv\/command\n[\s\S]*lrwxrwxrwx .* viv\/link -> command\n/);
});

test("an archive that is cut short or damaged is refused, never misread", () => {
  const archive = writeCpio(entries);
  for (let length = 0; length < archive.length - 4; length++) {
    assert.throws(() => readCpio(archive.subarray(0, length)), { code: "BAD_ARCHIVE" });
  }
  for (let at = 0; at < archive.length; at++) {
    for (const value of [0, 0x30, 0x46, 0xff]) {
      const damaged = archive.slice();
      damaged[at] = value;
      try {
        for (const entry of readCpio(damaged)) assert.ok(entry.data.length <= archive.length);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "BAD_ARCHIVE");
      }
    }
  }
});
