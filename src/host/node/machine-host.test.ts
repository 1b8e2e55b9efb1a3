import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { after, decompress, monotonic, randomBytes, wall, yieldToHost } from "./machine-host.ts";

test("clocks: one goes forward only, the other is the host's date", () => {
  const first = monotonic();
  assert.ok(monotonic() >= first);
  const difference = Math.abs(Number(wall() / 1_000_000n) - Date.now());
  assert.ok(difference < 60_000, `${difference} ms apart`);
});

test("callbacks come once, unless they are cancelled", async () => {
  const called: string[] = [];
  await new Promise<void>((resolve) => after(0, () => resolve(void called.push("soon"))));
  after(2e6, () => called.push("later"));
  after(0, () => called.push("never"))();
  after(1e6, () => called.push("never"))();
  const cancelled = after(2 ** 60, () => called.push("never"));
  await new Promise((resolve) => after(20e6, () => resolve(undefined)));
  await yieldToHost();
  cancelled();
  assert.deepEqual(called, ["soon", "later"]);
});

test("random bytes are as many as asked for, and differ", () => {
  assert.equal(randomBytes(33).length, 33);
  assert.notDeepEqual(randomBytes(16), randomBytes(16));
});

test("compressed data is unpacked up to a limit, or refused with the reason", async () => {
  const plain = Buffer.alloc(10_000, "text");
  const packed = gzipSync(plain);
  assert.deepEqual(Buffer.from(await decompress("gzip", packed, 10_000)), plain);
  await assert.rejects(decompress("gzip", packed, 9_999), { code: "BAD_COMPRESSION", message: /longer than 9999/ });
  await assert.rejects(decompress("gzip", packed.subarray(0, 40), 10_000), { code: "BAD_COMPRESSION", message: /cut short/ });
  const damaged = Buffer.from(packed);
  damaged.fill(0xff, 12, 30);
  await assert.rejects(decompress("gzip", damaged, 10_000), { code: "BAD_COMPRESSION", message: /damaged/ });
  await assert.rejects(decompress("xz", packed, 10_000), { code: "BAD_COMPRESSION", message: /xz -d/ });
});
