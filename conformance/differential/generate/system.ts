/** Privileged instructions, what traps them, self-modifying code, cache-block operations, and floats that are switched off. */
import { csr, encode } from "../assembler.ts";
import { Body } from "../body.ts";
import { floatState, type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { instructions } from "../instructions.ts";
import { codePages } from "../layout.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";
import { delegatedAll } from "./mix.ts";
import { addressSpace, inSpace } from "./space.ts";

const modes = ["M", "S", "U"] as const satisfies Mode[];
/** Bits of mstatus (Priv. spec, "Machine Status Registers"). */
export const status = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: 3n << 11n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
} as const;
const SSIP = 1n << 1n;

export const systemGroups: readonly Group[] = [
  { name: "system/privileged", weight: 300, make: privileged },
  { name: "system/return", weight: 240, make: returns },
  { name: "system/delegation", weight: 200, make: delegation },
  { name: "system/csr access", weight: 300, make: csrAccess },
  { name: "system/cache blocks", weight: 240, make: cacheBlocks },
  { name: "system/floats off", weight: 200, make: floatsOff },
  { name: "system/self-modifying", weight: 200, make: selfModifying },
  { name: "system/self-modifying alias", weight: 100, make: (index, id) => selfModifying(index, id, true) },
];

/** Some of TVM, TW and TSR, and an interrupt that is pending but not taken, so that `wfi` goes on (Priv. spec, "Wait for Interrupt"). */
function trapping(random: Random): { mstatus: bigint; setup: number[] } {
  const delegated = random.oneIn(2);
  // The stub returns with `sret`, which must not trap.
  const choices = delegated ? [status.TVM, status.TW] : [status.TVM, status.TW, status.TSR];
  const bits = choices.filter(() => random.oneIn(2)).reduce((sum, bit) => sum | bit, 0n);
  const setup = writeCsrs([
    [csr.medeleg, delegated ? delegatedAll : 0n],
    [csr.mideleg, SSIP],
    [csr.mie, SSIP],
    [csr.mip, SSIP],
  ]);
  return { mstatus: floatState.dirty | bits, setup };
}

/** Every instruction of SYSTEM but those that return; see `avoided` in differences.ts for what is left out in which mode. */
const privilegedInstructions = instructions.filter(({ kind, name }) => kind === "system" && !/^(mret|sret)$/.test(name));
const leftOut = { M: /^$/, S: /^wrs[.]nto$/, U: /^(wfi|wrs[.].*|sfence[.]w[.]inval|sfence[.]inval[.]ir)$/ };

function privileged(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const mode = modes[index % 3];
  const usable = privilegedInstructions.filter(({ name }) => !leftOut[mode].test(name));
  for (let i = 0; i < 5; i++) {
    const instruction = random.pick(usable);
    const bits = (random.u32() & ~instruction.mask) | instruction.match;
    body.add(bits >>> 0);
  }
  const { mstatus, setup } = trapping(random);
  return testCase({ id, mode, mstatus, setup: mode === "U" ? [] : setup, body: body.finish(), x: body.x, f: body.f });
}

/** `mret` and `sret` into each mode, then instructions that tell the mode, and the stack of interrupt enables. */
function returns(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const mode = modes[index % 3];
  const [target, value] = body.scratch(2);
  const machine = mode === "M" && random.oneIn(2);
  const epc = machine ? csr.mepc : csr.sepc;
  const length = 8; // instructions from auipc to after the return
  const statusWords = () => {
    const mpp = BigInt(random.pick([0, 1, 2, 3])) << 11n;
    const wanted = (random.u64() & (status.SPIE | status.MPIE | status.SPP | status.MPRV)) | mpp | floatState.dirty;
    return [
      encode.lui(value, Number(wanted >> 12n)),
      encode.addiw(value, value, 0),
      encode.ori(value, value, Number(wanted & 0x7ffn)),
    ];
  };
  body.add(encode.auipc(target, 0), encode.addi(target, target, length * 4));
  body.add(encode.csrrw(0, epc, target), ...statusWords());
  // The value may keep MPRV and say U- or S-mode: loads after it then go by that mode, without translation here.
  if (mode === "M") body.add(encode.csrrw(0, csr.mstatus, value));
  else if (mode === "S") body.add(encode.csrrw(0, csr.sstatus, value));
  else body.add(encode.addi(0, 0, 0));
  // The return is the 8th instruction; when it traps, it is skipped.
  body.add(machine ? encode.mret() : encode.sret());
  body.add(encode.csrrs(value, csr.sstatus, 0), encode.csrrs(target, csr.mstatus, 0), encode.ecall());
  const mstatus = floatState.dirty | (random.oneIn(3) ? status.TSR : 0n);
  return testCase({ id, mode, mstatus, body: body.finish(), x: body.x, f: body.f });
}

