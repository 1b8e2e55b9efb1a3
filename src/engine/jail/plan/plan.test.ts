import assert from "node:assert/strict";
import { test } from "node:test";
import { errnoName } from "../errno.ts";
import { Recording } from "../executor.ts";
import { printFailure, printOperation, printPlan } from "../print.ts";
import { layOut } from "../program.ts";
import { type JailSpecInput, parseJailSpec } from "../spec.ts";
import { architectures } from "../syscalls.ts";
import { type HostFacts, planJail, type StartOptions } from "./index.ts";

const host: HostFacts = { architecture: "x64", uid: 0, gid: 0, lastCapability: 40, timeNamespace: true };
const make = (more: Partial<JailSpecInput> = {}, options: StartOptions = {}, facts = host) =>
  planJail(parseJailSpec({ root: "/srv/jail", command: ["/bin/true"], ...more }), facts, options);

/** What ran, as text, with the results of a host on which nothing fails and nothing optional is there. */
function record(more: Partial<JailSpecInput> = {}, options: StartOptions = {}) {
  const recording = new Recording((operation) =>
    operation.onError !== undefined && operation.call !== "clone3" ? -2n : undefined,
  );
  const run = recording.run(make(more, options).plan);
  return { run, lines: recording.operations.map(printOperation), operations: recording.operations };
}

const position = (lines: readonly string[], pattern: RegExp) => {
  const index = lines.findIndex((line) => pattern.test(line));
  assert.notEqual(index, -1, `nothing matches ${pattern} in\n${lines.join("\n")}`);
  return index;
};

