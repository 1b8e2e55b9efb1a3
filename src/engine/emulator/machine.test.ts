import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kernel } from "../../image/kernel.ts";
import { Machine } from "../../machine/machine.ts";
import { FakeHost } from "../../machine/testing/fakes.ts";
import { riscv64Harts } from "./riscv64-hart.ts";

/** A machine that starts a program in S-mode at 0x80200000; time is made of instructions, 2 ns each. */
function machineWith(program: readonly number[], output: string[] = []): Machine {
  const bytes = new Uint8Array(Uint32Array.from(program).buffer);
  const kernel: Kernel = { kind: "Image", bytes, textOffset: 0x20_0000, size: bytes.length };
  return new Machine({
    host: new FakeHost(),
    harts: riscv64Harts,
    memorySize: 16 * 2 ** 20,
    boot: { kernel: { name: "program", content: kernel } },
    icount: { nanosecondsPerInstruction: 2 },
    backends: {
      serial: {
        write: (bytes) => {
          output.push(String.fromCharCode(...bytes));
          return bytes.length;
        },
      },
      virtio: [],
    },
  });
}

/** SRST: shut down, no reason. */
const shutDown = [
  0x535258b7, // lui   a7, 0x53525
  0x3548889b, // addiw a7, a7, 0x354
  0x00000813, // li    a6, 0
  0x00000513, // li    a0, 0
  0x00000593, // li    a1, 0
  0x00000073, // ecall
];
const a3 = 13;
const a4 = 14;

/** Sets stimecmp 50 ticks ahead, enables the interrupt, does `wait`, and says in a4 how many ticks late the handler runs. */
const timerProgram = (...wait: number[]) => [
  0x00000297, //     auipc  t0, 0
  0x02c28293, //     addi   t0, t0, 44
  0x10529073, //     csrw   stvec, t0
  0xc0102373, //     rdtime t1
  0x03230313, //     addi   t1, t1, 50
  0x14d31073, //     csrw   stimecmp, t1
  0x02000393, //     li     t2, 0x20
  0x1043a073, //     csrs   sie, t2
  0x10016073, //     csrsi  sstatus, 2
  ...wait, //        2 instructions
  0xc0102773, // 44: rdtime a4
  0x40670733, //     sub    a4, a4, t1
  ...shutDown,
];

test("a timer that the guest sets while it runs interrupts it at the very tick", async () => {
  const machine = machineWith(
    timerProgram(
      0x00168693, // 1: addi a3, a3, 1
      0xffdff06f, //    j    1b
    ),
  );
  assert.deepEqual(await machine.run(), { kind: "power-off" });
  assert.equal(machine.hart.getX(a4), 0n);
  // 50 ticks of 50 instructions, in a loop of two.
  const rounds = Number(machine.hart.getX(a3));
  assert.ok(rounds > 1200 && rounds <= 1250, `${rounds}`);
});

test("a timer ends a wait for an interrupt, and the machine runs again as it ran before", async () => {
  const machine = machineWith(
    timerProgram(
      0x10500073, // 1: wfi
      0xffdff06f, //    j    1b
    ),
  );
  const runs: unknown[] = [];
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await machine.run(), { kind: "power-off" });
    assert.equal(machine.hart.getX(a4), 0n);
    runs.push([machine.hart.instret, machine.clock.now()]);
  }
  assert.deepEqual(runs[0], runs[1]);
  assert.equal(machine.stats().waits, 2);
});

test("the guest reaches devices, the firmware's console and the power switch", async () => {
  const output: string[] = [];
  const machine = machineWith(
    [
      0x100002b7, // lui  t0, 0x10000
      0x04100313, // li   t1, 'A'
      0x00628023, // sb   t1, 0(t0)
      0x00100893, // li   a7, 1
      0x04200513, // li   a0, 'B'
      0x00000073, // ecall
      0x001002b7, // lui  t0, 0x100
      0x00073337, // lui  t1, 0x73
      0x3333031b, // addiw t1, t1, 0x333
      0x0062a023, // sw   t1, 0(t0)
      0x0000006f, // j    .
    ],
    output,
  );
  assert.deepEqual(await machine.run(), { kind: "failed", code: 7 });
  assert.deepEqual(output, ["A", "B"]);
});
