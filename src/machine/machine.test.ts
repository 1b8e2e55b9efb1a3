import assert from "node:assert/strict";
import { test } from "node:test";
import { finisher, memoryMap } from "../boards/riscv-virt/memory-map.ts";
import type { MmioDevice } from "../devices/ports.ts";
import type { Kernel } from "../image/kernel.ts";
import { exitReason, type HartPorts, interruptBit, privilege } from "./hart.ts";
import { Machine, type MachineOptions } from "./machine.ts";
import { csr } from "./sbi/extension.ts";
import { FakeHart, type Step } from "./testing/fake-hart.ts";
import { FakeHost } from "./testing/fakes.ts";

const MiB = 2 ** 20;
const image: Kernel = { kind: "Image", bytes: new Uint8Array(4096).fill(0x13), textOffset: 2 * MiB, size: MiB };
const firmware = { name: "fw", content: { kind: "raw" as const, bytes: new Uint8Array(100).fill(0x6f) } };

interface Rig {
  machine: Machine;
  hart: FakeHart;
  host: FakeHost;
  ports: HartPorts;
  output: string[];
}

/** A machine whose hart follows a script; instructions take a nanosecond of the host's time each. */
function rig(script: (rig: Rig) => Iterable<Step>, options: Partial<MachineOptions> = {}): Rig {
  const host = new FakeHost();
  const output: string[] = [];
  const hart = new FakeHart();
  const run = hart.run.bind(hart);
  hart.run = (budget) => {
    const before = hart.instret;
    const reason = run(budget);
    host.time += Math.max(0, hart.instret - before);
    return reason;
  };
  let ports!: HartPorts;
  const machine = new Machine({
    host,
    harts: {
      reserved: 4096,
      create: (given) => {
        ports = given;
        return hart;
      },
    },
    memorySize: 16 * MiB,
    boot: { kernel: { name: "vmlinux", content: image } },
    backends: {
      serial: {
        write: (bytes) => {
          output.push(Buffer.from(bytes).toString());
          return bytes.length;
        },
      },
      virtio: [],
    },
    ...options,
  });
  const result = { machine, hart, host, ports, output };
  hart.script = script(result)[Symbol.iterator]();
  return result;
}

const finish = (ports: HartPorts, value: number): Step => ({
  act: () => ports.mmioWrite(memoryMap.test.base, 4, value),
  exit: exitReason.budget,
  instructions: 10,
});
const powerOff = (ports: HartPorts) => finish(ports, finisher.pass);
const plain: Step = { exit: exitReason.budget };

const turn = () => new Promise((resolve) => setImmediate(resolve));

function* forever(step: Step): Generator<Step> {
  for (;;) yield step;
}

test("a kernel finds itself in memory, in S-mode, with nothing withheld from it", () => {
  const { machine, hart } = rig(() => []);
  assert.equal(machine.state, "ready");
  const { memory, ram } = machine.memory;
  assert.equal(new Uint8Array(memory.buffer)[ram.offset + 2 * MiB], 0x13);
  assert.equal(hart.mode, privilege.S);
  assert.equal(hart.pc, 0x8020_0000n);
  const tree = Number(hart.getX(11)) - ram.base;
  assert.equal(new DataView(memory.buffer).getUint32(ram.offset + tree), 0xd00dfeed);
  assert.equal(hart.csrs.get(csr.medeleg)! & (1n << 9n), 0n, "calls to the machine are not delegated");
  assert.equal(hart.csrs.get(csr.mideleg), 0x222n);
});

test("firmware finds the boot ROM, and calls of its kernel are its own affair", () => {
  let sbi: boolean | undefined;
  const hart = new FakeHart();
  const { machine } = rig(() => [], {
    boot: { firmware },
    harts: {
      reserved: 0,
      create: (_, __, options) => {
        sbi = options.sbi;
        return hart;
      },
    },
  });
  assert.equal(sbi, false);
  assert.equal(hart.pc, BigInt(memoryMap.mrom.base));
  assert.equal(hart.csrs.size, 0);
  const { memory, rom } = machine.memory;
  assert.equal(new DataView(memory.buffer).getUint32(rom.offset, true), 0x297);
});

