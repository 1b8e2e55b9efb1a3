import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultCapabilities } from "../capabilities.ts";
import type { SeccompProfile } from "../spec.ts";
import { type Architecture, architectures, syscallNames, syscallNumber } from "../syscalls.ts";
import { runFilter } from "./bpf.ts";
import { auditArchitecture, compileSeccomp } from "./compile.ts";
import { defaultProfile } from "./default.ts";

const allowed = 0x7fff0000;
const killed = 0x80000000;
const errno = (number: number) => (0x50000 | number) >>> 0;

function verdict(
  profile: SeccompProfile,
  name: string,
  args: (number | bigint)[] = [],
  architecture: Architecture = "x64",
): number {
  const { program } = compileSeccomp(profile, architecture);
  return runFilter(program, {
    nr: syscallNumber(name, architecture)!,
    arch: auditArchitecture(architecture),
    args: args.map((arg) => BigInt(arg)),
  });
}

const profile = defaultProfile(defaultCapabilities);

test("the default profile lets ordinary programs work on every architecture", () => {
  for (const architecture of architectures) {
    for (const name of [
      "read",
      "execve",
      "openat",
      "mmap",
      "futex",
      "wait4",
      "clock_nanosleep",
      "rt_sigreturn",
      "setresuid",
      "chroot",
    ]) {
      assert.equal(verdict(profile, name, [], architecture), allowed, `${name} on ${architecture}`);
    }
    assert.equal(verdict(profile, "clone3", [], architecture), errno(38));
  }
});

test("the default profile refuses what has been a way out", () => {
  const refused =
    "mount umount2 pivot_root setns unshare bpf userfaultfd perf_event_open io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key kexec_load init_module finit_module delete_module open_by_handle_at swapon reboot settimeofday syslog fsopen fsmount move_mount open_tree mount_setattr pidfd_getfd process_vm_writev quotactl vhangup acct";
  for (const architecture of architectures) {
    for (const name of refused.split(" ")) {
      if (syscallNumber(name, architecture) !== undefined)
        assert.equal(verdict(profile, name, [], architecture), errno(1), `${name} on ${architecture}`);
    }
  }
});

test("arguments that the kernel takes as 32 bits are compared as such", () => {
  assert.equal(verdict(profile, "ioctl", [0, 0x5401]), allowed);
  assert.equal(verdict(profile, "ioctl", [0, 0x5412]), errno(1));
  assert.equal(verdict(profile, "ioctl", [0, 0x1_0000_5412n]), errno(1), "a high bit does not hide TIOCSTI");
  assert.equal(verdict(profile, "socket", [2]), allowed);
  assert.equal(verdict(profile, "socket", [38]), errno(97), "AF_ALG");
  assert.equal(verdict(profile, "socket", [40]), errno(97), "AF_VSOCK");
  assert.equal(verdict(profile, "socket", [0x1_0000_0026n]), errno(97));
  assert.equal(verdict(profile, "clone", [17]), allowed);
  assert.equal(verdict(profile, "clone", [0x10000011]), errno(1), "CLONE_NEWUSER");
});

test("a foreign convention ends the process, a number not known yet is ENOSYS", () => {
  const { program } = compileSeccomp(profile, "x64");
  const run = (nr: number, arch: number) => runFilter(program, { nr, arch, args: [] });
  assert.equal(run(0, 0x40000003), killed, "i386");
  assert.equal(run(0x40000000, auditArchitecture("x64")), killed, "x32");
  assert.equal(run(1000, auditArchitecture("x64")), errno(38));
});

test("a capability brings the calls that it is for", () => {
  const admin = defaultProfile([...defaultCapabilities, "CAP_SYS_ADMIN", "CAP_NET_RAW"]);
  assert.equal(verdict(admin, "mount"), allowed);
  assert.equal(verdict(admin, "clone", [0x10000011]), allowed);
  assert.equal(verdict(admin, "clone3"), allowed);
  assert.equal(verdict(admin, "socket", [17]), allowed);
  assert.equal(verdict(profile, "socket", [17]), errno(97));
  assert.equal(verdict(defaultProfile([]), "chroot"), errno(1));
});

