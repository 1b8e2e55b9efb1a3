/**
 * The program that both contenders run: for each case it fills registers, CSRs and memory, enters the body, records every
 * trap, and writes down what the body left behind. It runs in M-mode, at the first byte of RAM.
 */
import { Assembler, csr, encode, reg } from "./assembler.ts";
import {
  caseField,
  frame,
  frameBase,
  harnessBase,
  header,
  headerBase,
  maxPokesReported,
  reportedCsrs,
  resultField,
  resultSize,
  stubBase,
  stubReturn,
  windowHalf,
} from "./layout.ts";

const { zero, ra, sp, t0, t1, t2, t3, t4, t5, s0, s1, s2, s3, s4, s5, a0 } = reg;
const { ld, sd, addi, lhu } = encode;

const clint = 0x200_0000n;
const testFinisher = 0x10_0000n;
const finisherPass = 0x5555n;
/** mstatus.FS = Dirty (Priv. spec 3.1.6.6). */
const fsDirty = 0x6000n;
const mprv = 0x2_0000n;

/** CSRs as every case finds them, unless its set-up says otherwise. */
const initialCsrs: readonly (readonly [number, bigint])[] = [
  [csr.mstatus, 0n],
  [csr.mie, 0n],
  [csr.mcause, 0n],
  [csr.mtval, 0n],
  [csr.medeleg, 0n],
  [csr.mideleg, 0n],
  [csr.mip, 0n],
  [csr.mcounteren, 7n],
  [csr.scounteren, 0n],
  [csr.menvcfg, 0n],
  [csr.senvcfg, 0n],
  [csr.stvec, stubBase],
  [csr.sscratch, 0n],
  [csr.sepc, 0n],
  [csr.scause, 0n],
  [csr.stval, 0n],
  [csr.stimecmp, -1n],
  // Entry 0 lets S- and U-mode touch everything (NAPOT over the whole address space).
  [csr.pmpaddr0, -1n],
  [csr.pmpcfg0, 0x1fn],
  [csr.pmpcfg2, 0n],
];

/** @returns the harness, and where in it the traps of M-mode arrive in vectored mode */
export function assembleHarness(): { code: Uint8Array; vectors: bigint } {
  const a = new Assembler(harnessBase);
  a.jump("start");
  trapEntries(a);
  a.label("start");
  a.load(s4, headerBase);
  a.emit(ld(s0, s4, header.cases), ld(s2, s4, header.first), ld(s1, s4, header.results));
  a.label("next")
    .load(s4, headerBase)
    .emit(sd(s2, s4, header.progress), ld(t0, s4, header.count));
  a.branch("bgeu", s2, t0, "stop");
  a.load(s4, frameBase).emit(sd(zero, s4, frame.round));
  a.label("round");
  resetState(a);
  fillWindow(a);
  poke(a);
  copyBody(a);
  a.emit(encode.fenceI(), ld(t0, s0, caseField.setup));
  a.branch("beq", t0, zero, "enter").emit(encode.jalr(ra, t0, 0));
  a.label("enter");
  enterBody(a);
  handleTrap(a);
  a.label("finish");
  report(a);
  a.emit(ld(t0, s0, caseField.teardown));
  a.branch("beq", t0, zero, "done").emit(encode.jalr(ra, t0, 0));
  a.label("done").load(s4, headerBase).load(sp, frameBase);
  a.emit(ld(t0, s4, header.rounds), ld(t1, sp, frame.round), addi(t1, t1, 1), sd(t1, sp, frame.round));
  a.branch("bltu", t1, t0, "round");
  a.load(t0, 1n).emit(sd(t0, s1, resultField.status));
  a.emit(ld(t0, s0, caseField.size), encode.add(s0, s0, t0), addi(s1, s1, resultSize), addi(s2, s2, 1));
  a.jump("next");
  a.label("stop")
    .load(t0, testFinisher)
    .load(t1, finisherPass)
    .emit(encode.sw(t1, t0, 0))
    .label("forever")
    .jump("forever");
  return { code: a.finish(), vectors: a.address("vectors") };
}