test("the guest's power-off ends the machine, with its code", async () => {
  for (const [value, exit] of [
    [finisher.pass, { kind: "power-off" }],
    [finisher.fail | (7 << 16), { kind: "failed", code: 7 }],
  ] as const) {
    const { machine, hart } = rig(({ ports }) => [plain, finish(ports, value), plain, plain]);
    assert.deepEqual(await machine.run(), exit);
    assert.equal(machine.state, "ready");
    assert.equal(hart.budgets.length, 2, "nothing runs afterwards");
    assert.equal(hart.exitRequests > 0, true);
  }
});

test("a call is answered and the hart goes on behind it", async () => {
  const { machine, hart, output } = rig(() => [
    {
      act: (hart) => {
        hart.setX(17, 1n); // legacy console_putchar
        hart.setX(10, 65n);
      },
      exit: exitReason.ecall,
    },
    {
      act: (hart) => {
        assert.equal(hart.pc, 0x8020_0004n);
        hart.setX(17, 0x53525354n); // SRST: shut down
        hart.setX(16, 0n);
        hart.setX(10, 0n);
        hart.setX(11, 1n);
      },
      exit: exitReason.ecall,
    },
  ]);
  assert.deepEqual(await machine.run(), { kind: "failed", code: 1 });
  assert.deepEqual(output, ["A"]);
  assert.equal(hart.getX(10), 0n);
  assert.deepEqual(machine.stats().sbiCalls, { console_putchar: 1, SRST: 1 });
});

test("a hart that suspends itself by a call sleeps until an interrupt, unless one is pending", async () => {
  const suspend = (pending: bigint): Step => ({
    act: (hart) => {
      hart.setX(17, 0x48534dn);
      hart.setX(16, 3n);
      hart.setX(10, 0n);
      hart.csrs.set(csr.mip, pending);
      hart.csrs.set(csr.mie, 0x20n);
    },
    exit: exitReason.ecall,
  });
  const { machine, hart, host } = rig(({ ports }) => [suspend(0x20n), suspend(0x2n), powerOff(ports)]);
  host.onSleep = () => {
    assert.equal(hart.budgets.length, 2);
    assert.equal(hart.getX(10), 0n);
    machine.board.mappings.find(({ base }) => base === memoryMap.clint.base)!.device.write(0, 4, 1);
  };
  assert.deepEqual(await machine.run(), { kind: "power-off" });
  assert.equal(host.sleeps.length, 1);
});

test("after a reset the guest runs from the state after power-on", async () => {
  let resets = 0;
  const device = {
    name: "d",
    size: 4096,
    read: () => 0,
    write: () => {},
    save: () => ({ schema: "d", version: 1 }),
    load: () => {},
  };
  const create = (): MmioDevice => ({ ...device, reset: () => resets++ });
  const spoil = (machine: Machine) =>
    new Uint8Array(machine.memory.memory.buffer).fill(9, machine.memory.ram.offset, machine.memory.ram.offset + 4 * MiB);
  const script = ({ machine, ports }: Rig): Step[] => [
    { ...finish(ports, finisher.reset), act: () => [spoil(machine), ports.mmioWrite(memoryMap.test.base, 4, finisher.reset)] },
    {
      act: (hart) => {
        const bytes = new Uint8Array(machine.memory.memory.buffer, machine.memory.ram.offset + 2 * MiB, MiB);
        assert.deepEqual([bytes[0], bytes[4095], bytes[4096], bytes[MiB - 1]], [0x13, 0x13, 0, 0]);
        assert.equal(hart.pc, 0x8020_0000n);
        assert.equal(machine.clock.now() < 1000, true, "time starts again");
        ports.mmioWrite(memoryMap.test.base, 4, finisher.pass);
      },
      exit: exitReason.budget,
    },
  ];
  const backends = { serial: { write: () => 0 }, virtio: [create] };
  const { machine } = rig(script, { backends });
  assert.deepEqual(await machine.run(), { kind: "reset" });
  assert.deepEqual(await machine.run(), { kind: "power-off" });
  assert.equal(resets, 2);
});

