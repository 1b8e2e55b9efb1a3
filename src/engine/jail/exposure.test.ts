import assert from "node:assert/strict";
import { test } from "node:test";
import { exposures, printExposures } from "./exposure.ts";
import { type JailSpecInput, parseJailSpec } from "./spec.ts";

const explain = (more: Partial<JailSpecInput>) =>
  printExposures(exposures(parseJailSpec({ root: "/srv/jail", command: ["x"], ...more })));

test("what gives the host away is said first, in words", () => {
  const text = explain({
    devices: [{ path: "/dev/sda", type: "b", major: 8, minor: 0 }],
    mounts: [
      { type: "bind", source: "/var/run/docker.sock", target: "/s", readOnly: true, file: true },
      { type: "bind", source: "/etc", target: "/mnt", readOnly: true },
    ],
    capabilities: ["CAP_SYS_ADMIN"],
    network: { kind: "host" },
  });
  assert.match(text, /^HOST {2}\/dev\/sda: \/dev\/sda gives the whole disk/m);
  assert.match(text, /^HOST {2}\/var\/run\/docker\.sock at \/s: .*root on the host/m);
  assert.match(text, /^data {2}\/etc at \/mnt: reading what the host itself runs/m);
  assert.match(text, /^HOST {2}CAP_SYS_ADMIN/m);
  assert.match(text, /^HOST {2}network host/m);
  assert.ok(text.indexOf("HOST") < text.indexOf("data"));
});

test("a default jail gives nothing of the host but its directory", () => {
  assert.doesNotMatch(explain({}), /HOST/);
  assert.match(explain({ root: "/" }), /^HOST {2}root \/: reading and changing every file of the host/m);
});
