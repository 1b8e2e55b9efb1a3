import { assert } from "../../core/errors.ts";
import type { Ending } from "../../translate/structure.ts";
import { FunctionBuilder } from "../../wasm/function.ts";
import type { Func, I32, I64, Label, Local, Result, Value, Values, ValueType } from "../../wasm/types.ts";
import type { Emitter, LoadKind, StoreKind } from "./emitter.ts";
import { access, type Functions } from "./functions.ts";
import { type InlineFloat, inlineFloat } from "./inline-float.ts";
import type { F, Immediate, RoundingMode, X } from "./instruction.ts";
import { dataTlb, type Layout } from "./layout.ts";
import { loadKinds, storeKinds } from "./memory-kinds.ts";

/** Parameters of a region's function: address of the page that it starts in. It yields the address to go on at. */
export const regionType = { params: ["i64"], results: ["i64"] } as const;

/** What the region being emitted needs to know. */
export interface RegionFrame {
  /** Data TLB bank that the region is for: a constant address. */
  readonly bank: number;
  /** Registers that the region touches, and those that it writes: bit sets over x0-x31. */
  readonly x: { readonly used: number; readonly written: number };
  readonly f: { readonly used: number; readonly written: number };
}

/**
 * Emits instructions as part of a translated region: operands are constants, registers are locals. What a region cannot do
 * itself - a device, a trap - it leaves to the interpreter, before the instruction and with all state written back.
 */
export class TranslatorEmitter extends FunctionBuilder implements Emitter {
  readonly functions: Functions;
  readonly #layout: Layout;
  /** How to do without calling some of the float functions. */
  readonly #inline: ReadonlyMap<Func, InlineFloat>;
  /** Nonzero if NX was set and the rounding mode RNE when the region was entered: what inline arithmetic asks for. */
  #floatIsPlain!: Local<"i32">;
  /** Whether the current instruction may have stored to code. */
  #mayForget = false;
  /** Rounding mode of the current instruction; undefined if it is dynamic. */
  #rounding: number | undefined;
  readonly #x: Local<"i64">[] = new Array(32);
  readonly #f: Local<"i64">[] = new Array(32);
  readonly #pageAddress = 0 as Local<"i64">;
  #frame!: RegionFrame;
  #budget!: Local<"i32">;
  #exitAddress!: Local<"i64">;
  #exit!: Label;
  /** The instruction being emitted: its distance from the start of the entry's page, its length, and how many of its block come before it. */
  offset = 0;
  length: 2 | 4 = 4;
  before = 0;
  /** How the block ends, once its last instruction has said so. Targets are distances as `offset`. */
  ending: { kind: "jump"; to: number } | { kind: "branch"; condition: I32; to: number } | { kind: "exit" } | undefined;

