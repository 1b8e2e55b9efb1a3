/** CSRs: which exist in which mode, what can be written to them, and what reads back. */
import { csr, encode, loadConstant } from "../assembler.ts";
import { Body } from "../body.ts";
import { floatState, type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { csrDifferences } from "../differences.ts";
import { Random } from "../random.ts";
import { integer } from "../values.ts";
import type { Group } from "./group.ts";

/** CSRs whose writes are tried. `keep`: bits left as they are, because the case or the next ones need them. */
interface Writable {
  readonly name: string;
  readonly number: number;
  readonly modes: readonly Mode[];
  readonly keep?: bigint;
  /** Values tried besides corner cases and random ones. */
  readonly values?: readonly bigint[];
  readonly setup?: readonly (readonly [number, bigint])[];
}

const M = ["M"] as const;
const SM = ["M", "S"] as const;
const USM = ["M", "S", "U"] as const;
/** The lock bits: a locked PMP entry stays until reset (Priv. spec, "Locking and Privilege Mode"). */
const pmpLocks = 0x8080_8080_8080_8080n;

const writable: readonly Writable[] = [
  { name: "fflags", number: csr.fflags, modes: USM },
  { name: "frm", number: csr.frm, modes: USM },
  { name: "fcsr", number: csr.fcsr, modes: USM },
  { name: "sstatus", number: csr.sstatus, modes: SM, keep: floatState.dirty },
  { name: "sie", number: csr.sie, modes: SM, setup: [[csr.mideleg, 0x222n]] },
  { name: "sie, nothing delegated", number: csr.sie, modes: SM },
  { name: "sip", number: csr.sip, modes: SM, setup: [[csr.mideleg, 0x222n]] },
  { name: "sip, nothing delegated", number: csr.sip, modes: SM },
  { name: "stvec", number: csr.stvec, modes: SM },
  { name: "scounteren", number: csr.scounteren, modes: SM },
  { name: "senvcfg", number: csr.senvcfg, modes: SM },
  { name: "sscratch", number: csr.sscratch, modes: SM },
  { name: "sepc", number: csr.sepc, modes: SM },
  { name: "scause", number: csr.scause, modes: SM },
  { name: "stval", number: csr.stval, modes: SM },
  { name: "stimecmp", number: csr.stimecmp, modes: SM, setup: [[csr.menvcfg, 1n << 63n]] },
  {
    name: "satp",
    number: csr.satp,
    modes: M,
    values: [0n, 1n, 8n, 9n, 10n, 11n, 15n].map((mode) => (mode << 60n) | 0x1234_5678n),
  },
  { name: "mstatus", number: csr.mstatus, modes: M, keep: floatState.dirty },
  { name: "misa", number: csr.misa, modes: M },
  { name: "medeleg", number: csr.medeleg, modes: M },
  { name: "mideleg", number: csr.mideleg, modes: M },
  { name: "mie", number: csr.mie, modes: M },
  { name: "mip", number: csr.mip, modes: M },
  { name: "mip, Sstc", number: csr.mip, modes: M, setup: [[csr.menvcfg, 1n << 63n]] },
  { name: "mtvec", number: csr.mtvec, modes: M },
  { name: "mcounteren", number: csr.mcounteren, modes: M },
  { name: "menvcfg", number: csr.menvcfg, modes: M },
  { name: "mcountinhibit", number: csr.mcountinhibit, modes: M },
  { name: "mscratch", number: csr.mscratch, modes: M },
  { name: "mepc", number: csr.mepc, modes: M },
  { name: "mcause", number: csr.mcause, modes: M },
  { name: "mtval", number: csr.mtval, modes: M },
  { name: "pmpcfg0", number: csr.pmpcfg0, modes: M, keep: pmpLocks },
  { name: "pmpcfg2", number: csr.pmpcfg2, modes: M, keep: pmpLocks },
  ...[0, 1, 7, 15].map((i) => ({ name: `pmpaddr${i}`, number: csr.pmpaddr0 + i, modes: M })),
  { name: "mcycle", number: csr.mcycle, modes: M },
  { name: "minstret", number: csr.minstret, modes: M },
  { name: "mhpmcounter3", number: csr.mhpmcounter3, modes: M },
  { name: "mhpmevent3", number: csr.mhpmevent3, modes: M },
];

const perCase = 6;
const modes = ["M", "S", "U"] as const;

export const csrGroups: readonly Group[] = [
  { name: "csr/exists", weight: modes.length * Math.ceil(4096 / perCase), make: exists },
  ...writable.map((target) => ({
    name: `csr/write ${target.name}`,
    weight: 12 * target.modes.length,
    make: (index: number, id: string) => write(target, index, id),
  })),
  { name: "csr/read-only", weight: 60, make: readOnly },
  { name: "csr/counters", weight: 120, make: counters },
];

/** Reads every number there is; only whether it traps is kept. */
function exists(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const [rd] = body.scratch(1);
  const first = (Math.floor(index / modes.length) * perCase) % 4096;
  for (let number = first; number < Math.min(first + perCase, 4096); number++) {
    if (csrDifferences.some((d) => d.skip && number >= d.first && number <= d.last)) continue;
    body.add(encode.csrrs(rd, number, 0), encode.addi(rd, 0, 0));
  }
  return testCase({ id, mode: modes[index % modes.length], body: body.finish(), x: body.x, f: body.f });
}

/** Writes in all six ways, reads back what stuck, and puts the old value back. */
function write(target: Writable, index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const { number } = target;
  const mode = target.modes[index % target.modes.length];
  const [saved, value, old, now, kept] = body.scratch(5);
  const masked = csrDifferences.filter((d) => number >= d.first && number <= d.last);
  const visible = masked.reduce((mask, d) => mask & ~d.mask, (1n << 64n) - 1n);
  const see = (register: number) => {
    if (visible === (1n << 64n) - 1n) return;
    body.add(...loadConstant(kept, visible), encode.and(register, register, kept));
  };
  const keep = target.keep ?? 0n;
  body.add(encode.csrrs(saved, number, 0));
  for (let i = 0; i < 3; i++) {
    const wanted = target.values && !random.oneIn(3) ? random.pick(target.values) : integer(random);
    const immediate = random.below(32) & Number(~keep & 31n);
    body.add(...loadConstant(value, wanted & ~keep));
    const way = random.below(keep === 0n ? 6 : 3);
    if (way === 0) {
      // csrrw takes the kept bits from the old value.
      body.add(...loadConstant(kept, keep), encode.and(kept, kept, saved), encode.or(value, value, kept));
      body.add(encode.csrrw(old, number, value));
    } else if (way === 1) body.add(encode.csrrs(old, number, value));
    else if (way === 2) body.add(encode.csrrc(old, number, value));
    else if (way === 3) body.add(encode.csrrwi(old, number, immediate));
    else if (way === 4) body.add(encode.csrrsi(old, number, immediate));
    else body.add(encode.csrrci(old, number, immediate));
    body.add(encode.csrrs(now, number, 0));
    see(old);
    see(now);
    body.add(encode.sd(old, body.sp, 16 * i), encode.sd(now, body.sp, 16 * i + 8));
  }
  body.add(encode.csrrw(0, number, saved));
  see(saved);
  return testCase({ id, mode, body: body.finish(), x: body.x, f: body.f, setup: target.setup ? writeCsrs(target.setup) : [] });
}

/** Writes to read-only CSRs trap, reads do not, also through instructions that could write (Unpriv. spec, "CSR Instructions"). */
function readOnly(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const numbers = [csr.mvendorid, csr.marchid, csr.mimpid, csr.mhartid, csr.mconfigptr, csr.cycle, csr.time, csr.instret];
  for (let i = 0; i < 5; i++) {
    const [rd, rs] = body.scratch(2);
    const number = random.pick([...numbers, csr.hpmcounter3]);
    const form = random.pick([encode.csrrw, encode.csrrs, encode.csrrc, encode.csrrwi, encode.csrrsi, encode.csrrci]);
    body.add(encode.addi(rs, 0, 0), form(random.oneIn(4) ? 0 : rd, number, random.pick([0, rs])), encode.addi(rd, 0, 0));
  }
  return testCase({ id, mode: modes[index % modes.length], body: body.finish(), x: body.x, f: body.f });
}

/** Which counters S- and U-mode may read under `mcounteren` and `scounteren`; not what they hold. */
function counters(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  for (let i = 0; i < 6; i++) {
    const [rd] = body.scratch(1);
    const number = random.pick([csr.cycle, csr.time, csr.instret, csr.stimecmp, csr.cycle + random.between(3, 18)]);
    body.add(encode.csrrs(rd, number, 0), encode.addi(rd, 0, 0));
  }
  // Bits 3 to 18 belong to counters that both have.
  const some = () => BigInt(random.pick([0, 1, 2, 4, 7, 0xffff_ffff, random.u32()]) & 0x7ffff);
  const setup = writeCsrs([
    [csr.mcounteren, some()],
    [csr.scounteren, some()],
    [csr.menvcfg, random.oneIn(2) ? 1n << 63n : 0n],
  ]);
  return testCase({ id, mode: modes[index % modes.length], body: body.finish(), x: body.x, f: body.f, setup });
}
