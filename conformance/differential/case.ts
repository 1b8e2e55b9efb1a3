/** One case: all that a contender starts from, as data. */
import { encode, loadConstant, reg } from "./assembler.ts";
import { caseField, codeBase, maxTraps, stubBase, windowBase, windowHalf } from "./layout.ts";

/** One instruction (or data in its place) of a body. */
export interface Piece {
  readonly bits: number;
  readonly size: 2 | 4;
}

export const privilegeModes = { U: 0, S: 1, M: 3 } as const;
export type Mode = keyof typeof privilegeModes;

export interface TestCase {
  /** Repeatable name: `group#index`. */
  readonly id: string;
  readonly mode: Mode;
  /** 32 of each; `x[0]` is ignored. */
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly fcsr: number;
  /** Bits of `mstatus` besides MPP while the body is entered; MIE is taken from MPIE. */
  readonly mstatus: bigint;
  readonly body: readonly Piece[];
  /** Offset of the body in the two pages of code; even. */
  readonly start: number;
  /** Virtual minus physical address of the body. */
  readonly delta: bigint;
  /** Virtual address of the S-mode stub. */
  readonly stub: bigint;
  readonly windowHigh: bigint;
  readonly seed: bigint;
  /** Instructions that run in M-mode before the body (they may change `t0`-`t6` and `a0`-`a7`) and after it. */
  readonly setup: readonly number[];
  readonly teardown: readonly number[];
  readonly maxTraps: number;
  /** Leaves behind what only a reset takes away, so it cannot be run several times. */
  readonly once: boolean;
  /** Doublewords put into memory before the case; the first few are reported after it. */
  readonly pokes: readonly (readonly [bigint, bigint])[];
}

/** mstatus.FS (Priv. spec 3.1.6.6). */
export const floatState = { off: 0n, initial: 0x2000n, clean: 0x4000n, dirty: 0x6000n } as const;

/** A case with what is not given left at its plainest: M-mode, no set-up, no translation, all registers 0. */
export function testCase(given: Partial<TestCase> & Pick<TestCase, "id" | "body">): TestCase {
  return {
    mode: "M",
    x: Array(32).fill(0n),
    f: Array(32).fill(0n),
    fcsr: 0,
    mstatus: floatState.dirty,
    start: 0,
    delta: 0n,
    stub: stubBase,
    windowHigh: windowBase + BigInt(windowHalf),
    seed: 0x9e37_79b9_7f4a_7c15n,
    setup: [],
    teardown: [],
    maxTraps,
    once: false,
    pokes: [],
    ...given,
  };
}

/** Instructions that write constants to CSRs, for `setup`. */
export function writeCsrs(values: readonly (readonly [number, bigint])[]): number[] {
  return values.flatMap(([number, value]) => [...loadConstant(reg.t0, value), encode.csrrw(0, number, reg.t0)]);
}

/** Offset of each piece in its body, and at the end the body's size. */
export function offsets(body: readonly Piece[]): number[] {
  const result = [0];
  for (const piece of body) result.push(result[result.length - 1] + piece.size);
  return result;
}

/** Writes the record of a case at `at`; returns its size. */
export function encodeCase(test: TestCase, bytes: Uint8Array, at: number, address: bigint): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const set = (field: number, value: bigint) => view.setBigUint64(at + field, BigInt.asUintN(64, value), true);
  test.x.forEach((value, i) => {
    if (i > 0) set(caseField.x + i * 8, value);
  });
  test.f.forEach((value, i) => {
    set(caseField.f + i * 8, value);
  });
  const physical = codeBase + BigInt(test.start);
  set(caseField.fcsr, BigInt(test.fcsr));
  set(caseField.mstatus, test.mstatus | (BigInt(privilegeModes[test.mode]) << 11n));
  set(caseField.entry, physical + test.delta);
  set(caseField.codePhysical, physical);
  set(caseField.delta, test.delta);
  set(caseField.stub, test.stub);
  set(caseField.windowLow, windowBase);
  set(caseField.windowHigh, test.windowHigh);
  set(caseField.seed, test.seed);
  set(caseField.maxTraps, BigInt(test.maxTraps));
  set(caseField.pokeCount, BigInt(test.pokes.length));
  let end: number = caseField.pokes;
  for (const [where, value] of test.pokes) {
    set(end, where);
    set(end + 8, value);
    end += 16;
  }
  const routine = (field: number, words: readonly number[]) => {
    if (words.length === 0) return;
    set(field, address + BigInt(end));
    for (const word of [...words, encode.jalr(0, reg.ra, 0)]) {
      view.setUint32(at + end, word, true);
      end += 4;
    }
  };
  routine(caseField.setup, test.setup);
  routine(caseField.teardown, test.teardown);
  set(caseField.code, address + BigInt(end));
  const begin = end;
  for (const piece of [...test.body, { bits: encode.ebreak(), size: 4 } as const]) {
    view.setUint16(at + end, piece.bits & 0xffff, true);
    if (piece.size === 4) view.setUint16(at + end + 2, piece.bits >>> 16, true);
    end += piece.size;
  }
  set(caseField.codeLength, BigInt(end - begin));
  end = (end + 7) & ~7;
  set(caseField.size, BigInt(end));
  return end;
}

/** At most how many bytes `encodeCase` writes. */
export function recordBound(test: TestCase): number {
  return caseField.pokes + test.pokes.length * 16 + (test.setup.length + test.teardown.length + 2 + test.body.length + 1) * 4 + 8;
}
