import assert from "node:assert/strict";
import { test } from "node:test";
import { cells64, flattenDeviceTree } from "./fdt.ts";
import { readDeviceTree } from "./testing/read-fdt.ts";

test("each kind of value is written as the specification says", () => {
  const blob = flattenDeviceTree({
    properties: { present: true, text: "ab", list: ["a", "bc"], cell: 0x89abcdef, cells: [1, 2], raw: new Uint8Array([7]) },
    children: { "child@1": { properties: { reg: cells64(0x1_8000_0000) } } },
  });
  const nodes = readDeviceTree(blob);
  const root = nodes.get("/")!;
  assert.deepEqual([...root.keys()], ["present", "text", "list", "cell", "cells", "raw"]);
  assert.deepEqual([...root.get("present")!], []);
  assert.deepEqual([...root.get("text")!], [97, 98, 0]);
  assert.deepEqual([...root.get("list")!], [97, 0, 98, 99, 0]);
  assert.deepEqual([...root.get("cell")!], [0x89, 0xab, 0xcd, 0xef]);
  assert.deepEqual([...root.get("cells")!], [0, 0, 0, 1, 0, 0, 0, 2]);
  assert.deepEqual([...root.get("raw")!], [7]);
  assert.deepEqual([...nodes.get("/child@1")!.get("reg")!], [0, 0, 0, 1, 0x80, 0, 0, 0]);
});

test("the header tells the sizes of what follows", () => {
  const blob = flattenDeviceTree({ properties: { a: "x".repeat(20_000), b: 1 } });
  const view = new DataView(blob.buffer);
  assert.equal(view.getUint32(0), 0xd00dfeed);
  assert.equal(view.getUint32(4), blob.length);
  assert.equal(view.getUint32(12) + view.getUint32(32), blob.length);
  assert.equal(view.getUint32(8) + view.getUint32(36), view.getUint32(12));
});