/** The page at `stubBase`: tells the M-mode handler of a trap that S-mode took, and returns from it. */
export function assembleStub(): Uint8Array {
  const a = new Assembler(stubBase);
  while (a.here < stubReturn) a.emit(encode.ecall());
  return a.emit(encode.sret()).finish();
}

/** Offset of the direct entry from the vectored ones; both begin at multiples of 256. */
export const directEntryOffset = 0x100n;

function trapEntries(a: Assembler): void {
  a.align(256).label("vectors");
  for (let cause = 0; cause < 64; cause++) a.jump(`vector${cause}`);
  a.label("trap");
  const enter = (vector: number) => {
    a.emit(encode.csrrw(31, csr.mscratch, 31), sd(30, 31, frame.x + 30 * 8), addi(30, zero, vector));
  };
  enter(255);
  a.jump("save");
  for (let cause = 0; cause < 64; cause++) {
    a.label(`vector${cause}`);
    enter(cause);
    a.jump("save");
  }
  a.label("save").emit(sd(30, 31, frame.vector));
  for (let x = 1; x < 30; x++) a.emit(sd(x, 31, frame.x + x * 8));
  a.emit(encode.csrrw(t0, csr.mscratch, 31), sd(t0, 31, frame.x + 31 * 8));
  a.jump("handle");
}

function resetState(a: Assembler): void {
  a.load(t0, fsDirty + mprv).emit(encode.csrrc(zero, csr.mstatus, t0));
  a.csrw(csr.satp, zero).emit(encode.sfenceVma(zero, zero));
  // Ends a reservation that an earlier case left behind.
  a.load(t0, frameBase).emit(encode.scW(zero, t0, zero));
  a.loadAddress(t0, "trap").csrw(csr.mtvec, t0);
  a.load(t0, clint).emit(encode.sw(zero, t0, 0));
  a.load(t0, clint + 0x4000n)
    .load(t1, -1n)
    .emit(sd(t1, t0, 0));
  for (const [number, value] of initialCsrs) a.setCsr(number, value);
  for (let i = 1; i < 16; i++) a.csrw(csr.pmpaddr0 + i, zero);
}

/** Pseudo-random bytes (xorshift64) from the case's seed into both halves of the window. */
function fillWindow(a: Assembler): void {
  a.emit(ld(t0, s0, caseField.seed));
  for (const half of ["windowLow", "windowHigh"] as const) {
    a.emit(ld(t1, s0, caseField[half]), addi(t2, t1, windowHalf));
    a.label(`fill ${half}`);
    a.emit(encode.slli(t3, t0, 13), encode.xor(t0, t0, t3));
    a.emit(encode.srli(t3, t0, 7), encode.xor(t0, t0, t3));
    a.emit(encode.slli(t3, t0, 17), encode.xor(t0, t0, t3));
    a.emit(sd(t0, t1, 0), addi(t1, t1, 8));
    a.branch("bltu", t1, t2, `fill ${half}`);
  }
}

function poke(a: Assembler): void {
  a.emit(ld(t0, s0, caseField.pokeCount), addi(t1, s0, caseField.pokes));
  a.label("poke").branch("beq", t0, zero, "poked");
  a.emit(ld(t2, t1, 0), ld(t3, t1, 8), sd(t3, t2, 0), addi(t1, t1, 16), addi(t0, t0, -1));
  a.jump("poke").label("poked");
}

/**
 * Copies the body. After the first round only halfwords that the case has changed, so that what was made of the code stays. In
 * the first all, so that nothing stays: QEMU may use an \`ebreak\` again that it translated for another address, and then reports
 * that address in \`mtval\`.
 */