/** Exceptions of all kinds under random `medeleg`. */
function delegation(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const mode = modes[index % 3];
  for (let i = 0; i < 5; i++) {
    const [rd] = body.scratch(1);
    body.add(random.pick([encode.ecall(), encode.ebreak(), 0, 0xffff_ffff, encode.csrrw(0, csr.cycle, 0)]));
    // A misaligned atomic.
    body.add(encode.addi(rd, body.pointer, random.between(1, 7)), encode.amoaddD(rd, rd, rd));
  }
  const setup = writeCsrs([[csr.medeleg, delegatedAll & random.u64()]]);
  const mstatus = floatState.dirty | (random.u64() & (status.SIE | status.SPIE | status.MPIE | status.SPP));
  return testCase({ id, mode, mstatus, setup, body: body.finish(), x: body.x, f: body.f });
}

/** CSRs of all modes under everything that takes access away: TVM, FS off, counter enables, STCE. */
function csrAccess(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const numbers = [csr.fflags, csr.frm, csr.fcsr, csr.sstatus, csr.sie, csr.stvec, csr.scounteren, csr.senvcfg, csr.sscratch];
  const more = [csr.sepc, csr.scause, csr.stval, csr.sip, csr.satp, csr.mstatus, csr.medeleg, csr.menvcfg, csr.mtvec, csr.mie];
  for (let i = 0; i < 6; i++) {
    const [rd] = body.scratch(1);
    const number = random.pick([...numbers, ...more]);
    // Forms that leave the CSR as it is, but for the traps.
    body.add(random.pick([encode.csrrs(rd, number, 0), encode.csrrc(rd, number, 0), encode.csrrsi(rd, number, 0)]));
  }
  const { mstatus } = trapping(random);
  const fs = random.pick([floatState.off, floatState.initial, floatState.clean, floatState.dirty]);
  return testCase({
    id,
    mode: modes[index % 3],
    mstatus: (mstatus & ~floatState.dirty) | fs,
    body: body.finish(),
    x: body.x,
    f: body.f,
    fcsr: random.below(256),
  });
}

/** Cache-block operations under `menvcfg` and `senvcfg` (Zicbom and Zicboz; CBIE = 2 is reserved). */
function cacheBlocks(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  for (let i = 0; i < 5; i++) {
    const form = random.pick([encode.cboZero, encode.cboInval, encode.cboClean, encode.cboFlush]);
    const [rd] = body.scratch(1);
    body.add(encode.addi(rd, body.pointer, random.between(-32, 32)), form(rd), encode.ld(rd, body.pointer, 0));
  }
  const environment = () => (BigInt(random.pick([0, 1, 3])) << 4n) | (BigInt(random.below(4)) << 6n);
  const setup = writeCsrs([
    [csr.menvcfg, environment()],
    [csr.senvcfg, environment()],
  ]);
  return testCase({ id, mode: modes[index % 3], setup, body: body.finish(), x: body.x, f: body.f, seed: random.u64() });
}

const floats = instructions.filter(({ kind, name }) => kind === "float" || /^(c\.)?f(l|s)[wd]/.test(name));

function floatsOff(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  for (let i = 0; i < 6; i++) body.addRandom(floats[(index * 6 + i) % floats.length]);
  const mstatus = random.oneIn(4) ? random.pick([floatState.initial, floatState.clean]) : floatState.off;
  return testCase({ id, mode: modes[index % 3], mstatus, body: body.finish(), x: body.x, f: body.f, fcsr: random.below(5) << 5 });
}

const replaceable = instructions.filter(({ kind, size }) => kind === "plain" && size === 4);

/**
 * Writes an instruction over one that has run before, then `fence.i`, and runs it again: to and fro between two instructions.
 * @param alias the store goes to another virtual address than the fetch
 */
function selfModifying(index: number, id: string, alias = false): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const [at, word, other, count, a, b] = body.scratch(6);
  const pick = () => {
    const [rd, rs] = [random.pick([a, b]), random.pick([a, b, word])];
    const instruction = random.pick(replaceable);
    const bits = (random.u32() & ~instruction.mask) | instruction.match;
    return ((bits & ~0x000f_8f80) | (rd << 7) | (rs << 15)) >>> 0;
  };
  const [first, second] = [pick(), pick()];
  body.x[word] = BigInt(second);
  body.x[other] = BigInt((first ^ second) >>> 0);
  body.x[count] = BigInt(random.pick([2, 3, 8, 50]));
  const start = random.oneIn(3) ? 4064 : 0;
  const space = alias ? addressSpace(random.pick(["Sv39", "Sv48", "Sv57"]), index % 2 === 0 ? "S" : "U", random) : undefined;
  if (space) {
    body.x[at] = space.aliasOf(codePages[0]) + BigInt(start);
    body.add(encode.addi(0, 0, 0));
  } else body.add(encode.auipc(at, 0));
  // The replaced instruction is the second; the loop begins with it.
  body.add(first);
  const store = random.oneIn(2)
    ? [encode.sw(word, at, 4)]
    : [encode.sh(word, at, 4), encode.srli(b, word, 16), encode.sh(b, at, 6)];
  body.add(...store, encode.xor(word, word, other), encode.fenceI(), encode.addi(count, count, -1));
  body.add(encode.bne(count, 0, -4 * (store.length + 4)), encode.add(b, b, a));
  const common = { id, body: body.finish(), x: body.x, f: body.f, start };
  return space ? inSpace(space, common, []) : testCase({ ...common, mode: modes[index % 3] });
}
