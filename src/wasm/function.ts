import { assert } from "../core/errors.ts";
import { ByteWriter } from "./bytes.ts";
import { createOperators } from "./emit.ts";
import type * as op from "./operators.ts";
import {
  type F32,
  type F64,
  type Func,
  type Global,
  type I32,
  type I64,
  type Label,
  type Local,
  type Result,
  type Value,
  type Values,
  type ValueType,
  valueTypeCode,
} from "./types.ts";

type Binary<Table, T> = { [K in keyof Table]: (a: T, b: T) => T };
type Compare<Table, T> = { [K in keyof Table]: (a: T, b: T) => I32 };
type Unary<Table, T> = { [K in keyof Table]: (a: T) => T };
type Convert<Table, T> = {
  [K in keyof Table]: Table[K] extends readonly [infer S extends ValueType, number] ? (a: Value<S>) => T : never;
};
type Load<Table, T> = { [K in keyof Table]: (address: I32, offset?: number) => T };
type Store<Table, T> = { [K in keyof Table]: (address: I32, value: T, offset?: number) => void };

interface Common<T extends ValueType> {
  /** `a` if `condition` is not zero, else `b`; both are evaluated. */
  select(a: Value<T>, b: Value<T>, condition: I32): Value<T>;
  /** An `if` that yields a value. */
  if(condition: I32, then: () => Value<T>, otherwise: () => Value<T>): Value<T>;
  /** A block that yields a value; branch to its label with `brWith`. */
  block(body: (label: Label) => Value<T>): Value<T>;
  /** A new local holding `value`. */
  let(value: Value<T>): Local<T>;
  /** A new local, not yet set. */
  local(): Local<T>;
}
interface Atomic<T extends ValueType, Table> {
  atomicLoad(address: I32, offset?: number): Value<T>;
  atomicStore(address: I32, value: Value<T>, offset?: number): void;
  /** Each read-modify-write yields the old value. The address must be aligned to the size. */
  atomic: { [K in keyof Table]: (address: I32, value: Value<T>, offset?: number) => Value<T> };
  /** Stores `replacement` if memory holds `expected`; yields the old value. */
  atomicCmpxchg(address: I32, expected: Value<T>, replacement: Value<T>, offset?: number): Value<T>;
}

export type I32Operators = Common<"i32"> &
  Atomic<"i32", typeof op.i32AtomicRmw> &
  Binary<typeof op.i32Binary, I32> &
  Compare<typeof op.i32Compare, I32> &
  Unary<typeof op.i32Unary, I32> &
  Convert<typeof op.i32Convert, I32> &
  Load<typeof op.i32Load, I32> &
  Store<typeof op.i32Store, I32> & { const(value: number): I32; eqz(a: I32): I32 };
export type I64Operators = Common<"i64"> &
  Atomic<"i64", typeof op.i64AtomicRmw> &
  Binary<typeof op.i64Binary, I64> &
  Compare<typeof op.i64Compare, I64> &
  Unary<typeof op.i64Unary, I64> &
  Convert<typeof op.i64Convert, I64> &
  Load<typeof op.i64Load, I64> &
  Store<typeof op.i64Store, I64> & { const(value: number | bigint): I64; eqz(a: I64): I32 };
export type F32Operators = Common<"f32"> &
  Binary<typeof op.f32Binary, F32> &
  Compare<typeof op.f32Compare, F32> &
  Unary<typeof op.f32Unary, F32> &
  Convert<typeof op.f32Convert, F32> &
  Load<typeof op.f32Load, F32> &
  Store<typeof op.f32Store, F32> & { const(value: number): F32 };
export type F64Operators = Common<"f64"> &
  Binary<typeof op.f64Binary, F64> &
  Compare<typeof op.f64Compare, F64> &
  Unary<typeof op.f64Unary, F64> &
  Convert<typeof op.f64Convert, F64> &
  Load<typeof op.f64Load, F64> &
  Store<typeof op.f64Store, F64> & { const(value: number): F64 };