function copyBody(a: Assembler): void {
  a.emit(ld(t0, s0, caseField.code), ld(t1, s0, caseField.codePhysical), ld(t2, s0, caseField.codeLength));
  a.emit(encode.add(t2, t1, t2));
  a.load(sp, frameBase).emit(ld(t5, sp, frame.round));
  a.label("copy").branch("bgeu", t1, t2, "copied");
  a.emit(lhu(t3, t0, 0), lhu(t4, t1, 0))
    .branch("beq", t5, zero, "put")
    .branch("beq", t3, t4, "same")
    .label("put");
  a.emit(encode.sh(t3, t1, 0))
    .label("same")
    .emit(addi(t0, t0, 2), addi(t1, t1, 2));
  a.jump("copy").label("copied");
}

function enterBody(a: Assembler): void {
  a.load(t0, fsDirty).emit(encode.csrrs(zero, csr.mstatus, t0));
  a.emit(ld(t0, s0, caseField.fcsr)).csrw(csr.fcsr, t0);
  for (let f = 0; f < 32; f++) a.emit(encode.fld(f, s0, caseField.f + f * 8));
  a.load(t0, frameBase).csrw(csr.mscratch, t0);
  a.emit(sd(s0, t0, frame.caseRecord), sd(s1, t0, frame.result), sd(s2, t0, frame.index), sd(zero, t0, frame.trapCount));
  a.emit(ld(t0, s0, caseField.entry)).csrw(csr.mepc, t0);
  a.emit(ld(t0, s0, caseField.mstatus)).csrw(csr.mstatus, t0);
  for (let x = 1; x < 32; x++) if (x !== s0) a.emit(ld(x, s0, caseField.x + x * 8));
  a.emit(ld(s0, s0, caseField.x + s0 * 8), encode.mret());
}

/**
 * Records the trap; then skips the instruction that caused it, or takes away the interrupt, and goes on. The case ends at
 * the end of its body, at a failed fetch, outside of the body, or when it has had its number of traps.
 */
function handleTrap(a: Assembler): void {
  a.label("handle").load(sp, frameBase);
  a.emit(ld(s0, sp, frame.caseRecord), ld(s1, sp, frame.result), ld(s2, sp, frame.index));
  a.emit(ld(s3, sp, frame.trapCount), encode.slli(t0, s3, 6), encode.add(t0, t0, s1));
  const logged = [csr.mcause, csr.mtval, csr.mepc, csr.mstatus, undefined, csr.scause, csr.stval, csr.sepc];
  logged.forEach((number, i) => {
    if (number === undefined) a.emit(ld(t1, sp, frame.vector));
    else a.csrr(t1, number);
    a.emit(sd(t1, t0, resultField.traps + i * 8));
  });
  a.emit(addi(s3, s3, 1), sd(s3, sp, frame.trapCount));
  a.emit(ld(t1, s0, caseField.codePhysical), ld(t3, s0, caseField.delta), encode.add(t1, t1, t3));
  a.emit(ld(t2, s0, caseField.codeLength), addi(t2, t2, -4)); // t1: the body's first byte; t2: offset of its ebreak
  a.csrr(t0, csr.mcause).csrr(s4, csr.mepc);
  // Before anything else: an interrupt may come in the stub too.
  a.branch("blt", t0, zero, "interrupt");
  a.emit(ld(t4, s0, caseField.stub), encode.sub(t4, s4, t4), addi(t5, zero, stubReturn));
  a.branch("bgeu", t4, t5, "not delegated")
    .emit(addi(t4, zero, 9))
    .branch("beq", t0, t4, "delegated");

  a.label("not delegated").emit(encode.sub(s5, s4, t1));
  a.branch("beq", s5, t2, "finish");
  endIfOver(a);
  skip(a, "M");
  a.csrw(csr.mepc, s4).jump("resume");

  a.label("interrupt");
  endIfOver(a);
  a.emit(addi(t1, zero, 1), encode.sll(t1, t1, t0), encode.csrrc(zero, csr.mie, t1)).jump("resume");

  a.label("delegated")
    .csrr(t0, csr.scause)
    .csrr(s4, csr.sepc)
    .emit(encode.sub(s5, s4, t1));
  a.branch("beq", s5, t2, "finish");
  endIfOver(a);
  a.branch("blt", t0, zero, "delegated interrupt");
  skip(a, "S");
  a.csrw(csr.sepc, s4).jump("stub return");
  a.label("delegated interrupt").emit(addi(t1, zero, 1), encode.sll(t1, t1, t0), encode.csrrc(zero, csr.mie, t1));
  a.label("stub return")
    .emit(ld(t1, s0, caseField.stub), addi(t1, t1, stubReturn))
    .csrw(csr.mepc, t1);

  a.label("resume").emit(addi(31, sp, 0));
  for (let x = 1; x < 31; x++) a.emit(ld(x, 31, frame.x + x * 8));
  a.emit(ld(31, 31, frame.x + 31 * 8), encode.mret());
}

