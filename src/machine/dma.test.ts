import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDma } from "./dma.ts";
import { createMemory } from "./memory-layout.ts";

const MiB = 2 ** 20;
const rom = { base: 0x1000, size: 0xf000 };
const make = (size: number, reserved = 100_000) => createMemory({ reserved, ram: { base: 0x8000_0000, size }, rom });

test("RAM and ROM lie behind what the harts keep", () => {
  const memory = make(16 * MiB);
  assert.equal(memory.ram.offset, 131072);
  assert.equal(memory.rom.offset, 131072 + 16 * MiB);
  assert.ok(memory.memory.buffer.byteLength >= memory.rom.offset + memory.rom.size);
});

test("sizes of RAM that cannot be are refused with those that can", () => {
  for (const size of [0, -1, 15 * MiB, 16 * MiB + 1, 3585 * MiB, 2 ** 60, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => make(size), { code: "BAD_MEMORY", message: /16 to 3584 MiB/ });
  }
  assert.throws(() => make(3 * 2 ** 30, 2 ** 30), { code: "BAD_MEMORY", message: /16 to 3071 MiB/ });
});

test("devices reach RAM and nothing else, whatever the guest gives them", () => {
  const memory = make(16 * MiB);
  const forgotten: [number, number][] = [];
  const dma = new MemoryDma(memory, (offset, length) => forgotten.push([offset, length]));
  const [start, end] = [0x8000_0000, 0x8000_0000 + 16 * MiB];
  dma.write(end - 2, 2)!.set([1, 2]);
  assert.deepEqual([...dma.read(end - 2, 2)!], [1, 2]);
  assert.equal(new Uint8Array(memory.memory.buffer)[memory.ram.offset + 16 * MiB - 1], 2);
  assert.deepEqual(forgotten, [[16 * MiB - 2, 2]]);
  assert.equal(dma.read(start, 0)!.length, 0);
  const impossible: [number, number][] = [
    [start - 1, 1],
    [end - 1, 2],
    [end, 1],
    [start, 16 * MiB + 1],
    [0x1000, 4],
    [start, -1],
    [start + 1, -1],
    [start, Number.NaN],
    [Number.NaN, 1],
    [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    [2 ** 64, 2 ** 64],
    [start, 2 ** 64],
    [2 ** 64 - 2 ** 12, 2 ** 12],
    [start + 0.5, 1],
    [start, 0.5],
  ];
  for (const [address, length] of impossible) {
    assert.equal(dma.read(address, length), undefined, `read ${length} at ${address}`);
    assert.equal(dma.write(address, length), undefined, `write ${length} at ${address}`);
  }
  assert.equal(forgotten.length, 1);
});
