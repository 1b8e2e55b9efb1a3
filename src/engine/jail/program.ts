/** A plan as memory: records and the data they point to, laid out for the stub at an address that is known later. */
import { VivError } from "../../core/errors.ts";
import { type Block, flagsValue, type Next, type Operation, type Plan, type Value } from "./operations.ts";
import { endOfProgram, header, notRun, record } from "./stub/record.ts";
import { type Architecture, syscallNumber } from "./syscalls.ts";
import { encodeUtf8 } from "./utf8.ts";

/** An operation that ended a program. */
export interface Failure {
  readonly operation: Operation;
  readonly errno: number;
}

/** Values for the plan's `input` arguments. */
export type Inputs = Readonly<Record<string, number | bigint>>;

/** A laid-out program; `memory` holds offsets in place of addresses until `at` gives it a place. */
export class Program {
  readonly size: number;
  readonly #bytes: Uint8Array;
  readonly #pointers: readonly number[];
  readonly #operations: readonly { readonly operation: Operation; readonly at: number; readonly fails: boolean }[];

  constructor(
    bytes: Uint8Array,
    pointers: readonly number[],
    operations: readonly { operation: Operation; at: number; fails: boolean }[],
  ) {
    this.#bytes = bytes;
    this.#pointers = pointers;
    this.#operations = operations;
    this.size = bytes.length;
  }

  /** The memory image for the address `base`. Its header is at `base`, the first record at `base + header.size`. */
  at(base: bigint): Uint8Array {
    const bytes = this.#bytes.slice();
    const view = new DataView(bytes.buffer);
    // Two halves instead of 64-bit numbers: this is most of what there is to do at each start.
    const low = Number(base & 0xffff_ffffn);
    const high = Number(base >> 32n);
    for (const at of this.#pointers) {
      const sum = view.getUint32(at, true) + low;
      view.setUint32(at, sum, true);
      view.setUint32(at + 4, sum > 0xffff_ffff ? high + 1 : high, true);
    }
    return bytes;
  }

  /** Reads from executed memory what the operation named `name` returned; undefined if it did not run. */
  result(memory: DataView, name: string): bigint | undefined {
    const entry = this.#operations.find(({ operation }) => operation.name === name);
    if (entry === undefined) throw new Error(`broken invariant: no operation is named ${name}`);
    const value = memory.getBigInt64(entry.at + record.result, true);
    return value === notRun ? undefined : value;
  }

  /** The operation that ended the program early, if one did. */
  failure(memory: DataView): Failure | undefined {
    for (const { operation, at, fails } of this.#operations) {
      const value = memory.getBigInt64(at + record.result, true);
      if (fails && value < 0n) return this.#failure(operation, value, (name) => this.result(memory, name));
    }
    return undefined;
  }

  /** The failure that a process reported: the offset of a record, and that record's bytes. */
  reported(offset: number, bytes: DataView): Failure | undefined {
    const entry = this.#operations.find(({ at }) => at === offset);
    if (entry === undefined || bytes.byteLength < record.size) return undefined;
    return this.#failure(entry.operation, bytes.getBigInt64(record.result, true), () => undefined);
  }

  #failure(operation: Operation, value: bigint, resultOf: (name: string) => bigint | undefined): Failure {
    if (operation.examines !== undefined) {
      const examined = this.#operations.find((entry) => entry.operation.name === operation.examines)!;
      const cause = resultOf(operation.examines);
      if (cause !== undefined && cause < 0n) return { operation: examined.operation, errno: Number(-cause) };
    }
    return { operation, errno: Number(-value) };
  }
}