test("an idle guest sleeps until its timer, and is run when it is due", async () => {
  const { machine, hart, host } = rig(({ ports, host }) => [
    { act: (hart) => (hart.deadline = 500), exit: exitReason.wfi, instructions: 1000 },
    // The deadline is past and the guest does not take the interrupt: it sleeps for good, until somebody types.
    { act: () => assert.ok(host.time >= 50_000), exit: exitReason.wfi },
    powerOff(ports),
  ]);
  host.onSleep = (delay) => {
    if (delay < 1e9) return;
    // As a driver would have done: the UART's interrupt through the PLIC to S-mode.
    const { plic, uart } = memoryMap;
    machineWrites(plic.base + 4 * uart.interrupt, 1);
    machineWrites(plic.base + 0x2080, 1 << uart.interrupt);
    machine.board.mappings.find(({ base }) => base === uart.base)!.device.write(1, 1, 1);
    assert.equal(machine.board.serial.push(Uint8Array.of(13)), 1);
    assert.ok(hart.interrupts.has(interruptBit.SEIP));
  };
  const machineWrites = (address: number, value: number) => {
    const { base, device } = machine.board.mappings.find(({ base }) => base === memoryMap.plic.base)!;
    device.write(address - base, 4, value);
  };
  assert.deepEqual(await machine.run(), { kind: "power-off" });
  assert.deepEqual(host.sleeps, [49_000, 3600e9]);
  assert.equal(machine.stats().waits, 2);
});

test("slices end about where a timer is due, and never last long", async () => {
  const { machine, hart, host } = rig(function* ({ ports, hart, machine }) {
    // The loop learns that this host executes an instruction a nanosecond.
    for (let i = 0; i < 50; i++) yield plain;
    hart.deadline = machine.clock.ticks() + Math.floor(hart.budgets.at(-1)! / 100) + 5000;
    yield plain;
    yield powerOff(ports);
  });
  await machine.run();
  assert.ok(hart.budgets.every((budget) => budget <= 3_000_000));
  const [learned, bounded] = [hart.budgets[49], hart.budgets[51]];
  assert.ok(learned > 2_900_000, `${learned}`);
  assert.ok(bounded > 450_000 && bounded <= 500_000, `${bounded}`);
  assert.ok(host.yields >= 45, "the host has its turn after each of the long slices");
});

test("a guest that hammers a device does not hold the host up", async () => {
  const { machine, hart } = rig(({ ports, host }) => [
    plain,
    {
      act: (hart) => {
        for (let i = 0; i < 10_000 && hart.exitRequests === 0; i++) {
          host.time += 5000;
          ports.mmioRead(memoryMap.rtc.base, 4);
        }
        assert.equal(hart.exitRequests, 1);
      },
      exit: exitReason.budget,
    },
    powerOff(ports),
  ]);
  await machine.run();
  assert.ok(hart.exitRequests > 0);
});

test("a device that is always busy neither wakes the guest nor holds the host up", async () => {
  for (const icount of [undefined, { nanosecondsPerInstruction: 2 }]) {
    const { machine, hart, host } = rig(() => [], { ...(icount && { icount }) });
    let served = 0;
    const serve = () => {
      served++;
      machine.clock.schedule(machine.clock.now() + (served % 3 === 0 ? 0 : 10_000), serve);
    };
    const run = machine.run();
    serve();
    while (served < 100) await turn();
    assert.ok(hart.budgets.length <= 2, `${hart.budgets.length} runs`);
    assert.ok(icount === undefined || host.yields >= 60);
    machine.stop();
    await run;
  }
});

