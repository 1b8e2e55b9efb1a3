import type { FunctionBuilder } from "./function.ts";
import * as op from "./operators.ts";
import type { I32, Label, Value, ValueType } from "./types.ts";

/** The operator methods of one value type, bound to a function builder. */
interface Bound {
  readonly f: FunctionBuilder;
}
type Method = (this: Bound, ...args: never[]) => unknown;
type Methods = Record<string, Method>;

function emit(f: FunctionBuilder, opcode: number): void {
  if (opcode < 0x100) f.code.byte(opcode);
  else {
    f.code.byte(opcode >> 8);
    f.code.u32(opcode & 0xff);
  }
}

function emitMemory(f: FunctionBuilder, opcode: number, align: number, offset: number): void {
  emit(f, opcode);
  f.code.u32(align);
  f.code.u32(offset);
}

const binary = (opcode: number) =>
  function (this: Bound, a: number, b: number) {
    this.f.pop2(a, b);
    this.f.code.byte(opcode);
    return this.f.push();
  };
const unary = (opcode: number) =>
  function (this: Bound, a: number) {
    this.f.pop1(a);
    emit(this.f, opcode);
    return this.f.push();
  };
const load = ([opcode, align]: readonly [number, number]) =>
  function (this: Bound, address: number, offset = 0) {
    this.f.pop1(address);
    emitMemory(this.f, opcode, align, offset);
    return this.f.push();
  };
const store = ([opcode, align]: readonly [number, number]) =>
  function (this: Bound, address: number, value: number, offset = 0) {
    this.f.pop2(address, value);
    emitMemory(this.f, opcode, align, offset);
  };
const readModifyWrite = (opcode: number, align: number) =>
  function (this: Bound, address: number, value: number, offset = 0) {
    this.f.pop2(address, value);
    emitMemory(this.f, opcode, align, offset);
    return this.f.push();
  };

const tables = {
  i32: [op.i32Binary, op.i32Compare, op.i32Unary, op.i32Convert, op.i32Load, op.i32Store],
  i64: [op.i64Binary, op.i64Compare, op.i64Unary, op.i64Convert, op.i64Load, op.i64Store],
  f32: [op.f32Binary, op.f32Compare, op.f32Unary, op.f32Convert, op.f32Load, op.f32Store],
  f64: [op.f64Binary, op.f64Compare, op.f64Unary, op.f64Convert, op.f64Load, op.f64Store],
} as const;

const constants = {
  i32(this: Bound, value: number) {
    this.f.code.byte(0x41);
    this.f.code.s32(value);
    return this.f.push();
  },
  i64(this: Bound, value: number | bigint) {
    this.f.code.byte(0x42);
    if (typeof value === "number" && value === (value | 0)) this.f.code.s32(value);
    else this.f.code.s64(BigInt(value));
    return this.f.push();
  },
  f32(this: Bound, value: number) {
    this.f.code.byte(0x43);
    this.f.code.f32(value);
    return this.f.push();
  },
  f64(this: Bound, value: number) {
    this.f.code.byte(0x44);
    this.f.code.f64(value);
    return this.f.push();
  },
};

/** What the operators of a type share between all function builders: made once, so that a builder costs next to nothing. */
function createMethods(type: ValueType): { methods: Methods; atomic: Methods } {
  const methods: Methods = {};
  const atomic: Methods = {};
  const define = (table: Record<string, unknown>, make: (entry: never) => Method) => {
    for (const [name, entry] of Object.entries(table)) methods[name] = make(entry as never);
  };
  define(tables[type][0], binary);
  define(tables[type][1], binary);
  define(tables[type][2], unary);
  define(tables[type][3], (entry: readonly [ValueType, number]) => unary(entry[1]));
  define(tables[type][4], load);
  define(tables[type][5], store);

  if (type === "i32" || type === "i64") {
    const align = type === "i32" ? 2 : 3;
    methods.eqz = unary(type === "i32" ? 0x45 : 0x50);
    methods.atomicLoad = load([0xfe00 | op.atomicLoad[type], align]);
    methods.atomicStore = store([0xfe00 | op.atomicStore[type], align]);
    for (const [name, opcode] of Object.entries(type === "i32" ? op.i32AtomicRmw : op.i64AtomicRmw)) {
      atomic[name] = readModifyWrite(0xfe00 | opcode, align);
    }
    methods.atomicCmpxchg = function (address: number, expected: number, replacement: number, offset = 0) {
      this.f.pop1(replacement);
      this.f.pop2(address, expected);
      emitMemory(this.f, 0xfe00 | op.atomicCmpxchg[type], align, offset);
      return this.f.push();
    };
  }

  methods.const = constants[type];
  methods.select = function (a: number, b: number, condition: number) {
    this.f.pop1(condition);
    this.f.pop2(a, b);
    this.f.code.byte(0x1b);
    return this.f.push();
  };
  methods.if = function (condition: I32, then: () => Value, otherwise: () => Value) {
    return this.f.valueIf(type, condition, then, otherwise);
  };
  methods.block = function (body: (label: Label) => Value) {
    return this.f.valueBlock(type, body);
  };
  methods.local = function () {
    return this.f.local(type);
  };
  methods.let = function (value: Value) {
    const local = this.f.local(type);
    this.f.set(local, value);
    return local;
  };
  return { methods, atomic };
}

/** A class per value type, so that its instances share one shape and one set of methods. */
function createClass(type: ValueType): new (f: FunctionBuilder) => Bound {
  const { methods, atomic } = createMethods(type);
  class Atomic implements Bound {
    readonly f: FunctionBuilder;
    constructor(f: FunctionBuilder) {
      this.f = f;
    }
  }
  class Operators implements Bound {
    readonly f: FunctionBuilder;
    readonly atomic: Atomic;
    constructor(f: FunctionBuilder) {
      this.f = f;
      this.atomic = new Atomic(f);
    }
  }
  Object.assign(Operators.prototype, methods);
  Object.assign(Atomic.prototype, atomic);
  return Operators;
}

const classes = { i32: createClass("i32"), i64: createClass("i64"), f32: createClass("f32"), f64: createClass("f64") };

/** The operators of a value type as methods that emit into `f`. */
export function createOperators(f: FunctionBuilder, type: ValueType): Bound {
  return new classes[type](f);
}