/** Whether a condition is expected to hold; becomes a branch hint. */
export type Likelihood = "likely" | "unlikely";

/** A branch hint: byte offset in the function's code (after the locals), and whether the branch is likely. */
export interface BranchHint {
  readonly at: number;
  readonly likely: boolean;
}

const emptyBlockType = 0x40;

/**
 * Builds one function's body, straight into bytes.
 *
 * WebAssembly is a stack machine and JavaScript evaluates arguments left to right before the call, so a nested
 * expression - `f.i64.add(f.get(a), f.get(b))` - writes its operands and then its operator, in exactly the order the
 * binary format wants. Values are therefore used once, in the order made; a value needed twice goes in a local
 * (`f.i64.let`). Using a value out of order is caught at once.
 */
export class FunctionBuilder {
  readonly code = new ByteWriter(256);
  readonly hints: BranchHint[] = [];
  readonly i32: I32Operators;
  readonly i64: I64Operators;
  readonly f32: F32Operators;
  readonly f64: F64Operators;
  /** Height of the operand stack, as far as this builder pushed. */
  #height = 0;
  #controlDepth = 0;
  #paramCount: number;
  readonly #localTypes: ValueType[] = [];
  readonly #freeLocals: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [] };
  #scopeLocals: number[] | undefined;

  constructor(params: readonly ValueType[]) {
    this.#paramCount = params.length;
    this.i32 = createOperators(this, "i32") as unknown as I32Operators;
    this.i64 = createOperators(this, "i64") as unknown as I64Operators;
    this.f32 = createOperators(this, "f32") as unknown as F32Operators;
    this.f64 = createOperators(this, "f64") as unknown as F64Operators;
  }

