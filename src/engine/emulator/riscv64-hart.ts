import { assert } from "../../core/errors.ts";
import { exceptionNames, interruptNames } from "../../isa/riscv64/causes.ts";
import { buildHartModule } from "../../isa/riscv64/core.ts";
import { csrIndexBytes, csrTable } from "../../isa/riscv64/csr.ts";
import { layout, regionEntry, reservedBytes } from "../../isa/riscv64/layout.ts";
import { status } from "../../isa/riscv64/mstatus.ts";
import type { StateField } from "../../isa/riscv64/state.ts";
import { type ExitReason, exitReason, type Hart, type HartPorts, type InterruptBit, type Privilege } from "../../machine/hart.ts";
import type { HartFactory } from "../../machine/machine.ts";
import type { MachineMemory } from "../../machine/memory.ts";
import { type WasmModule, webAssembly } from "../../wasm/webassembly.ts";
import { CodeCache, defaultThreshold, type TranslationStats } from "./code-cache.ts";

const { state } = layout;
let compiled: WasmModule | undefined;
/** The hart's module, compiled once in a process: from what the build kept, else built here, which takes longer. */
function hartModule(built: Uint8Array<ArrayBuffer> | undefined): WasmModule {
  compiled ??= new webAssembly.Module(built ?? buildHartModule());
  return compiled;
}

const csr = { fflags: 1, fcsr: 3 } as const;
/** Extensions in `misa`: MXL = 2 (64 bits), and A B C D F I M S U. */
const misa = (2n << 62n) | [..."ABCDFIMSU"].reduce((bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 65)), 0n);

/** Which code runs: 0 the interpreter alone; 1 translated as soon as it can be; `auto` translated when it is worth it. */
export type Tier = 0 | 1 | "auto";

export interface EmulatorOptions {
  /** Default `auto`. */
  readonly tier?: Tier;
  /** What `buildHartModule` gives, if a build has kept it. */
  readonly module?: Uint8Array<ArrayBuffer>;
  /** Nanoseconds of a clock, to measure how long translation takes; without it, that is 0. */
  readonly monotonic?: () => number;
}

interface HartOptions extends EmulatorOptions {
  readonly id: number;
  /** Whether an `ecall` from S-mode leaves `run` instead of trapping. */
  readonly sbi: boolean;
}

interface HartExports {
  run(budget: number): number;
  flushTlb(): void;
  flushTranslations(keepGlobal: number): void;
  updateContext(): void;
  csrRead(number: number, writes: number): bigint;
  csrWrite(number: number, value: bigint): void;
  forgetCode(offset: number): void;
}

/** A RISC-V hart of the emulator: one WebAssembly instance over the machine's memory. */
export class Riscv64Hart implements Hart {
  readonly id: number;
  /** Whether an `ecall` from S-mode leaves `run` instead of trapping. */
  readonly #sbi: boolean;
  readonly #tier: Tier;
  readonly #cache: CodeCache | undefined;
  readonly #exports: HartExports;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #monotonic: () => number;
  /** Nanoseconds spent translating. */
  #translationTime = 0;
  /** Runs, by the reason for which they came back. */
  readonly #exits = new Map<ExitReason, number>();

  constructor(ports: HartPorts, { memory, ram, rom }: MachineMemory, { id, sbi, tier = "auto", module, monotonic }: HartOptions) {
    this.id = id;
    this.#monotonic = monotonic ?? (() => 0);
    this.#sbi = sbi;
    this.#view = new DataView(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    const regions = new webAssembly.Table({ element: "anyfunc", initial: regionEntry.count });
    const imports = {
      machine: { memory, regions },
      ports: {
        mmioRead: (address: number, size: 1 | 2 | 4) => ports.mmioRead(address >>> 0, size) ?? -1,
        mmioRead64: (address: number) => {
          const value = ports.mmioRead64(address >>> 0);
          if (value === undefined) return 0;
          this.#view.setBigUint64(state.mailbox, value, true);
          return 1;
        },
        mmioWrite: (address: number, size: 1 | 2 | 4, value: number) => {
          const masked = size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1);
          return ports.mmioWrite(address >>> 0, size, masked) ? 1 : 0;
        },
        mmioWrite64: (address: number) =>
          ports.mmioWrite64(address >>> 0, this.#view.getBigUint64(state.mailbox, true)) ? 1 : 0,
        time: () => ports.time(),
      },
    };
    const instance = new webAssembly.Instance(hartModule(module), imports);
    this.#exports = instance.exports as unknown as HartExports;
    this.#tier = tier;
    if (tier !== 0) this.#cache = new CodeCache(memory, regions, instance.exports);
    this.#bytes.set(csrIndexBytes(csrTable), layout.csrIndex);
    this.#writeCrossingHeader();
    assert(
      ram.offset === layout.ramOffset && rom.offset === ram.offset + ram.size,
      "RAM follows what the hart keeps, and ROM RAM",
    );
    this.#setU64(state.ramBase, BigInt(ram.base));
    this.#setU64(state.ramSize, BigInt(ram.size));
    this.#setU64(state.romBase, BigInt(rom.base));
    this.#setU64(state.romSize, BigInt(rom.size));
    this.#setU64(state.hartId, BigInt(id));
    this.reset({ pc: 0n, mode: 3 });
  }

