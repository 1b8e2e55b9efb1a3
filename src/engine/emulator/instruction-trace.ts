import { disassemble, fNames, xNames } from "../../isa/riscv64/disassemble.ts";
import { fetchTlb, layout, recordPage } from "../../isa/riscv64/layout.ts";
import { lengthOf } from "../../isa/riscv64/lookup.ts";
import type { Hart } from "../../machine/hart.ts";
import type { MachineMemory } from "../../machine/memory.ts";

/** One executed instruction. */
export interface TracedInstruction {
  /** Instructions executed before it. */
  readonly index: number;
  readonly pc: bigint;
  readonly text: string;
}

/** Executes a hart instruction by instruction and remembers the last ones, and for each register which one wrote it last. */
export class InstructionTrace {
  readonly last: TracedInstruction[] = [];
  /** By register name. */
  readonly writers = new Map<string, TracedInstruction>();
  readonly #memory: MachineMemory;
  readonly #kept: number;

  /** @param memory of the hart's machine, where its translation caches are */
  constructor(memory: MachineMemory, kept = 40) {
    this.#memory = memory;
    this.#kept = kept;
  }

  /** Runs one instruction: what `hart.run(1)` does. */
  step(hart: Hart, index: number): ReturnType<Hart["run"]> {
    const { pc } = hart;
    const bank = this.#view().getInt32(layout.state.fetchTlb, true);
    const before = this.#registers(hart);
    const reason = hart.run(1);
    const executed = { index, pc, text: this.#textAt(pc, bank) };
    this.last.push(executed);
    if (this.last.length > this.#kept) this.last.shift();
    for (const [i, value] of this.#registers(hart).entries()) {
      if (value !== before[i]) this.writers.set(i < 32 ? xNames[i] : fNames[i - 32], executed);
    }
    return reason;
  }

  #registers(hart: Hart): bigint[] {
    return Array.from({ length: 64 }, (_, i) => (i < 32 ? hart.getX(i) : hart.getF(i - 32)));
  }

  #view(): DataView {
    return new DataView(this.#memory.memory.buffer);
  }

  /** The instruction as the hart has just fetched it: where, its fetch TLB knows. */
  #textAt(pc: bigint, bank: number): string {
    const low = this.#halfword(pc, bank);
    if (low === undefined) return "(not fetched)";
    if (lengthOf(low) === 2) return disassemble(low, pc);
    const high = this.#halfword(pc + 2n, bank);
    return high === undefined ? "(not fetched)" : disassemble((low | (high << 16)) >>> 0, pc);
  }
  #halfword(address: bigint, bank: number): number | undefined {
    const view = this.#view();
    const page = BigInt.asUintN(64, address & ~4095n);
    const slot = bank + (Number((address >> 12n) & BigInt(fetchTlb.entries - 1)) << 4);
    if (view.getBigUint64(slot + fetchTlb.tag, true) !== page) return undefined;
    const records = view.getInt32(slot + fetchTlb.recordPage, true);
    return view.getUint16(view.getInt32(records + recordPage.codeOffset, true) + Number(address & 4095n), true);
  }
}
