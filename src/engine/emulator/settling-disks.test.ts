import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk } from "../../disk/disk.ts";
import { SettlingDisks } from "./settling-disks.ts";

test("settling waits for each flush that was begun, whether it succeeds or fails", async () => {
  const flushes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const log: string[] = [];
  const disk: Disk = {
    size: 512,
    readOnly: false,
    read: (offset) => log.push(`read ${offset}`),
    write: (offset) => log.push(`write ${offset}`),
    writeZeroes: (offset) => log.push(`zero ${offset}`),
    flush: () => new Promise((resolve, reject) => flushes.push({ resolve, reject })),
    close: () => {},
  };
  const disks = new SettlingDisks();
  const wrapped = disks.wrap(disk);
  wrapped.read(1, new Uint8Array());
  wrapped.write(2, new Uint8Array());
  wrapped.writeZeroes(3, 0);
  assert.deepEqual(log, ["read 1", "write 2", "zero 3"]);
  assert.equal(wrapped.discard, undefined);

  await disks.settle();
  const first = wrapped.flush() as Promise<void>;
  const second = wrapped.flush() as Promise<void>;
  const seen: string[] = [];
  first.then(() => seen.push("flushed"));
  second.catch(() => seen.push("failed"));
  const settled = disks.settle().then(() => seen.push("settled"));
  flushes[0].resolve();
  await first;
  assert.deepEqual(seen, ["flushed"]);
  flushes[1].reject(new Error("no space"));
  await settled;
  assert.deepEqual(seen, ["flushed", "failed", "settled"]);
});
