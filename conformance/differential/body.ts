/** Random instruction sequences that stay inside their case: jumps go forward, memory accesses go to the window. */
import { csr, encode, reg } from "./assembler.ts";
import type { Piece } from "./case.ts";
import { type Instruction, kindOf, mayWrite } from "./instructions.ts";
import { windowBase, windowCentre, windowHalf } from "./layout.ts";
import type { Random } from "./random.ts";
import { floating, floatingOf, integer } from "./values.ts";

interface Slot {
  bits: number;
  readonly size: 2 | 4;
  /** A jump: how many slots ahead its target is, and how the distance in bytes is put into `bits`. */
  readonly jump?: { readonly over: number; readonly from: number; readonly insert: (bits: number, distance: number) => number };
  /** Not a target: the middle of a sequence that belongs together. */
  readonly inner?: boolean;
}

/** Widest access: `amocas.q`. */
const widest = 16;

export class Body {
  readonly x: bigint[];
  readonly f: bigint[];
  readonly #random: Random;
  readonly #slots: Slot[] = [];
  /** Registers that hold addresses in the window; no instruction of the body writes them. */
  readonly #pointers: { readonly aligned: number; readonly centre: number; readonly odd: number };
  readonly #offset: bigint;
  readonly #calm: boolean;
  #more: readonly number[] = [];

  /**
   * @param offset virtual minus physical address of the window
   * @param format of most floating-point registers; both when not given
   * @param calm leaves out what traps: misaligned atomics, reserved rounding modes and pairs
   */
  constructor(random: Random, options: { offset?: bigint; format?: "single" | "double"; calm?: boolean } = {}) {
    this.#random = random;
    this.#calm = options.calm ?? false;
    this.#offset = options.offset ?? 0n;
    this.x = Array.from({ length: 32 }, () => integer(random));
    this.f = Array.from({ length: 32 }, () => (options.format ? floatingOf(options.format, random) : floating(random)));
    const aligned = random.between(8, 15);
    const [centre, odd] = this.#distinct(2, [0, reg.ra, reg.sp, aligned]);
    this.#pointers = { aligned, centre, odd };
    this.x[0] = 0n;
    this.x[reg.sp] = windowBase + this.#offset;
    this.x[aligned] = windowBase + BigInt(16 * random.below(windowHalf / 16)) + this.#offset;
    this.x[centre] = windowCentre + this.#offset;
    this.x[odd] = windowCentre + BigInt(random.between(-24, 8)) + this.#offset;
  }

