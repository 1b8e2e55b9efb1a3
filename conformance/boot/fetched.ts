import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder, from dist/conformance/boot. */
const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Runs a script of scripts/debian and returns the `name=path` lines that it prints. */
export function fetched(script: string): Record<string, string> {
  const lines = execFileSync(join(root, "scripts/debian", script), { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return Object.fromEntries(
    lines
      .trim()
      .split("\n")
      .map((line) => line.split(/=(.*)/s, 2)),
  ) as Record<string, string>;
}
