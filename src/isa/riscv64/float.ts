import type { FloatFunctions } from "../../float/types.ts";
import type { Func, I32, I64, Value } from "../../wasm/types.ts";
import type { Emitter } from "./emitter.ts";
import { type F, type Immediate, type Instruction, inst, type RoundingMode, type X } from "./instruction.ts";

/**
 * F and D (Unprivileged spec, chapters 20 and 21) and Zfa (chapter 22). The arithmetic is in the room `float`; here are encodings, NaN-boxing
 * and the choice of operation. Single and double differ in one encoding bit and in how registers are read, so both come from one list.
 */

export const flw = inst("flw", "iiiiiiiiiiiisssss010DDDDD0000111", ({ s, D, i }, e) => {
  e.requireFloat();
  e.setFs(D, e.i32.wrapI64(e.load("u32", e.i64.add(e.x(s), e.imm(i)))));
});
export const fld = inst("fld", "iiiiiiiiiiiisssss011DDDDD0000111", ({ s, D, i }, e) => {
  e.requireFloat();
  e.setF(D, e.load("i64", e.i64.add(e.x(s), e.imm(i))));
});
const storeLayout = { i: "11:5|4:0" };
export const fsw = inst(
  "fsw",
  "iiiiiiiTTTTTsssss010iiiii0100111",
  ({ s, T, i }, e) => {
    e.requireFloat();
    // The low word is stored as it is, NaN-boxed or not.
    e.store("32", e.i64.add(e.x(s), e.imm(i)), e.f(T));
  },
  storeLayout,
);
export const fsd = inst(
  "fsd",
  "iiiiiiiTTTTTsssss011iiiii0100111",
  ({ s, T, i }, e) => {
    e.requireFloat();
    e.store("64", e.i64.add(e.x(s), e.imm(i)), e.f(T));
  },
  storeLayout,
);

/** One of the two formats: its letter, its bit in `fmt`, its functions, and how registers hold it. */
interface Format<T extends "i32" | "i64"> {
  readonly suffix: "s" | "d";
  readonly fmt: "00" | "01";
  readonly functions: (e: Emitter) => FloatFunctions[T extends "i32" ? "f32" : "f64"];
  readonly get: (e: Emitter, register: F) => Value<T>;
  readonly set: (e: Emitter, register: F, value: Value<T>) => void;
  readonly bits: "i32" | "i64";
  readonly constant: (e: Emitter, value: bigint) => Value<T>;
  readonly signBit: bigint;
}
const single: Format<"i32"> = {
  suffix: "s",
  fmt: "00",
  functions: (e) => e.functions.float.f32,
  get: (e, register) => e.fs(register),
  set: (e, register, value) => e.setFs(register, value),
  bits: "i32",
  constant: (e, value) => e.i32.const(Number(value) | 0),
  signBit: 0x8000_0000n,
};
const double: Format<"i64"> = {
  suffix: "d",
  fmt: "01",
  functions: (e) => e.functions.float.f64,
  get: (e, register) => e.f(register),
  set: (e, register, value) => e.setF(register, value),
  bits: "i64",
  constant: (e, value) => e.i64.const(value),
  signBit: 1n << 63n,
};

type Arithmetic = "add" | "sub" | "mul" | "div";
type Comparison = "eq" | "lt" | "le" | "ltq" | "leq";
type MinMax = "minimumNumber" | "maximumNumber" | "minimum" | "maximum";

