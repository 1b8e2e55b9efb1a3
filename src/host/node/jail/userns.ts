/** User namespaces: which ids we may map, and namespaces that others must map for us. */
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { userInfo } from "node:os";
import { VivError } from "../../../core/errors.ts";
import { flags, input, type Plan, Steps } from "../../../engine/jail/operations.ts";
import { endBlocks } from "../../../engine/jail/plan/index.ts";
import { allSignals } from "../../../engine/jail/plan/process.ts";
import { printFailure } from "../../../engine/jail/print.ts";
import type { IdRange, JailSpec } from "../../../engine/jail/spec.ts";
import { closeAll, pipe } from "../ffi/descriptors.ts";
import { HostExecutor } from "../ffi/executor.ts";
import { waitFor } from "./process.ts";

type IdMaps = NonNullable<JailSpec["userNamespace"]>;

/** Ranges of /etc/subuid or /etc/subgid that belong to a user, subuid(5). */
export function subordinateIds(file: string, name: string, id: number): { start: number; size: number }[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.trim().split(":"))
    .filter(([owner]) => owner === name || owner === String(id))
    .map(([, start, size]) => ({ start: Number(start), size: Number(size) }))
    .filter(({ start, size }) => Number.isSafeInteger(start) && Number.isSafeInteger(size) && size > 0);
}

const helpers = ["/usr/bin/newuidmap", "/usr/bin/newgidmap"] as const;

/**
 * The mapping for an ordinary user: root inside is the user outside, and the other ids inside are the user's subordinate ones, where the
 * system has given them any and has the helpers; otherwise root is all there is.
 */
export function ownMapping(): IdMaps {
  const { username, uid, gid } = userInfo();
  const hasHelpers = helpers.every((helper) => existsSync(helper));
  const others = (file: string): IdRange[] => {
    let inside = 1;
    return (hasHelpers ? subordinateIds(file, username, uid) : []).map(({ start, size }) => {
      const range = { inside, outside: start, size };
      inside += size;
      return range;
    });
  };
  const uids = others("/etc/subuid");
  const gids = others("/etc/subgid");
  // Both or neither: with one of them the other kind of ids would all be nobody's.
  const hasBoth = uids.length > 0 && gids.length > 0;
  return {
    uids: [{ inside: 0, outside: uid, size: 1 }, ...(hasBoth ? uids : [])],
    gids: [{ inside: 0, outside: gid, size: 1 }, ...(hasBoth ? gids : [])],
  };
}

/** For root: the ids of a jail are ordinary ones outside, far from every real user's. */
export const shiftedMapping: IdMaps = {
  uids: [{ inside: 0, outside: 0x7000_0000, size: 65536 }],
  gids: [{ inside: 0, outside: 0x7000_0000, size: 65536 }],
};

/** A process in a new user namespace that does nothing but wait until the pipe `hold` is closed. */
function holderPlan(): Plan {
  const main = new Steps("main.");
  main.step("make a user namespace");
  main.add("rt_sigprocmask", [flags("SIG_BLOCK"), allSignals, { buffer: "mask", size: 8 }, 8]);
  const zero = (name: string) => ({ name, bits: 64, value: 0 }) as const;
  main.add(
    "clone3",
    [
      {
        struct: [
          { name: "flags", bits: 64, value: flags("CLONE_NEWUSER", "CLONE_CLEAR_SIGHAND") },
          zero("pidfd"),
          zero("child_tid"),
          zero("parent_tid"),
          { name: "exit_signal", bits: 64, value: flags("SIGCHLD") },
          zero("stack"),
          zero("stack_size"),
          zero("tls"),
        ],
      },
      64,
    ],
    { name: "holder", onZero: { block: "holder" }, onError: "next" },
  );
  main.add("rt_sigprocmask", [flags("SIG_SETMASK"), { buffer: "mask", size: 8 }, 0, 8]);
  main.add("return", []);
  const holder = new Steps("holder.");
  holder.step("wait until the namespace is mapped");
  holder.add("prctl", [flags("PR_SET_PDEATHSIG"), flags("SIGKILL"), 0, 0, 0]);
  holder.add("close", [input("release")]);
  holder.add("read", [input("hold"), { buffer: "byte", size: 8 }, 1]);
  holder.add("exit_group", [0]);
  return {
    blocks: [
      { name: "main", onFail: "return", operations: main.operations },
      { name: "holder", onFail: "failed", operations: holder.operations },
      ...endBlocks,
    ],
  };
}

function writeMap(pid: number, kind: "uid" | "gid", ranges: readonly IdRange[], helper: string): void {
  if (process.geteuid!() === 0) {
    writeFileSync(
      `/proc/${pid}/${kind}_map`,
      ranges.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join(""),
    );
    return;
  }
  const args = ranges.flatMap(({ inside, outside, size }) => [String(inside), String(outside), String(size)]);
  // Loaded only here: it costs more than all else that starting a jail loads of Node.
  const { spawnSync } = createRequire(import.meta.url)("node:child_process") as typeof import("node:child_process");
  const result = spawnSync(helper, [String(pid), ...args], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  if (result.status !== 0) {
    const reason = result.error?.message ?? result.stderr.trim();
    throw new VivError(
      "EPERM",
      `mapping ids: ${helper} failed: ${reason}; check /etc/sub${kind}, or map only yourself with --userns own`,
    );
  }
}

/** Makes a user namespace with these mappings and returns its descriptor, which the caller closes. */
export function makeUserNamespace(maps: IdMaps): number {
  const ends = pipe();
  const open = new Set([ends.ours, ends.theirs]);
  let holder = 0;
  try {
    const run = new HostExecutor().run(holderPlan(), { hold: ends.ours, release: ends.theirs });
    holder = Number(run.result("holder") ?? 0n);
    if (holder <= 0) {
      const operation = holderPlan().blocks[0]!.operations[1]!;
      throw new VivError(
        "EPERM",
        `making a user namespace: ${printFailure({ operation, errno: -holder })}; see \`viv host check\``,
      );
    }
    writeMap(holder, "gid", maps.gids, helpers[1]);
    writeMap(holder, "uid", maps.uids, helpers[0]);
    return openSync(`/proc/${holder}/ns/user`, "r");
  } finally {
    closeAll(open);
    if (holder > 0) waitFor(holder);
  }
}
