/** The stub for x86-64. Encodings: Intel SDM volume 2. System call convention: syscall(2), "Architecture calling conventions". */
import { record, type Stub } from "./record.ts";

const rax = 0;
const rcx = 1;
const rdx = 2;
const rbx = 3;
const rbp = 5;
const rsi = 6;
const rdi = 7;
const r8 = 8;
const r9 = 9;
const r10 = 10;

const rexW = 0x48;
const modDisplacement8 = 0x40;

/** `mov` between `register` and the 64 bits at `[base + displacement]`; 0x8b loads, 0x89 stores (MOV r64, r/m64 and back). */
function move(opcode: 0x8b | 0x89, register: number, base: number, displacement: number): number[] {
  const rex = rexW | ((register >> 3) << 2) | (base >> 3);
  return [rex, opcode, modDisplacement8 | ((register & 7) << 3) | (base & 7), displacement];
}
const load = (register: number, base: number, displacement: number) => move(0x8b, register, base, displacement);
const store = (register: number, base: number, displacement: number) => move(0x89, register, base, displacement);
const copy = (to: number, from: number) => [rexW, 0x89, 0xc0 | (from << 3) | to];
const testSelf = (register: number) => [rexW, 0x85, 0xc0 | (register << 3) | register];
const push = (register: number) => [0x50 | register];
const pop = (register: number) => [0x58 | register];
const moveImmediate = (register: number, value: bigint) => [
  rexW,
  0xb8 | register,
  ...Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn)),
];
const jumpShort = 0xeb;
const jumpIfNegative = 0x78;
const jumpIfZero = 0x74;

function assemble(): Uint8Array {
  const code: number[] = [];
  const labels = new Map<string, number>();
  const jumps: { at: number; label: string }[] = [];
  const emit = (bytes: number[]) => code.push(...bytes);
  const mark = (label: string) => labels.set(label, code.length);
  const jump = (opcode: number, label: string) => {
    emit([opcode, 0]);
    jumps.push({ at: code.length, label });
  };

  emit(push(rbx));
  emit(push(rbp));
  emit(copy(rbx, rdi));
  emit(copy(rbp, rsi));
  mark("loop");
  emit(load(rax, rbx, record.nr));
  emit(testSelf(rax));
  jump(jumpIfNegative, "done");
  [rdi, rsi, rdx, r10, r8, r9].forEach((register, index) => {
    emit(load(register, rbx, record.args + 8 * index));
    emit(load(register, register, 0));
  });
  emit([0x0f, 0x05]); // syscall
  emit(store(rax, rbx, record.result));
  emit(load(rcx, rbx, record.dest));
  emit(store(rax, rcx, 0));
  emit(testSelf(rax));
  jump(jumpIfNegative, "error");
  jump(jumpIfZero, "zero");
  emit(load(rbx, rbx, record.onPositive));
  jump(jumpShort, "loop");
  mark("zero");
  emit(load(rbx, rbx, record.onZero));
  jump(jumpShort, "loop");
  mark("error");
  emit(store(rbx, rbp, 0));
  emit(load(rbx, rbx, record.onError));
  jump(jumpShort, "loop");
  mark("done");
  emit(pop(rbp));
  emit(pop(rbx));
  emit([0xc3]); // ret

  for (const { at, label } of jumps) code[at - 1] = (labels.get(label)! - at) & 0xff;
  return Uint8Array.from(code);
}

export const x64: Stub = {
  code: assemble(),
  enter: (firstRecord, header) => Uint8Array.from([...moveImmediate(rdi, firstRecord), ...moveImmediate(rsi, header)]),
};
