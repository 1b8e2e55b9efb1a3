// Every example runs as it is and prints what its second line says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../examples/", import.meta.url));

for (const name of readdirSync(folder)) {
  test(`examples/${name}`, () => {
    const expected = /^\/\/ Prints: (.*)$/m.exec(readFileSync(`${folder}${name}`, "utf8"))?.[1];
    const { status, stdout, stderr } = spawnSync(process.execPath, [`${folder}${name}`], { encoding: "utf8" });
    assert.deepEqual([status, stdout, stderr], [0, `${expected}\n`, ""]);
  });
}
