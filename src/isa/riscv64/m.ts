import type { I32, I64 } from "../../wasm/types.ts";
import type { Emitter } from "./emitter.ts";
import { inst, type X } from "./instruction.ts";

/** M: integer multiplication and division (Unprivileged spec, chapter 13). */

type RegReg = { s: X; t: X; d: X };

/** High half of the unsigned 128-bit product. WebAssembly has no wide multiplication here: four 32-bit ones. */
function mulhu(e: Emitter, a: I64, b: I64): I64 {
  const y = e.i64.let(b);
  const x = e.i64.let(a);
  const low32 = 0xffff_ffffn;
  const xl = e.i64.let(e.i64.and(e.get(x), e.i64.const(low32)));
  const xh = e.i64.let(e.i64.shrU(e.get(x), e.i64.const(32)));
  const yl = e.i64.let(e.i64.and(e.get(y), e.i64.const(low32)));
  const yh = e.i64.let(e.i64.shrU(e.get(y), e.i64.const(32)));
  const middle = e.i64.let(
    e.i64.add(e.i64.mul(e.get(xh), e.get(yl)), e.i64.shrU(e.i64.mul(e.get(xl), e.get(yl)), e.i64.const(32))),
  );
  const cross = e.i64.let(e.i64.add(e.i64.mul(e.get(xl), e.get(yh)), e.i64.and(e.get(middle), e.i64.const(low32))));
  return e.i64.add(
    e.i64.add(e.i64.mul(e.get(xh), e.get(yh)), e.i64.shrU(e.get(middle), e.i64.const(32))),
    e.i64.shrU(e.get(cross), e.i64.const(32)),
  );
}

/** Division with the results that RISC-V gives where WebAssembly traps: by zero, and of the most negative number by -1. */
const divide =
  (
    signed: boolean,
    operate: (e: Emitter, a: I64, b: I64) => I64,
    byZero: (e: Emitter, a: I64) => I64,
    overflow: (e: Emitter, a: I64) => I64,
  ) =>
  ({ s, t, d }: RegReg, e: Emitter) => {
    const a = e.i64.let(e.x(s));
    const b = e.i64.let(e.x(t));
    const result = () =>
      e.i64.if(
        e.i64.eqz(e.get(b)),
        () => byZero(e, e.get(a)),
        () => {
          if (!signed) return operate(e, e.get(a), e.get(b));
          return e.i64.if(
            e.i64.eq(e.get(b), e.i64.const(-1)),
            () => overflow(e, e.get(a)),
            () => operate(e, e.get(a), e.get(b)),
          );
        },
      );
    e.setX(d, result());
  };
const divideW =
  (
    signed: boolean,
    operate: (e: Emitter, a: I32, b: I32) => I32,
    byZero: (e: Emitter, a: I32) => I32,
    overflow: (e: Emitter, a: I32) => I32,
  ) =>
  ({ s, t, d }: RegReg, e: Emitter) => {
    const a = e.i32.let(e.xw(s));
    const b = e.i32.let(e.xw(t));
    const result = () =>
      e.i32.if(
        e.i32.eqz(e.get(b)),
        () => byZero(e, e.get(a)),
        () => {
          if (!signed) return operate(e, e.get(a), e.get(b));
          return e.i32.if(
            e.i32.eq(e.get(b), e.i32.const(-1)),
            () => overflow(e, e.get(a)),
            () => operate(e, e.get(a), e.get(b)),
          );
        },
      );
    e.setXw(d, result());
  };
const allOnes = (e: Emitter, a: I64) => {
  e.drop(a);
  return e.i64.const(-1);
};
const allOnesW = (e: Emitter, a: I32) => {
  e.drop(a);
  return e.i32.const(-1);
};
const zero = (e: Emitter, a: I64) => {
  e.drop(a);
  return e.i64.const(0);
};
const zeroW = (e: Emitter, a: I32) => {
  e.drop(a);
  return e.i32.const(0);
};
const dividend = <T>(_: Emitter, a: T) => a;
/** `a / -1`, which is exact except that the most negative number is its own negative: what RISC-V asks for. */
const negated = (e: Emitter, a: I64) => e.i64.mul(a, e.i64.const(-1));
const negatedW = (e: Emitter, a: I32) => e.i32.mul(a, e.i32.const(-1));

export const mul = inst("mul", "0000001tttttsssss000ddddd0110011", ({ s, t, d }, e) => e.setX(d, e.i64.mul(e.x(s), e.x(t))));

export const m = [
  mul,
  // mulh(a, b) = mulhu(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)
  inst("mulh", "0000001tttttsssss001ddddd0110011", ({ s, t, d }, e) => {
    const high = e.i64.let(mulhu(e, e.x(s), e.x(t)));
    const withoutA = e.i64.let(e.i64.sub(e.get(high), e.i64.and(e.i64.shrS(e.x(s), e.i64.const(63)), e.x(t))));
    e.setX(d, e.i64.sub(e.get(withoutA), e.i64.and(e.i64.shrS(e.x(t), e.i64.const(63)), e.x(s))));
  }),
  inst("mulhsu", "0000001tttttsssss010ddddd0110011", ({ s, t, d }, e) => {
    const high = e.i64.let(mulhu(e, e.x(s), e.x(t)));
    e.setX(d, e.i64.sub(e.get(high), e.i64.and(e.i64.shrS(e.x(s), e.i64.const(63)), e.x(t))));
  }),
  inst("mulhu", "0000001tttttsssss011ddddd0110011", ({ s, t, d }, e) => e.setX(d, mulhu(e, e.x(s), e.x(t)))),
  inst("div", "0000001tttttsssss100ddddd0110011", divide(true, (e, a, b) => e.i64.divS(a, b), allOnes, negated)),
  inst("divu", "0000001tttttsssss101ddddd0110011", divide(false, (e, a, b) => e.i64.divU(a, b), allOnes, negated)),
  inst("rem", "0000001tttttsssss110ddddd0110011", divide(true, (e, a, b) => e.i64.remS(a, b), dividend, zero)),
  inst("remu", "0000001tttttsssss111ddddd0110011", divide(false, (e, a, b) => e.i64.remU(a, b), dividend, zero)),
  inst("mulw", "0000001tttttsssss000ddddd0111011", ({ s, t, d }, e) => e.setXw(d, e.i32.mul(e.xw(s), e.xw(t)))),
  inst("divw", "0000001tttttsssss100ddddd0111011", divideW(true, (e, a, b) => e.i32.divS(a, b), allOnesW, negatedW)),
  inst("divuw", "0000001tttttsssss101ddddd0111011", divideW(false, (e, a, b) => e.i32.divU(a, b), allOnesW, negatedW)),
  inst("remw", "0000001tttttsssss110ddddd0111011", divideW(true, (e, a, b) => e.i32.remS(a, b), dividend, zeroW)),
  inst("remuw", "0000001tttttsssss111ddddd0111011", divideW(false, (e, a, b) => e.i32.remU(a, b), dividend, zeroW)),
];
