import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../devices/testing/fuzz.ts";
import { VirtioBlock } from "../../devices/virtio/block/device.ts";
import { VirtioConsole } from "../../devices/virtio/console/device.ts";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { VirtioRng } from "../../devices/virtio/rng/device.ts";
import { exitReason, type HartPorts } from "../../machine/hart.ts";
import { Machine } from "../../machine/machine.ts";
import { FakeHart, type Step } from "../../machine/testing/fake-hart.ts";
import { FakeHost } from "../../machine/testing/fakes.ts";

const MiB = 2 ** 20;

test("whatever a guest writes to whatever device, the machine goes on, and ends when it is told to", async () => {
  for (const icount of [undefined, { nanosecondsPerInstruction: 2 }]) {
    for (let seed = 1; seed <= 4; seed++) {
      const random = new Random(seed);
      const next = () => random.word();
      const pick = <T>(items: readonly T[]): T => items[random.below(items.length)];
      let ports!: HartPorts;
      const disk = new Uint8Array(64 * 512);
      const hart = new FakeHart();
      const host = new FakeHost();
      const write = (bytes: Uint8Array) => next() % (bytes.length + 1);
      const machine: Machine = new Machine({
        host,
        harts: {
          reserved: 0,
          create: (given) => {
            ports = given;
            return hart;
          },
        },
        memorySize: 16 * MiB,
        boot: { kernel: { name: "k", content: { kind: "Image", bytes: new Uint8Array(64), textOffset: 0, size: 64 } } },
        ...(icount && { icount }),
        backends: {
          serial: { write },
          virtio: [
            new VirtioBlock({
              size: disk.length,
              readOnly: false,
              read: (offset, into) => into.set(disk.subarray(offset, offset + into.length)),
              write: (offset, from) => disk.set(from, offset),
              flush: () => Promise.resolve(),
              writeZeroes: (offset, length) => void disk.fill(0, offset, offset + length),
            }),
            new VirtioConsole([{ backend: { write } }, { backend: { write }, name: "n" }]),
            new VirtioRng({ fill: (bytes) => machine.entropy.fill(bytes) }),
          ].map((device) => (given) => new VirtioMmio(device, given)),
        },
      });
      const ranges = machine.board.mappings.map(({ base, device }) => ({ base, size: device.size }));
      const values = () =>
        pick([next(), next() % 16, 0x8000_0000 + (next() % (16 * MiB)), 0, 0xffff_ffff, 1 << (next() % 32)]) >>> 0;
      const access = () => {
        const { base, size: length } = pick(ranges);
        const size = pick([1, 2, 4, 8] as const);
        const within = pick([0x200, length]);
        const address = base + (next() % Math.min(within, length)) - (next() % 16 === 0 ? 1 : 0);
        const aligned = next() % 8 === 0 ? address : address - (address % size);
        const value = values();
        if (next() % 3 === 0) size === 8 ? ports.mmioRead64(aligned) : ports.mmioRead(aligned, size);
        else if (size === 8) ports.mmioWrite64(aligned, (BigInt(values()) << 32n) | BigInt(value));
        else ports.mmioWrite(aligned, size, size === 4 ? value : value % 2 ** (8 * size));
      };
      let steps = 200;
      const rubbish = function* (): Generator<Step> {
        while (steps-- > 0) {
          const act = () => {
            for (let i = 0; i < 100; i++) access();
            machine.board.serial.push(Uint8Array.of(next() & 0xff));
          };
          yield { act, exit: next() % 4 === 0 ? exitReason.wfi : exitReason.budget, instructions: 1000 };
        }
        machine.stop();
        for (;;) yield { exit: exitReason.wfi };
      };
      hart.script = rubbish();
      // A guest that has switched off what could wake it.
      host.onSleep = (delay) => {
        if (delay >= 3600e9) machine.reset();
      };
      while (steps > 0) await machine.run();
      const run = machine.run();
      machine.stop();
      assert.deepEqual(await run, { kind: "stopped" });
    }
  }
});
