import type { I64 } from "../../wasm/types.ts";
import type { Emitter } from "./emitter.ts";
import { inst, type X } from "./instruction.ts";

/** A: atomics, and Zacas compare-and-swap (Unprivileged spec, chapters 14 and 16). `aq` and `rl` need nothing: harts are sequentially consistent. */

type Amo = { s: X; t: X; d: X };
type Combine = (e: Emitter, old: I64, operand: I64) => I64;

const amo =
  (size: 32 | 64, combine: Combine) =>
  ({ s, t, d }: Amo, e: Emitter) =>
    e.setX(
      d,
      e.amo(size, e.x(s), (old) => combine(e, old(), operand(e, size, t))),
    );
const operand = (e: Emitter, size: 32 | 64, t: X) => (size === 64 ? e.x(t) : e.i64.extendI32S(e.xw(t)));

const choose =
  (compare: (e: Emitter, a: I64, b: I64) => ReturnType<Emitter["i64"]["ltS"]>): Combine =>
  (e, old, value) => {
    const b = e.i64.let(value);
    const a = e.i64.let(old);
    return e.i64.select(e.get(a), e.get(b), compare(e, e.get(a), e.get(b)));
  };
const swap: Combine = (e, old, value) => {
  const kept = e.i64.let(value);
  e.drop(old);
  return e.get(kept);
};
const operations: readonly (readonly [string, string, Combine])[] = [
  ["amoadd", "00000", (e, a, b) => e.i64.add(a, b)],
  ["amoswap", "00001", swap],
  ["amoxor", "00100", (e, a, b) => e.i64.xor(a, b)],
  ["amoor", "01000", (e, a, b) => e.i64.or(a, b)],
  ["amoand", "01100", (e, a, b) => e.i64.and(a, b)],
  ["amomin", "10000", choose((e, a, b) => e.i64.ltS(a, b))],
  ["amomax", "10100", choose((e, a, b) => e.i64.gtS(a, b))],
  ["amominu", "11000", choose((e, a, b) => e.i64.ltU(a, b))],
  ["amomaxu", "11100", choose((e, a, b) => e.i64.gtU(a, b))],
];

export const a = [
  ...operations.flatMap(([name, code, combine]) => [
    inst(`${name}.w`, `${code}..tttttsssss010ddddd0101111` as "tsd", amo(32, combine)),
    inst(`${name}.d`, `${code}..tttttsssss011ddddd0101111` as "tsd", amo(64, combine)),
  ]),
  inst("lr.w", "00010..00000sssss010ddddd0101111", ({ s, d }, e) => {
    const value = e.i64.let(e.call(e.functions.loadReserved, e.x(s), e.i32.const(4)));
    e.checkTrap();
    e.setX(d, e.get(value));
  }),
  inst("lr.d", "00010..00000sssss011ddddd0101111", ({ s, d }, e) => {
    const value = e.i64.let(e.call(e.functions.loadReserved, e.x(s), e.i32.const(8)));
    e.checkTrap();
    e.setX(d, e.get(value));
  }),
  inst("sc.w", "00011..tttttsssss010ddddd0101111", ({ s, t, d }, e) => {
    const failed = e.i64.let(e.call(e.functions.storeConditional, e.x(s), e.x(t), e.i32.const(4)));
    e.checkTrap();
    e.setX(d, e.get(failed));
  }),
  inst("sc.d", "00011..tttttsssss011ddddd0101111", ({ s, t, d }, e) => {
    const failed = e.i64.let(e.call(e.functions.storeConditional, e.x(s), e.x(t), e.i32.const(8)));
    e.checkTrap();
    e.setX(d, e.get(failed));
  }),
  inst("amocas.w", "00101..tttttsssss010ddddd0101111", ({ s, t, d }, e) =>
    e.setX(
      d,
      e.amo(32, e.x(s), (old) => compareAndSwap(e, old, e.i64.extendI32S(e.xw(d)), () => operand(e, 32, t))),
    ),
  ),
  inst("amocas.d", "00101..tttttsssss011ddddd0101111", ({ s, t, d }, e) =>
    e.setX(
      d,
      e.amo(64, e.x(s), (old) => compareAndSwap(e, old, e.x(d), () => operand(e, 64, t))),
    ),
  ),
  inst(
    "amocas.q",
    "00101..tttttsssss100ddddd0101111",
    ({ s, t, d }, e) => {
      const address = e.i32.let(e.call(e.functions.amoAddress, e.x(s), e.i32.const(16)));
      e.checkTrap();
      const low = e.i64.let(e.i64.load(e.get(address)));
      const high = e.i64.let(e.i64.load(e.get(address), 8));
      const equal = e.i32.and(e.i64.eq(e.get(low), e.x(d)), e.i64.eq(e.get(high), e.xNext(d)));
      e.if(equal, () => {
        e.i64.store(e.get(address), e.x(t));
        e.i64.store(e.get(address), e.xNext(t), 8);
      });
      e.setX(d, e.get(low));
      e.setXNext(d, e.get(high));
    },
    { even: ["d", "t"] },
  ),
];

function compareAndSwap(e: Emitter, old: () => I64, expected: I64, replacement: () => I64): I64 {
  const wanted = e.i64.let(expected);
  return e.i64.if(
    e.i64.eq(old(), e.get(wanted)),
    () => replacement(),
    () => old(),
  );
}