test("what must come after something does", () => {
  const { run, lines } = record();
  assert.equal(run.failure, undefined);
  const order = [
    /^clone3\(.*CLONE_NEWNS\|CLONE_NEWPID\|CLONE_NEWUTS\|CLONE_NEWIPC\|CLONE_NEWNET/,
    /^mount\(0, "\/", 0, MS_REC\|MS_PRIVATE/,
    /^open_tree\(AT_FDCWD, "\/srv\/jail"/,
    /^fsopen\("proc"/,
    /^fsopen\("sysfs"/,
    /^pivot_root\(/,
    /^umount2\(".", MNT_DETACH\)/,
    /^prctl\(PR_CAPBSET_DROP, 2,/,
    /^setgroups\(0/,
    /^setresgid\(/,
    /^setresuid\(/,
    /^capset\(/,
    /^prctl\(PR_SET_NO_NEW_PRIVS, 1/,
    /^close_range\(3/,
    /^chdir\("\/"\)$/,
    /^seccomp\(/,
    /^execve\("\/bin\/true"/,
  ].map((pattern, index, all) => {
    // The last chdir is meant: the first belongs to pivot_root.
    if (pattern.source.startsWith("^chdir")) return lines.findLastIndex((line) => pattern.test(line));
    return position(lines, all[index]!);
  });
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
});

test("no path of the jail is opened but beneath its root", () => {
  const { operations } = record({
    mounts: [
      { type: "bind", source: "/etc/hosts", target: "/etc/hosts", file: true },
      { type: "tmpfs", target: "/a/b/c" },
    ],
  });
  const opened = operations.filter(({ call }) => call === "openat2").map(printOperation);
  assert.ok(opened.length > 10);
  for (const line of opened) assert.match(line, /RESOLVE_IN_ROOT\|RESOLVE_NO_MAGICLINKS/);
  const byPath = operations.filter(({ call, args }) => call === "openat" && !String(args[1]).startsWith("/proc/self/"));
  assert.deepEqual(
    byPath.map(({ args }) => args[1]),
    ["/srv/jail", "/"],
    "of the host only the root directory itself and the old root",
  );
});

test("a masked path that is there is covered, one that is missing is skipped, any other error ends the plan", () => {
  const masked = { maskedPaths: ["/proc/kcore"], readonlyPaths: [] };
  const { plan } = make(masked);
  const outcome = (error: bigint | undefined) => {
    const recording = new Recording((operation) => {
      if (operation.step !== "mask /proc/kcore") return undefined;
      if (operation.call === "openat2") return error;
      // FUTEX_CMP_REQUEUE: equal is 0, unequal is EAGAIN.
      if (operation.call === "futex") return error === -2n ? 0n : -11n;
      return undefined;
    });
    const run = recording.run(plan);
    return { run, calls: recording.operations.filter(({ step }) => step === "mask /proc/kcore").map(({ call }) => call) };
  };
  assert.deepEqual(outcome(undefined).calls, ["openat2", "open_tree", "mount_setattr", "move_mount"]);
  assert.deepEqual(outcome(-2n).calls, ["openat2", "futex"]);
  assert.equal(outcome(-2n).run.failure, undefined);
  const denied = outcome(-40n).run.failure!;
  assert.equal(denied.operation.call, "openat2");
  assert.equal(errnoName(denied.errno), "ELOOP");
});

test("each failing operation is named with its arguments and error", () => {
  const { plan } = make();
  const total = plan.blocks
    .flatMap(({ operations }) => operations)
    .filter(({ call, onError }) => call !== "return" && call !== "exit_group" && onError === undefined);
  assert.ok(total.length > 60);
  for (const target of total) {
    const run = new Recording((operation) =>
      operation === target ? -1n : operation.onError !== undefined && operation.call !== "clone3" ? -2n : undefined,
    ).run(plan);
    if (run.failure === undefined) continue;
    assert.match(printFailure(run.failure), / failed: (EPERM|ENOENT)$/);
  }
});

test("a user namespace of one's own maps itself and never names groups", () => {
  const id = [{ inside: 0, outside: 1000, size: 1 }];
  const { lines } = record({ userNamespace: { uids: id, gids: id } });
  position(lines, /CLONE_NEWUSER/);
  assert.ok(position(lines, /^write\(.*"0 1000 1\\n"/) < position(lines, /^setresuid\(0, 0, 0\)/));
  assert.equal(
    lines.some((line) => line.startsWith("setgroups")),
    false,
  );
  assert.equal(
    lines.some((line) => line.startsWith("mknodat") && line.includes("0o020")),
    false,
  );
  position(lines, /^open_tree\(AT_FDCWD, "\/dev\/null"/);
});

test("a prepared user namespace is entered by a task whose child is ours", () => {
  const id = [{ inside: 0, outside: 100000, size: 65536 }];
  const { lines } = record({ userNamespace: { uids: id, gids: id } }, { preparedUserNamespace: true });
  assert.ok(position(lines, /^setns\(<userns>, CLONE_NEWUSER\)/) < position(lines, /^clone3\(.*CLONE_PARENT\|CLONE_NEWNS/));
  position(lines, /^setgroups\(0/);
});

test("plans of every kind lay out for every architecture and print", () => {
  const kinds: Partial<JailSpecInput>[] = [
    {},
    { init: true, terminal: true },
    { chrootOnly: true },
    { readOnly: true, network: { kind: "host" }, rlimits: [{ type: "RLIMIT_NOFILE", soft: 64, hard: 64 }] },
    {
      mounts: [{ type: "overlay", target: "/mnt", lower: ["/a:b"], upper: "/u", work: "/w" }],
      devices: [{ path: "/dev/net/tun", type: "c", major: 10, minor: 200 }],
    },
    { user: { uid: 1000, gid: 1000, groups: [4, 5] }, command: ["true"], seccomp: "unconfined", dieWithParent: true },
  ];
  for (const kind of kinds) {
    for (const architecture of architectures) {
      const { plan, init } = make(kind, { cgroups: ["cgroup0"] }, { ...host, architecture });
      const inputs = { stdin: 0, stdout: 1, stderr: 2, terminal: 3, report: 4, init: 5, cgroup0: 6, parent: 7 };
      assert.ok(layOut(plan, architecture, inputs).size > 1000);
      assert.match(printPlan(plan), /^main:\n {2}# start a process\n {2}rt_sigprocmask/);
      if (init !== undefined) assert.ok(layOut(init, architecture, inputs).size > 1000);
    }
  }
});

test("a specification is checked", () => {
  const refuse = (more: Record<string, unknown>, message: RegExp) =>
    assert.throws(() => parseJailSpec({ root: "/r", command: ["x"], ...more }), { code: "BAD_SPEC", message });
  refuse({ root: "relative" }, /root must be an absolute path/);
  refuse({ command: [] }, /command must name a program/);
  refuse({ command: ["a\0b"] }, /NUL/);
  refuse({ capabilities: ["CAP_EVERYTHING"] }, /capabilities/);
  refuse({ mounts: [{ type: "tmpfs", target: "/a/../../b" }] }, /contains \.\./);
  refuse({ mounts: [{ type: "tmpfs", target: "//" }] }, /mount target is \//);
  refuse({ userNamespace: { uids: [{ inside: 1, outside: 1, size: 1 }], gids: [] } }, /maps no id 0/);
  refuse({ chrootOnly: true, readOnly: true }, /readOnly does not go with chrootOnly/);
  refuse({ chrootOnly: true, limits: { pids: 5 } }, /limits does not go with chrootOnly/);
  refuse({ nonsense: 1 }, /nonsense/);
  refuse({ hostname: "x".repeat(65) }, /longer than 64/);
});
