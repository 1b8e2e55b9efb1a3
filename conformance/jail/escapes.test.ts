import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { whyNoJails } from "../../src/host/node/jail/testing/tree.ts";
import type { EscapeResult } from "../../src/index.ts";

const viv = join(import.meta.dirname, "../../../bin/viv.mjs");
const skip = await whyNoJails();

function escapes(user?: number): EscapeResult[] {
  const { stdout, stderr } = spawnSync(process.execPath, [viv, "selftest", "escapes", "--json"], {
    encoding: "utf8",
    cwd: "/",
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  assert.notEqual(stdout, "", stderr);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EscapeResult);
}

function noneEscaped(results: readonly EscapeResult[]): void {
  for (const { name, byDefault } of results) assert.notEqual(byDefault.outcome, "escaped", name);
}

test("no technique gets out of a default jail of root's, and at least 30 get out of weakened ones", {
  skip: skip || (process.geteuid?.() !== 0 && "weakened jails that show the techniques need root"),
}, () => {
  const results = escapes();
  noneEscaped(results);
  const shown = results.filter(({ weakened }) => weakened.outcome === "escaped");
  assert.ok(shown.length >= 30, `only ${shown.length} techniques were shown to work`);
});

test("no technique gets out of a default jail of an ordinary user's", { skip }, () => {
  noneEscaped(escapes(process.geteuid?.() === 0 ? 65534 : undefined));
});
