import assert from "node:assert/strict";
import { test } from "node:test";
import { Machine } from "../../machine/machine.ts";
import { FakeHost } from "../../machine/testing/fakes.ts";
import { InstructionTrace } from "./instruction-trace.ts";
import { type Lane, Lockstep, type LockstepDifference, LockstepEnd, type LockstepOptions } from "./lockstep.ts";
import { riscv64HartFactory } from "./riscv64-hart.ts";

/** Counts in a1 to `last`, in a0 what it was told to add; stores a0 each time; then shuts down. */
const program = (increment = 0x00150513, stored = 0x00a2b023) => [
  0x802102b7, // lui   t0, 0x80210
  0x02029293, // slli  t0, t0, 32
  0x0202d293, // srli  t0, t0, 32
  0x000205b7, // lui   a1, 0x20
  increment, //  addi  a0, a0, 1
  stored, //     sd    a0, 0(t0)
  0xfff58593, // addi  a1, a1, -1
  0xfe059ae3, // bnez  a1, -12
  0x00100337, // lui   t1, 0x100
  0x000053b7, // lui   t2, 0x5
  0x5553839b, // addiw t2, t2, 0x555
  0x00732023, // sw    t2, 0(t1)
  0x0000006f, // j     .
];

async function run(programs: readonly [number[], number[]], options: LockstepOptions = {}, lanes: readonly Lane[] = [0, 1]) {
  const lockstep = new Lockstep(options);
  const exits = lanes.map(async (lane) => {
    const bytes = new Uint8Array(Uint32Array.from(programs[lane]).buffer);
    const machine = new Machine({
      host: lockstep.host(lane, new FakeHost()),
      harts: lockstep.harts(lane, riscv64HartFactory({ tier: lane })),
      memorySize: 16 * 2 ** 20,
      boot: { firmware: { name: "program", content: { kind: "raw", bytes } } },
      icount: { nanosecondsPerInstruction: 10 },
      backends: { serial: { write: (bytes) => bytes.length }, virtio: [] },
    });
    try {
      return (await machine.run()).kind;
    } catch (error) {
      assert.ok(error instanceof LockstepEnd, String(error));
      return "stopped";
    } finally {
      lockstep.end(lane);
    }
  });
  return { lockstep, exits: await Promise.all(exits) };
}

test("two tiers that do the same are the same to the end", async () => {
  const { lockstep, exits } = await run([program(), program()], { plans: [{ from: 0, step: 5000 }] });
  assert.deepEqual(exits, ["power-off", "power-off"]);
  assert.equal(lockstep.difference, undefined);
  assert.ok(lockstep.compared > 50 && lockstep.instructions > 0x20000 * 4, `${lockstep.compared} ${lockstep.instructions}`);
});

test("a limit ends both, and is no difference", async () => {
  const { lockstep, exits } = await run([program(), program()], { until: 1000, plans: [{ from: 0, step: 100 }] });
  assert.deepEqual([lockstep.difference, exits[1], lockstep.instructions], [undefined, "stopped", 1000]);
});

test("a register that differs is found between two boundaries", async () => {
  const { lockstep, exits } = await run([program(), program(0x00250513)], { plans: [{ from: 0, step: 100 }] });
  assert.equal(exits[1], "stopped");
  const { same, different, fields } = lockstep.difference as LockstepDifference;
  assert.ok(same < different && different - same <= 100, `${same} ${different}`);
  const [a0] = fields;
  assert.deepEqual([fields.length, a0.name, a0.values[1]], [1, "a0", 2n * a0.values[0]]);
});

test("memory that differs is found, and then the instruction near which it begins", async () => {
  // The second stores a1, which is no other register's value.
  const programs = [program(), program(undefined, 0x00b2b023)] as const;
  const { lockstep } = await run([...programs], { memoryInterval: 1 });
  // The first is in the program itself.
  assert.equal(lockstep.difference?.memoryOffset, 16);
  const closer = await run([...programs], { watch: [0x21_0000], plans: [{ from: 0, step: 64 }] });
  assert.equal(closer.lockstep.difference?.same, 0);
  assert.match(closer.lockstep.difference.fields[0].name, /^memory/);
});

test("a trace has the last instructions, and who wrote each register", async () => {
  let trace: InstructionTrace | undefined;
  const begin: NonNullable<LockstepOptions["trace"]>["begin"] = (memory) => {
    trace = new InstructionTrace(memory, 3);
    return trace;
  };
  const lockstep = await run([program(), program()], { until: 1000, trace: { from: 900, begin } }, [0]);
  assert.deepEqual(lockstep.exits, ["stopped"]);
  assert.deepEqual(
    trace?.last.map(({ index }) => index),
    [997, 998, 999],
  );
  assert.equal(trace.writers.get("a0")?.text, "addi a0,a0,1");
  assert.equal(trace.writers.get("t0"), undefined);
});
