import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const viv = fileURLToPath(new URL("../../../bin/viv.mjs", import.meta.url));

test("viv web serves its page and all that it refers to until it is interrupted, also while a browser holds on", async () => {
  const server = spawn(process.execPath, [viv, "web"], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(server, "exit");
  try {
    const [line] = (await once(server.stdout, "data")) as [Buffer];
    const address = line.toString().trim();
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    const page = await (await fetch(address)).text();
    const references = [...page.matchAll(/(?:src|href)="(dist[^"]+)"/g)].map(([, path]) => path);
    assert.equal(references.length, 2);
    for (const path of [...references, "dist/browser/worker.js", "dist/browser/vivarium.js", "dist/riscv64-hart.wasm"]) {
      const response = await fetch(new URL(path, address));
      assert.equal(response.status, 200, path);
      assert.ok((await response.arrayBuffer()).byteLength > 0, path);
    }
    assert.equal((await fetch(new URL("package.json", address))).status, 404);
    await fetch(new URL("guests/linux-riscv64/Image.gz", address)); // its body is never read
  } finally {
    server.kill("SIGINT");
  }
  assert.deepEqual(await exited, [0, null]);
});
