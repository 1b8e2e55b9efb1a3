import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeTree, whyNoJails } from "../../src/host/node/jail/testing/tree.ts";

const script = join(import.meta.dirname, "testing/network.js");
const missing = ["ip", "nft", "unshare"].find((tool) => spawnSync(tool, ["--version"]).error !== undefined);
const skip =
  (await whyNoJails()) ||
  (process.geteuid?.() !== 0 && "a bridge needs root") ||
  (!process.execPath.startsWith("/usr/") && "the jail's programs are those of /usr, and this Node is not there") ||
  (missing !== undefined && `needs ${missing}`);

test("jails on a bridge reach each other, and a published port reaches into one; nothing is left", { skip }, () => {
  const tree = makeTree();
  const state = mkdtempSync(join(tmpdir(), "viv-state-"));
  try {
    const mounts = JSON.stringify(tree.spec(["/bin/true"]).mounts);
    // A network namespace for the test: the host's own network stays as it is.
    const { stdout, stderr } = spawnSync("unshare", ["-n", process.execPath, script, tree.root, mounts], {
      encoding: "utf8",
      env: { ...process.env, VIV_STATE: state },
      timeout: 120_000,
    });
    assert.notEqual(stdout, "", stderr);
    const { published, between, taken, links, rules } = JSON.parse(stdout.trim().split("\n").at(-1)!);
    assert.equal(published, "from 10.99.0.2");
    assert.equal(between, 0);
    assert.match(taken, /the jail first has the address 10\.99\.0\.2 already/);
    assert.doesNotMatch(links, /viv/);
    assert.equal(rules, "");
  } finally {
    tree.remove();
    rmSync(state, { recursive: true, force: true });
  }
});
