/** What a person needs to understand a difference between two contenders. */
import { decodeResult, makeBlob, resultOf } from "./blob.ts";
import { offsets, type Piece, type TestCase } from "./case.ts";
import type { Contender } from "./contender.ts";
import { nameOf } from "./instructions.ts";
import { codeBase } from "./layout.ts";

const hex = (value: bigint | number | undefined) => (value === undefined ? "-" : `0x${value.toString(16)}`);
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Indices of the cases whose results are not the same. */
export function mismatches(count: number, a: Uint8Array, b: Uint8Array): number[] {
  return [...Array(count).keys()].filter((i) => !same(resultOf(a, i), resultOf(b, i)));
}

const nops = { 2: 0x0001, 4: 0x0000_0013 } as const;

/** Replaces instructions by `nop`, as long as the two contenders differ. */
export async function shrink(
  test: TestCase,
  ours: Contender,
  theirs: Contender,
  extensions: readonly string[],
): Promise<TestCase> {
  const differs = async (candidates: readonly TestCase[]) => {
    const blob = makeBlob(candidates);
    const [a, b] = [await ours.run(blob, extensions), await theirs.run(blob, extensions)];
    return candidates[mismatches(candidates.length, a, b)[0] ?? -1];
  };
  let smallest = test;
  for (;;) {
    const candidates = smallest.body.flatMap((piece, i) => {
      if (piece.bits === nops[piece.size]) return [];
      const body: Piece[] = smallest.body.with(i, { bits: nops[piece.size], size: piece.size });
      return [{ ...smallest, body }];
    });
    const smaller = candidates.length > 0 ? await differs(candidates) : undefined;
    if (smaller === undefined) return smallest;
    smallest = smaller;
  }
}

/** Registers that an encoded instruction may name, with what they hold at the start. */
function inputs(test: TestCase): string[] {
  const used = new Set<number>();
  for (const { bits, size } of test.body) {
    if (bits === nops[size]) continue;
    if (size === 4) for (const at of [7, 15, 20, 27]) used.add((bits >>> at) & 31);
    else for (const x of [(bits >>> 7) & 31, (bits >>> 2) & 31, 8 + ((bits >>> 7) & 7), 8 + ((bits >>> 2) & 7), 2]) used.add(x);
  }
  const lines: string[] = [];
  for (const i of [...used].sort((a, b) => a - b)) lines.push(`    x${i} = ${hex(test.x[i])}   f${i} = ${hex(test.f[i])}`);
  return lines;
}

function listing(test: TestCase): string[] {
  const at = offsets(test.body);
  const address = (offset: number) => BigInt.asUintN(64, codeBase + BigInt(test.start + offset) + test.delta).toString(16);
  return test.body.flatMap(({ bits, size }, i) => {
    if (bits === nops[size]) return [];
    const word = bits.toString(16).padStart(size * 2, "0");
    const fields = size === 4 ? [7, 15, 20, 27].map((shift) => (bits >>> shift) & 31).join(" ") : "";
    return [`    ${address(at[i])}  ${word.padStart(8)}  ${nameOf(bits, size) ?? "?"}  ${fields}`];
  });
}

/** Each place where two results differ, by name. */
export function differences(a: Uint8Array, b: Uint8Array): { name: string; a: bigint | undefined; b: bigint | undefined }[] {
  const [first, second] = [decodeResult(a), decodeResult(b)];
  const found: { name: string; a: bigint | undefined; b: bigint | undefined }[] = [];
  const compare = (name: string, a: bigint | undefined, b: bigint | undefined) => {
    if (a !== b) found.push({ name, a, b });
  };
  compare("finished", BigInt(first.finished), BigInt(second.finished));
  for (let i = 0; i < Math.max(first.traps.length, second.traps.length); i++) {
    for (const field of Object.keys(first.traps[i] ?? second.traps[i]) as (keyof (typeof first.traps)[number])[]) {
      compare(`trap ${i} ${field}`, first.traps[i]?.[field], second.traps[i]?.[field]);
    }
  }
  for (let i = 0; i < 32; i++) compare(`x${i}`, first.x[i], second.x[i]);
  for (let i = 0; i < 32; i++) compare(`f${i}`, first.f[i], second.f[i]);
  compare("fcsr", first.fcsr, second.fcsr);
  for (const name of Object.keys(first.csrs) as (keyof typeof first.csrs)[]) compare(name, first.csrs[name], second.csrs[name]);
  first.pokes.forEach((value, i) => {
    compare(`page-table entry ${i}`, value, second.pokes[i]);
  });
  for (let i = 0; i < first.window.length; i++) {
    if (first.window[i] === second.window[i]) continue;
    compare(`memory from byte ${i} of the window`, BigInt(first.window[i]), BigInt(second.window[i]));
    break;
  }
  return found;
}

/** The whole report of one difference. */
export function explain(test: TestCase, contender: string, ours: Uint8Array, theirs: Uint8Array): string {
  const lines = [
    `${test.id}: ${test.mode}-mode, fcsr ${hex(test.fcsr)}, mstatus ${hex(test.mstatus)}`,
    "  code (address, word, instruction, fields rd rs1 rs2 rs3):",
    ...listing(test),
    "  before:",
    ...inputs(test),
    ...test.pokes.slice(0, 4).map(([at, value]) => `    page-table entry at ${hex(at)} = ${hex(value)}`),
    `  after (${contender}, QEMU):`,
    ...differences(ours, theirs).map(({ name, a, b }) => `    ${name}: ${hex(a)}, ${hex(b)}`),
    `  repeat: npm run conform -- differential --case '${test.id}'`,
  ];
  return `${lines.join("\n")}\n`;
}
