import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { servePages } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "viv-server-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "page.html"), "<p>page");
writeFileSync(join(folder, "secret"), "secret");

/** The path as it is: `fetch` would make `..` disappear before it asks. */
function get(address: string, path: string, options: { host?: string; method?: string } = {}) {
  const { hostname, port, host } = new URL(address);
  return new Promise<{ status?: number; type?: string; body: string }>((resolve, reject) => {
    const headers = { host: options.host ?? host };
    request({ hostname, port, path, method: options.method ?? "GET", headers }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, type: response.headers["content-type"], body }));
    })
      .on("error", reject)
      .end();
  });
}

test("what is in the table is served, nothing else, to nobody under another name", async () => {
  const files = { "/": join(folder, "page.html"), "/gone": join(folder, "gone") };
  const server = await servePages({ files, port: 0 });
  try {
    const { address } = server;
    assert.deepEqual(await get(address, "/"), { status: 200, type: "text/html; charset=utf-8", body: "<p>page" });
    assert.deepEqual(await get(address, "/?query"), { status: 200, type: "text/html; charset=utf-8", body: "<p>page" });
    assert.equal((await get(address, "/", { method: "HEAD" })).body, "");
    for (const path of [
      "/secret",
      "/../secret",
      "/./secret",
      "/%2e%2e/secret",
      "//secret",
      "/__proto__",
      "/page.html/../secret",
    ]) {
      assert.equal((await get(address, path)).status, 404, path);
    }
    assert.equal((await get(address, "/gone")).status, 500);
    assert.equal((await get(address, "/", { method: "POST" })).status, 405);
    assert.equal((await get(address, "/", { host: "attacker.example" })).status, 421);
    const port = Number(new URL(address).port);
    await assert.rejects(servePages({ files, port }), { code: "EADDRINUSE", message: /--port/ });
  } finally {
    await server.close();
  }
});
