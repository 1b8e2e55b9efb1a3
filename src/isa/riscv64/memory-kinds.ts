/** Widths of loads and stores: bytes, how the slow functions name them, and WebAssembly's operator on i64. */
export const loadKinds = {
  i8: { size: 1, slow: 4, load: "load8S" },
  u8: { size: 1, slow: 0, load: "load8U" },
  i16: { size: 2, slow: 5, load: "load16S" },
  u16: { size: 2, slow: 1, load: "load16U" },
  i32: { size: 4, slow: 6, load: "load32S" },
  u32: { size: 4, slow: 2, load: "load32U" },
  i64: { size: 8, slow: 3, load: "load" },
} as const;
export const storeKinds = {
  "8": { size: 1, slow: 0, store: "store8" },
  "16": { size: 2, slow: 1, store: "store16" },
  "32": { size: 4, slow: 2, store: "store32" },
  "64": { size: 8, slow: 3, store: "store" },
} as const;
