/**
 * The plan of pid 1 when a jail has an init: it starts the command, passes signals on to it, reaps whatever is orphaned, and ends as the
 * command ends. It runs as an executable of its own (elf.ts) and has no other code in it.
 */
import { type Block, flags, input, type Plan, Steps, type Value } from "../operations.ts";
import { compileSeccomp } from "../seccomp/compile.ts";
import type { JailSpec, SeccompProfile } from "../spec.ts";
import type { HostFacts } from "./index.ts";
import { allSignals, becomeUser, capset, execute, installFilter, setLimits } from "./process.ts";
import { controlTerminal } from "./terminal.ts";

const siginfo = { buffer: "siginfo", size: 128 } as const;
const status = { buffer: "status", size: 8 } as const;
const scratch = { buffer: "scratch", size: 8 } as const;
/** Offsets in `siginfo_t` on 64-bit kernels. */
const si_code = 8;
const si_pid = 16;
const si_status = 24;

/** All that init does once the command runs. */
const ownCalls: SeccompProfile = {
  defaultAction: "SCMP_ACT_KILL_PROCESS",
  syscalls: [
    {
      names: ["rt_sigtimedwait", "restart_syscall", "waitid", "wait4", "kill", "futex", "exit_group"],
      action: "SCMP_ACT_ALLOW",
    },
  ],
};

/** Reports the record that failed to the descriptor `report`, then ends. */
export function reportFailure(name: string, report: Value): Block {
  const steps = new Steps(name);
  steps.step("report a failure");
  steps.add("write", [report, { failed: "addressAt" }, 8], { onError: "next" });
  steps.add("write", [report, { failed: "record" }, 96], { onError: "next" });
  steps.add("exit_group", [125]);
  return { name, onFail: name, operations: steps.operations };
}

export function planInit(
  spec: JailSpec,
  host: Pick<HostFacts, "architecture" | "lastCapability">,
  filter: { readonly program: Uint8Array; readonly flags: number } | undefined,
  hasGate: boolean,
): Plan {
  const report = input("report");
  const isEmpty = spec.command.length === 0;
  const waitForGate = (steps: Steps) => {
    steps.step("wait until the jail is noted down");
    steps.add("fcntl", [input("gate"), flags("F_SETFD"), flags("FD_CLOEXEC")]);
    steps.add("read", [input("gate"), scratch, 1], { onZero: "fail" });
  };
  const start = new Steps("init.");
  start.step("protect init from the jail");
  // Whoever could trace it would have a process without the jail's seccomp filter, before it has its own at the end of this block.
  start.add("prctl", [flags("PR_SET_DUMPABLE"), 0, 0, 0, 0]);
  start.step("start the command");
  start.add("rt_sigprocmask", [flags("SIG_BLOCK"), allSignals, 0, 8]);
  if (!isEmpty) start.add("clone", [flags("SIGCHLD"), 0, 0, 0, 0], { name: "command", onZero: { block: "command" } });
  else if (hasGate) waitForGate(start);
  start.step("give up privileges");
  const CAP_KILL = 1n << 5n;
  start.add("prctl", [flags("PR_CAP_AMBIENT"), flags("PR_CAP_AMBIENT_CLEAR_ALL"), 0, 0, 0]);
  capset(start, { effective: CAP_KILL, permitted: CAP_KILL, inheritable: 0n });
  start.add("prctl", [flags("PR_SET_NO_NEW_PRIVS"), 1, 0, 0, 0]);
  start.add("close_range", [0, 0xffff_ffff, 0]);
  installFilter(start, compileSeccomp(ownCalls, host.architecture).program, {
    flags: 0,
    onZero: { block: "wait" },
    onPositive: { block: "wait" },
  });

  /** The command's process; without one, a number that no process has. */
  const first: Value = isEmpty ? 0 : { result: "command" };
  const wait = new Steps("wait.");
  wait.step("wait for a signal");
  wait.add("rt_sigtimedwait", [allSignals, 0, 0, 8], { name: "signal", onError: { block: "wait" } });
  wait.add("futex", [{ resultAt: "signal" }, flags("FUTEX_CMP_REQUEUE_PRIVATE"), 0, 0, scratch, flags("SIGCHLD")], {
    onZero: { block: "reap" },
    onPositive: { block: "reap" },
    onError: "next",
  });
  if (isEmpty) {
    wait.step("end");
    wait.add("exit_group", [0]);
  }
  wait.step("pass the signal on");
  wait.add("kill", [first, { result: "signal" }], {
    onError: { block: "wait" },
    onZero: { block: "wait" },
    onPositive: { block: "wait" },
  });

  const reap = new Steps("reap.");
  reap.step("see who ended");
  // Looked at first and left: the command must be recognised before its number is free for another process.
  reap.add("waitid", [flags("P_ALL"), 0, siginfo, flags("WEXITED", "WNOHANG", "WNOWAIT"), 0], { onError: { block: "wait" } });
  reap.add("futex", [siginfo, flags("FUTEX_CMP_REQUEUE_PRIVATE"), 0, 0, scratch, flags("SIGCHLD")], {
    onError: { block: "wait" },
  });
  reap.add("futex", [{ ...siginfo, at: si_pid }, flags("FUTEX_CMP_REQUEUE_PRIVATE"), 0, 0, scratch, first], {
    onZero: { block: "ended" },
    onPositive: { block: "ended" },
    onError: "next",
  });
  reap.step("reap an orphan");
  const again = { block: "reap" };
  reap.add("wait4", [{ load: "siginfo", at: si_pid }, status, flags("WNOHANG", "__WALL"), 0], {
    onError: again,
    onZero: again,
    onPositive: again,
  });

  const ended = new Steps("ended.");
  ended.step("end as the command ended");
  const FUTEX_OP_ADD_128 = (1 << 28) | (128 << 12);
  ended.add("futex", [{ ...siginfo, at: si_code }, flags("FUTEX_CMP_REQUEUE_PRIVATE"), 0, 0, scratch, flags("CLD_EXITED")], {
    onZero: { skip: 1 },
    onPositive: { skip: 1 },
    onError: "next",
  });
  // Killed by a signal: 128 and the signal, as a shell reports it.
  ended.add("futex", [scratch, flags("FUTEX_WAKE_OP_PRIVATE"), 0, 0, { ...siginfo, at: si_status }, FUTEX_OP_ADD_128], {
    onError: "next",
  });
  ended.add("exit_group", [{ load: "siginfo", at: si_status }]);

  const command = new Steps("command.");
  // The report is closed when the command takes over, and only then: its end tells the caller that all went well.
  command.step("keep the report to ourselves");
  command.add("fcntl", [report, flags("F_SETFD"), flags("FD_CLOEXEC")]);
  if (hasGate) waitForGate(command);
  command.step("start a session");
  command.add("setsid", []);
  if (spec.terminal) controlTerminal(command);
  setLimits(command, spec);
  // The kernel ends the command when init ends.
  becomeUser(command, { ...spec, dieWithParent: false }, host.lastCapability);
  if (!isEmpty) execute(command, spec, filter);

  return {
    blocks: [
      { name: "start", onFail: "failed", operations: start.operations },
      { name: "wait", onFail: "failed", operations: wait.operations },
      { name: "reap", onFail: "failed", operations: reap.operations },
      { name: "ended", onFail: "failed", operations: ended.operations },
      ...(isEmpty ? [] : [{ name: "command", onFail: "failed", operations: command.operations }]),
      reportFailure("failed", report),
    ],
  };
}
