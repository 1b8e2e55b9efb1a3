import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { encodingsOf, goldenFolder, goldenNames, translate } from "./testing/golden.ts";

for (const name of goldenNames) {
  test(`${name} is translated as before`, async () => {
    const [source, wanted] = ["s", "wat"].map((suffix) => readFileSync(join(goldenFolder, `${name}.${suffix}`), "utf8"));
    const text = await translate(encodingsOf(source));
    assert.equal(text, wanted, "if that is meant: npm run conform -- goldens --accept, and look at the difference");
  });
}
