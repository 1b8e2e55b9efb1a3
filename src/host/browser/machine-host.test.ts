// What browsers and Node have in common; the rest runs in Chromium (conformance/browser).
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { decompress, monotonic, randomBytes, wall } from "./machine-host.ts";

test("clocks: one goes forward only, the other is the host's date", () => {
  const first = monotonic();
  assert.ok(monotonic() >= first);
  const difference = Math.abs(Number(wall() / 1_000_000n) - Date.now());
  assert.ok(difference < 60_000, `${difference} ms apart`);
});

test("random bytes are as many as asked for, more than a browser gives at once too, and differ", () => {
  const bytes = randomBytes(200_000);
  assert.equal(bytes.length, 200_000);
  assert.ok(bytes.subarray(-16).some((byte) => byte !== 0));
  assert.notDeepEqual(randomBytes(16), randomBytes(16));
});

test("gzip is unpacked up to a limit, or refused with the reason", async () => {
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
