import { FunctionBuilder } from "../../wasm/function.ts";
import type { Func, I32, I64, Label, Local, Result, Values, ValueType } from "../../wasm/types.ts";
import { operandSlot } from "./decode.ts";
import type { Emitter, LoadKind, StoreKind } from "./emitter.ts";
import type { Core, Functions } from "./functions.ts";
import { type Handler, type HandlerTable, special } from "./handlers.ts";
import {
  type AnyInstruction,
  type F,
  type Immediate,
  type Instruction,
  isCompressed,
  type Operands,
  type RoundingMode,
  type X,
} from "./instruction.ts";
import { dataTlb, fetchTlb, hotness, type Layout, recordPage, regionEntry } from "./layout.ts";
import { loadKinds, storeKinds } from "./memory-kinds.ts";

/** Operands of the interpreter: where in the record they are. */
const recordOperands = operandSlot as unknown as Operands;

/** `run` comes back with one of these (`exitReason` of the machine). */
const exit = { budget: 0, wfi: 1, ecall: 2 } as const;

/** Locals and labels of the run loop that instructions work with. */
interface Frame {
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
class InterpreterEmitter extends FunctionBuilder implements Emitter {
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

/** What is known of an instruction from emitting it once: whether it jumps by a constant offset, whether only the interpreter does it. */
export interface Traits {
  readonly jumps: ReadonlySet<Instruction>;
  readonly interpreted: ReadonlySet<Instruction>;
  /** Those that always jump elsewhere than by a constant offset. */
  readonly ends: ReadonlySet<Instruction>;
  /** Functions that an instruction calls. */
  readonly calls: ReadonlyMap<Instruction, readonly Func[]>;
}

/** Finds the traits of all instructions, by emitting each into a function that is thrown away. */
export function findTraits(core: Core, layout: Layout, instructions: readonly AnyInstruction[]): Traits {
  const jumps = new Set<Instruction>();
  const interpreted = new Set<Instruction>();
  const ends = new Set<Instruction>();
  const calls = new Map<Instruction, readonly Func[]>();
  const e = new InterpreterEmitter([], core, layout);
  for (const any of instructions) {
    const instruction = isCompressed(any) ? any.base : any;
    e.restart([]);
    e.jumps = false;
    e.interpreted = false;
    e.ended = false;
    e.calls = [];
    withFrame(e, (frame) => {
      e.frame = frame;
      e.handler = { id: 0, instruction, length: 4, near: false };
      instruction.meaning(recordOperands, e);
    });
    if (e.jumps) jumps.add(instruction);
    if (e.interpreted) interpreted.add(instruction);
    if (e.ended && !e.jumps) ends.add(instruction);
    calls.set(instruction, e.calls);
  }
  return { jumps, interpreted, ends, calls };
}

function withFrame(e: InterpreterEmitter, body: (frame: Frame) => void): void {
  e.block((label) =>
    body({
      record: e.i32.local(),
      page: e.i32.local(),
      pcBase: e.i64.local(),
      target: e.i64.local(),
      budget: e.i32.local(),
      dataTlb: e.i32.local(),
      fetchTlb: e.i32.local(),
      reason: e.i32.local(),
      next: label,
      taken: label,
      restart: label,
      trap: label,
      illegal: label,
      leave: label,
    }),
  );
}

/** Defines `run`: one function whose loop dispatches over decoded records. */
export function defineInterpreter(core: Core, layout: Layout, table: HandlerTable): void {
  // Table 0 is the imported one, with the regions.
  const { module, functions: fn } = core;
  const { state } = layout;
  const e = new InterpreterEmitter(["i32"], core, layout);
  const given = 0 as Local<"i32">;
  const locals = {
    record: e.i32.local(),
    page: e.i32.local(),
    pcBase: e.i64.local(),
    target: e.i64.local(),
    budget: e.i32.local(),
    dataTlb: e.i32.local(),
    fetchTlb: e.i32.local(),
    reason: e.i32.local(),
  };
  const { record, page, pcBase, target, budget, reason } = locals;
  const handlerId = e.i32.local();
  const at = (address: number) => e.i32.const(address);
  const load = (address: number) => e.i32.load(at(address));

  e.frame = locals as unknown as Frame;
  e.i32.store(at(state.runBudget), e.get(given));
  e.i32.store(at(state.deferred), e.i32.const(0));
  e.i32.store(at(state.attention), e.i32.const(0));
  e.set(budget, e.get(given));
  e.set(target, e.i64.load(at(state.pc)));
  const takeInterrupt = () => {
    const interrupt = e.i32.let(e.call(fn.selectInterrupt));
    e.if(e.get(interrupt), () =>
      e.set(
        target,
        e.call(fn.enterTrap, e.i32.sub(e.get(interrupt), e.i32.const(1)), e.i32.const(1), e.get(target), e.i64.const(0)),
      ),
    );
  };
  takeInterrupt();
  e.reloadContext();
  e.block((leave) => {
    e.loop((restart) => {
      const enterPendingTrap = (epc: () => I64) => {
        e.set(
          target,
          e.call(
            fn.enterTrap,
            e.i32.sub(load(state.trap), e.i32.const(1)),
            e.i32.const(0),
            epc(),
            e.i64.load(at(state.trapValue)),
          ),
        );
        e.reloadContext();
        e.br(restart);
      };
      e.scope(() => {
        const slot = e.i32.let(
          e.i32.add(
            e.i32.and(e.i32.shrU(e.i32.wrapI64(e.get(target)), e.i32.const(8)), e.i32.const((fetchTlb.entries - 1) << 4)),
            e.get(locals.fetchTlb),
          ),
        );
        const virtualPage = e.i64.let(e.i64.and(e.get(target), e.i64.const(-4096)));
        e.if(
          e.i64.eq(e.i64.load(e.get(slot), fetchTlb.tag), e.get(virtualPage)),
          () => e.set(page, e.i32.load(e.get(slot), fetchTlb.recordPage)),
          () => {
            e.set(page, e.call(fn.fetchPage, e.get(target)));
            e.if(e.i32.eqz(e.get(page)), () => {
              // Costs budget, so that a handler that cannot be fetched either does not keep us here.
              e.if(e.i32.eqz(e.get(budget)), () => {
                e.i32.store(at(state.trap), e.i32.const(0));
                e.br(leave);
              });
              e.set(budget, e.i32.sub(e.get(budget), e.i32.const(1)));
              enterPendingTrap(() => e.get(target));
            });
          },
          "likely",
        );
        e.set(
          record,
          e.i32.add(e.get(page), e.i32.shl(e.i32.and(e.i32.wrapI64(e.get(target)), e.i32.const(4095)), e.i32.const(3))),
        );
        e.set(pcBase, e.i64.sub(e.get(virtualPage), e.i64.extendI32U(e.i32.shrU(e.get(page), e.i32.const(3)))));
      });
      e.block((pause) => {
        e.block((trap) => {
          e.block((illegal) => {
            countJump();
            fetchHandler();
            e.if(load(state.interpretNext), () => {
              e.i32.store(at(state.interpretNext), e.i32.const(0));
              originalHandler();
            });
            e.loop((next) => {
              e.block((taken) => {
                e.frame = { ...locals, next, taken, restart, trap, illegal, leave };
                e.set(budget, e.i32.sub(e.get(budget), e.i32.const(1)));
                e.brIf(pause, e.i32.ltS(e.get(budget), e.i32.const(0)), "unlikely");
                e.loop((dispatch) => arms(next, restart, trap, illegal, dispatch));
              });
              countJump();
              fetchHandler();
              e.br(next);
            });
          });
          e.call(fn.raiseIllegal, e.get(record), e.get(page));
        });
        // Functions that find an instruction illegal do not know its encoding.
        e.if(e.i32.eq(load(state.trap), e.i32.const(3)), () => e.call(fn.raiseIllegal, e.get(record), e.get(page)));
        enterPendingTrap(() => e.pc());
      });
      e.set(target, e.pc());
      e.set(budget, e.i32.add(e.i32.add(e.get(budget), e.i32.const(1)), load(state.deferred)));
      e.i32.store(at(state.deferred), e.i32.const(0));
      e.i32.store(at(state.attention), e.i32.const(0));
      takeInterrupt();
      e.reloadContext();
      e.if(load(state.exitRequested), () => e.br(leave));
      e.brIf(restart, e.get(budget));
    });
  });
  e.i32.store(at(state.exitRequested), e.i32.const(0));
  e.i64.store(at(state.pc), e.get(target));
  e.set(budget, e.i32.add(e.get(budget), load(state.deferred)));
  e.i64.store(
    at(state.instret),
    e.i64.add(e.i64.load(at(state.instret)), e.i64.extendI32U(e.i32.sub(e.get(given), e.get(budget)))),
  );
  e.i32.store(at(state.runBudget), e.i32.const(0));
  e.i32.store(at(state.budget), e.i32.const(0));
  e.i32.store(at(state.deferred), e.i32.const(0));
  e.get(reason);
  module.builtBody(fn.run, e);

  /** Arms begin with the handler of the record known. */
  function fetchHandler(): void {
    e.set(handlerId, e.i32.load16U(e.get(record), recordPage.handler));
  }
  /** If a region starts at the record: the handler that it took the place of. */
  function originalHandler(): void {
    e.if(e.i32.eq(e.get(handlerId), e.i32.const(special.translated)), () =>
      e.set(handlerId, e.i32.load(regionOfRecord(), regionEntry.handler)),
    );
  }
  function regionOfRecord(): I32 {
    return e.i32.add(e.i32.shl(e.i32.load(e.get(record), recordPage.region), e.i32.const(6)), e.i32.const(layout.regions));
  }

  /** Counts a jump to the record; at the threshold it is put in the queue of what is worth translating. */
  function countJump(): void {
    e.scope(() => {
      const counter = e.i32.let(e.i32.and(e.i32.shrU(e.get(record), e.i32.const(2)), e.i32.const((hotness.counters - 1) << 2)));
      const count = e.i32.let(e.i32.add(e.i32.load(e.get(counter), layout.counters), e.i32.const(1)));
      e.i32.store(e.get(counter), e.get(count), layout.counters);
      e.if(
        e.i32.eq(e.get(count), load(state.hotThreshold)),
        () => {
          e.i32.store(e.get(counter), e.i32.const(0), layout.counters);
          const length = e.i32.let(load(layout.hotQueue));
          const known = e.i32.load(e.get(record), recordPage.region);
          e.if(e.i32.and(e.i32.eqz(known), e.i32.ltU(e.get(length), e.i32.const(hotness.queue))), () => {
            const entry = e.i32.let(e.i32.add(e.i32.shl(e.get(length), e.i32.const(4)), e.i32.const(layout.hotQueue + 16)));
            e.i32.store(e.get(entry), e.get(record));
            e.i32.store(e.get(entry), e.get(page), 4);
            e.i64.store(e.get(entry), e.pc(), 8);
            e.i32.store(at(layout.hotQueue), e.i32.add(e.get(length), e.i32.const(1)));
          });
        },
        undefined,
        "unlikely",
      );
    });
  }

  /** Enters the region that starts at the record, if nothing has changed since it was made; else goes on with `dispatch`. */
  function enterRegion(restart: Label, dispatch: Label): void {
    const region = e.i32.let(regionOfRecord());
    e.block((refused) => {
      e.block((outdated) => {
        tryRegion(region, refused, outdated, restart);
      });
      // What it reached into is not what it was: it will be translated anew if it stays busy.
      e.i32.store16(e.get(record), e.i32.load(e.get(region), regionEntry.handler), recordPage.handler);
      e.i32.store(e.get(record), e.i32.const(0), recordPage.region);
    });
    e.set(handlerId, e.i32.load(e.get(region), regionEntry.handler));
    e.br(dispatch);
  }

  /** Enters a region, or branches to what says why not. */
  function tryRegion(region: Local<"i32">, refused: Label, outdated: Label, restart: Label): void {
    const field = (offset: number) => e.i32.load(e.get(region), offset);
    // The instruction that the loop has counted already is the region's.
    const whole = e.i32.let(e.i32.add(e.get(budget), e.i32.const(1)));
    e.brIf(refused, e.i32.ltU(e.get(whole), field(regionEntry.longest)));
    e.brIf(refused, e.i32.ne(e.get(locals.dataTlb), field(regionEntry.dataTlb)));
    e.brIf(refused, e.i32.and(field(regionEntry.float), e.i32.eqz(load(state.fs))));
    const address = e.i64.let(e.i64.and(e.pc(), e.i64.const(-4096)));
    const others = e.i32.let(field(regionEntry.pageCount));
    e.if(e.get(others), () => {
      const other = e.i32.let(e.get(region));
      e.loop((again) => {
        const otherField = (offset: number) => e.i32.load(e.get(other), regionEntry.pages + offset);
        const otherAddress = e.i64.let(e.i64.add(e.get(address), e.i64.shl(e.i64.extendI32S(otherField(0)), e.i64.const(12))));
        const slot = e.i32.let(
          e.i32.add(
            e.i32.and(e.i32.shrU(e.i32.wrapI64(e.get(otherAddress)), e.i32.const(8)), e.i32.const((fetchTlb.entries - 1) << 4)),
            e.get(locals.fetchTlb),
          ),
        );
        e.brIf(refused, e.i64.ne(e.i64.load(e.get(slot), fetchTlb.tag), e.get(otherAddress)));
        e.brIf(outdated, e.i32.ne(e.i32.load(e.get(slot), fetchTlb.recordPage), otherField(4)));
        const epoch = e.i32.load(e.i32.sub(otherField(4), e.i32.const(recordPage.header)), recordPage.epoch + recordPage.header);
        e.brIf(outdated, e.i32.ne(epoch, otherField(8)));
        e.set(other, e.i32.add(e.get(other), e.i32.const(12)));
        e.brIf(again, e.tee(others, e.i32.sub(e.get(others), e.i32.const(1))));
      });
    });
    e.i32.store(at(state.budget), e.get(whole));
    const type = module.typeIndex(["i64"], ["i64"]);
    e.set(target, e.callIndirect(type, ["i64"] as const, [e.get(address)], field(regionEntry.func)));
    const left = e.i32.let(load(state.budget));
    e.i64.store(at(state.regionEntries), e.i64.add(e.i64.load(at(state.regionEntries)), e.i64.const(1)));
    e.i64.store(
      at(state.regionInstructions),
      e.i64.add(e.i64.load(at(state.regionInstructions)), e.i64.extendI32U(e.i32.sub(e.get(whole), e.get(left)))),
    );
    e.set(budget, e.get(left));
    e.modeChanged();
    e.br(restart);
  }

  function arms(next: Label, restart: Label, trap: Label, illegal: Label, dispatch: Label): void {
    const refund = () => e.set(budget, e.i32.add(e.get(budget), e.i32.const(1)));
    const specials: Record<number, () => void> = {
      [special.undecoded]: () => {
        refund();
        e.call(fn.decodeAt, e.get(record), e.get(page));
        fetchHandler();
        e.br(next);
      },
      [special.pageEnd]: () => {
        refund();
        e.set(target, e.pc());
        e.br(restart);
      },
      [special.crossing]: () => {
        const address = e.i64.let(e.pc());
        e.call(fn.decodeCrossing, e.get(address), e.get(page));
        e.brIf(trap, load(state.trap));
        refund();
        e.set(page, e.i32.const(layout.crossing));
        e.set(record, e.i32.const(layout.crossing + (recordPage.records - 1) * recordPage.recordSize));
        e.set(pcBase, e.i64.sub(e.get(address), e.i64.extendI32U(e.i32.shrU(e.get(record), e.i32.const(3)))));
        fetchHandler();
        e.br(next);
      },
      [special.illegal]: () => e.br(illegal),
      [special.translated]: () => enterRegion(restart, dispatch),
    };
    const count = Object.keys(specials).length + table.handlers.length;
    const emitArm = (id: number) => {
      if (id in specials) {
        specials[id]();
        return;
      }
      const handler = table.handlers[id - Object.keys(specials).length];
      e.handler = handler;
      e.ended = false;
      e.interpreted = false;
      handler.instruction.meaning(recordOperands, e);
      if (!e.ended) {
        e.set(record, e.i32.add(e.get(record), e.i32.const(handler.length * 8)));
        // Regions end before what only the interpreter does, so what follows it may be worth one of its own.
        if (e.interpreted) e.br(e.frame.taken);
        else {
          fetchHandler();
          e.br(next);
        }
      }
    };
    const nest = (remaining: number, labels: Label[]): void => {
      if (remaining === 0) {
        e.brTable(e.get(handlerId), labels, labels[special.illegal]);
        return;
      }
      const id = remaining - 1;
      e.block((label) => {
        const withLabel = labels.slice();
        withLabel[id] = label;
        nest(remaining - 1, withLabel);
      });
      e.scope(() => emitArm(id));
    };
    nest(count, []);
  }
}
