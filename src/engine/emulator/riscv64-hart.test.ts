import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reservedBytes } from "../../isa/riscv64/layout.ts";
import { exitReason, interruptBit, type Privilege, privilege } from "../../machine/hart.ts";
import { createMemory } from "../../machine/memory-layout.ts";
import { Riscv64Hart, type Tier } from "./riscv64-hart.ts";

const base = 0x8000_0000;
const csr = {
  mstatus: 0x300,
  mie: 0x304,
  mtvec: 0x305,
  mepc: 0x341,
  mcause: 0x342,
  mtval: 0x343,
  menvcfg: 0x30a,
  satp: 0x180,
} as const;
const pmpcfg0 = 0x3a0;
const pmpaddr0 = 0x3b0;
/** Where traps go: an endless loop, so that what they left can be looked at. */
const handler = base + 0x8000;
const device = 0x1000_0000;
const x = { t0: 5, s0: 8, s1: 9, a0: 10, a1: 11, a2: 12, s2: 18, s3: 19 } as const;

/** A hart with RAM and a device that remembers what it is told. */
class Bench {
  readonly hart: Riscv64Hart;
  readonly writes: number[] = [];
  onWrite: () => void = () => {};
  readonly #view: DataView;
  readonly #ram: number;

  constructor(tier: Tier, mode: Privilege = privilege.M) {
    const memory = createMemory({
      reserved: reservedBytes,
      ram: { base, size: 16 * 2 ** 20 },
      rom: { base: 0x1000, size: 4096 },
    });
    const ports = {
      mmioRead: (address: number) => (address === device ? 0x5a : undefined),
      mmioRead64: () => undefined,
      mmioWrite: (address: number, _: number, value: number) => {
        if (address !== device) return false;
        this.writes.push(value);
        this.onWrite();
        return true;
      },
      mmioWrite64: () => false,
      time: () => 0,
    };
    this.#view = new DataView(memory.memory.buffer);
    this.#ram = memory.ram.offset;
    this.hart = new Riscv64Hart(ports, memory, { id: 0, sbi: false, tier });
    this.hart.reset({ pc: BigInt(base), mode });
    this.hart.setCsr(csr.mtvec, BigInt(handler));
    this.hart.setCsr(pmpaddr0, 2n ** 54n - 1n);
    this.hart.setCsr(pmpcfg0, 0x1fn);
    this.put(handler, 0x0000006f); // j .
  }

  /** Puts words into RAM. */
  put(address: number, ...words: number[]): void {
    for (const [i, word] of words.entries()) this.#view.setUint32(this.#ram + address - base + 4 * i, word, true);
  }
  put64(address: number, value: bigint): void {
    this.#view.setBigUint64(this.#ram + address - base, value, true);
  }
  get64(address: number): bigint {
    return this.#view.getBigUint64(this.#ram + address - base, true);
  }
  set(register: keyof typeof x, value: number | bigint): void {
    this.hart.setX(x[register], BigInt(value));
  }
  get(register: keyof typeof x): bigint {
    return this.hart.getX(x[register]);
  }
  get registers(): bigint[] {
    return [this.hart.pc, ...Array.from({ length: 32 }, (_, i) => this.hart.getX(i))];
  }
  /** Cause, address and value of the last trap to M. */
  get trap(): [cause: number, epc: number, tval: number] {
    const read = (number: number) => Number(BigInt.asIntN(64, this.hart.getCsr(number)!));
    return [read(csr.mcause), read(csr.mepc), read(csr.mtval)];
  }
  /** Sv39 with the table at `base + 0x100000`: virtual pages of 4 KiB from 0 on, to where and how `entries` say. */
  map(entries: readonly (readonly [page: number, physical: number, flags: number])[]): void {
    const [root, middle, leaf] = [0x10_0000, 0x10_1000, 0x10_2000].map((offset) => base + offset);
    const pointer = (address: number) => ((BigInt(address) >> 12n) << 10n) | 1n;
    this.put64(root, pointer(middle));
    this.put64(middle, pointer(leaf));
    for (const [page, physical, flags] of entries)
      this.put64(leaf + 8 * page, ((BigInt(physical) >> 12n) << 10n) | BigInt(flags));
    this.hart.setCsr(csr.satp, (8n << 60n) | (BigInt(root) >> 12n));
  }
}

