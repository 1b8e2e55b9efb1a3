import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";

const policy = "/usr/sbin/policy-rc.d";

/** Installs Debian packages that are missing, without starting their services. Throws if apt cannot. */
export function installPackages(names: readonly string[]): void {
  const missing = names.filter((name) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a field of dpkg-query(1)
    const status = spawnSync("dpkg-query", ["-W", "-f", "${Status}", name], { encoding: "utf8" });
    return status.stdout !== "install ok installed";
  });
  if (missing.length === 0) return;
  console.error(`installing ${missing.join(" ")}`);
  const ours = !existsSync(policy);
  // invoke-rc.d(8) asks this program whether a service may start; 101 says no.
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const apt = (args: readonly string[]) =>
      spawnSync("apt-get", args, {
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
        stdio: ["ignore", "ignore", "pipe"],
        encoding: "utf8",
      });
    const install = ["install", "-y", "-qq", "--no-install-recommends", ...missing];
    let result = apt(install);
    if (result.status !== 0) {
      apt(["update", "-qq"]);
      result = apt(install);
    }
    if (result.status !== 0) throw new Error(`apt-get cannot install ${missing.join(" ")}: ${result.stderr}`);
  } finally {
    if (ours) rmSync(policy);
  }
}
