/**
 * A jail as data: a plan is blocks of operations, an operation is one system call with symbolic arguments. Nothing here
 * touches the host; `layOut` (program.ts) turns a plan into memory that the stub runs, `printPlan` (print.ts) into text.
 */
import { type ConstantName, constants } from "./constants.ts";

/** A field of a structure that a system call is given a pointer to. */
export interface Field {
  readonly name: string;
  readonly bits: 16 | 32 | 64;
  readonly value: Value;
}

/** An argument of an operation; pointers are to memory that belongs to the plan. */
export type Value =
  | number
  | bigint
  /** Pointer to the text, NUL-terminated UTF-8. */
  | string
  /** The named constants, or-ed. */
  | { readonly flags: readonly ConstantName[] }
  /** What an earlier operation with that `name` returned. */
  | { readonly result: string }
  /** A descriptor or number that only execution knows, by name; given to the executor as an input. */
  | { readonly input: string }
  /** Pointer to `size` zeroed bytes shared by all operations that name the buffer, plus `at`. */
  | { readonly buffer: string; readonly size: number; readonly at?: number }
  /** The 64 bits at `at` of that buffer. */
  | { readonly load: string; readonly at: number }
  /** Pointer to a copy of the bytes; `label` is what is printed. */
  | { readonly bytes: Uint8Array; readonly label: string }
  /** Pointer to a structure. */
  | { readonly struct: readonly Field[] }
  /** Pointer to a NULL-terminated array of pointers to texts. */
  | { readonly strings: readonly string[] }
  /** Pointer to what an earlier operation with that `name` returned. */
  | { readonly resultAt: string }
  /** Pointer to the eight bytes with the address of the record that failed last, or that address itself. */
  | { readonly failed: "addressAt" | "record" };

/** Where to go after an operation: on, over so many operations, to a block, or to where the block's failures go. */
export type Next = "next" | "fail" | { readonly skip: number } | { readonly block: string };

export interface Operation {
  /** System call name as in the kernel, or `return`: the program is over. */
  readonly call: string;
  readonly args: readonly Value[];
  /** What this is part of, for people: `mount /proc`. */
  readonly step: string;
  /** Name under which later operations find the result. */
  readonly name?: string;
  /** This operation only examines the result of that one, which is at fault if it fails. */
  readonly examines?: string;
  /** Default: `fail`. */
  readonly onError?: Next;
  /** Default: `next`. */
  readonly onZero?: Next;
  /** Default: `next`. */
  readonly onPositive?: Next;
}

export interface Block {
  readonly name: string;
  /** The block where a failing operation goes that does not say otherwise. */
  readonly onFail: string;
  readonly operations: readonly Operation[];
}

/** Blocks of operations; execution begins with the first. */
export interface Plan {
  readonly blocks: readonly Block[];
}

export function flags(...names: readonly ConstantName[]): Value {
  return { flags: names };
}

export function result(name: string): Value {
  return { result: name };
}

export function input(name: string): Value {
  return { input: name };
}

export function flagsValue(names: readonly ConstantName[]): bigint {
  return names.reduce((bits, name) => bits | BigInt(constants[name]), 0n);
}

/** Collects the operations of one block, step by step. */
export class Steps {
  readonly operations: Operation[] = [];
  readonly #prefix: string;
  #step = "";
  #names = 0;

  /** @param prefix what names of results begin with; names are unique in a plan */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Names what the operations that follow are part of. */
  step(text: string): this {
    this.#step = text;
    return this;
  }

  add(call: string, args: readonly Value[], more: Omit<Operation, "call" | "args" | "step"> = {}): this {
    this.operations.push({ call, args, step: this.#step, ...more });
    return this;
  }

  /** Adds an operation whose result is needed later, under a new name that says `what` it is. */
  get(what: string, call: string, args: readonly Value[], more: Omit<Operation, "call" | "args" | "step" | "name"> = {}) {
    const name = `${this.#prefix}${what}${++this.#names}`;
    this.add(call, args, { ...more, name });
    return { result: name } as const;
  }
}