function instructionsOf<T extends "i32" | "i64">(format: Format<T>): Instruction[] {
  const { suffix, fmt, get, set, constant } = format;
  // The two formats' functions differ in value types only; `Func` types of a generic format cannot be named more exactly.
  const functions = format.functions as unknown as (
    e: Emitter,
  ) => Record<string, Func<("i32" | "i64")[], readonly ["i32" | "i64"]>>;
  const call = (e: Emitter, name: string, ...args: Value[]) =>
    e.call(functions(e)[name], ...(args as Value<"i32" | "i64">[])) as Value<T>;
  const ops = (e: Emitter) =>
    e[format.bits] as unknown as {
      and(a: Value<T>, b: Value<T>): Value<T>;
      or(a: Value<T>, b: Value<T>): Value<T>;
      xor(a: Value<T>, b: Value<T>): Value<T>;
    };
  const notSign = format.signBit - 1n;

  const arithmetic = (name: string, code: string, operation: Arithmetic) =>
    inst(`${name}.${suffix}`, `${code}${fmt}TTTTTSSSSSrrrDDDDD1010011` as "TSrD", ({ S, T, D, r }, e) => {
      const rm = enter(e, r);
      set(e, D, call(e, operation, get(e, S), get(e, T), e.get(rm)));
    });
  /** fmadd and its relatives: signs of the product and of the addend flipped before the one rounding. */
  const fused = (name: string, opcode: string, negateProduct: boolean, negateAddend: boolean) =>
    inst(`${name}.${suffix}`, `UUUUU${fmt}TTTTTSSSSSrrrDDDDD${opcode}` as "UTSrD", ({ S, T, U, D, r }, e) => {
      const rm = enter(e, r);
      const flip = (value: Value<T>, negate: boolean) => (negate ? ops(e).xor(value, constant(e, format.signBit)) : value);
      set(e, D, call(e, "fma", flip(get(e, S), negateProduct), get(e, T), flip(get(e, U), negateAddend), e.get(rm)));
    });
  /** The sign of the second operand, changed by `combine`, on the magnitude of the first. */
  const signInjection = (name: string, funct3: string, sign: (e: Emitter, S: F, T: F) => Value<T>) =>
    inst(`${name}.${suffix}`, `00100${fmt}TTTTTSSSSS${funct3}DDDDD1010011` as "TSD", ({ S, T, D }, e) => {
      e.requireFloat();
      set(e, D, ops(e).or(ops(e).and(get(e, S), constant(e, notSign)), sign(e, S, T)));
    });
  const minMax = (name: string, funct3: string, operation: MinMax) =>
    inst(`${name}.${suffix}`, `00101${fmt}TTTTTSSSSS${funct3}DDDDD1010011` as "TSD", ({ S, T, D }, e) => {
      e.requireFloat();
      set(e, D, call(e, operation, get(e, S), get(e, T)));
    });
  const compare = (name: string, funct3: string, operation: Comparison) =>
    inst(`${name}.${suffix}`, `10100${fmt}TTTTTSSSSS${funct3}ddddd1010011` as "TSd", ({ S, T, d }, e) => {
      e.requireFloat();
      e.setX(d, e.i64.extendI32U(call(e, operation, get(e, S), get(e, T)) as I32));
    });
  const toInteger = (name: string, rs2: string, operation: "toI32" | "toU32" | "toI64" | "toU64") =>
    inst(`fcvt.${name}.${suffix}`, `11000${fmt}${rs2}SSSSSrrrddddd1010011` as "Srd", ({ S, d, r }, e) => {
      const rm = enter(e, r);
      const result = call(e, operation, get(e, S), e.get(rm)) as unknown;
      if (operation.endsWith("32")) e.setXw(d, result as I32);
      else e.setX(d, result as I64);
    });
  const fromInteger = (name: string, rs2: string, operation: "fromI32" | "fromU32" | "fromI64" | "fromU64") =>
    inst(`fcvt.${suffix}.${name}`, `11010${fmt}${rs2}sssssrrrDDDDD1010011` as "srD", ({ s, D, r }, e) => {
      const rm = enter(e, r);
      set(e, D, call(e, operation, operation.endsWith("32") ? e.xw(s) : e.x(s), e.get(rm)));
    });
  const unary = (name: string, code: string, rs2: string, operation: "sqrt" | "roundToInt" | "roundToIntExact") =>
    inst(`${name}.${suffix}`, `${code}${fmt}${rs2}SSSSSrrrDDDDD1010011` as "SrD", ({ S, D, r }, e) => {
      const rm = enter(e, r);
      set(e, D, call(e, operation, get(e, S), e.get(rm)));
    });

  return [
    arithmetic("fadd", "00000", "add"),
    arithmetic("fsub", "00001", "sub"),
    arithmetic("fmul", "00010", "mul"),
    arithmetic("fdiv", "00011", "div"),
    unary("fsqrt", "01011", "00000", "sqrt"),
    fused("fmadd", "1000011", false, false),
    fused("fmsub", "1000111", false, true),
    fused("fnmsub", "1001011", true, false),
    fused("fnmadd", "1001111", true, true),
    signInjection("fsgnj", "000", (e, _, T) => ops(e).and(get(e, T), constant(e, format.signBit))),
    signInjection("fsgnjn", "001", (e, _, T) => ops(e).and(ops(e).xor(get(e, T), constant(e, -1n)), constant(e, format.signBit))),
    signInjection("fsgnjx", "010", (e, S, T) => ops(e).and(ops(e).xor(get(e, S), get(e, T)), constant(e, format.signBit))),
    minMax("fmin", "000", "minimumNumber"),
    minMax("fmax", "001", "maximumNumber"),
    minMax("fminm", "010", "minimum"),
    minMax("fmaxm", "011", "maximum"),
    compare("fle", "000", "le"),
    compare("flt", "001", "lt"),
    compare("feq", "010", "eq"),
    compare("fleq", "100", "leq"),
    compare("fltq", "101", "ltq"),
    toInteger("w", "00000", "toI32"),
    toInteger("wu", "00001", "toU32"),
    toInteger("l", "00010", "toI64"),
    toInteger("lu", "00011", "toU64"),
    fromInteger("w", "00000", "fromI32"),
    fromInteger("wu", "00001", "fromU32"),
    fromInteger("l", "00010", "fromI64"),
    fromInteger("lu", "00011", "fromU64"),
    unary("fround", "01000", "00100", "roundToInt"),
    unary("froundnx", "01000", "00101", "roundToIntExact"),
    inst(`fclass.${suffix}`, `11100${fmt}00000SSSSS001ddddd1010011` as "Sd", ({ S, d }, e) => {
      e.requireFloat();
      e.setX(d, e.i64.extendI32U(call(e, "classify", get(e, S)) as I32));
    }),
    inst(`fli.${suffix}`, `11110${fmt}00001kkkkk000DDDDD1010011` as "kD", ({ k, D }, e) => {
      e.requireFloat();
      loadImmediate(e, format.suffix, k, D);
    }),
  ];
}

