/** WebAssembly's numeric and memory operators, name to opcode (Core spec 5.4). Operand and result types follow from the group. */

export const i32Binary = {
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  divS: 0x6d,
  divU: 0x6e,
  remS: 0x6f,
  remU: 0x70,
  and: 0x71,
  or: 0x72,
  xor: 0x73,
  shl: 0x74,
  shrS: 0x75,
  shrU: 0x76,
  rotl: 0x77,
  rotr: 0x78,
} as const;
export const i32Compare = {
  eq: 0x46,
  ne: 0x47,
  ltS: 0x48,
  ltU: 0x49,
  gtS: 0x4a,
  gtU: 0x4b,
  leS: 0x4c,
  leU: 0x4d,
  geS: 0x4e,
  geU: 0x4f,
} as const;
export const i32Unary = { clz: 0x67, ctz: 0x68, popcnt: 0x69, extend8S: 0xc0, extend16S: 0xc1 } as const;

export const i64Binary = {
  add: 0x7c,
  sub: 0x7d,
  mul: 0x7e,
  divS: 0x7f,
  divU: 0x80,
  remS: 0x81,
  remU: 0x82,
  and: 0x83,
  or: 0x84,
  xor: 0x85,
  shl: 0x86,
  shrS: 0x87,
  shrU: 0x88,
  rotl: 0x89,
  rotr: 0x8a,
} as const;
export const i64Compare = {
  eq: 0x51,
  ne: 0x52,
  ltS: 0x53,
  ltU: 0x54,
  gtS: 0x55,
  gtU: 0x56,
  leS: 0x57,
  leU: 0x58,
  geS: 0x59,
  geU: 0x5a,
} as const;
export const i64Unary = {
  clz: 0x79,
  ctz: 0x7a,
  popcnt: 0x7b,
  extend8S: 0xc2,
  extend16S: 0xc3,
  extend32S: 0xc4,
} as const;

export const f32Compare = { eq: 0x5b, ne: 0x5c, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60 } as const;
export const f64Compare = { eq: 0x61, ne: 0x62, lt: 0x63, gt: 0x64, le: 0x65, ge: 0x66 } as const;
export const f32Unary = {
  abs: 0x8b,
  neg: 0x8c,
  ceil: 0x8d,
  floor: 0x8e,
  trunc: 0x8f,
  nearest: 0x90,
  sqrt: 0x91,
} as const;
export const f64Unary = {
  abs: 0x99,
  neg: 0x9a,
  ceil: 0x9b,
  floor: 0x9c,
  trunc: 0x9d,
  nearest: 0x9e,
  sqrt: 0x9f,
} as const;
export const f32Binary = { add: 0x92, sub: 0x93, mul: 0x94, div: 0x95, min: 0x96, max: 0x97, copysign: 0x98 } as const;
export const f64Binary = { add: 0xa0, sub: 0xa1, mul: 0xa2, div: 0xa3, min: 0xa4, max: 0xa5, copysign: 0xa6 } as const;

/** Conversions: result type is the group, operand type the second word. Two-byte opcodes (0xfc prefix) carry it in bits 15:8. */
export const i32Convert = {
  wrapI64: ["i64", 0xa7],
  truncF32S: ["f32", 0xa8],
  truncF32U: ["f32", 0xa9],
  truncF64S: ["f64", 0xaa],
  truncF64U: ["f64", 0xab],
  truncSatF32S: ["f32", 0xfc00],
  truncSatF32U: ["f32", 0xfc01],
  truncSatF64S: ["f64", 0xfc02],
  truncSatF64U: ["f64", 0xfc03],
  reinterpretF32: ["f32", 0xbc],
} as const;
export const i64Convert = {
  extendI32S: ["i32", 0xac],
  extendI32U: ["i32", 0xad],
  truncF32S: ["f32", 0xae],
  truncF32U: ["f32", 0xaf],
  truncF64S: ["f64", 0xb0],
  truncF64U: ["f64", 0xb1],
  truncSatF32S: ["f32", 0xfc04],
  truncSatF32U: ["f32", 0xfc05],
  truncSatF64S: ["f64", 0xfc06],
  truncSatF64U: ["f64", 0xfc07],
  reinterpretF64: ["f64", 0xbd],
} as const;
export const f32Convert = {
  convertI32S: ["i32", 0xb2],
  convertI32U: ["i32", 0xb3],
  convertI64S: ["i64", 0xb4],
  convertI64U: ["i64", 0xb5],
  demoteF64: ["f64", 0xb6],
  reinterpretI32: ["i32", 0xbe],
} as const;
export const f64Convert = {
  convertI32S: ["i32", 0xb7],
  convertI32U: ["i32", 0xb8],
  convertI64S: ["i64", 0xb9],
  convertI64U: ["i64", 0xba],
  promoteF32: ["f32", 0xbb],
  reinterpretI64: ["i64", 0xbf],
} as const;

/** Loads and stores: opcode and log2 of the natural alignment. */
export const i32Load = {
  load: [0x28, 2],
  load8S: [0x2c, 0],
  load8U: [0x2d, 0],
  load16S: [0x2e, 1],
  load16U: [0x2f, 1],
} as const;
export const i32Store = { store: [0x36, 2], store8: [0x3a, 0], store16: [0x3b, 1] } as const;
export const i64Load = {
  load: [0x29, 3],
  load8S: [0x30, 0],
  load8U: [0x31, 0],
  load16S: [0x32, 1],
  load16U: [0x33, 1],
  load32S: [0x34, 2],
  load32U: [0x35, 2],
} as const;
export const i64Store = { store: [0x37, 3], store8: [0x3c, 0], store16: [0x3d, 1], store32: [0x3e, 2] } as const;
export const f32Load = { load: [0x2a, 2] } as const;
export const f32Store = { store: [0x38, 2] } as const;
export const f64Load = { load: [0x2b, 3] } as const;
export const f64Store = { store: [0x39, 3] } as const;

/** Atomic operators (threads proposal, 0xfe prefix): second opcode byte and log2 of the alignment, which is required here. */
export const i32AtomicRmw = { add: 0x1e, sub: 0x25, and: 0x2c, or: 0x33, xor: 0x3a, xchg: 0x41 } as const;
export const i64AtomicRmw = { add: 0x1f, sub: 0x26, and: 0x2d, or: 0x34, xor: 0x3b, xchg: 0x42 } as const;
export const atomicLoad = { i32: 0x10, i64: 0x11 } as const;
export const atomicStore = { i32: 0x17, i64: 0x18 } as const;
export const atomicCmpxchg = { i32: 0x48, i64: 0x49 } as const;
