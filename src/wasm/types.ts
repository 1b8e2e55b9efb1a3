declare const valueType: unique symbol;

/**
 * A value on WebAssembly's operand stack while a function is being built. At run time it is the number of the stack
 * slot that holds the value, which lets every operator check that its operands are the topmost values, in order.
 */
export type Value<T extends ValueType = ValueType> = number & { readonly [valueType]: T };
export type I32 = Value<"i32">;
export type I64 = Value<"i64">;
export type F32 = Value<"f32">;
export type F64 = Value<"f64">;

export type ValueType = "i32" | "i64" | "f32" | "f64";

/** Binary encoding of the value types (Core spec 5.3.1). */
export const valueTypeCode = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const;

declare const localType: unique symbol;
/** A local variable of the function being built: its index. */
export type Local<T extends ValueType = ValueType> = number & { readonly [localType]: T };

declare const labelMark: unique symbol;
/** A branch target of the function being built: the control depth at which its block was opened. */
export type Label = number & { readonly [labelMark]: true };

/** A function of the module being built. Its index is final once the imports are. */
export interface Func<
  P extends readonly ValueType[] = readonly ValueType[],
  R extends readonly ValueType[] = readonly ValueType[],
> {
  readonly name: string;
  readonly params: P;
  readonly results: R;
  readonly index: number;
}

declare const globalType: unique symbol;
/** A global of the module being built: its index. */
export type Global<T extends ValueType = ValueType> = number & { readonly [globalType]: T };

export type Values<P extends readonly ValueType[]> = { [K in keyof P]: Value<P[K]> };
export type Locals<P extends readonly ValueType[]> = { [K in keyof P]: Local<P[K]> };
/** What a call leaves on the stack: nothing or one value. */
export type Result<R extends readonly ValueType[]> = R extends readonly [infer T extends ValueType] ? Value<T> : undefined;
