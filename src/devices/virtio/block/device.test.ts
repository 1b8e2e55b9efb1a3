import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkStateRefusals, checkStateRoundTrip } from "../../testing/fuzz.ts";
import { Bench, type Request } from "../testing/driver.ts";
import { MemoryDisk, SlowDisk } from "../testing/memory-disk.ts";
import { type BlockOptions, VirtioBlock } from "./device.ts";

const FLUSH = 1n << 9n;
const type = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 };
const pattern = (length: number, seed: number) => new Uint8Array(length).map((_, i) => i * 7 + seed + (i >> 8));

function header(kind: number, sector: number | bigint = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, kind, true);
  view.setBigUint64(8, BigInt(sector), true);
  return new Uint8Array(view.buffer);
}

function range(sector: number | bigint, sectors: number, flags = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return new Uint8Array(view.buffer);
}

function start<Disk extends MemoryDisk>(disk: Disk, options: BlockOptions & { refuse?: bigint } = {}) {
  const bench = new Bench(new VirtioBlock(disk, options)).start({ refuse: options.refuse });
  const queue = bench.queues[0];
  const status = (request: Request) => queue.result(request).at(-1);
  /** One request to its end: status, and what was read. */
  const run = (readable: Uint8Array[], writable: number[], indirect = false) => {
    const request = queue.add(readable, [...writable, 1], indirect);
    queue.kick();
    const [used] = queue.takeUsed();
    assert.equal(used?.head, request.head);
    return { status: status(request), data: queue.result(request).subarray(0, -1), written: used.written };
  };
  return { bench, queue, disk, run, status };
}

