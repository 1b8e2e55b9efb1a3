import assert from "node:assert/strict";
import { test } from "node:test";
import { glob } from "./glob.ts";
import { Resolver } from "./resolve.ts";
import { memoryFiles } from "./testing/memory-files.ts";

const resolver = new Resolver(
  memoryFiles({
    "/usr/lib/a.so.1": "a",
    "/usr/lib/a.so": { link: "a.so.1" },
    "/lib": { link: "usr/lib" },
    "/abs": { link: "/lib/a.so" },
    "/up": { link: "../../../../usr/lib/../lib/a.so.1" },
    "/loop": { link: "/loop2" },
    "/loop2": { link: "loop" },
    "/self": { link: "self/x" },
    "/dangling": { link: "/nowhere" },
    "/usr/lib/sub/deep/file": "x",
    "/usr/lib/sub/.hidden": "x",
  }),
);

test("follows links below the root and tells which", () => {
  const found = resolver.resolve("/lib/a.so")!;
  assert.equal(found.path, "/usr/lib/a.so.1");
  assert.deepEqual(found.links, ["/lib", "/usr/lib/a.so"]);
  assert.deepEqual(resolver.resolve("/abs")!.links, ["/abs", "/lib", "/usr/lib/a.so"]);
});

test(".. does not leave the root", () => {
  assert.equal(resolver.resolve("/up")!.path, "/usr/lib/a.so.1");
  assert.equal(resolver.resolve("/../../lib/../lib/a.so.1")!.path, "/usr/lib/a.so.1");
});

test("loops, dangling links and files taken for directories lead nowhere", () => {
  for (const path of ["/loop", "/self", "/dangling", "/usr/lib/a.so.1/x", "/loop/x"])
    assert.equal(resolver.resolve(path), undefined);
  assert.equal(resolver.resolveLink("/dangling")!.status.kind, "symlink");
});

test("a pattern matches names, a tree all below it", () => {
  assert.deepEqual(glob(resolver, "/lib/a.so*"), ["/lib/a.so", "/lib/a.so.1"]);
  assert.deepEqual(glob(resolver, "/usr/*/sub/**"), [
    "/usr/lib/sub",
    "/usr/lib/sub/.hidden",
    "/usr/lib/sub/deep",
    "/usr/lib/sub/deep/file",
  ]);
  assert.deepEqual(glob(resolver, "/usr/lib/sub/*"), ["/usr/lib/sub/deep"]);
  assert.deepEqual(glob(resolver, "/nowhere/**"), []);
});