const R = 2;
const W = 4;
const X = 8;
const U = 16;
const valid = 1 | 64 | 128;

/** Loads, stores, calls, returns and branches, for ever. */
const mix = [
  0x00010417, // auipc s0, 0x10
  0x00000513, // li    a0, 0
  0x00150513, // 1: addi a0, a0, 1
  0x0ff57293, // andi  t0, a0, 255
  0x00329313, // slli  t1, t0, 3
  0x00830333, // add   t1, t1, s0
  0x00033383, // ld    t2, 0(t1)
  0x00a383b3, // add   t2, t2, a0
  0x00733023, // sd    t2, 0(t1)
  0x00757e13, // andi  t3, a0, 7
  0x000e0663, // beqz  t3, 2f
  0x014000ef, // jal   3f
  0xfd9ff06f, // j     1b
  0x02750633, // 2: mul a2, a0, t2
  0x00c6c6b3, // xor   a3, a3, a2
  0xfcdff06f, // j     1b
  0x0033d593, // 3: srli a1, t2, 3
  0x00b7073b, // addw  a4, a4, a1
  0x00008067, // ret
];

/** Counters, CSRs, reservations, interrupts let in for a moment, calls to M and returns from there, for ever; s2 is MPP = M, s3 is MPIE. */
const system = [
  0x00010417, // auipc s0, 0x10
  0x00000297, // auipc t0, 0
  0x06c28293, // addi  t0, t0, handler - .
  0x30529073, // csrw  mtvec, t0
  0x00150513, // 1: addi a0, a0, 1
  0xb02025f3, // csrr  a1, minstret
  0x00b60633, // add   a2, a2, a1
  0x340616f3, // csrrw a3, mscratch, a2
  0x00d74733, // xor   a4, a4, a3
  0x1004332f, // 2: lr.d t1, (s0)
  0x00a30333, // add   t1, t1, a0
  0x186433af, // sc.d  t2, t1, (s0)
  0xfe039ae3, // bnez  t2, 2b
  0x00757e13, // andi  t3, a0, 7
  0xfc0e1ce3, // bnez  t3, 1b
  0x30046073, // csrsi mstatus, 8
  0x30047073, // csrci mstatus, 8
  0x01f57e13, // andi  t3, a0, 31
  0xfc0e14e3, // bnez  t3, 1b
  0x00000073, // ecall
  0x341027f3, // csrr  a5, mepc
  0x00f84833, // xor   a6, a6, a5
  0x00000e97, // auipc t4, 0
  0x014e8e93, // addi  t4, t4, 3f - .
  0x341e9073, // csrw  mepc, t4
  0x30092073, // csrs  mstatus, s2
  0x30200073, // mret
  0xfa5ff06f, // 3: j  1b
  0x00188893, // handler: addi a7, a7, 1
  0x34202f73, // csrr  t5, mcause
  0x03ff5f13, // srli  t5, t5, 63
  0x001f4f13, // xori  t5, t5, 1
  0x002f1f13, // slli  t5, t5, 2
  0x34102ff3, // csrr  t6, mepc
  0x01ff0f33, // add   t5, t5, t6
  0x341f1073, // csrw  mepc, t5
  0x3009b073, // csrc  mstatus, s3
  0x30092073, // csrs  mstatus, s2
  0x30200073, // mret
];

describe("CSRs from outside", () => {
  const fs = 3n << 13n;

  it("are as M-mode reads them, whatever the mode", () => {
    const { hart } = new Bench(0, privilege.U);
    assert.equal(hart.getCsr(csr.mstatus)! & fs, 0n);
    assert.equal(hart.getCsr(0x7c0), undefined);
    hart.setCsr(csr.mstatus, 1n << 13n);
    assert.equal(hart.getCsr(csr.mstatus)! & fs, 1n << 13n);
    assert.equal(hart.mode, privilege.U);
  });

  it("can be written while floating point is off, which stays as it is", () => {
    const { hart } = new Bench(0);
    hart.setCsr(3, 0x65n);
    assert.deepEqual([hart.getCsr(1), hart.getCsr(2), hart.getCsr(3)], [5n, 3n, 0x65n]);
    assert.equal(hart.getCsr(csr.mstatus)! & fs, 0n);
  });
});

