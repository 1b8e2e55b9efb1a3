import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { cgroupMounts } from "../../src/engine/jail/cgroup.ts";
import { planJail } from "../../src/engine/jail/plan/index.ts";
import { parseJailSpec } from "../../src/engine/jail/spec.ts";
import { hostFacts } from "../../src/host/node/jail/facts.ts";
import { stopJail } from "../../src/host/node/jail/jails.ts";
import { JailStore } from "../../src/host/node/jail/store.ts";
import { makeTree, type Tree, whyNoJails } from "../../src/host/node/jail/testing/tree.ts";

const viv = join(import.meta.dirname, "../../../bin/viv.mjs");
const victim = join(import.meta.dirname, "testing/victim.js");
const skip = (await whyNoJails()) || (process.geteuid?.() !== 0 && "control groups of one's own need root");
let tree: Tree;
let state: string;
let environment: NodeJS.ProcessEnv;

before(() => {
  tree = makeTree();
  state = mkdtempSync(join(tmpdir(), "viv-state-"));
  environment = { ...process.env, VIV_STATE: state };
});
after(() => {
  tree.remove();
  rmSync(state, { recursive: true, force: true });
});

const mountsOf = () => tree.spec(["/bin/true"]).mounts;
const limits = () => ({ pids: 20, memory: 64 << 20 });
const more = () => JSON.stringify({ mounts: mountsOf(), limits: limits() });

function start(mode: "foreground" | "detached", at: number): ChildProcess {
  return spawn(process.execPath, [victim, mode, String(at), tree.root, more()], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit", "pipe", "pipe"],
  });
}

/** Processes that have our state's directory in their arguments: makers of jails, and their commands. */
function ours(): string[] {
  return readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) return false;
    try {
      const text = readFileSync(`/proc/${entry}/cmdline`, "utf8") + readFileSync(`/proc/${entry}/environ`, "utf8");
      return text.includes(state) && readFileSync(`/proc/${entry}/status`, "utf8").match(/^State:\s+Z/m) === null;
    } catch {
      return false;
    }
  });
}

/** Mounts of the host on or below what the tests have made. */
function mountsOfTests(): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => line.includes(tree.root) || line.includes(state));
}

/** Control groups of jails that this process has made. */
function cgroupsOf(maker: number): string[] {
  const mounts = cgroupMounts(readFileSync("/proc/self/mountinfo", "utf8"), () => []);
  return mounts.flatMap(({ mount }) => {
    const parent = join(mount, "vivarium");
    const names = existsSync(parent) ? readdirSync(parent) : [];
    return names.filter((name) => name.startsWith(`jail-${maker.toString(36)}-`)).map((name) => join(parent, name));
  });
}

async function eventually(holds: () => boolean, what: () => string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(what());
}

/** What the next command of viv does first, whatever it is. */
function sweep(): void {
  new JailStore(join(state, "jails")).sweep();
}

async function nothingIsLeft(maker: number, what: string): Promise<void> {
  await eventually(
    () => ours().length === 0,
    () => `${what}: processes ${ours().join(", ")} are left`,
  );
  // A killed process takes its time to take its namespaces apart; its control groups go after that.
  await eventually(
    () => {
      sweep();
      return !existsSync(join(state, "jails")) || readdirSync(join(state, "jails")).length === 0;
    },
    () => `${what}: state of ${readdirSync(join(state, "jails")).join(", ")} is left`,
  );
  assert.deepEqual(cgroupsOf(maker), [], `${what}: control groups`);
  assert.deepEqual(mountsOfTests(), [], `${what}: mounts`);
}

/** Numbers of the operations that make the jail, up to where it closes the descriptors that it would report on. */
function operationsOf(mode: "foreground" | "detached"): number[] {
  const spec = parseJailSpec({
    root: tree.root,
    command: ["/bin/sh"],
    init: mode === "detached",
    dieWithParent: mode === "foreground",
    mounts: mountsOf(),
  });
  const { plan } = planJail(spec, hostFacts(), { cgroups: ["a", "b"], gate: true });
  const { operations } = plan.blocks.find(({ name }) => name === "jail")!;
  const end = operations.findIndex(({ call }) => call === "close_range");
  const all = operations.slice(0, end + 1).map((_, index) => index);
  // The plans of both kinds are the same up to their ends, so that a part of them is enough for the second kind.
  return mode === "foreground" ? all : all.filter((index) => index % 7 === 0 || index > all.length - 12);
}