describe("VirtioBlock", () => {
  it("tells its size and limits", () => {
    const { bench } = start(new MemoryDisk(1000));
    const { mmio } = bench;
    assert.deepEqual([mmio.read(0x100, 4), mmio.read(0x104, 4)], [1000, 0]);
    assert.equal(mmio.read(0x10c, 4), 254);
    assert.equal(mmio.read(0x114, 4), 512);
    assert.equal(mmio.read(0x118, 1), 3);
    assert.equal(mmio.read(0x122, 2), 1);
    mmio.write(0x100, 4, 5);
    assert.equal(mmio.read(0x100, 4), 1000);
    assert.deepEqual(mmio.misuse.counts, { readOnly: 1 });
  });

  it("reads and writes, however the driver cuts its buffers", () => {
    for (const indirect of [false, true]) {
      const { run, disk, bench } = start(new MemoryDisk(4096));
      const data = pattern(8192, 3);
      assert.equal(run([header(type.OUT, 5), data], [], indirect).status, 0);
      assert.deepEqual(disk.bytes.subarray(5 * 512, 5 * 512 + 8192), data);
      const scattered = run([header(type.IN, 5)], [1, 510, 1025, 6656], indirect);
      assert.deepEqual([scattered.status, scattered.written], [0, 8193]);
      assert.deepEqual(scattered.data, data);
      const joined = new Uint8Array([...header(type.OUT, 7), ...data.subarray(0, 1000)]);
      assert.equal(run([joined.subarray(0, 3), joined.subarray(3), data.subarray(1000, 1024)], [], indirect).status, 0);
      assert.deepEqual(disk.bytes.subarray(7 * 512, 9 * 512), data.subarray(0, 1024));
      assert.deepEqual(bench.mmio.misuse.counts, {});
    }
  });

  it("moves more than a transfer at once, long segments as they lie", () => {
    const { run, disk } = start(new MemoryDisk(8192));
    const data = pattern(3 << 20, 9);
    disk.calls.length = 0;
    assert.equal(
      run([header(type.OUT, 0), data.subarray(0, 100), data.subarray(100, 70_000), data.subarray(70_000)], []).status,
      0,
    );
    assert.deepEqual(disk.bytes.subarray(0, data.length), data);
    assert(disk.calls.length <= 6);
    const read = run([header(type.IN, 1)], [512, (3 << 20) - 1024]);
    assert.deepEqual(read.data, data.subarray(512, data.length));
  });

  it("flushes, and writes through when the driver cannot flush", () => {
    const { run, disk } = start(new MemoryDisk(64));
    run([header(type.OUT, 1), pattern(512, 1)], []);
    assert.equal(run([header(type.FLUSH)], []).status, 0);
    assert.deepEqual(disk.calls, ["write 1+1", "flush"]);
    const through = start(new MemoryDisk(64), { refuse: FLUSH });
    through.run([header(type.OUT, 1), pattern(512, 1)], []);
    through.run([header(type.IN, 1)], [512]);
    assert.deepEqual(through.disk.calls, ["write 1+1", "flush", "read 1+1"]);
  });

  it("discards and zeroes ranges", () => {
    const { run, disk } = start(new MemoryDisk(1 << 12));
    assert.equal(run([header(type.DISCARD), range(8, 8), range(32, 16)], []).status, 0);
    assert.equal(run([header(type.WRITE_ZEROES), range(100, 3, 1)], []).status, 0);
    assert.deepEqual(disk.calls, ["discard 8+8", "discard 32+16", "zero 100+3"]);
    assert.equal(run([header(type.DISCARD), range(0, 1, 1)], []).status, 2);
    assert.equal(run([header(type.WRITE_ZEROES), range(0, 1, 2)], []).status, 2);
    assert.equal(run([header(type.WRITE_ZEROES), range(0, 1), range(1, 1)], []).status, 1);
    assert.equal(run([header(type.WRITE_ZEROES), range(0, 1).subarray(0, 12)], []).status, 1);
    assert.equal(run([header(type.WRITE_ZEROES), range(4095, 2)], []).status, 1);
    assert.equal(run([header(type.DISCARD), range(1n << 63n, 1)], []).status, 1);
    assert.equal(run([header(type.DISCARD), range(0, 0)], []).status, 0);
    assert.equal(disk.calls.length, 3);
  });

  it("tells its name", () => {
    const { run } = start(new MemoryDisk(8), { id: "a-disk" });
    const { status, data } = run([header(type.GET_ID)], [20]);
    assert.equal(status, 0);
    assert.equal(new TextDecoder().decode(data), "a-disk".padEnd(20, "\0"));
  });

  it("keeps a read-only disk as it is", () => {
    const { run, disk, bench } = start(new MemoryDisk(64, true));
    assert.equal(bench.accepted & ((1n << 5n) | (1n << 13n) | (1n << 14n)), 1n << 5n);
    assert.equal(run([header(type.OUT, 0), pattern(512, 1)], []).status, 1);
    assert.equal(run([header(type.DISCARD), range(0, 1)], []).status, 2);
    assert.equal(run([header(type.WRITE_ZEROES), range(0, 1)], []).status, 2);
    assert.equal(run([header(type.IN, 0)], [512]).status, 0);
    assert.deepEqual(disk.calls, ["read 0+1"]);
    assert.deepEqual(bench.mmio.misuse.counts, { writeToReadOnly: 1 });
  });

  it("answers what cannot be with an error, and does not touch the disk", () => {
    const { run, queue, disk, bench } = start(new MemoryDisk(64));
    for (const sector of [64, 127, 1n << 32n, (1n << 55n) + 1n, (1n << 64n) - 1n]) {
      assert.equal(run([header(type.IN, sector)], [1024]).status, 1);
    }
    assert.equal(run([header(type.IN, 63)], [1024]).status, 1);
    assert.equal(run([header(type.IN, 0)], [100]).status, 1);
    assert.equal(run([header(type.OUT, 0), pattern(513, 0)], []).status, 1);
    assert.equal(run([header(type.IN, 0).subarray(0, 15)], [512]).status, 1);
    assert.equal(run([header(99)], []).status, 2);
    assert.deepEqual(disk.calls, []);
    queue.add([header(type.FLUSH)]);
    queue.kick();
    assert.equal(bench.get(0x070), 0x4f);
    assert.equal(bench.mmio.misuse.counts.noRoomForStatus, 1);
  });

  it("passes on failures of the backend as I/O errors", () => {
    const errors: unknown[] = [];
    const { run, disk } = start(new MemoryDisk(64), { onError: (error) => errors.push(error) });
    disk.failing = true;
    assert.equal(run([header(type.IN, 0)], [512]).status, 1);
    assert.equal(run([header(type.WRITE_ZEROES), range(0, 1)], []).status, 1);
    assert.match(String(errors[0]), /the disk is broken/);
    assert.equal(errors.length, 2);
    disk.failing = false;
    assert.equal(run([header(type.IN, 0)], [512]).status, 0);
  });

  it("gives the guest its turn when it asks for much at once", () => {
    let read = 0;
    const disk = new MemoryDisk(1 << 12);
    disk.read = (_offset, into) => {
      read += into.length;
    };
    const { bench, queue } = start(disk);
    const request = queue.add([header(type.IN, 0)], [1 << 20, 1]);
    for (let i = 1; i < 200; i++) queue.push(request.head);
    queue.kick();
    assert.equal(read, 64 << 20);
    queue.kick();
    assert.equal(read, 128 << 20);
    const other = new Bench(new VirtioBlock(disk));
    other.mmio.load(bench.mmio.save());
    other.ram.bytes.set(bench.ram.bytes);
    other.clock.advance(10_000);
    assert.equal(read, 192 << 20);
    read = 128 << 20;
    bench.clock.advance(10_000);
    assert.equal(read, 192 << 20);
    bench.clock.advance(10_000);
    assert.equal(read, 200 << 20);
    assert.equal(bench.clock.pending, 0);
    assert.equal(queue.view(queue.used, 4).getUint16(2, true), 200);
  });

  it("tells the guest once of a batch", () => {
    const { bench, queue } = start(new MemoryDisk(64));
    queue.interruptAfter(1);
    for (let i = 0; i < 10; i++) queue.add([header(type.IN, i)], [512, 1]);
    queue.kick();
    assert.equal(bench.irq.raised, 1);
    assert.equal(queue.takeUsed().length, 10);
  });
});