  /** Keeps these registers too from being written. */
  reserving(...registers: readonly number[]): this {
    this.#more = registers;
    return this;
  }
  /** Registers free to be written by what a generator adds itself; none of them the same. */
  scratch(count: number): number[] {
    return this.#distinct(count, [0, ...this.#reserved(), ...this.#more]);
  }
  isReserved(x: number): boolean {
    return this.#reserved().includes(x);
  }
  /** Whether `offset` bytes from what `x` holds an access of any width stays in the window. */
  inWindow(x: number, offset: number): boolean {
    const at = this.x[x] + BigInt(offset) - windowBase - this.#offset;
    return at >= 0n && at <= BigInt(2 * windowHalf - widest);
  }
  /** The word with a pointer as its first source. */
  rebase(bits: number): number {
    return insert(bits, 15, 5, this.#random.pick(this.#reserved()));
  }
  readonly sp = reg.sp;
  /** A register with an address in the window, a multiple of 16. */
  get pointer(): number {
    return this.#random.pick([this.#pointers.aligned, this.#pointers.centre]);
  }

  add(...words: number[]): this {
    for (const bits of words) this.#slots.push({ bits, size: 4 });
    return this;
  }
  /** A word of unknown meaning, of 16 or 32 bits by its own encoding. */
  addRaw(bits: number): this {
    this.#slots.push((bits & 3) === 3 ? { bits, size: 4 } : { bits: bits & 0xffff, size: 2 });
    return this;
  }

  /**
   * Adds the instruction with random operands. False if it could not be had without overwriting a pointer.
   * @param options `evenSp`: let it overwrite `sp`; nothing in the body may use it as a pointer
   */
  addRandom(instruction: Instruction, options: { evenSp?: boolean } = {}): boolean {
    for (let attempt = 0; attempt < 50; attempt++) {
      const bits = this.#withOperands(instruction, this.#fill(instruction));
      const written = mayWrite(bits, instruction.size);
      if (
        written.some((x) => this.#reserved().includes(x) || this.#more.includes(x)) &&
        !(options.evenSp && written[0] === reg.sp)
      )
        continue;
      this.#place(instruction, bits);
      // See `avoided` in differences.ts.
      if (instruction.name.startsWith("froundnx.")) this.add(encode.csrrs(this.scratch(1)[0], csr.fflags, 0));
      return true;
    }
    return false;
  }

  /** Makes what was added so far a loop: as often as the register says. */
  repeat(count: number): this {
    this.add(encode.addi(count, count, -1));
    const distance = -this.#slots.reduce((sum, { size }) => sum + size, 0);
    // No target of jumps, which would leave the register as it is.
    this.#slots.push({ bits: encode.bne(count, 0, distance), size: 4, inner: true });
    return this;
  }
  finish(): Piece[] {
    const at = [0];
    for (const slot of this.#slots) at.push(at[at.length - 1] + slot.size);
    this.#slots.forEach((slot, i) => {
      if (slot.jump === undefined) return;
      let target = Math.min(i + slot.jump.over, this.#slots.length);
      while (this.#slots[target]?.inner) target++;
      slot.bits = slot.jump.insert(slot.bits, at[target] - at[i - slot.jump.from]);
    });
    return this.#slots.map(({ bits, size }) => ({ bits, size }));
  }

  #distinct(count: number, taken: readonly number[]): number[] {
    const result: number[] = [];
    while (result.length < count) {
      const x = this.#random.between(1, 31);
      if (!taken.includes(x) && !result.includes(x)) result.push(x);
    }
    return result;
  }
  #reserved(): readonly number[] {
    return [reg.sp, this.#pointers.aligned, this.#pointers.centre, this.#pointers.odd];
  }

  #fill(instruction: Instruction): number {
    const random = this.#random;
    let bits = ((random.u32() & ~instruction.mask) | instruction.match) >>> 0;
    if (instruction.rounds && (this.#calm || !random.oneIn(24))) bits = insert(bits, 12, 3, random.pick([0, 1, 2, 3, 4, 7]));
    // A shared source or destination shows mistakes in the order of reading and writing.
    if (instruction.size === 4 && random.oneIn(6)) {
      const shared = insert(bits, 7, 5, (bits >>> 15) & 31);
      if ((shared & instruction.mask) >>> 0 === instruction.match) bits = shared;
    }
    return instruction.size === 4 ? bits : bits & 0xffff;
  }

  #withOperands(instruction: Instruction, bits: number): number {
    const random = this.#random;
    switch (instruction.kind) {
      case "load":
      case "store": {
        const base = random.pick(this.#reserved());
        const offset = Number(this.#address() - this.x[base]);
        const based = insert(bits, 15, 5, base);
        if (instruction.kind === "load") return insert(based, 20, 12, offset);
        return insert(insert(based, 7, 5, offset), 25, 7, offset >> 5);
      }
      case "atomic": {
        const based = insert(bits, 15, 5, !this.#calm && random.oneIn(8) ? this.#pointers.odd : this.pointer);
        if (!isCompareAndSwap(based)) return based;
        // amocas.q takes pairs of registers; odd ones are reserved (Zacas, "Instructions").
        const quad = (based & 0x7000) === 0x4000 && (this.#calm || !random.oneIn(8));
        const paired = quad ? insert(insert(based, 7, 1, 0), 20, 1, 0) : based;
        // Needs a destination other than x0 here: see `avoided` in differences.ts.
        return ((paired >>> 7) & 31) === 0 ? insert(paired, 7, 5, 30) : paired;
      }
      case "cacheBlock":
        return insert(bits, 15, 5, random.pick(this.#reserved()));
      case "cLoad":
      case "cStore":
        return insert(bits, 7, 3, this.#pointers.aligned - 8);
      default:
        return bits;
    }
  }

  /** An address in the window for an access of any width. */
  #address(): bigint {
    const random = this.#random;
    const last = 2 * windowHalf - widest;
    const inWindow = random.pick([
      random.below(last / 8) * 8,
      random.below(last / 8) * 8,
      random.below(last),
      windowHalf + random.between(1 - widest, widest),
    ]);
    return windowBase + BigInt(inWindow) + this.#offset;
  }

  #place(instruction: Instruction, bits: number): void {
    const { size } = instruction;
    const over = 1 + this.#random.below(5);
    const slots = this.#slots;
    switch (instruction.kind) {
      case "branch":
        slots.push({ bits, size, jump: { over, from: 0, insert: insertBranch } });
        return;
      case "jal":
        slots.push({ bits, size, jump: { over, from: 0, insert: insertJal } });
        return;
      case "cJump":
        slots.push({ bits, size, jump: { over, from: 0, insert: insertCompressedJump } });
        return;
      case "cBranch":
        slots.push({ bits, size, jump: { over, from: 0, insert: insertCompressedBranch } });
        return;
      case "jalr": {
        const [base] = this.scratch(1);
        const odd = this.#random.below(2); // bit 0 of the target is ignored
        slots.push({ bits: encode.auipc(base, 0), size: 4 });
        const jump = { over, from: 1, insert: (word: number, distance: number) => insert(word, 20, 12, distance + odd) };
        slots.push({ bits: insert(bits, 15, 5, base), size, inner: true, jump });
        return;
      }
      case "cJumpRegister": {
        const base = (bits >>> 7) & 31;
        if (base === 0 || this.#reserved().includes(base)) {
          if (base === 0) slots.push({ bits, size });
          return;
        }
        slots.push({ bits: encode.auipc(base, 0), size: 4 });
        const jump = { over: over + 1, from: 1, insert: (word: number, distance: number) => insert(word, 20, 12, distance) };
        slots.push({ bits: encode.addi(base, base, 0), size: 4, inner: true, jump }, { bits, size, inner: true });
        return;
      }
      case "atomic":
        if (!this.#random.oneIn(2) && isCompareAndSwap(bits)) this.#loadExpected(bits);
        break;
    }
    slots.push({ bits, size });
  }

  /** What the compare-and-swap finds in memory, so that it swaps. */
  #loadExpected(bits: number): void {
    const rd = (bits >>> 7) & 31;
    const base = (bits >>> 15) & 31;
    if (rd !== 0) this.add(encode.ld(rd, base, 0));
    if (((bits >>> 12) & 7) === 4 && rd !== 0 && rd < 31) this.add(encode.ld(rd + 1, base, 8));
  }
}

function isCompareAndSwap(bits: number): boolean {
  return kindOf(bits) === "atomic" && bits >>> 27 === 5;
}

function insert(bits: number, at: number, width: number, value: number): number {
  const mask = ((1 << width) - 1) << at;
  return ((bits & ~mask) | ((value << at) & mask)) >>> 0;
}
function insertBranch(bits: number, distance: number): number {
  return ((bits & 0x01ff_f07f) | (encode.beq(0, 0, distance) & 0xfe00_0f80)) >>> 0;
}
function insertJal(bits: number, distance: number): number {
  return ((bits & 0xfff) | encode.jal(0, distance)) >>> 0;
}
/** Bits of a distance to bits of an encoding: each digit pair is [bit of the distance, its place]. */
function scatter(distance: number, places: readonly (readonly [number, number])[]): number {
  return places.reduce((bits, [from, to]) => bits | (((distance >> from) & 1) << to), 0);
}
// biome-ignore format: a table
const jumpPlaces = [[11, 12], [4, 11], [9, 10], [8, 9], [10, 8], [6, 7], [7, 6], [3, 5], [2, 4], [1, 3], [5, 2]] as const;
// biome-ignore format: a table
const branchPlaces = [[8, 12], [4, 11], [3, 10], [7, 6], [6, 5], [2, 4], [1, 3], [5, 2]] as const;
function insertCompressedJump(bits: number, distance: number): number {
  return (bits & 0xe003) | scatter(distance, jumpPlaces);
}
function insertCompressedBranch(bits: number, distance: number): number {
  return (bits & 0xe383) | scatter(distance, branchPlaces);
}
