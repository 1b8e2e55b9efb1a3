import assert from "node:assert/strict";
import { test } from "node:test";
import { resetVector } from "./reset-vector.ts";

test("the code's offsets point at the data behind it", () => {
  const bytes = resetVector({ firmware: 0x8000_0000, deviceTree: 0x8fe0_0000, next: 0x8020_0000 });
  const view = new DataView(bytes.buffer);
  const code = Array.from({ length: 6 }, (_, i) => view.getUint32(i * 4, true));
  /** The I-type immediate: relative to t0, which holds the ROM's first byte. */
  const immediate = (instruction: number) => instruction >> 20;
  const [, addi, , loadDeviceTree, loadFirmware] = code;
  assert.equal(view.getBigUint64(immediate(loadFirmware!), true), 0x8000_0000n);
  assert.equal(view.getBigUint64(immediate(loadDeviceTree!), true), 0x8fe0_0000n);
  const info = immediate(addi!);
  const fields = Array.from({ length: 6 }, (_, i) => view.getBigUint64(info + i * 8, true));
  assert.deepEqual(fields, [0x4942534fn, 2n, 0x8020_0000n, 1n, 0n, 0n]);
  assert.equal(info + 6 * 8, bytes.length);
});
