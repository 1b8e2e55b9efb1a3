/** From a running jail and a command to the plan that starts the command in it. */
import type { ConstantName } from "../constants.ts";
import { type Block, flags, input, type Plan, Steps, type Value } from "../operations.ts";
import type { JailSpec } from "../spec.ts";
import { openHow } from "./files.ts";
import { compileFilter, endBlocks, type HostFacts, spawnBlocks } from "./index.ts";
import { reportFailure } from "./init.ts";
import { allSignals, becomeUser, execute, resetSignals, setLimits, standardStreams } from "./process.ts";
import { controlTerminal, openTerminal } from "./terminal.ts";

export interface EnterPlan {
  /** Starts the second plan's executable, the input `enter`. */
  readonly plan: Plan;
  /**
   * Joins the jail and starts the command. It is an executable of its own: what joins a jail must have nothing of ours in its memory. It
   * writes the new process's number to `report` (eight bytes), then, if something failed, the failed record.
   */
  readonly enter: Plan;
}

/**
 * Plans a command in a running jail.
 *
 * Inputs of the second plan: `pidfd` (the jail's first process), `report`, the streams or `terminal`, and the control groups. All of
 * them are descriptors that stay open through execve(2).
 *
 * @param spec what the jail was made from, with the command, user, directory and terminal of what is to run
 */
export function planEnter(spec: JailSpec, host: HostFacts, cgroups: readonly string[] = []): EnterPlan {
  const start = new Steps("start.");
  resetSignals(start);
  start.step("keep only what the command needs");
  start.add("close_range", [3, 0xffff_ffff, flags("CLOSE_RANGE_CLOEXEC")]);
  const kept = ["pidfd", "report", ...(spec.terminal ? ["terminal"] : ["stdin", "stdout", "stderr"]), ...cgroups];
  for (const name of kept) start.add("fcntl", [input(name), flags("F_SETFD"), 0]);
  start.step("start the executable that enters");
  start.add("execveat", [input("enter"), "", { strings: ["enter"] }, { strings: [] }, flags("AT_EMPTY_PATH")]);

  const join = new Steps("join.");
  join.step("protect ourselves from the jail");
  join.add("prctl", [flags("PR_SET_DUMPABLE"), 0, 0, 0, 0]);
  if (cgroups.length > 0) {
    join.step("join control groups");
    for (const name of cgroups) join.add("write", [input(name), "0", 1]);
  }
  join.step("enter the jail");
  const namespaces: ConstantName[] = ["CLONE_NEWNS", "CLONE_NEWPID", "CLONE_NEWUTS", "CLONE_NEWIPC", "CLONE_NEWCGROUP"];
  if (spec.network.kind !== "host") namespaces.push("CLONE_NEWNET");
  if (spec.userNamespace !== undefined) namespaces.push("CLONE_NEWUSER");
  if (host.timeNamespace) namespaces.push("CLONE_NEWTIME");
  join.add("setns", [input("pidfd"), flags(...namespaces)]);
  join.step("start a process in the jail");
  join.add("rt_sigprocmask", [flags("SIG_BLOCK"), allSignals, 0, 8]);
  // Our parent's child, so that it sees how the command ends; only children are in the jail's process namespace.
  join.add("clone", [flags("CLONE_PARENT", "SIGCHLD"), 0, 0, 0, 0], { name: "process", onZero: { block: "command" } });
  join.add("write", [input("report"), { resultAt: "process" }, 8], { onError: "next" });
  join.add("exit_group", [0]);

  const command = new Steps("command.");
  if (spec.userNamespace !== undefined) {
    command.step("become root of the user namespace");
    command.add("setresgid", [0, 0, 0]);
    command.add("setresuid", [0, 0, 0]);
  }
  let streams: readonly [Value, Value, Value] = [input("stdin"), input("stdout"), input("stderr")];
  if (spec.terminal) {
    command.step("open the jail's terminals");
    const pts = command.get("pts", "openat2", [
      flags("AT_FDCWD"),
      "/dev/pts",
      ...openHow(["O_PATH", "O_CLOEXEC"], ["RESOLVE_NO_SYMLINKS", "RESOLVE_NO_MAGICLINKS"]),
    ]);
    const slave = openTerminal(command, pts, input("terminal"));
    streams = [slave, slave, slave];
  }
  standardStreams(command, streams);
  command.step("start a session");
  command.add("setsid", []);
  if (spec.terminal) controlTerminal(command);
  setLimits(command, spec);
  command.step("close everything else");
  command.add("close_range", [3, 0xffff_ffff, flags("CLOSE_RANGE_CLOEXEC")]);
  becomeUser(command, spec, host.lastCapability);
  execute(command, spec, compileFilter(spec, host));

  const blocks: Block[] = [
    ...spawnBlocks([], "start"),
    { name: "start", onFail: "failed", operations: start.operations },
    ...endBlocks,
  ];
  return {
    plan: { blocks },
    enter: {
      blocks: [
        { name: "join", onFail: "failed", operations: join.operations },
        { name: "command", onFail: "failed", operations: command.operations },
        reportFailure("failed", input("report")),
      ],
    },
  };
}
