import assert from "node:assert/strict";
import { test } from "node:test";
import { flags, type Plan, Steps } from "./operations.ts";
import { layOut } from "./program.ts";
import { endOfProgram, header, notRun, record } from "./stub/record.ts";
import { syscallNumber } from "./syscalls.ts";

const base = 0x10000n;

function plan(build: (steps: Steps) => void): Plan {
  const steps = new Steps("");
  build(steps);
  return {
    blocks: [
      { name: "main", onFail: "end", operations: steps.operations },
      { name: "end", onFail: "end", operations: [{ call: "return", args: [], step: "end" }] },
    ],
  };
}

function view(bytes: Uint8Array) {
  const data = new DataView(bytes.buffer);
  const word = (address: bigint) => data.getBigInt64(Number(address - base), true);
  const recordAt = (index: number) => base + BigInt(header.size + index * record.size);
  return {
    data,
    word,
    recordAt,
    argument: (index: number, arg: number) => word(word(recordAt(index) + BigInt(record.args + 8 * arg))),
  };
}

test("records carry the host's numbers, and arguments through pointers", () => {
  const program = plan((steps) => {
    const fd = steps.get("fd", "openat", [flags("AT_FDCWD"), "/dev/null", flags("O_PATH", "O_CLOEXEC"), 0]);
    steps.add("close", [fd], { onError: "next" });
    steps.add("getpid", []);
    steps.add("return", []);
  });
  for (const architecture of ["x64", "arm64", "riscv64"] as const) {
    const { word, recordAt, argument, data } = view(layOut(program, architecture).at(base));
    assert.equal(word(recordAt(0)), BigInt(syscallNumber("openat", architecture)!));
    assert.equal(argument(0, 0), -100n);
    assert.equal(data.getUint8(Number(argument(0, 1) - base)), "/".charCodeAt(0));
    assert.equal(argument(0, 2), 0o12000000n);
    assert.equal(
      word(recordAt(1) + BigInt(record.args)),
      recordAt(0) + BigInt(record.result),
      "an argument that is a result points at it",
    );
    assert.equal(word(recordAt(0) + BigInt(record.onError)), recordAt(4), "a failure goes to the block's end");
    assert.equal(word(recordAt(1) + BigInt(record.onError)), recordAt(2));
    assert.equal(word(recordAt(0) + BigInt(record.result)), notRun);
    assert.equal(word(recordAt(3)), endOfProgram);
  }
});

test("a structure has the C layout, and a result is stored into it when it is there", () => {
  const program = plan((steps) => {
    const fd = steps.get("fd", "dup", [0]);
    steps.add("ioctl", [
      1,
      2,
      {
        struct: [
          { name: "a", bits: 16, value: 0x1234 },
          { name: "b", bits: 32, value: -1 },
          { name: "c", bits: 64, value: fd },
          { name: "d", bits: 64, value: "text" },
        ],
      },
    ]);
    steps.add("return", []);
  });
  const { word, recordAt, argument, data } = view(layOut(program, "x64").at(base));
  const struct = argument(1, 2);
  const at = Number(struct - base);
  assert.equal(data.getUint16(at, true), 0x1234);
  assert.equal(data.getUint32(at + 4, true), 0xffffffff);
  assert.equal(word(recordAt(0) + BigInt(record.dest)), struct + 8n);
  assert.equal(Buffer.from(data.buffer, Number(data.getBigUint64(at + 16, true) - base), 5).toString("latin1"), "text\0");
});

test("the failed operation is read back from executed memory", () => {
  const program = plan((steps) => {
    steps.get("one", "dup", [0]);
    steps.add("mkdirat", [1, "x", 0], { onError: "next" });
    steps.add("chdir", ["/nowhere"]);
    steps.add("return", []);
  });
  const layout = layOut(program, "x64");
  const { data } = view(layout.at(base));
  const setResult = (index: number, value: bigint) =>
    data.setBigInt64(header.size + index * record.size + record.result, value, true);
  assert.equal(layout.failure(data), undefined);
  assert.equal(layout.result(data, "one1"), undefined);
  setResult(0, 5n);
  setResult(1, -17n);
  assert.equal(layout.result(data, "one1"), 5n);
  assert.equal(layout.failure(data), undefined, "an error that the plan goes on after is no failure");
  setResult(2, -2n);
  assert.deepEqual(layout.failure(data), { operation: program.blocks[0]!.operations[2], errno: 2 });
});

test("a text with NUL and a call that the architecture lacks are refused", () => {
  assert.throws(
    () =>
      layOut(
        plan((steps) => steps.add("chdir", ["/a\0b"]).add("return", [])),
        "x64",
      ),
    { code: "BAD_SPEC" },
  );
  assert.throws(
    () =>
      layOut(
        plan((steps) => steps.add("fork", []).add("return", [])),
        "arm64",
      ),
    {
      code: "NO_SYSCALL",
      message: /arm64 has no system call fork/,
    },
  );
});

test("a block that runs off its end is a mistake of ours", () => {
  assert.throws(
    () =>
      layOut(
        plan((steps) => steps.add("getpid", [])),
        "x64",
      ),
    /block main has no end/,
  );
});
