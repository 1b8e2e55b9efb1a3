import assert from "node:assert/strict";
import { test } from "node:test";
import { VivError } from "../../core/errors.ts";
import { encodeUtf8 } from "../../core/text.ts";
import { parseLdCache } from "./ldcache.ts";
import { readLdConf } from "./ldconf.ts";
import { Resolver } from "./resolve.ts";
import { memoryFiles } from "./testing/memory-files.ts";

const entries = [
  ["liba.so.1", "/usr/lib/liba.so.1"],
  ["liba.so.1", "/usr/lib32/liba.so.1"],
  ["libb.so", "/opt/b/libb.so"],
] as const;

/** glibc-ld.so.cache1.1 as dl-cache.h has it. */
function newCache(little = true, order = little ? 2 : 3): Uint8Array {
  const strings = entries.map(([name, path]) => `${name}\0${path}\0`).join("");
  const at = 48 + entries.length * 24;
  const bytes = new Uint8Array(at + strings.length);
  const view = new DataView(bytes.buffer);
  bytes.set(encodeUtf8("glibc-ld.so.cache1.1"));
  view.setUint32(20, entries.length, little);
  view.setUint32(24, strings.length, little);
  bytes[28] = order;
  let offset = at;
  for (const [index, [name, path]] of entries.entries()) {
    view.setUint32(48 + index * 24, 0x303, little);
    view.setUint32(48 + index * 24 + 4, offset, little);
    view.setUint32(48 + index * 24 + 8, offset + name.length + 1, little);
    offset += name.length + path.length + 2;
  }
  bytes.set(encodeUtf8(strings), at);
  return bytes;
}

function oldCache(embedded: Uint8Array): Uint8Array {
  const strings = "libold.so\0/lib/libold.so\0";
  const size = 16 + 12 + strings.length;
  const start = 16 + 12;
  const bytes = new Uint8Array(Math.max(size, 32 + embedded.length));
  const view = new DataView(bytes.buffer);
  bytes.set(encodeUtf8("ld.so-1.7.0"));
  view.setUint32(12, 1, true);
  view.setUint32(16 + 4, 0, true);
  view.setUint32(16 + 8, 10, true);
  bytes.set(encodeUtf8(strings), start);
  bytes.set(embedded, 32);
  return bytes;
}

for (const [name, bytes] of [
  ["little-endian", newCache()],
  ["big-endian", newCache(false)],
  ["without byte order", newCache(true, 0)],
  ["big-endian without byte order", newCache(false, 0)],
  ["behind the old format", oldCache(newCache())],
] as const) {
  test(`reads a cache: ${name}`, () => {
    const cache = parseLdCache(bytes);
    assert.deepEqual(cache.get("liba.so.1"), ["/usr/lib/liba.so.1", "/usr/lib32/liba.so.1"]);
    assert.deepEqual(cache.get("libb.so"), ["/opt/b/libb.so"]);
  });
}

test("reads the old format", () => {
  assert.deepEqual(parseLdCache(oldCache(new Uint8Array(0))).get("libold.so"), ["/lib/libold.so"]);
});

test("a damaged cache is refused by name", () => {
  const whole = newCache();
  for (const bytes of [whole.subarray(0, 30), encodeUtf8("nothing of the kind"), new Uint8Array(0)]) {
    assert.throws(
      () => parseLdCache(bytes),
      (error: unknown) => error instanceof VivError && error.code === "BAD_LD_CACHE",
    );
  }
  for (let at = 20; at < 48 + 72; at++) {
    const bytes = whole.slice();
    bytes[at] = 0xff;
    try {
      parseLdCache(bytes);
    } catch (error) {
      assert.ok(error instanceof VivError && error.code === "BAD_LD_CACHE", `byte ${at}: ${error}`);
    }
  }
});

test("ld.so.conf includes other files, and itself only so often", () => {
  const resolver = new Resolver(
    memoryFiles({
      "/etc/ld.so.conf": "# first\ninclude ld.so.conf.d/*.conf\n/opt/lib\ninclude /etc/ld.so.conf\n",
      "/etc/ld.so.conf.d/a.conf": "/usr/local/lib # local\n",
      "/etc/ld.so.conf.d/b.conf": "/b1:/b2 /b3=libc6\nhwcap 1 nosegneg\n",
    }),
  );
  assert.deepEqual(readLdConf(resolver), ["/usr/local/lib", "/b1", "/b2", "/b3", "/opt/lib"]);
});
