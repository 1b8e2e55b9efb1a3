/** The stub for arm64. Encodings: Arm ARM C6.2 (A64 base instructions). */
import { record, type Stub } from "./record.ts";
import { words } from "./words.ts";

const sp = 31;
const x8 = 8;
const x19 = 19;
const x20 = 20;
const x30 = 30;

/** LDR/STR (immediate), 64-bit, unsigned offset: scaled by 8. */
const ldr = (t: number, n: number, offset: number) => 0xf9400000 | ((offset / 8) << 10) | (n << 5) | t;
const str = (t: number, n: number, offset: number) => 0xf9000000 | ((offset / 8) << 10) | (n << 5) | t;
/** ORR (shifted register) with XZR: MOV. */
const mov = (d: number, m: number) => 0xaa0003e0 | (m << 16) | d;
const stpPre = (t1: number, t2: number, n: number, offset: number) =>
  0xa9800000 | (((offset / 8) & 0x7f) << 15) | (t2 << 10) | (n << 5) | t1;
const ldpPost = (t1: number, t2: number, n: number, offset: number) =>
  0xa8c00000 | (((offset / 8) & 0x7f) << 15) | (t2 << 10) | (n << 5) | t1;
const svc = 0xd4000001;
const ret = 0xd65f0000 | (x30 << 5);
const b = (offset: number) => 0x14000000 | ((offset / 4) & 0x3ffffff);
const cbz = (t: number, offset: number) => 0xb4000000 | (((offset / 4) & 0x7ffff) << 5) | t;
/** TBNZ of bit 63: branches if negative. */
const branchIfNegative = (t: number, offset: number) => 0xb7f80000 | (((offset / 4) & 0x3fff) << 5) | t;
const movz = (d: number, value: bigint, shift: number) =>
  0xd2800000 | (shift << 21) | (Number((value >> BigInt(16 * shift)) & 0xffffn) << 5) | d;
const movk = (d: number, value: bigint, shift: number) => movz(d, value, shift) | 0x20000000;

export const arm64: Stub = {
  code: words((a) => {
    a.emit(stpPre(x19, x20, sp, -16));
    a.emit(mov(x19, 0));
    a.emit(mov(x20, 1));
    a.mark("loop");
    a.emit(ldr(x8, x19, record.nr));
    a.branch("done", (offset) => branchIfNegative(x8, offset));
    for (let index = 0; index < 6; index++) {
      a.emit(ldr(index, x19, record.args + 8 * index));
      a.emit(ldr(index, index, 0));
    }
    a.emit(svc);
    a.emit(str(0, x19, record.result));
    a.emit(ldr(1, x19, record.dest));
    a.emit(str(0, 1, 0));
    a.branch("error", (offset) => branchIfNegative(0, offset));
    a.branch("zero", (offset) => cbz(0, offset));
    a.emit(ldr(x19, x19, record.onPositive));
    a.branch("loop", b);
    a.mark("zero");
    a.emit(ldr(x19, x19, record.onZero));
    a.branch("loop", b);
    a.mark("error");
    a.emit(str(x19, x20, 0));
    a.emit(ldr(x19, x19, record.onError));
    a.branch("loop", b);
    a.mark("done");
    a.emit(ldpPost(x19, x20, sp, 16));
    a.emit(ret);
  }),
  enter: (firstRecord, header) =>
    words((a) => {
      for (const [register, value] of [
        [0, firstRecord],
        [1, header],
      ] as const) {
        a.emit(movz(register, value, 0));
        for (const shift of [1, 2, 3]) a.emit(movk(register, value, shift));
      }
    }),
};