test("a guest that loops for ever can be paused, resumed, reset and stopped, and its time stands still meanwhile", async () => {
  const { machine, hart, host } = rig(() => forever(plain));
  await machine.pause();
  machine.resume();
  machine.stop();
  let run = machine.run();
  await turn();
  await assert.rejects(machine.run(), { code: "BAD_STATE", message: /cannot start a machine that is running/ });
  await machine.pause();
  assert.equal(machine.state, "paused");
  const [time, runs] = [machine.clock.now(), hart.budgets.length];
  host.time += 1e9;
  await turn();
  assert.equal(machine.clock.now(), time);
  assert.equal(hart.budgets.length, runs);
  await machine.pause();
  machine.resume();
  machine.resume();
  await turn();
  assert.ok(hart.budgets.length > runs);
  machine.reset();
  assert.deepEqual(await run, { kind: "reset" });
  run = machine.run();
  assert.equal(hart.resets, 2);
  await turn();
  await machine.pause();
  machine.stop();
  assert.deepEqual(await run, { kind: "stopped" });
  assert.equal(machine.state, "ready");
});

test("pausing and resuming within one slice changes nothing", async () => {
  const { machine, hart } = rig(() => forever(plain));
  const run = machine.run();
  const paused = machine.pause();
  machine.resume();
  await paused;
  await turn();
  assert.equal(machine.state, "running");
  assert.ok(hart.budgets.length > 1);
  await machine.pause();
  machine.resume();
  // It has not gone on yet, and shall not.
  await machine.pause();
  const runs = hart.budgets.length;
  await turn();
  await turn();
  assert.equal(hart.budgets.length, runs);
  machine.resume();
  machine.stop();
  assert.deepEqual(await run, { kind: "stopped" });
  assert.equal(hart.budgets.length, runs);
});

test("a machine that sleeps is paused and stopped at once", async () => {
  const { machine, host } = rig(() => []);
  const run = machine.run();
  while (host.sleeps.length === 0) await turn();
  await machine.pause();
  machine.resume();
  while (host.sleeps.length === 1) await turn();
  machine.stop();
  assert.deepEqual(await run, { kind: "stopped" });
});

test("what a backend fails with ends the machine and is told", async () => {
  const { machine } = rig(({ ports }) => [{ act: () => ports.mmioWrite(memoryMap.uart.base, 1, 65), exit: exitReason.budget }], {
    backends: {
      serial: {
        write: () => {
          throw new Error("the terminal is gone");
        },
      },
      virtio: [],
    },
  });
  await assert.rejects(machine.run(), /the terminal is gone/);
  assert.equal(machine.state, "ready");
});

test("with time made of instructions, timers are due at exact instructions and nobody sleeps", async () => {
  const run = async (hostSpeed: number) => {
    const times: number[] = [];
    const { machine, hart, host } = rig(
      ({ ports, machine, host }) => [
        {
          instructions: 1000,
          act: () => {
            host.time += hostSpeed;
            machine.clock.schedule(5000, () => times.push(machine.clock.now()));
          },
          exit: exitReason.budget,
        },
        plain,
        { act: (hart) => (hart.deadline = 1000), exit: exitReason.wfi, instructions: 10 },
        { act: () => times.push(machine.clock.now(), ports.time(), Number(machine.clock.wallTime())), exit: exitReason.budget },
        powerOff(ports),
      ],
      { icount: { nanosecondsPerInstruction: 2 } },
    );
    await machine.run();
    assert.deepEqual(host.sleeps, []);
    return { times, budgets: hart.budgets };
  };
  const [slow, fast] = [await run(1e7), await run(3)];
  assert.deepEqual(slow, fast);
  assert.equal(slow.budgets[1], 1500, "2 ns an instruction, 2000 ns gone, due at 5000");
  assert.equal(slow.times[0], 5000);
  // 100_000 ns is tick 1000; the slice after it is as long as it may be.
  assert.equal(slow.times[1] >= 100_000, true);
});
