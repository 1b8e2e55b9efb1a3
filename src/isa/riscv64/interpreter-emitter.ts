import { FunctionBuilder } from "../../wasm/function.ts";
import type { Func, I32, I64, Label, Local, Result, Values, ValueType } from "../../wasm/types.ts";
import { operandSlot } from "./decode.ts";
import type { Emitter, LoadKind, StoreKind } from "./emitter.ts";
import type { Core, Functions } from "./functions.ts";
import type { Handler } from "./handlers.ts";
import type { F, Immediate, Operands, RoundingMode, X } from "./instruction.ts";
import { dataTlb, type Layout, recordPage } from "./layout.ts";
import { loadKinds, storeKinds } from "./memory-kinds.ts";

/** Operands of the interpreter: where in the record they are. */
export const recordOperands = operandSlot as unknown as Operands;

/** `run` comes back with one of these (`exitReason` of the machine). */
const exit = { budget: 0, wfi: 1, ecall: 2 } as const;

/** Locals and labels of the run loop that instructions work with. */
export interface Frame {
  readonly record: Local<"i32">;
  readonly page: Local<"i32">;
  readonly pcBase: Local<"i64">;
  readonly target: Local<"i64">;
  readonly budget: Local<"i32">;
  readonly dataTlb: Local<"i32">;
  readonly fetchTlb: Local<"i32">;
  readonly reason: Local<"i32">;
  /** Execute the record. */
  readonly next: Label;
  /** Execute the record, which was jumped to. */
  readonly taken: Label;
  /** Go on at `target`. */
  readonly restart: Label;
  readonly trap: Label;
  readonly illegal: Label;
  /** Leave `run` with `reason`, at `target`. */
  readonly leave: Label;
}

/** Emits instructions as arms of the run loop: operands come from the decoded record, registers live in memory. */
export class InterpreterEmitter extends FunctionBuilder implements Emitter {
  readonly functions: Functions;
  readonly #layout: Layout;
  /** Functions that look at how much of the budget is left, or call the machine, which may. */
  readonly #needBudget: ReadonlySet<Func>;
  frame!: Frame;
  handler!: Handler;
  /** Whether the arm being emitted jumps by a constant offset; whether it needs the interpreter (waiting, calls of the environment, pairs of registers). */
  jumps = false;
  interpreted = false;
  /** What the arm being emitted calls. */
  calls: Func[] = [];
  /** Whether the arm being emitted has ended with a jump. */
  ended = false;

