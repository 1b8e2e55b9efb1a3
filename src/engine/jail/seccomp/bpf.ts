/** Classic BPF as seccomp(2) takes it: an assembler with labels, and an interpreter for tests and `viv host check`. */

/** Instruction codes: include/uapi/linux/bpf_common.h. */
const BPF_LD_W_ABS = 0x20;
const BPF_JMP_JA = 0x05;
const BPF_JMP_JEQ_K = 0x15;
const BPF_JMP_JGT_K = 0x25;
const BPF_JMP_JGE_K = 0x35;
const BPF_ALU_AND_K = 0x54;
const BPF_RET_K = 0x06;

const conditions = { eq: BPF_JMP_JEQ_K, gt: BPF_JMP_JGT_K, ge: BPF_JMP_JGE_K } as const;

/** The kernel's limit on a filter's length (BPF_MAXINSNS). */
const maximumLength = 4096;

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly label?: string;
  /** Taken when the condition does not hold, instead of when it does. */
  readonly negated?: boolean;
}

export class BpfAssembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();
  #fresh = 0;

  newLabel(): string {
    return `.${++this.#fresh}`;
  }

  mark(label: string): void {
    this.#labels.set(label, this.#instructions.length);
  }

  /** Loads the 32-bit word at `offset` of `struct seccomp_data` into the accumulator. */
  load(offset: number): void {
    this.#instructions.push({ code: BPF_LD_W_ABS, k: offset });
  }

  and(mask: number): void {
    this.#instructions.push({ code: BPF_ALU_AND_K, k: mask >>> 0 });
  }

  jump(label: string): void {
    this.#instructions.push({ code: BPF_JMP_JA, k: 0, label });
  }

  /** Goes to `label` if the accumulator compares so with `value` (unsigned); conditional jumps reach 255 instructions, so it is two. */
  jumpIf(condition: keyof typeof conditions, value: number, label: string): void {
    this.#instructions.push({ code: conditions[condition], k: value >>> 0 });
    this.jump(label);
  }

  jumpUnless(condition: keyof typeof conditions, value: number, label: string): void {
    this.#instructions.push({ code: conditions[condition], k: value >>> 0, negated: true });
    this.jump(label);
  }

  ret(value: number): void {
    this.#instructions.push({ code: BPF_RET_K, k: value >>> 0 });
  }

  /** The program as an array of `struct sock_filter`. */
  assemble(): Uint8Array {
    const length = this.#instructions.length;
    if (length > maximumLength)
      throw new Error(`a filter of ${length} instructions is longer than the kernel's ${maximumLength}`);
    const bytes = new Uint8Array(8 * length);
    const view = new DataView(bytes.buffer);
    this.#instructions.forEach((instruction, index) => {
      const isConditional = instruction.code !== BPF_JMP_JA && (instruction.code & 7) === 5;
      view.setUint16(8 * index, instruction.code, true);
      if (isConditional) {
        // Jump targets count from the next instruction, which is the long jump.
        view.setUint8(8 * index + 2, instruction.negated ? 1 : 0);
        view.setUint8(8 * index + 3, instruction.negated ? 0 : 1);
      }
      const k = instruction.label === undefined ? instruction.k : this.#labels.get(instruction.label)! - index - 1;
      view.setUint32(8 * index + 4, k, true);
    });
    return bytes;
  }
}

/** What the kernel shows a filter about a system call. */
export interface SeccompData {
  readonly nr: number;
  readonly arch: number;
  readonly args: readonly bigint[];
}

/** Runs a filter as the kernel does and returns its verdict. */
export function runFilter(filter: Uint8Array, data: SeccompData): number {
  const input = new DataView(new ArrayBuffer(64));
  input.setUint32(0, data.nr >>> 0, true);
  input.setUint32(4, data.arch >>> 0, true);
  data.args.forEach((arg, index) => {
    input.setBigUint64(16 + 8 * index, BigInt.asUintN(64, arg), true);
  });
  const view = new DataView(filter.buffer, filter.byteOffset, filter.length);
  let accumulator = 0;
  for (let index = 0; 8 * index < filter.length; index++) {
    const code = view.getUint16(8 * index, true);
    const k = view.getUint32(8 * index + 4, true);
    const branch = (holds: boolean) => view.getUint8(8 * index + (holds ? 2 : 3));
    if (code === BPF_LD_W_ABS) accumulator = input.getUint32(k, true);
    else if (code === BPF_ALU_AND_K) accumulator = (accumulator & k) >>> 0;
    else if (code === BPF_RET_K) return k;
    else if (code === BPF_JMP_JA) index += k;
    else if (code === BPF_JMP_JEQ_K) index += branch(accumulator === k);
    else if (code === BPF_JMP_JGT_K) index += branch(accumulator > k);
    else if (code === BPF_JMP_JGE_K) index += branch(accumulator >= k);
    else throw new Error(`instruction ${index} of the filter has the unknown code ${code}`);
  }
  throw new Error("the filter ends without a verdict");
}
