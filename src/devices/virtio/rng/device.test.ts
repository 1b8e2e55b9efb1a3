import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Bench } from "../testing/driver.ts";
import { VirtioRng } from "./device.ts";

describe("VirtioRng", () => {
  it("fills what the driver offers, a page at most", () => {
    const asked: number[] = [];
    const source = {
      fill: (bytes: Uint8Array) => {
        asked.push(bytes.length);
        bytes.forEach((_, i) => {
          bytes[i] = i + 1;
        });
      },
    };
    const bench = new Bench(new VirtioRng(source)).start();
    const queue = bench.queues[0];
    const small = queue.add([], [3, 4]);
    const large = queue.add([], [10_000]);
    const none = queue.add([new Uint8Array(4)]);
    queue.kick();
    assert.deepEqual(queue.takeUsed(), [
      { head: small.head, written: 7 },
      { head: large.head, written: 4096 },
      { head: none.head, written: 0 },
    ]);
    assert.deepEqual(asked, [7, 4096]);
    assert.deepEqual([...queue.result(small)], [1, 2, 3, 4, 5, 6, 7]);
    assert(
      queue
        .result(large)
        .subarray(4096)
        .every((byte) => byte === 0),
    );
    assert.equal(bench.get(0x008), 4);
  });
});
