import assert from "node:assert/strict";
import { test } from "node:test";
import { Tail } from "./tail.ts";

test("the end of a stream is kept from the first whole line on, however it comes", () => {
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join("");
  for (const step of [1, 7, 64, 1000]) {
    const tail = new Tail(64);
    for (let at = 0; at < lines.length; at += step) tail.push(Buffer.from(lines.slice(at, at + step)));
    assert.equal(Buffer.from(tail.bytes()).toString(), Array.from({ length: 7 }, (_, i) => `line ${93 + i}\n`).join(""));
  }
});

test("what fits is kept whole", () => {
  const tail = new Tail(64);
  assert.equal(tail.bytes().length, 0);
  tail.push(Buffer.from("no line"));
  assert.equal(Buffer.from(tail.bytes()).toString(), "no line");
});
