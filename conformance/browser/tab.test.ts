import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { type PageServer, servePages } from "../../src/host/node/web/server.ts";
import { serveTab } from "../../src/host/node/web/tab.ts";
import { withChromium } from "./chromium.ts";

/** The project's folder, from dist/conformance/browser. */
const root = fileURLToPath(new URL("../../..", import.meta.url));
const screenshots = join(root, "dist/screenshots");
mkdirSync(screenshots, { recursive: true });

const folder = mkdtempSync(join(tmpdir(), "viv-tab-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "blank.html"), '<!doctype html><title>blank</title><link rel="icon" href="data:,"><pre></pre>');

writeFileSync(join(folder, "short.gz"), readFileSync(join(root, "guests/linux-riscv64/Image.gz")).subarray(0, 100_000));

const library = Object.fromEntries(
  [
    "dist/browser/vivarium.js",
    "dist/riscv64-hart.wasm",
    "guests/linux-riscv64/Image.gz",
    "guests/linux-riscv64/initramfs.cpio.gz",
  ].map((name) => [`/${name}`, join(root, name)]),
);

/** Opens a page that the files make up; fails if anything in it does. */
async function withPage(serving: Promise<PageServer>, use: (page: Page) => Promise<void>): Promise<void> {
  const server = await serving;
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
    withPage(servePages({ files: { "/": join(folder, "blank.html"), ...library }, port: 0, isolated }), async (page) => {
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

/** Waits until the terminal shows what matches. */
async function expectShown(page: Page, pattern: RegExp): Promise<void> {
  await page
    .waitForFunction(
      ([source]) => new RegExp(source, "m").test((globalThis as unknown as ShownText).shownText()),
      [pattern.source] as const,
      { timeout: 60_000 },
    )
    .catch(async (cause: unknown) => {
      throw new Error(`the terminal does not show ${pattern}: ${await page.evaluate("shownText()")}`, { cause });
    });
}
interface ShownText {
  shownText(): string;
}

async function status(page: Page, text: string): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor({ timeout: 30_000 });
}

test("the page of viv web: start, type, pause, reset, statistics, a kernel of one's own", { timeout: 240_000 }, () =>
  withPage(serveTab({ port: 0 }), async (page) => {
    await page.evaluate(
      'globalThis.shownText = () => [...document.querySelectorAll(".xterm-rows > div")].map((row) => row.textContent.replaceAll("\\u00a0", " ").trimEnd()).join("\\n")',
    );
    await status(page, "Off");
    // By keyboard alone: the first thing that Tab reaches starts the machine, which takes the keys from there.
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await expectShown(page, /~ #$/);
    await page.keyboard.type("uname -m; tty\n");
    await expectShown(page, /^riscv64$/);
    // As on a phone, which has no such keys: the last command again, with another letter typed as Ctrl's.
    await page.getByRole("button", { name: "↑" }).click();
    await page.getByRole("button", { name: "Ctrl" }).click();
    await page.keyboard.type("a");
    await page.keyboard.type("echo again; \n");
    await expectShown(page, /^again\nriscv64\n\/dev\/hvc0$/);

    await page.keyboard.press("Control+]");
    await page.keyboard.press("Enter");
    await status(page, "Paused");
    await page.getByLabel("Terminal input").focus();
    await page.keyboard.type("echo $((6*7))\n");
    await page.getByRole("button", { name: "Resume" }).click();
    await status(page, "Running");
    await expectShown(page, /^42$/);

    await page.getByText("Statistics").click();
    await page.getByRole("cell", { name: "translated regions" }).waitFor({ timeout: 30_000 });
    await page.screenshot({ path: join(screenshots, "web.png"), fullPage: true });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.screenshot({ path: join(screenshots, "web-phone.png") });
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a phone");

    await page.getByRole("button", { name: "Reset", exact: true }).click();
    await expectShown(page, /BusyBox[\s\S]*~ #$/);
    assert.doesNotMatch((await page.evaluate("shownText()")) as string, /^42$/m);

    await page.setViewportSize({ width: 1280, height: 1000 });
    await page.getByText("Load a kernel").click();
    await page.getByLabel("Kernel").setInputFiles(join(root, "guests/linux-riscv64/Image.gz"));
    await page.getByLabel("Initial RAM").setInputFiles(join(root, "guests/linux-riscv64/initramfs.cpio.gz"));
    await page.getByLabel("Command line").fill("console=ttyS0 earlycon=sbi quiet");
    await page.getByRole("button", { name: "Start with these" }).click();
    // Early messages have no carriage returns.
    await expectShown(page, /^SBI TIME extension detected$[\s\S]*~ #$/);
    await page.keyboard.type("cat /proc/cmdline\n");
    await expectShown(page, /^console=ttyS0 earlycon=sbi quiet$/);

    await page.getByLabel("Kernel").setInputFiles(join(folder, "short.gz"));
    await page.getByRole("button", { name: "Start with these" }).click();
    await status(page, "Failed: kernel short.gz: cannot unpack gzip data");
  }),
);
