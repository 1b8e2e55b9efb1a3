import assert from "node:assert/strict";
import { test } from "node:test";
import type { MmioDevice } from "../devices/ports.ts";
import { Bus } from "./bus.ts";

/** Records its accesses; reads give the offset. */
class Recorder implements MmioDevice {
  readonly log: string[] = [];
  readonly name: string;
  readonly size: number;
  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
  }
  read(offset: number, size: number): number {
    this.log.push(`r${size} ${offset}`);
    return offset - 1;
  }
  write(offset: number, size: number, value: number): void {
    this.log.push(`w${size} ${offset} ${value}`);
  }
  reset(): void {}
  save() {
    return { schema: this.name, version: 1 };
  }
  load(): void {}
}

class Wide extends Recorder {
  read64(offset: number): bigint {
    this.log.push(`r8 ${offset}`);
    return 1n;
  }
  write64(offset: number, value: bigint): void {
    this.log.push(`w8 ${offset} ${value}`);
  }
}

test("an access reaches the device at its address, with its offset", () => {
  const [a, b, wide] = [new Recorder("a", 16), new Recorder("b", 16), new Wide("wide", 16)];
  const bus = new Bus([
    { base: 0x2000, device: wide },
    { base: 0x1000, device: a },
    { base: 0x1010, device: b },
  ]);
  assert.equal(bus.read(0x1004, 4), 3);
  assert.equal(bus.write(0x1012, 2, 7), true);
  assert.equal(bus.read64(0x1000), 0x0000_0003_ffff_ffffn, "two reads, the low half first, each zero-extended");
  assert.equal(bus.write64(0x1018, 0x1_8000_0002n), true);
  assert.equal(bus.read64(0x2008), 1n);
  assert.equal(bus.write64(0x2000, 2n ** 64n - 1n), true);
  assert.deepEqual(a.log, ["r4 4", "r4 0", "r4 4"]);
  assert.deepEqual(b.log, ["w2 2 7", "w4 8 2147483650", "w4 12 1"]);
  assert.deepEqual(wide.log, ["r8 8", `w8 0 ${2n ** 64n - 1n}`]);
  assert.deepEqual(
    bus.accesses().map(({ name, reads, writes }) => [name, reads, writes]),
    [
      ["a", 2, 0],
      ["b", 0, 2],
      ["wide", 1, 1],
    ],
  );
});

test("holes, misaligned accesses and impossible addresses are access faults", () => {
  const bus = new Bus([{ base: 0x1000, device: new Recorder("a", 12) }]);
  for (const address of [0, 0xfff, 0x1001, 0x100c, 0x1010, 2 ** 40, 2 ** 63, -4, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(bus.read(address, 4), undefined, `read ${address}`);
    assert.equal(bus.write(address, 4, 0), false, `write ${address}`);
    assert.equal(bus.read64(address), undefined, `read64 ${address}`);
    assert.equal(bus.write64(address, 0n), false, `write64 ${address}`);
  }
  assert.equal(bus.read64(0x1008), undefined, "leaves the device");
  assert.equal(new Bus([]).read(0, 1), undefined);
});

test("a board whose devices overlap is a mistake of ours", () => {
  const at = (base: number) => ({ base, device: new Recorder("x", 16) });
  assert.throws(() => new Bus([at(0), at(15)]), /overlap/);
});
