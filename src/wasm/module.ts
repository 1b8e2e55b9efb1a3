import { assert } from "../core/errors.ts";
import { ByteWriter } from "./bytes.ts";
import { type BranchHint, FunctionBuilder } from "./function.ts";
import { type Func, type Global, type Locals, type Value, type ValueType, valueTypeCode } from "./types.ts";

interface Defined {
  readonly func: Func;
  readonly typeIndex: number;
  body: Uint8Array | undefined;
  hints: readonly BranchHint[];
}

const externalKind = { function: 0, table: 1, memory: 2, global: 3 } as const;

/**
 * Builds one WebAssembly module: imports first, then functions, then `toBytes`.
 *
 * @example
 * const module = new ModuleBuilder();
 * const add = module.define("add", ["i64", "i64"], ["i64"], (f, a, b) => f.i64.add(f.get(a), f.get(b)));
 * module.export("add", add);
 * new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()));
 */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes = new ByteWriter();
  readonly #imports = new ByteWriter();
  #importCount = 0;
  #importedFunctions: Func[] = [];
  #importedGlobals = 0;
  readonly #functions: Defined[] = [];
  readonly #globals = new ByteWriter();
  #globalCount = 0;
  readonly #exports = new ByteWriter();
  #exportCount = 0;
  readonly #tables = new ByteWriter();
  #tableCount = 0;
  readonly #elements = new ByteWriter();
  #elementCount = 0;

  /** Index of a function type; equal types share one. */
  typeIndex(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#typeBytes.byte(0x60);
    for (const list of [params, results]) {
      this.#typeBytes.u32(list.length);
      for (const type of list) this.#typeBytes.byte(valueTypeCode[type]);
    }
    return this.#types.push(key) - 1;
  }

  /** Imports a function. All imports come before the first function of the module's own. */
  importFunction<const P extends readonly ValueType[], const R extends readonly ValueType[]>(
    module: string,
    name: string,
    params: P,
    results: R,
  ): Func<P, R> {
    assert(this.#functions.length === 0, "imports come before functions");
    this.#import(module, name, externalKind.function);
    this.#imports.u32(this.typeIndex(params, results));
    const func = { name, params, results, index: this.#importedFunctions.length };
    this.#importedFunctions.push(func);
    return func;
  }

  /** Imports memory 0. Sizes in pages of 64 KiB; a shared memory needs a maximum. */
  importMemory(module: string, name: string, minimum: number, maximum: number, shared: boolean): void {
    this.#import(module, name, externalKind.memory);
    this.#imports.byte(shared ? 3 : 1);
    this.#imports.u32(minimum);
    this.#imports.u32(maximum);
  }

  /** Imports a table of functions of at least `minimum` entries; returns its index. */
  importTable(module: string, name: string, minimum: number): number {
    assert(this.#tables.length === 0, "imported tables come before the module's own");
    this.#import(module, name, externalKind.table);
    this.#imports.byte(0x70);
    this.#imports.byte(0);
    this.#imports.u32(minimum);
    return this.#tableCount++;
  }

  #import(module: string, name: string, kind: number): void {
    this.#imports.name(module);
    this.#imports.name(name);
    this.#imports.byte(kind);
    this.#importCount++;
  }

  /** A mutable global of the module's own; returns its index. */
  global<T extends ValueType>(type: T, initial: number | bigint): Global<T> {
    this.#globals.byte(valueTypeCode[type]);
    this.#globals.byte(1);
    if (type === "i32") {
      this.#globals.byte(0x41);
      this.#globals.s32(Number(initial));
    } else if (type === "i64") {
      this.#globals.byte(0x42);
      this.#globals.s64(BigInt(initial));
    } else if (type === "f32") {
      this.#globals.byte(0x43);
      this.#globals.f32(Number(initial));
    } else {
      this.#globals.byte(0x44);
      this.#globals.f64(Number(initial));
    }
    this.#globals.byte(0x0b);
    return (this.#importedGlobals + this.#globalCount++) as Global<T>;
  }

  /** Announces a function whose body comes later (`body`), so that others can call it. */
  declare<const P extends readonly ValueType[], const R extends readonly ValueType[]>(
    name: string,
    params: P,
    results: R,
  ): Func<P, R> {
    const index = this.#importedFunctions.length + this.#functions.length;
    const func = { name, params, results, index };
    this.#functions.push({ func, typeIndex: this.typeIndex(params, results), body: undefined, hints: [] });
    return func;
  }

  /** Builds the body of a declared function. `build` returns the result value, or nothing. */
  body<P extends readonly ValueType[], R extends readonly ValueType[]>(
    func: Func<P, R>,
    build: (f: FunctionBuilder, ...params: Locals<P>) => Value | undefined | undefined,
  ): void {
    const f = new FunctionBuilder(func.params);
    build(f, ...(func.params.map((_, index) => index) as unknown as Locals<P>));
    this.builtBody(func, f);
  }

  /** Gives a declared function the body that was built with a builder of the caller's own; parameter `n` is local `n`. */
  builtBody(func: Func, builder: FunctionBuilder): void {
    const defined = this.#functions[func.index - this.#importedFunctions.length];
    assert(
      defined !== undefined && defined.func === func && defined.body === undefined,
      `function ${func.name} has its body already`,
    );
    const { body, hints } = builder.finish();
    defined.body = body;
    defined.hints = hints;
  }

  /** Declares a function and builds its body. */
  define<const P extends readonly ValueType[], const R extends readonly ValueType[]>(
    name: string,
    params: P,
    results: R,
    build: (f: FunctionBuilder, ...params: Locals<P>) => Value | undefined | undefined,
  ): Func<P, R> {
    const func = this.declare(name, params, results);
    this.body(func, build);
    return func;
  }

  export(name: string, func: Func): void {
    this.#exports.name(name);
    this.#exports.byte(externalKind.function);
    this.#exports.u32(func.index);
    this.#exportCount++;
  }

  /** A table of the module's own, filled with `functions` from entry 0; returns its index. */
  functionTable(functions: readonly Func[]): number {
    this.#tables.byte(0x70);
    this.#tables.byte(0);
    this.#tables.u32(functions.length);
    const table = this.#tableCount++;
    this.#elements.u32(2);
    this.#elements.u32(table);
    this.#elements.byte(0x41);
    this.#elements.s32(0);
    this.#elements.byte(0x0b);
    this.#elements.byte(0);
    this.#elements.u32(functions.length);
    for (const func of functions) this.#elements.u32(func.index);
    this.#elementCount++;
    return table;
  }

  /** The module in binary format, with branch hints and, unless `names` is false, a name section. */
  toBytes(options: { readonly names?: boolean } = {}): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(1 << 16);
    for (const byte of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
    const section = (id: number, count: number, content: ByteWriter) => {
      if (count === 0) return;
      const head = new ByteWriter(8);
      head.u32(count);
      out.byte(id);
      out.u32(head.length + content.length);
      out.append(head.bytes.subarray(0, head.length));
      out.append(content.bytes.subarray(0, content.length));
    };
    const custom = (name: string, content: ByteWriter) => {
      const head = new ByteWriter(32);
      head.name(name);
      out.byte(0);
      out.u32(head.length + content.length);
      out.append(head.bytes.subarray(0, head.length));
      out.append(content.bytes.subarray(0, content.length));
    };
    section(1, this.#types.length, this.#typeBytes);
    section(2, this.#importCount, this.#imports);
    const indices = new ByteWriter();
    for (const { typeIndex } of this.#functions) indices.u32(typeIndex);
    section(3, this.#functions.length, indices);
    section(4, this.#ownTables(), this.#tables);
    section(6, this.#globalCount, this.#globals);
    section(7, this.#exportCount, this.#exports);
    section(9, this.#elementCount, this.#elements);
    const hints = this.#branchHints();
    if (hints !== undefined) custom("metadata.code.branch_hint", hints);
    const code = new ByteWriter(1 << 16);
    for (const { func, body } of this.#functions) {
      assert(body !== undefined, `function ${func.name} has no body`);
      code.u32(body.length);
      code.append(body);
    }
    section(10, this.#functions.length, code);
    if (options.names ?? true) custom("name", this.#nameSection());
    return out.result();
  }

  #ownTables(): number {
    return this.#elementCount;
  }

  /** Branch-hinting proposal: per function, the offset of each hinted branch in its body. */
  #branchHints(): ByteWriter | undefined {
    const hinted = this.#functions.filter(({ hints }) => hints.length > 0);
    if (hinted.length === 0) return undefined;
    const out = new ByteWriter();
    out.u32(hinted.length);
    for (const { func, hints } of hinted) {
      out.u32(func.index);
      out.u32(hints.length);
      for (const { at, likely } of hints) {
        out.u32(at);
        out.u32(1);
        out.byte(likely ? 1 : 0);
      }
    }
    return out;
  }

  #nameSection(): ByteWriter {
    const names = new ByteWriter();
    const all = [...this.#importedFunctions, ...this.#functions.map(({ func }) => func)];
    names.u32(all.length);
    for (const { index, name } of all) {
      names.u32(index);
      names.name(name);
    }
    const out = new ByteWriter();
    out.byte(1);
    out.u32(names.length);
    out.append(names.bytes.subarray(0, names.length));
    return out;
  }
}
