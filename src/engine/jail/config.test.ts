import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJailConfig, specOfConfig, startOrder } from "./config.ts";
import { parseJailSpec } from "./spec.ts";

const config = (more: Record<string, unknown> = {}) => parseJailConfig({ path: "/srv/web", ...more }, "web.json");

test("a configured jail becomes a specification", () => {
  const given = config({ dropCapabilities: ["CAP_CHOWN"], addCapabilities: ["CAP_NET_RAW"], limits: { memory: 1 << 26 } });
  const spec = parseJailSpec(specOfConfig("web", given, []));
  assert.equal(spec.hostname, "web");
  assert.equal(spec.init, true);
  assert.deepEqual(spec.command, []);
  assert.equal(spec.capabilities.includes("CAP_CHOWN"), false);
  assert.equal(spec.capabilities.includes("CAP_NET_RAW"), true);
  assert.equal(spec.limits.memory, 1 << 26);
});

test("what is wrong in the file is named", () => {
  assert.throws(() => config({ path: "srv" }), { code: "BAD_SPEC", message: "web.json: path must be an absolute path" });
  assert.throws(() => config({ depends: ["../x"] }), /depends\.0 is no name for a jail/);
  assert.throws(() => config({ pth: "/x" }), /web\.json: pth/);
});

test("what is depended on starts first, and a circle is refused", () => {
  const depends: Record<string, string[]> = { web: ["db", "cache"], db: ["net"], cache: ["net"], net: [], a: ["b"], b: ["a"] };
  const of = (name: string) => config({ depends: depends[name] });
  assert.deepEqual(startOrder(["web", "net"], of), ["net", "db", "cache", "web"]);
  assert.throws(() => startOrder(["a"], of), { code: "BAD_SPEC", message: /circle: a -> b -> a/ });
});
