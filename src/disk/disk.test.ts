import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disk, DiskFile } from "./disk.ts";
import { openDisk } from "./open.ts";

/** A file in memory, of which `bytes` is what a host would have on disk. */
class MemoryFile implements DiskFile {
  readonly name = "test.img";
  readonly writable = true;
  readonly size: number;
  bytes: Uint8Array;
  syncs = 0;
  writes = 0;
  closed = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.size = bytes.length;
  }
  read(position: number, into: Uint8Array): number {
    const part = this.bytes.subarray(position, position + into.length);
    into.set(part);
    return part.length;
  }
  write(position: number, from: Uint8Array): void {
    this.writes++;
    if (position + from.length > this.bytes.length) {
      const longer = new Uint8Array(position + from.length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(from, position);
  }
  async sync(): Promise<void> {
    this.syncs++;
  }
  close(): void {
    this.closed = true;
  }
}

/** Small, reproducible pseudo-random numbers (xorshift32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function pattern(length: number, seed: number): Uint8Array {
  const random = generator(seed);
  return Uint8Array.from({ length }, () => random(256));
}

const plain = { readOnly: false, overlay: false } as const;
const noStore = () => assert.fail("no overlay was asked for");

test("a raw disk reads and writes its file", async () => {
  const file = new MemoryFile(pattern(4096, 1));
  const disk = openDisk(file, plain, noStore);
  disk.write(512, pattern(1024, 2));
  assert.deepEqual(file.bytes.subarray(512, 1536), pattern(1024, 2));
  await disk.flush();
  assert.equal(file.syncs, 1);
  disk.close();
  assert.equal(file.closed, true);
});

test("a raw disk of an odd size is rounded up, and its end reads as zeros until it is written", () => {
  const file = new MemoryFile(new Uint8Array(1000).fill(7));
  const disk = openDisk(file, plain, noStore);
  assert.equal(disk.size, 1024);
  const sector = new Uint8Array(512).fill(9);
  disk.read(512, sector);
  assert.deepEqual(sector, new Uint8Array(512).fill(7, 0, 488));
  disk.write(512, new Uint8Array(512).fill(3));
  assert.equal(file.bytes.length, 1024);
});

test("zeroing leaves alone what is zero already", () => {
  const file = new MemoryFile(new Uint8Array(1 << 20));
  const disk = openDisk(file, plain, noStore);
  disk.write(0, new Uint8Array(512).fill(1));
  disk.writeZeroes(0, 1 << 20);
  assert.equal(file.writes, 2);
  assert.deepEqual(file.bytes, new Uint8Array(1 << 20));
});

test("requests outside a disk, of part of a sector, or to write a read-only one never pass", () => {
  const disk = openDisk(new MemoryFile(new Uint8Array(4096)), { ...plain, readOnly: true }, noStore);
  assert.throws(() => disk.read(4096, new Uint8Array(512)), /broken invariant/);
  assert.throws(() => disk.read(-512, new Uint8Array(512)), /broken invariant/);
  assert.throws(() => disk.read(1, new Uint8Array(512)), /broken invariant/);
  assert.throws(() => disk.read(0, new Uint8Array(100)), /broken invariant/);
  assert.throws(() => disk.write(0, new Uint8Array(512)), /broken invariant/);
  assert.throws(() => disk.writeZeroes(0, 512), /broken invariant/);
});

test("empty files and qcow2 are refused, the latter unless its bytes are asked for", () => {
  assert.throws(() => openDisk(new MemoryFile(new Uint8Array()), plain, noStore), { code: "BAD_DISK", message: /is empty/ });
  const qcow2 = new MemoryFile(Uint8Array.of(0x51, 0x46, 0x49, 0xfb, ...new Uint8Array(508)));
  assert.throws(() => openDisk(qcow2, plain, noStore), { code: "BAD_DISK", message: /qcow2/ });
  assert.equal(openDisk(qcow2, { ...plain, format: "raw" }, noStore).size, 512);
});

test("an overlay behaves as a disk in memory does, and its base stays as it was", async () => {
  const size = 40 * 4096 + 1536;
  const base = new MemoryFile(pattern(size, 3));
  const before = base.bytes.slice();
  const store = new MemoryFile(new Uint8Array());
  const disk: Disk = openDisk(base, { readOnly: false, overlay: true }, () => store);
  const model = base.bytes.slice();
  const random = generator(4);
  for (let step = 0; step < 3000; step++) {
    const sectors = size / 512;
    const first = random(sectors);
    const count = 1 + random(Math.min(40, sectors - first));
    const [offset, length] = [first * 512, count * 512];
    const action = random(8);
    if (action < 3) {
      const bytes = pattern(length, step + 1);
      disk.write(offset, bytes);
      model.set(bytes, offset);
    } else if (action === 3) {
      disk.writeZeroes(offset, length);
      model.fill(0, offset, offset + length);
    } else {
      const bytes = new Uint8Array(length);
      disk.read(offset, bytes);
      assert.deepEqual(bytes, model.slice(offset, offset + length), `step ${step}`);
    }
  }
  await disk.flush();
  assert.deepEqual(base.bytes, before);
  assert.equal(base.writes, 0);
  disk.close();
  assert.equal(base.closed && store.closed, true);
});
