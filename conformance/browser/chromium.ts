import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright-core";

const name = "chromium";

/** Nothing but what is asked for goes over the network. */
const options = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Debian's Chromium; installed if it is missing and we may. */
function installed(): string {
  const find = () => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
  if (find() === "") execFileSync("apt-get", ["install", "-y", "--no-install-recommends", name], { stdio: ["ignore", 2, 2] });
  return find();
}

/** Runs `use` with a headless Chromium that knows nothing from before, and ends that afterwards. */
export async function withChromium<T>(use: (browser: BrowserContext) => Promise<T>): Promise<T> {
  const profile = mkdtempSync(join(tmpdir(), "viv-chromium-"));
  try {
    const browser = await chromium.launchPersistentContext(profile, {
      executablePath: installed(),
      headless: true,
      chromiumSandbox: false,
      args: options,
    });
    try {
      return await use(browser);
    } finally {
      await browser.close();
    }
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