/** Requires the unit to be on and the rounding mode to be valid; leaves the mode in a local. */
function enter(e: Emitter, r: RoundingMode) {
  e.requireFloat();
  return e.i32.let(e.roundingMode(r));
}

/** Zfa's constants (table "Immediate values for FLI"), as doubles, indexed by the rs1 field; entry 1 is the least normal number of the format. */
export const fliConstants = [
  -1,
  0,
  2 ** -16,
  2 ** -15,
  2 ** -8,
  2 ** -7,
  0.0625,
  0.125,
  0.25,
  0.3125,
  0.375,
  0.4375,
  0.5,
  0.625,
  0.75,
  0.875,
  1,
  1.25,
  1.5,
  1.75,
  2,
  2.5,
  3,
  4,
  8,
  16,
  128,
  256,
  2 ** 15,
  2 ** 16,
  Number.POSITIVE_INFINITY,
  Number.NaN,
] as const;

function loadImmediate(e: Emitter, suffix: "s" | "d", k: Immediate, D: F): void {
  const bits = new DataView(new ArrayBuffer(8));
  const value = e.i64.local();
  e.block((done) => {
    for (const [index, constant] of fliConstants.entries()) {
      let word: bigint;
      if (suffix === "d") {
        bits.setFloat64(0, index === 1 ? 2 ** -1022 : constant);
        word = index === 31 ? 0x7ff8_0000_0000_0000n : bits.getBigUint64(0);
      } else {
        bits.setFloat32(0, index === 1 ? 2 ** -126 : constant);
        word = index === 31 ? 0x7fc0_0000n : BigInt(bits.getUint32(0));
      }
      e.set(value, e.i64.const(word));
      if (index < fliConstants.length - 1) e.brIf(done, e.i32.eq(e.imm32(k), e.i32.const(index)));
    }
  });
  if (suffix === "d") e.setF(D, e.get(value));
  else e.setFs(D, e.i32.wrapI64(e.get(value)));
}

type Move = { S: F; d: X };

export const float: readonly Instruction[] = [
  flw,
  fld,
  fsw,
  fsd,
  ...instructionsOf(single),
  ...instructionsOf(double),
  inst("fcvt.s.d", "010000000001SSSSSrrrDDDDD1010011", ({ S, D, r }, e) => {
    const rm = enter(e, r);
    e.setFs(D, e.call(e.functions.float.f64.toF32, e.f(S), e.get(rm)));
  }),
  inst("fcvt.d.s", "010000100000SSSSSrrrDDDDD1010011", ({ S, D, r }, e) => {
    // Exact, but an invalid rounding mode is still an illegal instruction.
    e.drop(e.get(enter(e, r)));
    e.setF(D, e.call(e.functions.float.f32.toF64, e.fs(S)));
  }),
  inst("fcvtmod.w.d", "110000101000SSSSS001ddddd1010011", ({ S, d }, e) => {
    e.requireFloat();
    e.setXw(d, e.call(e.functions.float.f64.toI32Modular, e.f(S)));
  }),
  inst("fmv.x.w", "111000000000SSSSS000ddddd1010011", ({ S, d }: Move, e) => {
    e.requireFloat();
    e.setXw(d, e.i32.wrapI64(e.f(S)));
  }),
  inst("fmv.x.d", "111000100000SSSSS000ddddd1010011", ({ S, d }: Move, e) => {
    e.requireFloat();
    e.setX(d, e.f(S));
  }),
  inst("fmv.w.x", "111100000000sssss000DDDDD1010011", ({ s, D }, e) => {
    e.requireFloat();
    e.setFs(D, e.xw(s));
  }),
  inst("fmv.d.x", "111100100000sssss000DDDDD1010011", ({ s, D }, e) => {
    e.requireFloat();
    e.setF(D, e.x(s));
  }),
];
