import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { statsText } from "./stats.ts";
import { viv } from "./testing/viv.ts";

const folder = mkdtempSync("/var/tmp/viv-stats-");
after(() => rmSync(folder, { recursive: true }));

/** In M-mode: an illegal instruction, whose handler lets it go on; a byte for the serial port; power off. */
const program = [
  0x00000297, //     auipc t0, 0
  0x01028293, //     addi  t0, t0, 16
  0x30529073, //     csrw  mtvec, t0
  0x00000000, //     unimp
  0x100002b7, // 16: lui   t0, 0x10000
  0x02e00313, //     li    t1, '.'
  0x00628023, //     sb    t1, 0(t0)
  0x00100337, //     lui   t1, 0x100
  0x000053b7, //     lui   t2, 0x5
  0x5553839b, //     addiw t2, t2, 0x555
  0x00732023, //     sw    t2, 0(t1)
  0x0000006f, //     j     .
];

test("--stats=json says on stderr what the guest did", async () => {
  const firmware = join(folder, "firmware.bin");
  writeFileSync(firmware, Buffer.from(Uint32Array.from(program).buffer));
  const { code, stdout, stderr } = await viv(["run", "--firmware", firmware, "--icount", "--stats=json"]);
  assert.deepEqual([code, stdout.toString()], [0, "."]);
  const stats = JSON.parse(stderr);
  assert.deepEqual(stats.hart.traps, { "illegal instruction": 1 });
  assert.equal(stats.hart.tiers[0].instructions + stats.hart.tiers[1].instructions, stats.instructions);
  const writes = Object.fromEntries(stats.devices.map(({ name, writes }: { name: string; writes: number }) => [name, writes]));
  assert.deepEqual(writes, { uart16550: 1, "test-finisher": 1 });
});

test("for a person, it is a few lines, largest counts first", () => {
  const text = statsText({
    instructions: 2_000_000,
    guestTime: 1.5e9,
    runs: { count: 30, calls: 2, waits: 4, asleep: 1e9 },
    supervisorCalls: { base: 2, time: 0 },
    devices: [
      { name: "quiet", base: 0x1000, reads: 1, writes: 0 },
      { name: "busy", base: 0x2000, reads: 5, writes: 1000 },
    ],
    hart: {
      tiers: [
        { tier: 0, instructions: 500_000 },
        { tier: 1, instructions: 1_500_000, entries: 7 },
      ],
      exits: { budget: 20, wfi: 4, ecall: 2 },
      caches: { tlbMisses: 3, pageWalks: 12 },
      traps: { "load page fault": 9, breakpoint: 10 },
    },
  });
  assert.deepEqual(text.trimEnd().split("\n"), [
    "instructions    2,000,000 in 1.500 s of guest time",
    "runs            30, 4 waits (1.000 s asleep), 2 calls",
    "tier 0          500,000 (25.0 %)",
    "tier 1          1,500,000 (75.0 %), entered 7 times",
    "exits           budget 20, wfi 4, ecall 2",
    "caches          page walks 12, tlb misses 3",
    "traps           breakpoint 10, load page fault 9",
    "firmware calls  base 2",
    "busy at 2000    5 reads, 1,000 writes",
    "quiet at 1000   1 reads, 0 writes",
  ]);
});