describe("VirtioBlock on a backend that waits", () => {
  it("completes in the order of the backend", async () => {
    const { bench, queue, disk, status } = start(new SlowDisk(64));
    const data = pattern(1024, 5);
    const write = queue.add([header(type.OUT, 3), data.subarray(0, 100), data.subarray(100)], [1]);
    const read = queue.add([header(type.IN, 9)], [600, 424, 1]);
    const flush = queue.add([header(type.FLUSH)], [1]);
    queue.kick();
    assert.deepEqual([queue.takeUsed().length, bench.irq.level, disk.waiting], [0, false, 3]);
    await disk.settle(1, (waiting) => waiting - 1);
    assert.deepEqual(queue.takeUsed(), [{ head: flush.head, written: 1 }]);
    assert.equal(bench.takeInterrupt(), 1);
    await disk.settle();
    assert.deepEqual(
      queue.takeUsed().map(({ head }) => head),
      [write.head, read.head],
    );
    assert.deepEqual([write, read, flush].map(status), [0, 0, 0]);
    assert.deepEqual(queue.result(read).subarray(0, 1024), disk.bytes.subarray(9 * 512, 11 * 512));
    assert.deepEqual(disk.bytes.subarray(3 * 512, 5 * 512), data);
  });

  it("reports what fails late", async () => {
    const { queue, disk, status } = start(new SlowDisk(64));
    disk.failing = true;
    const request = queue.add([header(type.IN, 0)], [512, 1]);
    queue.kick();
    await disk.settle();
    assert.equal(queue.takeUsed().length, 1);
    assert.equal(status(request), 1);
  });

  it("leaves RAM alone after a reset, and takes no more than a queueful before the backend has caught up", async () => {
    const { bench, disk } = start(new SlowDisk(4096));
    const forgotten: Request[] = [];
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 80; i++) forgotten.push(bench.queues[0].add([header(type.IN, 8)], [512, 1]));
      bench.queues[0].kick();
      bench.put(0x070, 0);
      bench.start();
    }
    assert.equal(disk.waiting, 256);
    const last = bench.queues[0].add([header(type.IN, 9)], [512, 1]);
    bench.queues[0].kick();
    await disk.settle();
    for (const request of forgotten) assert(bench.queues[0].result(request).every((byte) => byte === 0));
    assert.equal(bench.queues[0].takeUsed().length, 1);
    assert.deepEqual(bench.queues[0].result(last).subarray(0, 512), disk.bytes.subarray(9 * 512, 10 * 512));
  });

  it("begins anew after loading what was on its way when saved", async () => {
    const { bench, queue, disk } = start(new SlowDisk(64));
    const request = queue.add([header(type.IN, 9)], [512, 1]);
    queue.kick();
    const other = new Bench(new VirtioBlock(disk));
    checkStateRoundTrip(bench.mmio, other.mmio);
    checkStateRefusals(bench.mmio);
    other.ram.bytes.set(bench.ram.bytes);
    other.clock.advance(0);
    assert.equal(disk.waiting, 2);
    await disk.settle();
    assert.equal(other.irq.level, true);
    const at = request.into[0].address;
    assert.deepEqual(other.bytes(at, 512), disk.bytes.subarray(9 * 512, 10 * 512));
    assert.equal(other.get(0x070), 15);
  });
});
