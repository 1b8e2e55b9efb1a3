/** Cases to guest memory, and guest memory to results. */
import { encodeCase, recordBound, type TestCase } from "./case.ts";
import { assembleHarness, assembleStub, directEntryOffset } from "./harness.ts";
import {
  casesBase,
  header,
  headerBase,
  maxPokesReported,
  maxTraps,
  ramBase,
  ramSize,
  reportedCsrs,
  resultField,
  resultSize,
  resultsAlignment,
  stubBase,
  trapFields,
} from "./layout.ts";

export interface Blob {
  /** Contents of RAM from its first byte; the entry is there too, in M-mode. */
  readonly bytes: Uint8Array;
  /** Where results will be, and how many bytes. */
  readonly results: { readonly address: bigint; readonly length: number };
  readonly count: number;
  /** Its cases can be run several times each. */
  readonly repeatable: boolean;
}

const harness = assembleHarness();
/** The harness's entries, for `mtvec` in vectored and in direct mode. */
export const trapEntries = { vectored: harness.vectors | 1n, direct: harness.vectors + directEntryOffset } as const;

/** @throws RangeError if the cases do not fit; take fewer at a time */
export function makeBlob(cases: readonly TestCase[]): Blob {
  const casesOffset = Number(casesBase - ramBase);
  const bytes = new Uint8Array(cases.reduce((sum, test) => sum + recordBound(test), casesOffset));
  const headerOffset = Number(headerBase - ramBase);
  if (harness.code.length > headerOffset) throw new Error("the harness runs into the header");
  bytes.set(harness.code, 0);
  bytes.set(assembleStub(), Number(stubBase - ramBase));
  let at = casesOffset;
  for (const test of cases) at += encodeCase(test, bytes, at, ramBase + BigInt(at));
  const alignment = Number(resultsAlignment);
  const results = Math.ceil(at / alignment) * alignment;
  const length = cases.length * resultSize;
  if (results + length > ramSize) throw new RangeError(`${cases.length} cases do not fit into ${ramSize >> 20} MiB of RAM`);
  const view = new DataView(bytes.buffer);
  const set = (field: number, value: bigint) => view.setBigUint64(headerOffset + field, value, true);
  set(header.cases, casesBase);
  set(header.count, BigInt(cases.length));
  set(header.results, ramBase + BigInt(results));
  return {
    bytes: bytes.subarray(0, at),
    results: { address: ramBase + BigInt(results), length },
    count: cases.length,
    repeatable: !cases.some(({ once }) => once),
  };
}

export type Trap = Record<(typeof trapFields)[number], bigint>;
/** What a case left behind. */
export interface Outcome {
  /** False if the contender never finished the case. */
  readonly finished: boolean;
  readonly traps: readonly Trap[];
  readonly csrs: Record<(typeof reportedCsrs)[number], bigint>;
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly fcsr: bigint;
  readonly pokes: readonly bigint[];
  readonly window: Uint8Array;
}

/** The bytes of one case's result. */
export function resultOf(results: Uint8Array, index: number): Uint8Array {
  return results.subarray(index * resultSize, (index + 1) * resultSize);
}

export function decodeResult(result: Uint8Array): Outcome {
  const view = new DataView(result.buffer, result.byteOffset, result.length);
  const get = (offset: number) => view.getBigUint64(offset, true);
  const many = (offset: number, count: number) => Array.from({ length: count }, (_, i) => get(offset + i * 8));
  const named = <Name extends string>(names: readonly Name[], offset: number) =>
    Object.fromEntries(names.map((name, i) => [name, get(offset + i * 8)])) as Record<Name, bigint>;
  const trapCount = Math.min(Number(get(resultField.trapCount)), maxTraps);
  return {
    finished: get(resultField.status) === 1n,
    traps: Array.from({ length: trapCount }, (_, i) => named(trapFields, resultField.traps + i * 64)),
    csrs: named(reportedCsrs, resultField.csrs),
    x: many(resultField.x, 32),
    f: many(resultField.f, 32),
    fcsr: get(resultField.fcsr),
    pokes: many(resultField.pokes, maxPokesReported),
    window: result.subarray(resultField.window, resultField.window + 512),
  };
}

/** The blob with its header saying that case `first` is the next, and how often each is run. */
export function skipTo(blob: Blob, first: number, rounds = 1): Uint8Array {
  if (first === 0 && rounds === 1) return blob.bytes;
  const bytes = blob.bytes.slice();
  const view = new DataView(bytes.buffer);
  const headerOffset = Number(headerBase - ramBase);
  let at = view.getBigUint64(headerOffset + header.cases, true);
  for (let i = 0; i < first; i++) at += view.getBigUint64(Number(at - ramBase), true);
  view.setBigUint64(headerOffset + header.cases, at, true);
  view.setBigUint64(headerOffset + header.first, BigInt(first), true);
  view.setBigUint64(headerOffset + header.rounds, BigInt(rounds), true);
  view.setBigUint64(headerOffset + header.results, blob.results.address + BigInt(first * resultSize), true);
  return bytes;
}
