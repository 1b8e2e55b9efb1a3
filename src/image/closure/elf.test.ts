import assert from "node:assert/strict";
import { test } from "node:test";
import { VivError } from "../../core/errors.ts";
import { parseElf } from "./elf.ts";
import { SymbolFinder } from "./symbols.ts";
import { buildElf } from "./testing/elf-builder.ts";

function parse(bytes: Uint8Array) {
  return parseElf({ size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) }, "/bin/x");
}

for (const bits of [32, 64] as const) {
  for (const big of [false, true]) {
    test(`reads a ${bits}-bit ${big ? "big" : "little"}-endian file`, () => {
      const elf = parse(
        buildElf({
          bits,
          big,
          machine: 8,
          interpreter: "/lib/ld.so.1",
          needed: ["liba.so", "libb.so.2"],
          soname: "libx.so",
          rpath: "/r",
          runpath: "$ORIGIN/../lib",
          auxiliary: "libaux.so",
          noDefaultLibraries: true,
          symbols: ["getpwnam"],
        }),
      );
      assert.equal(elf.class, bits);
      assert.equal(elf.littleEndian, !big);
      assert.equal(elf.machine, 8);
      assert.equal(elf.interpreter, "/lib/ld.so.1");
      assert.deepEqual(elf.dynamic!.needed, ["liba.so", "libb.so.2"]);
      assert.equal(elf.dynamic!.soname, "libx.so");
      assert.equal(elf.dynamic!.rpath, "/r");
      assert.equal(elf.dynamic!.runpath, "$ORIGIN/../lib");
      assert.deepEqual(elf.dynamic!.filters, [{ name: "libaux.so", required: false }]);
      assert.equal(elf.dynamic!.noDefaultLibraries, true);
      const finder = new SymbolFinder(["getpwnam", "pwnam", "getpwna", "getpwnamx", "xgetpwnam"]);
      assert.deepEqual([...finder.find(elf.dynamic!.strings)], ["pwnam", "getpwnam"]);
    });
  }
}

test("a static program has no dynamic section", () => {
  assert.equal(parse(buildElf({ static: true })).dynamic, undefined);
});

function expectBad(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => parse(bytes),
    (error: unknown) => error instanceof VivError && error.code === "BAD_ELF" && message.test(error.message),
  );
}

test("names what is wrong with a file", () => {
  const whole = buildElf({ interpreter: "/lib/ld.so", needed: ["libc.so.6"] });
  expectBad(new Uint8Array(0), /\/bin\/x: not an ELF file/);
  expectBad(whole.subarray(0, 40), /truncated ELF file: the header/);
  expectBad(whole.subarray(0, 100), /truncated ELF file: the program header table/);
  const patched = (at: number, value: number) => {
    const copy = whole.slice();
    copy[at] = value;
    return copy;
  };
  expectBad(patched(4, 7), /class 7/);
  expectBad(patched(5, 0), /byte order 0/);
  expectBad(patched(54, 1), /program headers of 1 bytes/);
});

test("a string table as large as the address space is refused", () => {
  const bytes = buildElf({ needed: ["libc.so.6"] });
  const view = new DataView(bytes.buffer);
  // DT_STRSZ is the last entry before the terminating DT_NULL.
  for (let at = 0; at + 16 <= bytes.length; at += 8)
    if (view.getBigUint64(at, true) === 10n) view.setBigUint64(at + 8, 1n << 60n, true);
  expectBad(bytes, /string table of/);
});

test("seeded damage gives a result or BAD_ELF, never anything else", () => {
  let seed = 0x2545f491;
  const random = (limit: number): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % limit;
  };
  let parsed = 0;
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const original = buildElf({
      bits: round & 1 ? 64 : 32,
      big: (round & 2) !== 0,
      interpreter: "/lib/ld.so",
      needed: ["liba.so", "libb.so"],
      runpath: "/a",
    });
    const bytes = original.subarray(0, round % 7 === 0 ? random(original.length) : original.length);
    for (let count = 1 + random(4); count > 0 && bytes.length > 0; count--) {
      // Mostly in the headers and the dynamic section, where every byte has a meaning.
      const at = random(3) === 0 ? bytes.length - 1 - random(Math.min(160, bytes.length)) : random(bytes.length);
      bytes[at] = random(3) === 0 ? 0xff : random(256);
    }
    try {
      const elf = parse(bytes);
      for (const name of elf.dynamic?.needed ?? []) assert.ok(name.length <= 4096);
      for (const [offset, size] of [...elf.readOnly, ...elf.notes]) assert.ok(offset + size <= bytes.length);
      parsed++;
    } catch (error) {
      assert.ok(error instanceof VivError && error.code === "BAD_ELF", `round ${round}: ${error}`);
      refused++;
    }
  }
  assert.ok(parsed > 1000 && refused > 1000, `${parsed} parsed, ${refused} refused`);
});
