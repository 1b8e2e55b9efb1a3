import assert from "node:assert/strict";
import { test } from "node:test";
import type { Irq, MmioDevice } from "../../devices/ports.ts";
import { type Board, type BoardBackends, createBoard } from "./board.ts";
import { memoryMap, virtioSlot } from "./memory-map.ts";

function setup(backends: Partial<BoardBackends> = {}) {
  const lines: Record<string, boolean> = {};
  const line = (name: string): Irq => ({
    set: (level) => {
      lines[name] = level;
    },
  });
  const events: unknown[] = [];
  const board = createBoard({
    clock: { now: () => 0, wallTime: () => 0n, schedule: () => () => {} },
    dma: { read: () => undefined, write: () => undefined },
    harts: [{ msip: line("msip"), mtip: line("mtip"), meip: line("meip"), seip: line("seip") }],
    powerOff: (code) => events.push(code),
    reset: () => events.push("reset"),
    backends: { serial: { write: (bytes) => bytes.length }, virtio: [], ...backends },
  });
  return { board, lines, events };
}

function at(board: Board, address: number): { device: MmioDevice; offset: number } {
  const mapping = board.mappings.find(({ base, device }) => address >= base && address < base + device.size)!;
  assert.ok(mapping, `nothing at 0x${address.toString(16)}`);
  return { device: mapping.device, offset: address - mapping.base };
}
function write(board: Board, address: number, value: number, size: 1 | 2 | 4 = 4): void {
  const { device, offset } = at(board, address);
  device.write(offset, size, value);
}
function read(board: Board, address: number): number {
  const { device, offset } = at(board, address);
  return device.read(offset, 4);
}

const slotDevice = (irqs: Irq[]) => (ports: { irq: Irq }) => {
  irqs.push(ports.irq);
  const state = { schema: "d", version: 1 };
  return { name: "d", size: 0x1000, read: () => 1, write: () => {}, reset: () => {}, save: () => state, load: () => {} };
};

test("each device's interrupt has the number that the device tree says, in both contexts of the hart", () => {
  const irqs: Irq[] = [];
  const { board, lines } = setup({ virtio: [slotDevice(irqs), slotDevice(irqs)] });
  const claims = { meip: memoryMap.plic.base + 0x20_0004, seip: memoryMap.plic.base + 0x20_1004 };
  for (const source of [1, 2, 10]) write(board, memoryMap.plic.base + 4 * source, 1);
  for (const [context, line] of [
    [0, "meip"],
    [1, "seip"],
  ] as const) {
    write(board, memoryMap.plic.base + 0x2000 + 0x80 * context, 0b100_0000_0110);
    irqs[1].set(true);
    assert.equal(lines[line], true);
    assert.equal(read(board, claims[line]), virtioSlot(1).interrupt);
    irqs[1].set(false);
    write(board, claims[line], virtioSlot(1).interrupt);
    assert.equal(lines[line], false);

    write(board, memoryMap.uart.base + 1, 1, 1);
    board.serial.push(Uint8Array.of(65));
    assert.equal(read(board, claims[line]), memoryMap.uart.interrupt);
    at(board, memoryMap.uart.base).device.read(0, 1);
    write(board, claims[line], memoryMap.uart.interrupt);
    write(board, memoryMap.plic.base + 0x2000 + 0x80 * context, 0);
  }
  write(board, memoryMap.clint.base, 1);
  assert.equal(lines.msip, true);
});

test("the finisher speaks for the machine", () => {
  const { board, events } = setup();
  for (const value of [0x5555, 0x7777, 0x3333 | (5 << 16)]) write(board, memoryMap.test.base, value);
  assert.deepEqual(events, [0, "reset", 5]);
});

test("a slot without a device says so", () => {
  const { board } = setup({ virtio: [slotDevice([])] });
  assert.equal(read(board, virtioSlot(0).base), 1);
  const { base } = virtioSlot(7);
  assert.deepEqual(
    [0, 4, 8, 12].map((offset) => read(board, base + offset)),
    [0x74726976, 2, 0, 0],
  );
  assert.throws(() => setup({ virtio: Array.from({ length: 9 }, () => slotDevice([])) }), /9 virtio devices/);
});

test("the firmware's console keeps input until it is fetched, and no more than it can", () => {
  let ready = 0;
  const { board } = setup({ serial: { write: () => 1, inputReady: () => ready++ } });
  const { console } = board;
  assert.equal(console.write(Uint8Array.of(1, 2)), 1);
  const bytes = new Uint8Array(3);
  assert.equal(console.read(bytes), 0);
  assert.equal(console.push(Uint8Array.of(1, 2, 3, 4)), 4);
  assert.equal(console.read(bytes), 3);
  assert.deepEqual([...bytes], [1, 2, 3]);
  assert.equal(console.push(new Uint8Array(5000)), 4095);
  assert.equal(ready, 0);
  assert.equal(console.read(bytes), 3);
  assert.equal(ready, 1);
});
