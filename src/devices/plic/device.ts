import { assert } from "../../core/errors.ts";
import type { DeviceState, Irq, MmioDevice } from "../ports.ts";
import { Misuse, type RegisterTable } from "../registers.ts";
import { array, checkState } from "../state.ts";
import { plicRegisters, plicSize, plicSources, plicWords } from "./registers.ts";

/** Priorities and thresholds are 0..7. */
const priorityMask = 7;

export interface PlicPorts {
  /** The external-interrupt lines: context 2h is hart h's `mip.MEIP`, 2h+1 its `mip.SEIP`. */
  readonly contexts: readonly Irq[];
}

/**
 * The platform-level interrupt controller (RISC-V PLIC 1.0) as QEMU's `virt` board has it. All gateways are for
 * level-triggered sources: a request goes on when the line is high and the one before is completed, and stays pending
 * even if the line falls before it is claimed (PLIC 1.0, chapter 1.2).
 */
export class Plic implements MmioDevice {
  readonly name = "plic";
  readonly size: number;
  readonly misuse = new Misuse();
  readonly table: RegisterTable<Plic>;
  readonly #contexts: readonly Irq[];
  readonly #priority = new Uint8Array(plicSources);
  /** Bits of sources, 32 a word. */
  readonly #level = new Int32Array(plicWords);
  readonly #pending = new Int32Array(plicWords);
  readonly #claimed = new Int32Array(plicWords);
  /** Per context `plicWords` words. */
  readonly #enable: Int32Array;
  readonly #threshold: Uint8Array;

  constructor(ports: PlicPorts) {
    const contexts = ports.contexts.length;
    this.size = plicSize(contexts);
    this.table = plicRegisters(contexts);
    this.#contexts = ports.contexts;
    this.#enable = new Int32Array(contexts * plicWords);
    this.#threshold = new Uint8Array(contexts);
  }

  /** The input of a source, 1..95, for the device behind it. */
  input(source: number): Irq {
    assert(Number.isInteger(source) && source > 0 && source < plicSources, `the PLIC has no source ${source}`);
    const word = source >>> 5;
    const bit = 1 << (source & 31);
    return {
      set: (level) => {
        if (((this.#level[word] & bit) !== 0) === level) return;
        this.#level[word] ^= bit;
        if (level) this.#forward(word);
      },
    };
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return this.table.read(this, offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    this.table.write(this, offset, size, value);
  }

  readPriority(source: number): number {
    return this.#priority[source];
  }

  writePriority(source: number, value: number): void {
    if (source === 0) return;
    this.#priority[source] = value & priorityMask;
    this.#update();
  }

  readPending(word: number): number {
    return this.#pending[word] >>> 0;
  }

  readEnable(context: number, word: number): number {
    return this.#enable[context * plicWords + word] >>> 0;
  }

  writeEnable(context: number, word: number, value: number): void {
    this.#enable[context * plicWords + word] = word === 0 ? value & ~1 : value;
    this.#update();
  }

  readThreshold(context: number): number {
    return this.#threshold[context];
  }

  writeThreshold(context: number, value: number): void {
    this.#threshold[context] = value & priorityMask;
    this.#update();
  }

  /** Takes the request of highest priority, of those the lowest source; 0 if there is none. The threshold plays no part. */
  claim(context: number): number {
    const source = this.#best(context, 0);
    if (source === 0) return 0;
    const word = source >>> 5;
    const bit = 1 << (source & 31);
    this.#pending[word] &= ~bit;
    this.#claimed[word] |= bit;
    this.#update();
    return source;
  }

  /** Opens the gateway again. Ignored if the source is not enabled for this context (PLIC 1.0, chapter 9). */
  complete(context: number, source: number): void {
    const word = source >>> 5;
    const bit = 1 << (source & 31);
    const enabled = source > 0 && source < plicSources && (this.#enable[context * plicWords + word] & bit) !== 0;
    if (!enabled || (this.#claimed[word] & bit) === 0) {
      this.misuse.count("completedUnclaimed");
      return;
    }
    this.#claimed[word] &= ~bit;
    this.#forward(word);
  }

  reset(): void {
    this.#priority.fill(0);
    this.#pending.fill(0);
    this.#claimed.fill(0);
    this.#enable.fill(0);
    this.#threshold.fill(0);
    for (let word = 0; word < plicWords; word++) this.#forward(word);
    this.#update();
  }

  save(): DeviceState {
    return {
      schema: "plic",
      version: 1,
      priority: [...this.#priority],
      level: unsignedWords(this.#level),
      pending: unsignedWords(this.#pending),
      claimed: unsignedWords(this.#claimed),
      enable: unsignedWords(this.#enable),
      threshold: [...this.#threshold],
    };
  }

  load(state: DeviceState): void {
    const loaded = checkState("plic", 1, fields(this.#contexts.length), state);
    this.#priority.set(loaded.priority);
    this.#priority[0] = 0;
    this.#level.set(loaded.level);
    this.#pending.set(loaded.pending);
    this.#claimed.set(loaded.claimed);
    this.#enable.set(loaded.enable);
    this.#threshold.set(loaded.threshold);
    this.#update();
  }

  #forward(word: number): void {
    const requests = this.#level[word] & ~this.#claimed[word] & ~this.#pending[word];
    if (requests === 0) return;
    this.#pending[word] |= requests;
    this.#update();
  }

  #update(): void {
    for (let context = 0; context < this.#contexts.length; context++) {
      this.#contexts[context].set(this.#best(context, this.#threshold[context]) !== 0);
    }
  }

  /** The source to serve first of those above a priority, or 0. A priority of 0 is never served (PLIC 1.0, chapter 4). */
  #best(context: number, above: number): number {
    let best = 0;
    let bestPriority = above;
    for (let word = 0; word < plicWords; word++) {
      let candidates = this.#pending[word] & this.#enable[context * plicWords + word];
      while (candidates !== 0) {
        const lowest = candidates & -candidates;
        const source = word * 32 + 31 - Math.clz32(lowest);
        candidates ^= lowest;
        if (this.#priority[source] > bestPriority) {
          best = source;
          bestPriority = this.#priority[source];
        }
      }
    }
    return best;
  }
}

function unsignedWords(words: Int32Array): number[] {
  return Array.from(words, (word) => word >>> 0);
}

function fields(contexts: number) {
  return {
    priority: array(plicSources, 3),
    level: array(plicWords, 32),
    pending: array(plicWords, 32),
    claimed: array(plicWords, 32),
    enable: array(contexts * plicWords, 32),
    threshold: array(contexts, 3),
  };
}