  /** @param fusedMultiplyAdd whether the host's relaxed multiply-add rounds once */
  constructor(functions: Functions, layout: Layout, fusedMultiplyAdd: boolean) {
    super(regionType.params);
    this.functions = functions;
    this.#layout = layout;
    this.#inline = inlineFloat(
      functions.float,
      fusedMultiplyAdd,
      (func, args) => super.call(func, ...(args as never[])) as unknown as Value,
    );
  }

  /** Emits a whole region; `body` emits what lies between loading the registers and writing them back, and never falls through. */
  region(frame: RegionFrame, body: () => void): void {
    const { state } = this.#layout;
    this.restart(regionType.params);
    this.#frame = frame;
    this.#budget = this.i32.let(this.i32.load(this.i32.const(state.budget)));
    this.#exitAddress = this.i64.local();
    for (let r = 1; r < 32; r++) {
      if ((frame.x.used >>> r) & 1) this.#x[r] = this.i64.let(this.i64.load(this.i32.const(state.x + 8 * r)));
    }
    for (let r = 0; r < 32; r++) {
      if ((frame.f.used >>> r) & 1) this.#f[r] = this.i64.let(this.i64.load(this.i32.const(state.f + 8 * r)));
    }
    if (frame.f.used !== 0) {
      const flags = this.i32.and(this.i32.load(this.i32.const(state.fflags)), this.i32.const(1));
      this.#floatIsPlain = this.i32.let(this.i32.and(flags, this.i32.eqz(this.i32.load(this.i32.const(state.frm)))));
    }
    this.block((exit) => {
      this.#exit = exit;
      body();
    });
    for (let r = 1; r < 32; r++) {
      if ((frame.x.written >>> r) & 1) this.i64.store(this.i32.const(state.x + 8 * r), this.get(this.#x[r]));
    }
    for (let r = 0; r < 32; r++) {
      if ((frame.f.written >>> r) & 1) this.i64.store(this.i32.const(state.f + 8 * r), this.get(this.#f[r]));
    }
    this.i32.store(this.i32.const(state.budget), this.get(this.#budget));
    this.get(this.#exitAddress);
  }

  /** Takes `count` instructions off the budget. */
  spend(count: number): void {
    if (count !== 0) this.set(this.#budget, this.i32.sub(this.get(this.#budget), this.i32.const(count)));
  }

  /** Leaves the region, to go on at the instruction `offset`. */
  leaveTo(offset: number): void {
    this.set(this.#exitAddress, this.#address(offset));
    this.br(this.#exit);
  }

  /** Leaves the region if less than `longest` of the budget is left, to go on at the instruction `offset`. */
  checkBudget(longest: number, offset: number): void {
    this.if(this.i32.ltU(this.get(this.#budget), this.i32.const(longest)), () => this.leaveTo(offset), undefined, "unlikely");
  }

  /** Leaves the region before the current instruction, which the interpreter must execute. */
  #giveBack(): void {
    this.spend(this.before);
    this.i32.store(this.i32.const(this.#layout.state.interpretNext), this.i32.const(1));
    this.leaveTo(this.offset);
  }

  /** How the block ends, in terms of the region's blocks. `edge` finds the block at a distance, or what leaves. */
  endingOf(edge: (offset: number) => number | (() => void)): Ending {
    const { ending } = this;
    assert(ending !== undefined, "a block ends");
    if (ending.kind === "exit") return { kind: "jump", to: () => this.br(this.#exit) };
    if (ending.kind === "jump") return { kind: "jump", to: edge(ending.to) };
    return {
      kind: "branch",
      condition: () => ending.condition,
      taken: edge(ending.to),
      otherwise: edge(this.offset + this.length),
    };
  }

  /** How a block ends that returns to `back`, if it is the block at the distance `returnTo` that the register says. */
  endingOfReturn(back: number | undefined, returnTo: number): Ending {
    const exit = () => this.br(this.#exit);
    if (back === undefined) return { kind: "jump", to: exit };
    const condition = () => this.i64.eq(this.get(this.#exitAddress), this.#address(returnTo));
    return { kind: "branch", condition, taken: back, otherwise: exit };
  }

  #address(offset: number): I64 {
    return this.i64.add(this.get(this.#pageAddress), this.i64.const(offset));
  }

  x(register: X): I64 {
    const r = register as unknown as number;
    return r === 0 ? this.i64.const(0) : this.get(this.#x[r]);
  }
  xw(register: X): I32 {
    const r = register as unknown as number;
    return r === 0 ? this.i32.const(0) : this.i32.wrapI64(this.get(this.#x[r]));
  }
  setX(register: X, value: I64): void {
    const r = register as unknown as number;
    if (r === 0) this.drop(value);
    else this.set(this.#x[r], value);
  }
  setXw(register: X, value: I32): void {
    this.setX(register, this.i64.extendI32S(value));
  }
  xNext(): I64 {
    return this.#interpreterOnly();
  }
  setXNext(): void {
    this.#interpreterOnly();
  }
  imm(immediate: Immediate): I64 {
    return this.i64.const(immediate as unknown as number);
  }
  imm32(immediate: Immediate): I32 {
    return this.i32.const(immediate as unknown as number);
  }
  isX0(register: X): I32 {
    return this.i32.const((register as unknown) === 0 ? 1 : 0);
  }
  pc(): I64 {
    return this.#address(this.offset);
  }
  nextPc(): I64 {
    return this.#address(this.offset + this.length);
  }

  branch(condition: I32, offset: Immediate): void {
    this.spend(this.before + 1);
    this.ending = { kind: "branch", condition, to: this.offset + (offset as unknown as number) };
  }
  jump(offset: Immediate): void {
    this.spend(this.before + 1);
    this.ending = { kind: "jump", to: this.offset + (offset as unknown as number) };
  }
  jumpTo(target: I64): void {
    this.set(this.#exitAddress, target);
    this.spend(this.before + 1);
    this.ending = { kind: "exit" };
  }

  /** Host address for an access of `size` bytes; gives the instruction back if the TLB does not have the page. */
  #hostAddress(va: Local<"i64">, tag: number, size: number): Local<"i32"> {
    const { bank } = this.#frame;
    const index = this.i32.and(
      this.i32.shrU(this.i32.wrapI64(this.get(va)), this.i32.const(7)),
      this.i32.const((dataTlb.entries - 1) << 5),
    );
    const slot = this.i32.let(index);
    const at = this.i32.local();
    this.if(
      this.i64.leU(this.i64.xor(this.get(va), this.i64.load(this.get(slot), bank + tag)), this.i64.const(4096 - size)),
      () => this.set(at, this.i32.add(this.i32.wrapI64(this.get(va)), this.i32.load(this.get(slot), bank + dataTlb.addend))),
      () => {
        const kind = tag === dataTlb.writeTag ? access.write : access.read;
        const filled = super.call(this.functions.fillTlb, this.get(va), this.i32.const(size), this.i32.const(kind));
        this.if(this.i32.eqz(this.tee(at, filled)), () => this.#giveBack());
      },
      "likely",
    );
    return at;
  }
  load(kind: LoadKind, address: I64): I64 {
    const { size, load } = loadKinds[kind];
    const va = this.i64.let(address);
    const at = this.#hostAddress(va, dataTlb.readTag, size);
    return this.i64[load](this.get(at));
  }
  store(kind: StoreKind, address: I64, value: I64): void {
    const { size, store } = storeKinds[kind];
    const kept = this.i64.let(value);
    const va = this.i64.let(address);
    const at = this.#hostAddress(va, dataTlb.writeTag, size);
    this.i64[store](this.get(at), this.get(kept));
  }
  amo(size: 32 | 64, address: I64, update: (old: () => I64) => I64): I64 {
    const va = this.i64.let(address);
    const bytes = size / 8;
    this.illegalIf(this.i32.and(this.i32.wrapI64(this.get(va)), this.i32.const(bytes - 1)));
    const at = this.#hostAddress(va, dataTlb.writeTag, bytes);
    const old = this.i64.let(size === 64 ? this.i64.load(this.get(at)) : this.i64.load32S(this.get(at)));
    const value = this.i64.let(update(() => this.get(old)));
    if (size === 64) this.i64.store(this.get(at), this.get(value));
    else this.i64.store32(this.get(at), this.get(value));
    return this.get(old);
  }

  override call<P extends readonly ValueType[], R extends readonly ValueType[]>(
    target: Func<P, R>,
    ...args: Values<P>
  ): Result<R> {
    const { csrRead, csrWrite, mret, sret, storeConditional, cacheBlockZero } = this.functions;
    const is = (...functions: readonly Func[]) => functions.includes(target as unknown as Func);
    if (is(csrRead, csrWrite, mret, sret)) {
      const left = this.i32.sub(this.get(this.#budget), this.i32.const(this.before + 1));
      const kept = this.i32.let(left);
      this.i32.store(this.i32.const(this.#layout.state.budget), this.get(kept));
    }
    if (is(storeConditional, cacheBlockZero)) this.#mayForget = true;
    const inline = this.#inline.get(target as unknown as Func);
    const rounding = this.#rounding;
    this.#rounding = undefined;
    // Inline arithmetic is to nearest even, which a dynamic mode is where floats are plain.
    if (inline === undefined || (inline.needsNearest && rounding !== undefined && rounding !== 0))
      return super.call(target, ...args);
    const values = [...args] as Value[];
    const types = [...target.params];
    if (inline.takesRounding) {
      this.drop(values.pop()!);
      types.pop();
    }
    const kept = values
      .map((value, i) => [value, types[i]] as const)
      .reverse()
      .map(([value, type]) => {
        const local = this.local(type);
        this.set(local, value as never);
        return local;
      });
    kept.reverse();
    const result = this.valueIf(
      target.results[0],
      this.get(this.#floatIsPlain),
      () => inline.emit(this, kept, rounding ?? 0),
      () => {
        const again = kept.map((local) => this.get(local)) as Value[];
        if (inline.takesRounding) {
          again.push(rounding === undefined ? this.i32.load(this.i32.const(this.#layout.state.frm)) : this.i32.const(rounding));
        }
        return super.call(target, ...(again as unknown as Values<P>)) as unknown as Value;
      },
    );
    return result as unknown as Result<R>;
  }

  illegalIf(condition: I32): void {
    this.if(condition, () => this.#giveBack(), undefined, "unlikely");
  }
  /** What raised a trap has had no other effect yet: the interpreter does it again. */
  checkTrap(): void {
    const { state } = this.#layout;
    this.if(
      this.i32.load(this.i32.const(state.trap)),
      () => {
        this.i32.store(this.i32.const(state.trap), this.i32.const(0));
        this.#giveBack();
      },
      undefined,
      "unlikely",
    );
  }
  /** A jump out of the region follows; the interpreter looks at the new mode. */
  modeChanged(): void {}
  contextChanged(): void {
    const { state } = this.#layout;
    const { bank, f } = this.#frame;
    const flag = (at: number) => this.i32.load(this.i32.const(at));
    let changed = this.i32.or(flag(state.attention), flag(state.refetch));
    changed = this.i32.or(changed, this.i32.ne(flag(state.dataTlb), this.i32.const(bank)));
    if (f.used !== 0) changed = this.i32.or(changed, this.i32.eqz(flag(state.fs)));
    this.if(changed, () => this.#leaveAfter(), undefined, "unlikely");
  }
  /** Leaves the region after the current instruction, which did all that it does. */
  #leaveAfter(): void {
    this.i32.store(this.i32.const(this.#layout.state.refetch), this.i32.const(0));
    this.spend(this.before + 1);
    this.leaveTo(this.offset + this.length);
  }
  /** Called after each instruction that does not end its block: leaves if it may have made the region itself void. */
  afterInstruction(): void {
    if (!this.#mayForget) return;
    this.#mayForget = false;
    this.if(this.i32.load(this.i32.const(this.#layout.state.attention)), () => this.#leaveAfter(), undefined, "unlikely");
  }
  waitForInterrupt(): void {
    this.#interpreterOnly();
  }
  environmentCall(): void {
    this.#interpreterOnly();
  }
  #interpreterOnly(): never {
    throw new Error("broken invariant: this instruction is not translated");
  }

  /** The region is entered with the floating-point unit on only. */
  requireFloat(): void {}
  f(register: F): I64 {
    return this.get(this.#f[register as unknown as number]);
  }
  fs(register: F): I32 {
    const bits = this.#f[register as unknown as number];
    return this.i32.select(
      this.i32.wrapI64(this.get(bits)),
      this.i32.const(0x7fc00000),
      this.i64.eq(this.i64.shrU(this.get(bits), this.i64.const(32)), this.i64.const(0xffff_ffff)),
    );
  }
  setF(register: F, value: I64): void {
    this.set(this.#f[register as unknown as number], value);
    this.i32.store(this.i32.const(this.#layout.state.fs), this.i32.const(3));
  }
  setFs(register: F, value: I32): void {
    this.setF(register, this.i64.or(this.i64.extendI32U(value), this.i64.const(0xffff_ffff_0000_0000n)));
  }
  roundingMode(mode: RoundingMode): I32 {
    const rm = mode as unknown as number;
    this.#rounding = rm < 5 ? rm : undefined;
    if (rm < 5) return this.i32.const(rm);
    const dynamic = this.i32.let(rm === 7 ? this.i32.load(this.i32.const(this.#layout.state.frm)) : this.i32.const(rm));
    this.illegalIf(this.i32.gtU(this.get(dynamic), this.i32.const(4)));
    return this.get(dynamic);
  }
}