/** Collects data behind the records, remembering which words are pointers. */
class Layout {
  /** Words that hold offsets, which become addresses. */
  readonly pointers: number[] = [];
  /** Those of them that are arguments. */
  readonly pointerWords = new Set<number>();
  readonly buffers = new Map<string, number>();
  readonly #texts = new Map<string, number>();
  readonly #words = new Map<number | bigint, number>();
  #bytes = new Uint8Array(1 << 15);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  /** Zeroed, 8-aligned room for `size` bytes. */
  reserve(size: number): number {
    const at = this.#end;
    this.#end = Math.ceil((at + size) / 8) * 8;
    if (this.#end > this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#end);
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#end);
  }

  store(at: number, value: bigint): void {
    this.#view.setBigInt64(at, value, true);
  }

  storeField(at: number, value: bigint, bits: 16 | 32 | 64): void {
    if (bits === 16) this.#view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
    else if (bits === 32) this.#view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
    else this.store(at, value);
  }

  read(at: number): bigint {
    return this.#view.getBigInt64(at, true);
  }

  pointer(at: number, target: number): void {
    this.#view.setUint32(at, target, true);
    this.#view.setUint32(at + 4, 0, true);
    this.pointers.push(at);
  }

  data(bytes: Uint8Array): number {
    const at = this.reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return at;
  }

  text(text: string): number {
    if (text.includes("\0"))
      throw new VivError("BAD_SPEC", `${JSON.stringify(text)} contains a NUL byte, which no system call takes`);
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const bytes = encodeUtf8(text);
    const at = this.reserve(bytes.length + 1);
    this.#bytes.set(bytes, at);
    this.#texts.set(text, at);
    return at;
  }

  word(value: number | bigint): number {
    const known = this.#words.get(value);
    if (known !== undefined) return known;
    const at = this.reserve(8);
    this.store(at, BigInt(value));
    this.#words.set(value, at);
    return at;
  }

  /** A word that holds a pointer. */
  pointerWord(target: number): number {
    const at = this.reserve(8);
    this.pointer(at, target);
    this.pointerWords.add(at);
    return at;
  }

  buffer(name: string, size: number): number {
    const known = this.buffers.get(name);
    if (known !== undefined) return known;
    const at = this.reserve(size);
    this.buffers.set(name, at);
    return at;
  }
}

/**
 * Lays a plan out for an architecture.
 *
 * @param inputs values of the plan's `input` arguments
 * @throws VivError `BAD_SPEC` for a text with a NUL, `NO_SYSCALL` for a call that the architecture does not have
 */
export function layOut(plan: Plan, architecture: Architecture, inputs: Inputs = {}): Program {
  const layout = new Layout();
  layout.reserve(header.size);
  const entries = plan.blocks.flatMap((block) => block.operations.map((operation, index) => ({ block, operation, index })));
  const records = layout.reserve(entries.length * record.size);
  const blockStarts = new Map<string, number>();
  const named = new Map<string, number>();
  entries.forEach(({ block, operation, index }, position) => {
    const at = records + position * record.size;
    if (index === 0) blockStarts.set(block.name, at);
    if (operation.name === undefined) return;
    if (named.has(operation.name)) throw new Error(`broken invariant: two operations are named ${operation.name}`);
    named.set(operation.name, at);
  });

  /** Where each record's result goes as well. */
  const destinations = new Map<number, number>();
  const recordOf = (name: string): number => {
    const at = named.get(name);
    if (at === undefined) throw new Error(`broken invariant: no operation is named ${name}`);
    return at;
  };
  const target = (next: Next, at: number, block: Block): number => {
    if (next === "next") return at + record.size;
    if (typeof next === "object" && "skip" in next) return at + (1 + next.skip) * record.size;
    const name = next === "fail" ? block.onFail : next.block;
    const start = blockStarts.get(name);
    if (start === undefined) throw new Error(`broken invariant: no block is named ${name}`);
    return start;
  };

  /** The offset of a word that holds the value. */
  const place = (value: Value, owner: number): number => {
    if (typeof value === "number" || typeof value === "bigint") return layout.word(value);
    if (typeof value === "string") return layout.pointerWord(layout.text(value));
    if ("flags" in value) return layout.word(flagsValue(value.flags));
    if ("result" in value) return recordOf(value.result) + record.result;
    if ("resultAt" in value) return layout.pointerWord(recordOf(value.resultAt) + record.result);
    if ("input" in value) {
      const given = inputs[value.input];
      if (given === undefined) throw new Error(`broken invariant: the plan's input ${value.input} was not given`);
      return layout.word(given);
    }
    if ("buffer" in value) return layout.pointerWord(layout.buffer(value.buffer, value.size) + (value.at ?? 0));
    if ("load" in value) {
      const at = layout.buffers.get(value.load);
      if (at === undefined) throw new Error(`broken invariant: buffer ${value.load} is loaded before any operation has it`);
      return at + value.at;
    }
    if ("bytes" in value) return layout.pointerWord(layout.data(value.bytes));
    if ("failed" in value) return value.failed === "record" ? header.failed : layout.pointerWord(header.failed);
    if ("strings" in value) {
      const texts = value.strings.map((text) => layout.text(text));
      const at = layout.reserve(8 * (texts.length + 1));
      texts.forEach((text, index) => {
        layout.pointer(at + 8 * index, text);
      });
      return layout.pointerWord(at);
    }
    let size = 0;
    const fields = value.struct.map((field) => {
      const width = field.bits / 8;
      size = Math.ceil(size / width) * width;
      const at = size;
      size += width;
      return { field, at };
    });
    const at = layout.reserve(size);
    for (const { field, at: offset } of fields) {
      const inner = field.value;
      if (typeof inner === "object" && "result" in inner) {
        const from = recordOf(inner.result);
        if (from >= owner) throw new Error(`broken invariant: ${inner.result} is used before it is there`);
        destinations.set(from, at + offset);
        continue;
      }
      const word = place(inner, owner);
      if (layout.pointerWords.has(word)) layout.pointer(at + offset, Number(layout.read(word)));
      else layout.storeField(at + offset, layout.read(word), field.bits);
    }
    return layout.pointerWord(at);
  };

  entries.forEach(({ operation }, position) => {
    const at = records + position * record.size;
    layout.store(at + record.result, notRun);
    destinations.set(at, at + record.result);
    if (operation.call === "return") {
      layout.store(at + record.nr, endOfProgram);
      return;
    }
    const nr = syscallNumber(operation.call, architecture);
    if (nr === undefined)
      throw new VivError("NO_SYSCALL", `${operation.step}: ${architecture} has no system call ${operation.call}`);
    layout.store(at + record.nr, BigInt(nr));
  });
  const operations = entries.map(({ block, operation }, position) => {
    const at = records + position * record.size;
    for (let index = 0; index < 6; index++) {
      layout.pointer(at + record.args + 8 * index, place(operation.args[index] ?? 0, at));
    }
    const last = position === entries.length - 1 || entries[position + 1]!.block !== block;
    const ends = operation.call === "return" || operation.call === "exit_group";
    const next = (value: Next): number => {
      if (value === "next" && last) {
        // A call that comes back with an error or not at all still needs a valid address.
        if (operation.call === "execve" || operation.call === "execveat") return blockStarts.get(block.onFail)!;
        throw new Error(`broken invariant: block ${block.name} has no end`);
      }
      return target(value, at, block);
    };
    layout.pointer(at + record.onError, ends ? at : next(operation.onError ?? "fail"));
    layout.pointer(at + record.onZero, ends ? at : next(operation.onZero ?? "next"));
    layout.pointer(at + record.onPositive, ends ? at : next(operation.onPositive ?? "next"));
    return { operation, at, fails: !ends && (operation.onError ?? "fail") === "fail" };
  });
  for (const [at, target] of destinations) layout.pointer(at + record.dest, target);
  return new Program(layout.finish(), layout.pointers, operations);
}
