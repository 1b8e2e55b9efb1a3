import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AnyInstruction,
  compressed,
  extractField,
  fieldsOf,
  fixedBits,
  inst,
  isCompressed,
  type Letter,
} from "./instruction.ts";
import { baseInstructions, instructions } from "./instructions.ts";
import { decodeWord } from "./lookup.ts";

const lettersOf = ({ pattern }: AnyInstruction) => new Set([...pattern].filter((c) => /[a-zA-Z]/.test(c)) as Letter[]);

describe("the instructions' definitions", () => {
  it("have names of their own, and the length that their lowest bits say", () => {
    assert.equal(new Set(instructions.map(({ name }) => name)).size, instructions.length);
    for (const { name, pattern } of instructions) {
      assert.match(pattern, pattern.length === 16 ? /^[01.a-zA-Z]{14}(0[01]|10)$/ : /^[01.a-zA-Z]{27}(?!111)[01]{3}11$/, name);
    }
  });

  it("use every bit: it is fixed, ignored, or in exactly one field", () => {
    for (const instruction of instructions) {
      const { name, pattern } = instruction;
      let covered = fixedBits(pattern).mask;
      for (const [i, c] of [...pattern].entries()) if (c === ".") covered |= 1 << (pattern.length - 1 - i);
      for (const { runs } of fieldsOf(instruction)) {
        for (const { from, width } of runs) {
          const bits = (2 ** width - 1) << from;
          assert.equal(covered & bits, 0, `${name}: bits ${from}.. twice`);
          covered |= bits;
        }
      }
      assert.equal(covered >>> 0, 2 ** pattern.length - 1, name);
    }
  });

  it("put every bit of an immediate in one place of it", () => {
    for (const instruction of instructions) {
      for (const { letter, runs, width } of fieldsOf(instruction)) {
        let placed = 0n;
        for (const run of runs) {
          const bits = ((1n << BigInt(run.width)) - 1n) << BigInt(run.to);
          assert.equal(placed & bits, 0n, `${instruction.name}: ${letter}`);
          placed |= bits;
        }
        assert.ok(placed < 1n << BigInt(width) && width <= 32, `${instruction.name}: ${letter}`);
      }
    }
  });

  it("have registers of 5 bits, or of 3 in compressed instructions", () => {
    for (const instruction of instructions) {
      for (const { letter, width, bias } of fieldsOf(instruction)) {
        if (!"dstDSTU".includes(letter)) continue;
        const isShort = isCompressed(instruction) && width === 3;
        assert.deepEqual([width, bias], isShort ? [3, 8] : [5, 0], `${instruction.name}: ${letter}`);
      }
    }
  });

  it("overlap only where one is the special case of the other", () => {
    const encodings = instructions.map(({ name, pattern }) => ({ name, length: pattern.length, ...fixedBits(pattern) }));
    for (const [i, a] of encodings.entries()) {
      for (const b of encodings.slice(i + 1)) {
        if (a.length !== b.length || ((a.match ^ b.match) & a.mask & b.mask) !== 0) continue;
        const both = (a.mask & b.mask) >>> 0;
        assert.ok(a.mask !== b.mask && (both === a.mask || both === b.mask), `${a.name} and ${b.name}`);
      }
    }
  });

  it("give a compressed instruction all operands of the one it stands for", () => {
    for (const instruction of instructions) {
      if (!isCompressed(instruction)) continue;
      const own = lettersOf(instruction);
      const fixed = Object.entries(instruction.fixed) as [Letter, number | Letter][];
      const given = new Set([...own, ...fixed.map(([letter]) => letter)]);
      assert.deepEqual([...given].sort(), [...lettersOf(instruction.base)].sort(), instruction.name);
      for (const [letter, source] of fixed) {
        assert.ok(!own.has(letter), `${instruction.name}: ${letter} is in the encoding and fixed`);
        if (typeof source === "string") assert.ok(own.has(source), `${instruction.name}: no field ${source}`);
      }
      assert.ok(baseInstructions.includes(instruction.base), instruction.name);
    }
  });

  it("are found again from an encoding of theirs", () => {
    for (const { name, pattern } of instructions) {
      // Fields with all ones but the lowest bit, which is a legal value of each.
      const word = [...pattern].reduce((bits, c, i) => {
        const isLast = /[a-zA-Z]/.test(c) && !pattern.slice(i + 1).includes(c);
        return bits * 2 + (c === "0" || c === "." || isLast ? 0 : 1);
      }, 0);
      assert.equal(decodeWord(word)?.instruction.name, name);
    }
  });
});

describe("inst", () => {
  it("refuses patterns that are none", () => {
    assert.throws(() => inst("short", "0101" as "", () => {}), /short: bad pattern/);
    assert.throws(() => inst("letter", `${"0".repeat(31)}z` as "", () => {}), /letter: bad pattern/);
  });

  it("refuses a layout that does not fit the pattern's bits", () => {
    const nop = baseInstructions[0];
    assert.throws(
      () => fieldsOf(compressed("c.bad", "iii0000000000001", nop, {}, { i: "2:1" })),
      /places 2 bits, the pattern has 3/,
    );
  });
});

describe("extractField", () => {
  const field = (name: string, letter: Letter) => {
    const instruction = instructions.find((i) => i.name === name)!;
    return fieldsOf(instruction).find((f) => f.letter === letter)!;
  };

  it("gathers scattered bits and extends the sign", () => {
    assert.equal(extractField(field("beq", "i"), 0xfe000ee3), -4);
    assert.equal(extractField(field("jal", "i"), 0x8000_006f), -(2 ** 20));
    assert.equal(extractField(field("lui", "i"), 0x8000_0037), -(2 ** 31));
    assert.equal(extractField(field("slli", "i"), 0x03f0_9093), 63);
    assert.equal(extractField(field("c.addi16sp", "i"), 0x713d), -32);
  });

  it("adds 8 to short registers", () => {
    assert.equal(extractField(field("c.lw", "s"), 0x4384), 15);
    assert.equal(extractField(field("c.lw", "d"), 0x4384), 9);
  });
});

describe("decodeWord", () => {
  it("takes the more specific encoding", () => {
    assert.equal(decodeWord(0x8082)?.instruction.name, "c.jr");
    assert.equal(decodeWord(0x852e)?.instruction.name, "c.mv");
    assert.equal(decodeWord(0x9002)?.instruction.name, "c.ebreak");
    assert.equal(decodeWord(0x6105)?.instruction.name, "c.addi16sp");
  });

  it("finds reserved encodings illegal", () => {
    for (const word of [0x0000, 0x6101, 0x2001, 0x4002, 0x8002]) assert.equal(decodeWord(word), undefined, word.toString(16));
    // amocas.q wants even registers.
    assert.equal(decodeWord(0x2800_40af), undefined);
    assert.equal(decodeWord(0x2800_412f)?.instruction.name, "amocas.q");
  });

  it("gives what a compressed instruction implies", () => {
    assert.deepEqual(decodeWord(0x1141)?.all, { d: 2, s: 2, i: -16 });
    assert.deepEqual(decodeWord(0x8082)?.all, { d: 0, s: 1, i: 0 });
  });
});
