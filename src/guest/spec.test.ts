import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSpec } from "./spec.ts";

test("an empty specification is the embedded guest with 256 MiB", () => {
  const spec = parseSpec({});
  assert.equal(spec.engine, "auto");
  assert.deepEqual(spec.machine, { board: "riscv-virt", memory: 256 << 20, cpus: 1 });
  assert.deepEqual([spec.boot, spec.disks, spec.env, spec.limits], [{}, [], {}, {}]);
});

test("a specification is plain data, and parsing it again changes nothing", () => {
  const spec = parseSpec({ command: ["ls", "-l"], disks: [{ file: "a.img", overlay: true }], limits: { seconds: 3 } });
  assert.deepEqual(parseSpec(JSON.parse(JSON.stringify(spec))), spec);
});

test("each mistake is refused by the name of its field", () => {
  const cases: [unknown, RegExp][] = [
    [{ memroy: 1 }, /^memroy is not a field of a guest's specification$/],
    [{ machine: { memroy: 1 } }, /^memroy is not a field of machine of a guest's specification$/],
    [{ disks: [{ file: "a", readonly: true }] }, /^readonly is not a field of disks\.0 of/],
    [{ disks: [{}] }, /^disks\.0\.file must be/],
    [{ disks: [{ file: "" }] }, /^disks\.0\.file must name a file/],
    [{ disks: [{ file: "a\0b" }] }, /NUL/],
    [{ disks: [{ file: "a", readOnly: true, overlay: true }] }, /disk a cannot be/],
    [{ disks: Array.from({ length: 6 }, () => ({ file: "a" })) }, /disks has more than 5/],
    [{ engine: "qemu" }, /^engine must be .*"emulator".*, not "qemu"$/],
    [{ machine: { memory: "1G" } }, /^machine\.memory must be number, not "1G"/],
    [{ machine: { memory: 4097 } }, /^machine\.memory must be a multiple of 4096/],
    [{ machine: { memory: Number.NaN } }, /^machine\.memory must be/],
    [{ machine: { memory: -4096 } }, /^machine\.memory must be more than 0/],
    [{ machine: { cpus: 2 } }, /^machine\.cpus must be 1, not 2/],
    [{ command: [] }, /^command must name a program/],
    [{ command: ["a\0"] }, /NUL/],
    [{ command: ["a"], env: { "a=b": "c" } }, /is not a name of a variable/],
    [{ command: ["a"], cwd: "here" }, /^cwd must be an absolute path, not "here"$/],
    [{ command: ["a"], boot: { kernel: "Image" } }, /embedded guest only/],
    [{ boot: { initrd: "i" } }, /an initrd needs a kernel/],
    [{ env: { A: "1" } }, /need a command/],
    [{ cwd: "/" }, /needs a command/],
    [{ limits: { seconds: 0 } }, /^limits\.seconds must be more than 0/],
    [{ limits: { seconds: Number.POSITIVE_INFINITY } }, /^limits\.seconds/],
    [[], /^a guest's specification must be Object/],
    [null, /^a guest's specification must be Object/],
  ];
  for (const [input, message] of cases) {
    assert.throws(() => parseSpec(input), { name: "VivError", code: "BAD_SPEC", message }, JSON.stringify(input));
  }
});