  constructor(params: readonly ValueType[], { functions }: Core, layout: Layout) {
    super(params);
    this.functions = functions;
    this.#layout = layout;
    const { csrRead, csrWrite, mret, sret, loadSlow, storeSlow, pendingInterrupts, selectInterrupt } = functions;
    this.#needBudget = new Set<Func>([
      csrRead,
      csrWrite,
      mret,
      sret,
      loadSlow,
      storeSlow,
      pendingInterrupts,
      selectInterrupt,
    ] as unknown as Func[]);
  }

  override call<P extends readonly ValueType[], R extends readonly ValueType[]>(
    target: Func<P, R>,
    ...args: Values<P>
  ): Result<R> {
    this.calls.push(target as unknown as Func);
    if (this.#needBudget.has(target as unknown as Func)) this.#storeBudget();
    return super.call(target, ...args);
  }

  #storeBudget(): void {
    this.i32.store(this.i32.const(this.#layout.state.budget), this.get(this.frame.budget));
  }

  #operandAt(operand: unknown): I32 {
    return this.i32.load16U(this.get(this.frame.record), operand as number);
  }

  get #x0(): number {
    return this.#layout.state.x;
  }
  get #discard(): number {
    return this.#layout.state.x + 32 * 8;
  }

  /** Address of a register that is read. A destination that is `x0` reads zero, not what was last discarded. */
  #sourceAt(register: X): I32 {
    if ((register as unknown) !== recordPage.d) return this.#operandAt(register);
    const at = this.i32.let(this.#operandAt(register));
    return this.i32.select(this.i32.const(this.#x0), this.get(at), this.i32.eq(this.get(at), this.i32.const(this.#discard)));
  }

  x(register: X): I64 {
    return this.i64.load(this.#sourceAt(register));
  }
  xw(register: X): I32 {
    return this.i32.load(this.#sourceAt(register));
  }
  setX(register: X, value: I64): void {
    const kept = this.i64.let(value);
    this.i64.store(this.#operandAt(register), this.get(kept));
  }
  setXw(register: X, value: I32): void {
    this.setX(register, this.i64.extendI32S(value));
  }
  xNext(register: X): I64 {
    this.interpreted = true;
    const at = this.i32.let(this.#sourceAt(register));
    return this.i64.load(
      this.i32.select(
        this.i32.const(this.#x0),
        this.i32.add(this.get(at), this.i32.const(8)),
        this.i32.eq(this.get(at), this.i32.const(this.#x0)),
      ),
    );
  }
  setXNext(register: X, value: I64): void {
    this.interpreted = true;
    const kept = this.i64.let(value);
    const at = this.i32.let(this.#operandAt(register));
    this.if(this.i32.ne(this.get(at), this.i32.const(this.#discard)), () => this.i64.store(this.get(at), this.get(kept), 8));
  }

  imm(immediate: Immediate): I64 {
    const slot = immediate as unknown as number;
    if (slot === operandSlot.k) return this.i64.load16U(this.get(this.frame.record), slot);
    return this.i64.load32S(this.get(this.frame.record), slot);
  }
  imm32(immediate: Immediate): I32 {
    const slot = immediate as unknown as number;
    if (slot === operandSlot.k) return this.#operandAt(immediate);
    return this.i32.load(this.get(this.frame.record), slot);
  }
  isX0(register: X): I32 {
    return this.i32.eq(this.#operandAt(register), this.i32.const(this.#x0));
  }

  pc(): I64 {
    const { pcBase, record } = this.frame;
    return this.i64.add(this.get(pcBase), this.i64.extendI32U(this.i32.shrU(this.get(record), this.i32.const(3))));
  }
  nextPc(): I64 {
    return this.i64.add(this.pc(), this.i64.const(this.handler.length));
  }

  branch(condition: I32, offset: Immediate): void {
    this.jumps = true;
    this.if(condition, () => this.#jumpBy(offset));
  }
  jump(offset: Immediate): void {
    this.jumps = true;
    this.#jumpBy(offset);
    this.ended = true;
  }
  #jumpBy(offset: Immediate): void {
    const { record, target, taken, restart } = this.frame;
    if (this.handler.near) {
      this.set(record, this.i32.add(this.get(record), this.i32.shl(this.imm32(offset), this.i32.const(3))));
      this.br(taken);
    } else {
      this.set(target, this.i64.add(this.pc(), this.imm(offset)));
      this.br(restart);
    }
  }
  jumpTo(target: I64): void {
    this.set(this.frame.target, target);
    this.br(this.frame.restart);
    this.ended = true;
  }

  /** Address of the TLB entry for the address in `va`. */
  #tlbSlot(va: Local<"i64">): Local<"i32"> {
    const index = this.i32.and(
      this.i32.shrU(this.i32.wrapI64(this.get(va)), this.i32.const(7)),
      this.i32.const((dataTlb.entries - 1) << 5),
    );
    return this.i32.let(this.i32.add(index, this.get(this.frame.dataTlb)));
  }
  #tlbHit(va: Local<"i64">, slot: Local<"i32">, tag: number, size: number): I32 {
    return this.i64.leU(this.i64.xor(this.get(va), this.i64.load(this.get(slot), tag)), this.i64.const(4096 - size));
  }
  #hostAddress(va: Local<"i64">, slot: Local<"i32">): I32 {
    return this.i32.add(this.i32.wrapI64(this.get(va)), this.i32.load(this.get(slot), dataTlb.addend));
  }

  load(kind: LoadKind, address: I64): I64 {
    const { size, slow, load } = loadKinds[kind];
    const va = this.i64.let(address);
    const slot = this.#tlbSlot(va);
    const value = this.i64.local();
    this.if(
      this.#tlbHit(va, slot, dataTlb.readTag, size),
      () => this.set(value, this.i64[load](this.#hostAddress(va, slot))),
      () => {
        this.set(value, this.call(this.functions.loadSlow, this.get(va), this.i32.const(slow)));
        this.checkTrap();
        this.#heedAttention();
      },
      "likely",
    );
    return this.get(value);
  }
  store(kind: StoreKind, address: I64, value: I64): void {
    const { size, slow, store } = storeKinds[kind];
    const kept = this.i64.let(value);
    const va = this.i64.let(address);
    const slot = this.#tlbSlot(va);
    this.if(
      this.#tlbHit(va, slot, dataTlb.writeTag, size),
      () => this.i64[store](this.#hostAddress(va, slot), this.get(kept)),
      () => {
        this.call(this.functions.storeSlow, this.get(va), this.i32.const(slow), this.get(kept));
        this.checkTrap();
        this.#heedAttention();
      },
      "likely",
    );
  }
  amo(size: 32 | 64, address: I64, update: (old: () => I64) => I64): I64 {
    const at = this.i32.let(this.call(this.functions.amoAddress, address, this.i32.const(size / 8)));
    this.checkTrap();
    const old = this.i64.let(size === 64 ? this.i64.load(this.get(at)) : this.i64.load32S(this.get(at)));
    const value = this.i64.let(update(() => this.get(old)));
    if (size === 64) this.i64.store(this.get(at), this.get(value));
    else this.i64.store32(this.get(at), this.get(value));
    return this.get(old);
  }

  illegalIf(condition: I32): void {
    this.brIf(this.frame.illegal, condition, "unlikely");
  }
  checkTrap(): void {
    this.brIf(this.frame.trap, this.i32.load(this.i32.const(this.#layout.state.trap)), "unlikely");
  }
  modeChanged(): void {
    this.reloadContext();
    this.#heedAttention();
  }
  contextChanged(): void {
    const { state } = this.#layout;
    this.modeChanged();
    this.if(this.i32.load(this.i32.const(state.refetch)), () => {
      this.i32.store(this.i32.const(state.refetch), this.i32.const(0));
      this.set(this.frame.target, this.nextPc());
      this.br(this.frame.restart);
    });
  }
  reloadContext(): void {
    const { state } = this.#layout;
    this.set(this.frame.dataTlb, this.i32.load(this.i32.const(state.dataTlb)));
    this.set(this.frame.fetchTlb, this.i32.load(this.i32.const(state.fetchTlb)));
  }
  /** If someone wants attention, what is left of the budget is set aside, so that the loop stops before the next instruction. */
  #heedAttention(): void {
    const { state } = this.#layout;
    const { budget } = this.frame;
    this.if(this.i32.load(this.i32.const(state.attention)), () => {
      this.i32.store(
        this.i32.const(state.deferred),
        this.i32.add(this.i32.load(this.i32.const(state.deferred)), this.get(budget)),
      );
      this.set(budget, this.i32.const(0));
    });
  }

  requireFloat(): void {
    this.illegalIf(this.i32.eqz(this.i32.load(this.i32.const(this.#layout.state.fs))));
  }
  f(register: F): I64 {
    return this.i64.load(this.#operandAt(register));
  }
  fs(register: F): I32 {
    const bits = this.i64.let(this.f(register));
    return this.i32.select(
      this.i32.wrapI64(this.get(bits)),
      this.i32.const(0x7fc00000),
      this.i64.eq(this.i64.shrU(this.get(bits), this.i64.const(32)), this.i64.const(0xffff_ffff)),
    );
  }
  setF(register: F, value: I64): void {
    const kept = this.i64.let(value);
    this.i64.store(this.#operandAt(register), this.get(kept));
    this.i32.store(this.i32.const(this.#layout.state.fs), this.i32.const(3));
  }
  setFs(register: F, value: I32): void {
    this.setF(register, this.i64.or(this.i64.extendI32U(value), this.i64.const(0xffff_ffff_0000_0000n)));
  }
  roundingMode(mode: RoundingMode): I32 {
    const rm = this.i32.let(this.#operandAt(mode));
    this.if(this.i32.eq(this.get(rm), this.i32.const(7)), () =>
      this.set(rm, this.i32.load(this.i32.const(this.#layout.state.frm))),
    );
    this.illegalIf(this.i32.gtU(this.get(rm), this.i32.const(4)));
    return this.get(rm);
  }

  waitForInterrupt(): void {
    this.interpreted = true;
    const { target, reason, leave } = this.frame;
    const pending = this.i64.and(
      this.call(this.functions.pendingInterrupts),
      this.i64.load(this.i32.const(this.#layout.state.mie)),
    );
    this.if(this.i64.eqz(pending), () => {
      this.set(target, this.nextPc());
      this.set(reason, this.i32.const(exit.wfi));
      this.br(leave);
    });
  }
  environmentCall(): void {
    this.interpreted = true;
    const { target, reason, leave, trap } = this.frame;
    const { state } = this.#layout;
    const mode = this.i32.let(this.i32.load(this.i32.const(state.mode)));
    this.if(this.i32.and(this.i32.load(this.i32.const(state.sbi)), this.i32.eq(this.get(mode), this.i32.const(1))), () => {
      this.set(target, this.pc());
      this.set(reason, this.i32.const(exit.ecall));
      this.br(leave);
    });
    this.call(this.functions.raise, this.i32.add(this.i32.const(8), this.get(mode)), this.i64.const(0));
    this.br(trap);
    this.ended = true;
  }
}