describe("run", () => {
  it("executes exactly as many instructions as asked for, the same on all tiers", () => {
    const benches = ([0, 1, "auto"] as const).map((tier) => new Bench(tier));
    for (const bench of benches) bench.put(base, ...mix);
    let expected = 0;
    let random = 12345;
    for (let i = 0; i < 600; i++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      // Mostly short runs, so that regions end in all possible places.
      const budget = 1 + ((random >>> 8) % (i % 8 === 0 ? 20_000 : i % 2 === 0 ? 40 : 700));
      expected += budget;
      for (const { hart } of benches) assert.equal(hart.run(budget), exitReason.budget);
      assert.deepEqual(
        benches.map(({ hart }) => hart.instret),
        [expected, expected, expected],
      );
      assert.deepEqual(benches[1].registers, benches[0].registers, `tier 1 after ${expected}`);
      assert.deepEqual(benches[2].registers, benches[0].registers, `tier auto after ${expected}`);
    }
    assert.ok(benches[1].hart.counters.regionInstructions > expected / 4, "tier 1 ran regions");
  });

  it("counts, traps and lets interrupts in at the same instructions on all tiers", () => {
    const benches = ([0, 1, "auto"] as const).map((tier) => new Bench(tier));
    for (const bench of benches) {
      bench.put(base, ...system);
      bench.set("s2", 0x1800);
      bench.set("s3", 0x80);
      bench.hart.setCsr(csr.mie, 1n << 11n);
    }
    const lookAt = ({ hart, registers }: Bench) => [
      hart.instret,
      ...registers,
      ...[csr.mstatus, csr.mepc, csr.mcause].map((number) => hart.getCsr(number)),
      hart.traps,
    ];
    let random = 54321;
    for (let i = 0; i < 600; i++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      const budget = 1 + ((random >>> 8) % (i % 8 === 0 ? 10_000 : i % 2 === 0 ? 40 : 700));
      for (const { hart } of benches) {
        // Raised now and then, for one run.
        hart.setInterrupt(interruptBit.MEIP, (random >>> 3) % 5 === 0);
        hart.run(budget);
      }
      assert.deepEqual(lookAt(benches[1]), lookAt(benches[0]), `tier 1 in run ${i}`);
      assert.deepEqual(lookAt(benches[2]), lookAt(benches[0]), `tier auto in run ${i}`);
    }
    const { traps } = benches[0].hart;
    assert.ok(traps["environment call from M-mode"] > 100 && traps["machine external interrupt"] > 20, JSON.stringify(traps));
  });

  it("comes back from a device's access when the device asks for it", () => {
    for (const tier of [0, 1] as const) {
      const bench = new Bench(tier);
      // 1: addi a0, a0, 1; addi a1, a1, 2; sb a0, 0(s1); addi a2, a2, 1; j 1b
      bench.put(base, 0x00150513, 0x00258593, 0x00a48023, 0x00160613, 0xff1ff06f);
      bench.set("s1", device);
      bench.onWrite = () => {
        if (bench.writes.length % 7 === 0) bench.hart.requestExit();
      };
      for (let i = 1; i <= 300; i++) {
        bench.hart.run(1_000_000);
        assert.deepEqual(
          [bench.hart.instret, bench.hart.pc, bench.writes.length],
          [35 * i - 2, BigInt(base + 12), 7 * i],
          `tier ${tier}`,
        );
      }
    }
  });
});