function endIfOver(a: Assembler): void {
  a.emit(ld(a0, s0, caseField.maxTraps)).branch("bgeu", s3, a0, "finish");
}

/** Moves s4 (a virtual address, s5 bytes into the body) past the instruction there. */
function skip(a: Assembler, name: string): void {
  for (const fetchFault of [0, 1, 12]) a.emit(addi(a0, zero, fetchFault)).branch("beq", t0, a0, "finish");
  a.branch("bgeu", s5, t2, "finish");
  a.emit(encode.sub(a0, s4, t3), lhu(a0, a0, 0), encode.andi(a0, a0, 3), addi(s4, s4, 2), addi(t4, zero, 3));
  a.branch("bne", a0, t4, `skipped ${name}`)
    .emit(addi(s4, s4, 2))
    .label(`skipped ${name}`);
}

function report(a: Assembler): void {
  reportedCsrs.forEach((name, i) => {
    a.csrr(t0, csr[name]).emit(sd(t0, s1, resultField.csrs + i * 8));
  });
  a.load(t0, mprv).emit(encode.csrrc(zero, csr.mstatus, t0));
  a.load(t0, fsDirty).emit(encode.csrrs(zero, csr.mstatus, t0));
  // An access that an entry matches in part fails even in M-mode (Priv. spec, "Priority and Matching Logic").
  a.csrw(csr.pmpcfg0, zero).csrw(csr.pmpcfg2, zero);
  a.csrr(t0, csr.fcsr).emit(sd(t0, s1, resultField.fcsr), sd(s3, s1, resultField.trapCount));
  for (let f = 0; f < 32; f++) a.emit(encode.fsd(f, s1, resultField.f + f * 8));
  for (let x = 1; x < 32; x++) a.emit(ld(t0, sp, frame.x + x * 8), sd(t0, s1, resultField.x + x * 8));

  for (const [half, offset] of [
    ["windowLow", resultField.window],
    ["windowHigh", resultField.window + windowHalf],
  ] as const) {
    a.emit(ld(t0, s0, caseField[half]), addi(t1, t0, windowHalf), addi(t2, s1, offset));
    a.label(`report ${half}`);
    a.emit(ld(t3, t0, 0), sd(t3, t2, 0), addi(t0, t0, 8), addi(t2, t2, 8));
    a.branch("bltu", t0, t1, `report ${half}`);
  }

  a.emit(ld(t0, s0, caseField.pokeCount), addi(t1, s0, caseField.pokes), addi(t2, zero, maxPokesReported));
  a.emit(addi(t4, s1, resultField.pokes));
  a.label("unpoke").branch("beq", t0, zero, "unpoked");
  a.emit(ld(t3, t1, 0), ld(t5, t3, 0), sd(zero, t3, 0), addi(t1, t1, 16), addi(t0, t0, -1));
  a.branch("beq", t2, zero, "unpoke").emit(addi(t2, t2, -1), sd(t5, t4, 0), addi(t4, t4, 8));
  a.jump("unpoke").label("unpoked");
}
