import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { servePages } from "../../src/host/node/web/server.ts";
import { withChromium } from "./chromium.ts";

/** The project's folder, from dist/conformance/browser. */
const root = fileURLToPath(new URL("../../..", import.meta.url));
const screenshots = join(root, "dist/screenshots");
mkdirSync(screenshots, { recursive: true });

const folder = mkdtempSync(join(tmpdir(), "viv-tab-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "blank.html"), '<!doctype html><title>blank</title><link rel="icon" href="data:,"><pre></pre>');

const library = Object.fromEntries(
  [
    "dist/browser/vivarium.js",
    "dist/riscv64-hart.wasm",
    "guests/linux-riscv64/Image.gz",
    "guests/linux-riscv64/initramfs.cpio.gz",
  ].map((name) => [`/${name}`, join(root, name)]),
);

/** Opens a page that the files make up; fails if anything in it does. */
async function withPage(
  { files, isolated }: { files: Record<string, string>; isolated: boolean },
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const server = await servePages({ files, port: 0, isolated });
  try {
    await withChromium(async (browser) => {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.stack ?? error.message));
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      await page.goto(server.address);
      await use(page);
      assert.deepEqual(problems, []);
    });
  } finally {
    await server.close();
  }
}

for (const isolated of [false, true]) {
  const how = isolated ? "cross-origin isolated" : "not isolated";
  test(`the library boots the embedded guest in a tab (${how}), which answers on its console`, { timeout: 60_000 }, () =>
    withPage({ files: { "/": join(folder, "blank.html"), ...library }, isolated }, async (page) => {
      assert.equal(await page.evaluate("crossOriginIsolated"), isolated);
      const seen = await page.evaluate(`(async () => {
        const { Machine } = await import("/dist/browser/vivarium.js");
        const machine = await Machine.create();
        const shown = document.querySelector("pre");
        const decoder = new TextDecoder();
        const expect = async (pattern) => {
          for await (const bytes of machine.console.output) {
            shown.textContent += decoder.decode(bytes, { stream: true });
            if (pattern.test(shown.textContent)) return;
          }
          throw new Error("the guest ended: " + shown.textContent);
        };
        machine.start();
        await expect(/~ # /);
        await machine.console.write(new TextEncoder().encode("uname -m\\n"));
        await expect(/\\nriscv64\\r\\n/);
        const { hart } = machine.stats();
        const exit = await machine.stop();
        return { text: shown.textContent, exit: exit.kind, tiers: hart.tiers };
      })()`);
      await page.screenshot({ path: join(screenshots, `library-${isolated ? "isolated" : "plain"}.png`) });
      const { text, exit, tiers } = seen as { text: string; exit: string; tiers: { tier: number; instructions: number }[] };
      assert.match(text, /uname -m\r\nriscv64\r\n/);
      assert.equal(exit, "stopped");
      assert.ok(
        tiers.some(({ tier, instructions }) => tier === 1 && instructions > 0),
        "nothing was translated",
      );
    }),
  );
}