for (const mode of ["foreground", "detached"] as const) {
  test(`killed at each operation of a ${mode} jail's plan, the maker leaves nothing`, { skip }, async () => {
    const numbers = operationsOf(mode);
    assert.ok(numbers.length > 20);
    let reached = 0;
    for (const at of numbers) {
      const maker = start(mode, at);
      const report = maker.stdio[3] as NodeJS.ReadableStream;
      // What a branch skips is not reached: the jail is then made, and its maker killed as well.
      await Promise.race([once(report, "data"), once(maker.stdout!, "data"), once(maker, "exit")]).then(([first]) => {
        if (String(first) === "x") reached++;
      });
      maker.kill("SIGKILL");
      if (maker.exitCode === null && maker.signalCode === null) await once(maker, "exit");
      // Now what had been begun goes on without its maker.
      (maker.stdio[4] as NodeJS.WritableStream).end();
      (report as unknown as { destroy(): void }).destroy();
      if (mode === "detached") await removeMade();
      await nothingIsLeft(maker.pid!, `operation ${at}`);
    }
    assert.ok(reached > numbers.length / 2, `${reached} operations were reached`);
  });
}

/** A detached jail whose maker had already let it go is there rightly. */
async function removeMade(): Promise<void> {
  const store = new JailStore(join(state, "jails"));
  for (const { name, first } of store.list()) if (first !== undefined) await stopJail(name, 0, store);
}

test("another jail is not touched by the cleaning", { skip }, async () => {
  const other = spawnSync(process.execPath, [victim, "detached", "-1", tree.root, more()], {
    env: environment,
    encoding: "utf8",
  });
  assert.equal(other.stdout.trim(), "made");
  const names = readdirSync(join(state, "jails"));
  assert.equal(names.length, 1);
  const maker = start("foreground", 40);
  await once(maker.stdio[3] as NodeJS.ReadableStream, "data");
  maker.kill("SIGKILL");
  (maker.stdio[4] as NodeJS.WritableStream).end();
  await once(maker, "exit");
  await eventually(
    () => {
      sweep();
      return readdirSync(join(state, "jails")).length === 1;
    },
    () => "the killed jail's state is left",
  );
  assert.deepEqual(readdirSync(join(state, "jails")), names);
  const { stdout } = spawnSync(process.execPath, [viv, "jail", "exec", "--no-tty", names[0]!, "echo", "alive"], {
    env: environment,
    encoding: "utf8",
  });
  assert.equal(stdout, "alive\n");
  assert.equal(spawnSync(process.execPath, [viv, "jail", "rm", names[0]!], { env: environment }).status, 0);
  assert.deepEqual(readdirSync(join(state, "jails")), []);
});

test("no more processes: one clear error, nothing left", {
  skip: skip || (!existsSync("/sys/fs/cgroup/pids") && "needs the v1 pids controller"),
}, async () => {
  const group = `/sys/fs/cgroup/pids/viv-test-${process.pid}`;
  mkdirSync(group);
  try {
    writeFileSync(join(group, "pids.max"), "64");
    // Joins the group, then leaves it room for nobody.
    const script = `echo $$ > ${group}/cgroup.procs; exec "$0" "$@"`;
    const fill = `import { readFileSync, writeFileSync } from "node:fs"; setTimeout(() => {}, 0); writeFileSync("${group}/pids.max", readFileSync("${group}/pids.current", "utf8").trim());`;
    const preload = join(state, "fill.mjs");
    writeFileSync(preload, fill);
    const result = spawnSync(
      "/bin/sh",
      ["-c", script, process.execPath, "--import", preload, victim, "foreground", "-1", tree.root, more()],
      {
        env: environment,
        encoding: "utf8",
      },
    );
    assert.match(result.stdout, /clone3\(.* failed: EAGAIN/);
    rmSync(preload);
    await nothingIsLeft(result.pid, "no more processes");
  } finally {
    rmdirSync(group);
  }
});

test("no more disk: one clear error, nothing left", { skip }, async () => {
  const full = mkdtempSync(join(tmpdir(), "viv-full-"));
  try {
    // A mount namespace of its own for the state's directory on a file system with no room.
    const script = `mount -t tmpfs -o size=4k,nr_inodes=4 none ${full} && head -c 4096 /dev/zero > ${full}/fill; exec "$0" "$@"`;
    const result = spawnSync(
      "unshare",
      ["-m", "/bin/sh", "-c", script, process.execPath, victim, "foreground", "-1", tree.root, more()],
      {
        env: { ...environment, VIV_STATE: full },
        encoding: "utf8",
      },
    );
    assert.match(result.stdout, /noting the jail down in .* failed: ENOSPC; set VIV_STATE/);
    assert.deepEqual(mountsOfTests(), []);
    assert.deepEqual(readdirSync(full), []);
  } finally {
    rmdirSync(full);
  }
});