for (const tier of [0, 1] as const) {
  describe(`interrupts, tier ${tier}`, () => {
    const start = () => {
      const bench = new Bench(tier);
      bench.put(base, 0x00150513, 0x00258593, 0x00a48023, 0x00160613, 0xff1ff06f);
      bench.set("s1", device);
      bench.hart.setCsr(csr.mie, 1n << 11n);
      bench.hart.setCsr(csr.mstatus, 8n);
      return bench;
    };

    it("come before the next instruction when a line is raised between runs", () => {
      const bench = start();
      bench.hart.run(100_003);
      const { pc } = bench.hart;
      bench.hart.setInterrupt(interruptBit.MEIP, true);
      bench.hart.run(1);
      assert.deepEqual(bench.trap.slice(1), [Number(pc), 0]);
      assert.equal(bench.hart.getCsr(csr.mcause), (1n << 63n) | 11n);
      assert.equal(bench.hart.instret, 100_004);
    });

    it("come right after the store that raises them", () => {
      const bench = start();
      bench.onWrite = () => bench.hart.setInterrupt(interruptBit.MEIP, bench.writes.length === 5000);
      bench.hart.run(100_000);
      assert.equal(bench.writes.length, 5000);
      assert.deepEqual(bench.trap.slice(1), [base + 12, 0]);
      assert.equal(bench.get("a2"), 4999n);
    });

    it("stay pending while they are disabled, and end a wait", () => {
      const bench = start();
      bench.hart.setCsr(csr.mstatus, 0n);
      bench.put(base, 0x10500073, 0x00150513, 0xff9ff06f); // 1: wfi; addi a0, a0, 1; j 1b
      assert.equal(bench.hart.run(100), exitReason.wfi);
      assert.equal(bench.hart.pc, BigInt(base + 4));
      bench.hart.setInterrupt(interruptBit.MEIP, true);
      assert.equal(bench.hart.run(100), exitReason.budget);
      assert.ok(bench.get("a0") > 30n);
      assert.equal(bench.hart.getCsr(csr.mcause), 0n);
    });
  });

  describe(`traps, tier ${tier}`, () => {
    /** The trap of an instruction that is run often before, from where it does no harm. */
    const trapOf = (word: number, prepare: (bench: Bench) => void = () => {}, mode: Privilege = privilege.M) => {
      const bench = new Bench(tier, mode);
      // 1: addi a0, a0, -1; nop; nop; bnez a0, 1b; then the instruction
      bench.put(base, 0xfff50513, 0x00000013, 0x00000013, 0xfe051ae3, word, 0x0000006f);
      bench.set("a0", 5000);
      prepare(bench);
      for (let i = 0; i < 40; i++) bench.hart.run(1000);
      assert.equal(bench.hart.pc, BigInt(handler));
      return bench.trap;
    };
    const at = base + 16;

    it("have the encoding of an illegal instruction", () => {
      assert.deepEqual(trapOf(0xffff_ffff), [2, at, 0xffff_ffff]);
      assert.deepEqual(trapOf(0x0000_4002), [2, at, 0x4002]);
    });
    it("find floating point illegal while it is off", () => {
      assert.deepEqual(trapOf(0x02b5_7553), [2, at, 0x02b5_7553]);
    });
    it("have the address of a breakpoint, and nothing for calls", () => {
      assert.deepEqual(trapOf(0x0010_0073), [3, at, at]);
      assert.deepEqual(trapOf(0x0000_0073), [11, at, 0]);
      assert.deepEqual(trapOf(0x0000_0073, undefined, privilege.S), [9, at, 0]);
      assert.deepEqual(trapOf(0x0000_0073, undefined, privilege.U), [8, at, 0]);
    });
    it("have the address that nothing is at", () => {
      const nowhere = (bench: Bench) => bench.set("s1", 0x4000_0008);
      assert.deepEqual(trapOf(0x0004_b503, nowhere), [5, at, 0x4000_0008]); // ld a0, 0(s1)
      assert.deepEqual(trapOf(0x00a4_b023, nowhere), [7, at, 0x4000_0008]); // sd a0, 0(s1)
      const bench = new Bench(tier);
      bench.hart.pc = 0x4000_0000n;
      bench.hart.run(5);
      assert.deepEqual(bench.trap, [1, 0x4000_0000, 0x4000_0000]);
    });
    it("come from misaligned atomics, not from misaligned loads", () => {
      const odd = (bench: Bench) => bench.set("s1", base + 0x4001);
      assert.deepEqual(trapOf(0x00a4_b52f, odd), [6, at, base + 0x4001]); // amoadd.d a0, a0, (s1)
      const bench = new Bench(tier);
      bench.put(base, 0x0004_b503, 0x0000_006f); // ld a0, 0(s1)
      bench.put64(base + 0x4ff8, 0x1122_3344_5566_7788n);
      bench.put64(base + 0x5000, 0x99aa_bbcc_ddee_ff00n);
      bench.set("s1", base + 0x4ffd);
      bench.hart.run(1);
      assert.equal(bench.get("a0"), 0xccdd_eeff_0011_2233n);
    });
  });

  describe(`paging, tier ${tier}`, () => {
    /** In S-mode: 1: ld a0, 0(s1); sd a0, 0(s0); addi a1, a1, 1; j 1b */
    const copy = [0x0004_b503, 0x00a4_3023, 0x0015_8593, 0xff5f_f06f];
    const start = () => {
      const bench = new Bench(tier, privilege.S);
      bench.put(base, ...copy);
      bench.hart.pc = 0x3000n;
      return bench;
    };

    it("translates, and says which access to which address is refused", () => {
      const bench = start();
      bench.map([
        [3, base, valid | X],
        [4, base + 0x4000, valid | R],
        [5, base + 0x5000, valid | R | W],
        [6, base + 0x6000, valid | R],
      ]);
      bench.put64(base + 0x4010, 77n);
      bench.set("s1", 0x4010);
      bench.set("s0", 0x5020);
      for (let i = 0; i < 30; i++) bench.hart.run(1000);
      assert.equal(bench.get64(base + 0x5020), 77n);
      assert.equal(bench.get("a1"), 7500n);
      bench.set("s0", 0x6020);
      bench.hart.run(10);
      assert.deepEqual(bench.trap, [15, 0x3004, 0x6020]);

      const second = start();
      second.map([[3, base, valid | X]]);
      second.set("s1", 0x4010);
      second.hart.run(3);
      assert.deepEqual(second.trap, [13, 0x3000, 0x4010]);
      const third = start();
      third.map([[3, base, valid | X]]);
      third.hart.pc = 0x7000n;
      third.hart.run(3);
      assert.deepEqual(third.trap, [12, 0x7000, 0x7000]);
    });

    it("keeps S out of the pages of U, unless SUM says otherwise", () => {
      const bench = start();
      bench.map([
        [3, base, valid | X],
        [4, base + 0x4000, valid | R | W | U],
      ]);
      bench.set("s1", 0x4000);
      bench.set("s0", 0x4008);
      bench.hart.setCsr(csr.mstatus, 1n << 18n);
      for (let i = 0; i < 20; i++) bench.hart.run(1000);
      assert.equal(bench.hart.mode, privilege.S);
      bench.hart.setCsr(csr.mstatus, 0n);
      bench.hart.run(5);
      assert.equal(bench.trap[0], 13);
    });

    it("sets A and D where menvcfg.ADUE says so, and faults otherwise", () => {
      const bench = start();
      bench.map([
        [3, base, valid | X],
        [4, base + 0x4000, 1 | R | W],
      ]);
      bench.set("s1", 0x4000);
      bench.set("s0", 0x4008);
      bench.hart.run(1);
      assert.deepEqual(bench.trap, [13, 0x3000, 0x4000]);
      const other = start();
      other.hart.setCsr(csr.menvcfg, 1n << 61n);
      other.map([
        [3, base, valid | X],
        [4, base + 0x4000, 1 | R | W],
      ]);
      other.set("s1", 0x4000);
      other.set("s0", 0x4008);
      const flags = () => Number(other.get64(base + 0x10_2000 + 32) & 0xffn);
      other.hart.run(1);
      assert.equal(flags(), 1 | R | W | 64);
      other.hart.run(1);
      assert.equal(flags(), 1 | R | W | 64 | 128);
    });

    it("forgets translations when it is told to", () => {
      const bench = start();
      bench.map([
        [3, base, valid | X],
        [4, base + 0x4000, valid | R | W],
      ]);
      bench.set("s1", 0x4000);
      bench.set("s0", 0x4008);
      for (let i = 0; i < 20; i++) bench.hart.run(1000);
      bench.put64(base + 0x10_2000 + 32, 0n);
      bench.hart.flushTranslations();
      // Whole rounds were run: the load is next.
      bench.hart.run(4);
      assert.deepEqual(bench.trap, [13, 0x3000, 0x4000]);
    });
  });

  describe(`PMP, tier ${tier}`, () => {
    it("refuses U what it is not given, and takes it back", () => {
      const bench = new Bench(tier, privilege.U);
      // 1: ld a0, 0(s1); sd a0, 0(s0); addi a1, a1, 1; j 1b
      bench.put(base, 0x0004_b503, 0x00a4_3023, 0x0015_8593, 0xff5f_f06f);
      bench.set("s1", base + 0x4000);
      bench.set("s0", base + 0x5000);
      for (let i = 0; i < 20; i++) bench.hart.run(1000);
      assert.equal(bench.hart.mode, privilege.U);
      // Entry 0: the page of s0, NAPOT, no access. Entry 1: all.
      bench.hart.setCsr(pmpaddr0 + 1, 2n ** 54n - 1n);
      bench.hart.setCsr(pmpaddr0, BigInt((base + 0x5000) / 4 + 0x1ff));
      bench.hart.setCsr(pmpcfg0, 0x1f18n);
      bench.hart.run(8);
      assert.deepEqual(bench.trap, [7, base + 4, base + 0x5000]);
    });
  });

  describe(`code that changes, tier ${tier}`, () => {
    // 1: addi a0, a0, 1; addi a1, a1, -1; bnez a1, 1b; sw s2, 0(s1); mv a1, s3; fence.i; j 1b
    const modifying = [0x0015_0513, 0xfff5_8593, 0xfe05_9ce3, 0x0124_a023, 0x0009_8593, 0x0000_100f, 0xfe9f_f06f];

    it("is what the guest stored", () => {
      const bench = new Bench(tier);
      bench.put(base, ...modifying);
      bench.set("s1", base);
      bench.set("s2", 0x0025_0513); // addi a0, a0, 2
      bench.set("a1", 20_000);
      bench.set("s3", 10_000);
      for (let i = 0; i < 60; i++) bench.hart.run(1000);
      bench.hart.run(4 + 3 * 5000);
      assert.equal(bench.get("a0"), 20_000n + 2n * 5000n);
    });

    it("is what was stored by way of another address", () => {
      const bench = new Bench(tier, privilege.S);
      bench.map([
        [3, base, valid | R | X],
        [9, base, valid | R | W],
      ]);
      bench.put(base, ...modifying);
      bench.hart.pc = 0x3000n;
      bench.set("s1", 0x9000);
      bench.set("s2", 0x0025_0513);
      bench.set("a1", 20_000);
      bench.set("s3", 10_000);
      for (let i = 0; i < 60; i++) bench.hart.run(1000);
      bench.hart.run(4 + 3 * 5000);
      assert.equal(bench.get("a0"), 20_000n + 2n * 5000n);
    });

    it("is what a device stored", () => {
      const bench = new Bench(tier);
      bench.put(base, ...modifying);
      bench.set("a1", 1_000_000);
      for (let i = 0; i < 30; i++) bench.hart.run(999);
      bench.put(base, 0x0035_0513); // addi a0, a0, 3
      bench.hart.invalidateCode(0, 4);
      const before = bench.get("a0");
      bench.hart.run(999);
      assert.equal(bench.get("a0") - before, 3n * 333n);
    });
  });

  describe(`an instruction across pages, tier ${tier}`, () => {
    /** In S-mode, at 0x3ffe: addi a0, a0, 1, whose halves are in two pages; then j back to it. */
    const start = (second: number) => {
      const bench = new Bench(tier, privilege.S);
      bench.map([
        [3, base + 0x3000, valid | X],
        [4, base + 0x7000, second],
      ]);
      bench.put(base + 0x3ffc, 0x0513_0001);
      bench.put(base + 0x7000, 0xbff5_0015); // upper half of addi; c.j -4
      bench.hart.pc = 0x3ffen;
      return bench;
    };

    it("is fetched from both", () => {
      const bench = start(valid | X);
      for (let i = 0; i < 20; i++) bench.hart.run(1000);
      assert.equal(bench.get("a0"), 10_000n);
    });

    it("faults for the second: at its own address, with that of the second page", () => {
      const bench = start(0);
      bench.hart.run(1);
      assert.deepEqual(bench.trap, [12, 0x3ffe, 0x4000]);
    });
  });
}