test("every comparison holds exactly when it says, over all 64 bits", () => {
  const values = [0n, 1n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn];
  const meaning: Record<string, (arg: bigint, value: bigint) => boolean> = {
    SCMP_CMP_NE: (arg, value) => arg !== value,
    SCMP_CMP_LT: (arg, value) => arg < value,
    SCMP_CMP_LE: (arg, value) => arg <= value,
    SCMP_CMP_EQ: (arg, value) => arg === value,
    SCMP_CMP_GE: (arg, value) => arg >= value,
    SCMP_CMP_GT: (arg, value) => arg > value,
  };
  for (const [op, holds] of Object.entries(meaning)) {
    for (const value of values) {
      const tested: SeccompProfile = {
        defaultAction: "SCMP_ACT_ERRNO",
        syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", args: [{ index: 5, value, op }] }],
      };
      const { program } = compileSeccomp(tested, "x64");
      for (const arg of values) {
        const result = runFilter(program, { nr: 0, arch: auditArchitecture("x64"), args: [0n, 0n, 0n, 0n, 0n, arg] });
        assert.equal(result, holds(arg, value) ? allowed : errno(1), `${arg} ${op} ${value}`);
      }
    }
  }
});

test("conditions are tried in order; several of one argument are alternatives", () => {
  const rules: SeccompProfile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [
      {
        names: ["kill"],
        action: "SCMP_ACT_ERRNO",
        errnoRet: 5,
        args: [
          { index: 1, value: 9, op: "SCMP_CMP_EQ" },
          { index: 1, value: 15, op: "SCMP_CMP_EQ" },
        ],
      },
      { names: ["kill"], action: "SCMP_ACT_LOG", args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] },
      { names: ["no_such_call", "kill"], action: "SCMP_ACT_KILL_PROCESS" },
    ],
  };
  assert.equal(verdict(rules, "kill", [1, 9]), errno(5));
  assert.equal(verdict(rules, "kill", [1, 15]), errno(5));
  assert.equal(verdict(rules, "kill", [1, 3]), 0x7ffc0000);
  assert.equal(verdict(rules, "kill", [2, 3]), killed);
  assert.equal(verdict(rules, "read"), allowed);
});

test("the search finds every call", () => {
  const names = syscallNames().filter((name) => syscallNumber(name, "x64") !== undefined);
  const odd: SeccompProfile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: names.filter((name) => syscallNumber(name, "x64")! % 2 === 1), action: "SCMP_ACT_ERRNO", errnoRet: 7 }],
  };
  const { program } = compileSeccomp(odd, "x64");
  for (const name of names) {
    const nr = syscallNumber(name, "x64")!;
    assert.equal(runFilter(program, { nr, arch: auditArchitecture("x64"), args: [] }), nr % 2 === 1 ? errno(7) : allowed, name);
  }
});

test("a profile that cannot be meant is refused", () => {
  const refuse = (given: Partial<SeccompProfile>, message: RegExp) =>
    assert.throws(() => compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", ...given }, "x64"), { code: "BAD_SPEC", message });
  refuse({ defaultAction: "SCMP_ACT_MAYBE" }, /SCMP_ACT_MAYBE is not an action/);
  refuse({ architectures: ["SCMP_ARCH_S390X"] }, /not for this host's SCMP_ARCH_X86_64/);
  refuse({ flags: ["SECCOMP_FILTER_FLAG_MAGIC"] }, /is not a flag/);
  refuse({ syscalls: [{ names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 70000 }] }, /16 bits/);
  refuse(
    { syscalls: [{ names: ["read"], action: "SCMP_ACT_KILL", args: [{ index: 0, value: 1, op: "SCMP_CMP_ISH" }] }] },
    /is not a comparison/,
  );
});