  /** Begins a new function with this builder, whose own set-up costs more than a short function. */
  restart(params: readonly ValueType[]): void {
    this.code.length = 0;
    this.hints.length = 0;
    this.#height = 0;
    this.#controlDepth = 0;
    this.#paramCount = params.length;
    this.#localTypes.length = 0;
    for (const free of Object.values(this.#freeLocals)) free.length = 0;
    this.#scopeLocals = undefined;
  }

  // Operand stack

  /** Takes `a` off the stack. */
  pop1(a: number): void {
    if (a !== this.#height - 1) this.#orderError();
    this.#height = a;
  }

  /** Takes `a` and, above it, `b` off the stack. */
  pop2(a: number, b: number): void {
    if (b !== this.#height - 1 || a !== b - 1) this.#orderError();
    this.#height = a;
  }

  push<T extends ValueType>(): Value<T> {
    return this.#height++ as Value<T>;
  }

  #orderError(): never {
    throw new Error(
      "broken invariant: WebAssembly operands must be used once and in the order they were made; put the value in a local",
    );
  }

  /** Takes a value off the stack without using it. */
  drop(value: Value): void {
    this.pop1(value);
    this.code.byte(0x1a);
  }

  // Locals and globals

  /** A new local; inside `scope` it is free again at the scope's end. */
  local<T extends ValueType>(type: T): Local<T> {
    const free = this.#freeLocals[type].pop();
    const index = free ?? this.#paramCount + this.#localTypes.push(type) - 1;
    this.#scopeLocals?.push(index);
    return index as Local<T>;
  }

  /** Runs `body`; the locals made in it may be used anew afterwards. */
  scope<R>(body: () => R): R {
    const outer = this.#scopeLocals;
    this.#scopeLocals = [];
    const result = body();
    for (const index of this.#scopeLocals) this.#freeLocals[this.#localTypes[index - this.#paramCount]].push(index);
    this.#scopeLocals = outer;
    return result;
  }

  get<T extends ValueType>(local: Local<T>): Value<T> {
    this.code.byte(0x20);
    this.code.u32(local);
    return this.push();
  }

  set<T extends ValueType>(local: Local<T>, value: Value<T>): void {
    this.pop1(value);
    this.code.byte(0x21);
    this.code.u32(local);
  }

  tee<T extends ValueType>(local: Local<T>, value: Value<T>): Value<T> {
    this.pop1(value);
    this.code.byte(0x22);
    this.code.u32(local);
    return this.push();
  }

  globalGet<T extends ValueType>(global: Global<T>): Value<T> {
    this.code.byte(0x23);
    this.code.u32(global);
    return this.push();
  }

  globalSet<T extends ValueType>(global: Global<T>, value: Value<T>): void {
    this.pop1(value);
    this.code.byte(0x24);
    this.code.u32(global);
  }

  // Control

  /** A branch to the label leaves the block forwards. */
  block(body: (label: Label) => void): void {
    this.#structured(0x02, emptyBlockType, body);
  }

  /** A branch to the label starts the loop again; falling off the end leaves it. */
  loop(body: (label: Label) => void): void {
    this.#structured(0x03, emptyBlockType, body);
  }

  /** Runs `then` if `condition` is not zero, else `otherwise`. */
  if(condition: I32, then: (label: Label) => void, otherwise?: () => void, likelihood?: Likelihood): void {
    this.pop1(condition);
    this.#hint(likelihood);
    const height = this.#open(0x04, emptyBlockType);
    then(this.#controlDepth as Label);
    if (otherwise !== undefined) {
      this.code.byte(0x05);
      this.#height = height;
      otherwise();
    }
    this.#close(height);
  }

  #structured(opcode: number, type: number, body: (label: Label) => void): void {
    const height = this.#open(opcode, type);
    body(this.#controlDepth as Label);
    this.#close(height);
  }

  #open(opcode: number, type: number): number {
    this.code.byte(opcode);
    this.code.byte(type);
    this.#controlDepth++;
    return this.#height;
  }

  #close(height: number): void {
    this.code.byte(0x0b);
    this.#controlDepth--;
    this.#height = height;
  }

  /** For the value-yielding forms of `block` and `if`. */
  valueBlock<T extends ValueType>(type: T, body: (label: Label) => Value<T>): Value<T> {
    const height = this.#open(0x02, valueTypeCode[type]);
    body(this.#controlDepth as Label);
    this.#close(height);
    return this.push();
  }

  valueIf<T extends ValueType>(type: T, condition: I32, then: () => Value<T>, otherwise: () => Value<T>): Value<T> {
    this.pop1(condition);
    const height = this.#open(0x04, valueTypeCode[type]);
    then();
    this.code.byte(0x05);
    this.#height = height;
    otherwise();
    this.#close(height);
    return this.push();
  }

  br(label: Label): void {
    this.code.byte(0x0c);
    this.#target(label);
  }

  /** Leaves a value-yielding block with `value`. */
  brWith(label: Label, value: Value): void {
    this.pop1(value);
    this.br(label);
  }

  brIf(label: Label, condition: I32, likelihood?: Likelihood): void {
    this.pop1(condition);
    this.#hint(likelihood);
    this.code.byte(0x0d);
    this.#target(label);
  }

  /** Branches to `labels[index]`, or to `otherwise` when the index is past the end. */
  brTable(index: I32, labels: readonly Label[], otherwise: Label): void {
    this.pop1(index);
    this.code.byte(0x0e);
    this.code.u32(labels.length);
    for (const label of labels) this.#target(label);
    this.#target(otherwise);
  }

  #target(label: Label): void {
    assert(label > 0 && label <= this.#controlDepth, "branch to a block that is closed");
    this.code.u32(this.#controlDepth - label);
  }

  #hint(likelihood: Likelihood | undefined): void {
    if (likelihood !== undefined) this.hints.push({ at: this.code.length, likely: likelihood === "likely" });
  }

  /** Returns from the function with `value` (none for a function without result). */
  return(value?: Value): void {
    if (value !== undefined) this.pop1(value);
    this.code.byte(0x0f);
  }

  unreachable(): void {
    this.code.byte(0x00);
  }

  call<P extends readonly ValueType[], R extends readonly ValueType[]>(target: Func<P, R>, ...args: Values<P>): Result<R> {
    this.#popArguments(args);
    this.code.byte(0x10);
    this.code.u32(target.index);
    return (target.results.length === 1 ? this.push() : undefined) as Result<R>;
  }

  /** Calls and returns what the callee returns, without growing the stack (tail-call proposal: Node 20 and newer have it). */
  returnCall<P extends readonly ValueType[]>(target: Func<P>, ...args: Values<P>): void {
    this.#popArguments(args);
    this.code.byte(0x12);
    this.code.u32(target.index);
  }

  /** Calls `table[index]`; `typeIndex` comes from `ModuleBuilder.typeIndex`. The index is the topmost operand. */
  callIndirect<R extends readonly ValueType[]>(
    typeIndex: number,
    results: R,
    args: readonly Value[],
    index: I32,
    table = 0,
  ): Result<R> {
    this.pop1(index);
    this.#popArguments(args);
    this.code.byte(0x11);
    this.code.u32(typeIndex);
    this.code.u32(table);
    return (results.length === 1 ? this.push() : undefined) as Result<R>;
  }

  returnCallIndirect(typeIndex: number, args: readonly Value[], index: I32, table = 0): void {
    this.pop1(index);
    this.#popArguments(args);
    this.code.byte(0x13);
    this.code.u32(typeIndex);
    this.code.u32(table);
  }

  #popArguments(args: readonly number[]): void {
    for (let i = args.length - 1; i >= 0; i--) this.pop1(args[i]);
  }

  /**
   * a * b + c by one lane of `f64x2.relaxed_madd` (relaxed SIMD), which rounds once where the host can and twice where it cannot.
   * Only hosts that have relaxed SIMD compile a module with it.
   */
  relaxedMadd(a: Local<"f64">, b: Local<"f64">, c: Local<"f64">): F64 {
    for (const operand of [a, b, c]) {
      this.pop1(this.get(operand));
      this.#prefixed(0xfd, 0x14); // f64x2.splat
    }
    this.#prefixed(0xfd, 0x107); // f64x2.relaxed_madd
    this.#prefixed(0xfd, 0x21); // f64x2.extract_lane
    this.code.byte(0);
    return this.push();
  }

  // Memory

  /** Sets `length` bytes from `address` to the low byte of `value`. */
  memoryFill(address: I32, value: I32, length: I32): void {
    this.#popArguments([address, value, length]);
    this.#prefixed(0xfc, 11);
    this.code.byte(0);
  }

  memoryCopy(destination: I32, source: I32, length: I32): void {
    this.#popArguments([destination, source, length]);
    this.#prefixed(0xfc, 10);
    this.code.byte(0);
    this.code.byte(0);
  }

  atomicFence(): void {
    this.#prefixed(0xfe, 0x03);
    this.code.byte(0);
  }

  #prefixed(prefix: number, opcode: number): void {
    this.code.byte(prefix);
    this.code.u32(opcode);
  }

  /** Declarations of the locals followed by the code, as the code section wants it; branch hints count from its start. */
  finish(): { body: Uint8Array<ArrayBuffer>; hints: BranchHint[] } {
    assert(this.#controlDepth === 0, "a block was left open");
    const body = new ByteWriter(this.code.length + 32);
    const groups: { count: number; type: ValueType }[] = [];
    for (const type of this.#localTypes) {
      const last = groups.at(-1);
      if (last?.type === type) last.count++;
      else groups.push({ count: 1, type });
    }
    body.u32(groups.length);
    for (const { count, type } of groups) {
      body.u32(count);
      body.byte(valueTypeCode[type]);
    }
    const header = body.length;
    body.append(this.code.bytes.subarray(0, this.code.length));
    body.byte(0x0b);
    return { body: body.result(), hints: this.hints.map(({ at, likely }) => ({ at: at + header, likely })) };
  }
}