  /** The record page of its own for instructions that cross pages finds the instruction's bytes as if it were at a page's end. */
  #writeCrossingHeader(): void {
    const { crossing, crossingBytes } = layout;
    this.#view.setInt32(crossing - 16, crossingBytes - 4094, true);
    for (const past of [0, 1]) this.#view.setUint16(crossing + (2048 + past) * 16, 1, true);
  }

  run(budget: number): ExitReason {
    const reason = this.#exports.run(budget) as ExitReason;
    this.#exits.set(reason, (this.#exits.get(reason) ?? 0) + 1);
    if (this.#cache?.isDue()) {
      const begin = this.#monotonic();
      this.#cache.drain();
      this.#translationTime += this.#monotonic() - begin;
    }
    return reason;
  }

  /** Nanoseconds spent translating. */
  get translationTime(): number {
    return this.#translationTime;
  }
  /** Runs, by the reason for which they came back. */
  get exits(): Readonly<Record<"budget" | "wfi" | "ecall", number>> {
    const of = (reason: ExitReason) => this.#exits.get(reason) ?? 0;
    return { budget: of(exitReason.budget), wfi: of(exitReason.wfi), ecall: of(exitReason.ecall) };
  }
  /** Traps taken, by cause; those that there were. */
  get traps(): Readonly<Record<string, number>> {
    const counts = (at: number, names: readonly (string | undefined)[], kind: string) =>
      Array.from({ length: 16 }, (_, cause): [string, number] => [
        names[cause] ?? `${kind} ${cause}`,
        Number(this.#u64(at + 8 * cause)),
      ]);
    const all = [
      ...counts(state.exceptions, exceptionNames, "exception"),
      ...counts(state.interrupts, interruptNames, "interrupt"),
    ];
    return Object.fromEntries(all.filter(([, count]) => count > 0));
  }

  /** Counts of translated code; undefined if nothing is translated. */
  get translation(): TranslationStats | undefined {
    return this.#cache?.stats;
  }
  /** Counts that the hart keeps in its state. */
  get counters(): Readonly<
    Record<
      | "regionEntries"
      | "regionInstructions"
      | "tlbMisses"
      | "pageWalks"
      | "fetchMisses"
      | "decoded"
      | "flushesOfAll"
      | "flushesOfSpaces"
      | "flushesOfSpace"
      | "flushesOfPage",
      number
    >
  > {
    const count = (field: StateField) => Number(this.#u64(state[field]));
    return {
      regionEntries: count("regionEntries"),
      regionInstructions: count("regionInstructions"),
      tlbMisses: count("tlbMisses"),
      pageWalks: count("pageWalks"),
      fetchMisses: count("fetchMisses"),
      decoded: count("decoded"),
      flushesOfAll: count("flushesOfAll"),
      flushesOfSpaces: count("flushesOfSpaces"),
      flushesOfSpace: count("flushesOfSpace"),
      flushesOfPage: count("flushesOfPage"),
    };
  }

  get instret(): number {
    const executed = this.#u32(state.runBudget) - this.#u32(state.budget) - this.#u32(state.deferred);
    return Number(this.#u64(state.instret)) + executed;
  }

  setInterrupt(bit: InterruptBit, level: boolean): void {
    const mask = 1n << BigInt(bit);
    const old = this.#u64(state.mipExternal);
    const next = level ? old | mask : old & ~mask;
    if (next === old) return;
    this.#setU64(state.mipExternal, next);
    if (level) this.#setU32(state.attention, 1);
  }

  requestExit(): void {
    this.#setU32(state.exitRequested, 1);
    this.#setU32(state.attention, 1);
  }

  timerDeadline(): number {
    const enabled = this.#u64(state.menvcfg) >> 63n === 1n;
    const stimecmp = this.#u64(state.stimecmp);
    return enabled && stimecmp < 1n << 53n ? Number(stimecmp) : Number.POSITIVE_INFINITY;
  }

  reset({ pc, a0 = 0n, a1 = 0n, a2 = 0n, mode }: Parameters<Hart["reset"]>[0]): void {
    this.#bytes.fill(0, state.x, state.end);
    this.#setU64(state.mstatus, status.UXL | status.SXL);
    this.#setU64(state.misa, misa);
    this.#setU64(state.stimecmp, 0xffff_ffff_ffff_ffffn);
    this.#setU32(state.mode, mode);
    this.#setU32(state.sbi, this.#sbi ? 1 : 0);
    this.#setU32(state.hotThreshold, this.#tier === 0 ? 0 : this.#tier === 1 ? 1 : defaultThreshold);
    this.pc = pc;
    this.setX(10, a0);
    this.setX(11, a1);
    this.setX(12, a2);
    this.#exports.flushTlb();
    this.#exports.updateContext();
  }

  getX(index: number): bigint {
    return this.#u64(state.x + 8 * index);
  }
  setX(index: number, value: bigint): void {
    if (index !== 0) this.#setU64(state.x + 8 * index, value);
  }
  getF(index: number): bigint {
    return this.#u64(state.f + 8 * index);
  }
  setF(index: number, value: bigint): void {
    this.#setU64(state.f + 8 * index, value);
  }
  get pc(): bigint {
    return this.#u64(state.pc);
  }
  set pc(value: bigint) {
    this.#setU64(state.pc, value & ~1n);
  }
  get mode(): Privilege {
    return this.#u32(state.mode) as Privilege;
  }

  getCsr(number: number): bigint | undefined {
    return this.#asMachine(number, () => {
      const value = this.#exports.csrRead(number, 0);
      return this.#clearTrap() ? undefined : BigInt.asUintN(64, value);
    });
  }

  setCsr(number: number, value: bigint): void {
    this.#asMachine(number, () => {
      this.#exports.csrWrite(number, value);
      this.#clearTrap();
    });
    this.#exports.updateContext();
  }

  /** Runs `body` as M-mode, and with the floating-point unit on if the CSR needs that, so that it can be reached. */
  #asMachine<T>(number: number, body: () => T): T {
    const mode = this.#u32(state.mode);
    const fs = this.#u32(state.fs);
    const isFloat = number >= csr.fflags && number <= csr.fcsr;
    this.#setU32(state.mode, 3);
    if (isFloat && fs === 0) this.#setU32(state.fs, 1);
    const result = body();
    this.#setU32(state.mode, mode);
    if (isFloat && fs === 0) this.#setU32(state.fs, 0);
    return result;
  }

  #clearTrap(): boolean {
    const trapped = this.#u32(state.trap) !== 0;
    this.#setU32(state.trap, 0);
    return trapped;
  }

  invalidateCode(offset: number, length: number): void {
    for (let page = offset - (offset % 4096); page < offset + length; page += 4096)
      this.#exports.forgetCode(layout.ramOffset + page);
  }

  flushTranslations(): void {
    this.#exports.flushTranslations(0);
  }

  #u32(at: number): number {
    return this.#words[at >>> 2];
  }
  #setU32(at: number, value: number): void {
    this.#words[at >>> 2] = value;
  }
  #u64(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }
  #setU64(at: number, value: bigint): void {
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }
}

/** Makes harts of the emulator. */
export function riscv64HartFactory(emulator: EmulatorOptions = {}): HartFactory {
  return {
    reserved: reservedBytes,
    create: (ports, memory, options) => new Riscv64Hart(ports, memory, { ...options, ...emulator }),
  };
}

/** Harts of the emulator as they are without options. */
export const riscv64Harts: HartFactory = riscv64HartFactory();
