/** Compiles a seccomp profile of the OCI runtime specification to classic BPF. */
import { VivError } from "../../../core/errors.ts";
import type { SeccompProfile, SeccompRule } from "../spec.ts";
import { type Architecture, syscallNames, syscallNumber } from "../syscalls.ts";
import { BpfAssembler } from "./bpf.ts";

/** AUDIT_ARCH_* (include/uapi/linux/audit.h) and the OCI name. */
const auditArchitectures: Readonly<Record<Architecture, { readonly audit: number; readonly oci: string }>> = {
  x64: { audit: 0xc000003e, oci: "SCMP_ARCH_X86_64" },
  arm64: { audit: 0xc00000b7, oci: "SCMP_ARCH_AARCH64" },
  riscv64: { audit: 0xc00000f3, oci: "SCMP_ARCH_RISCV64" },
};
export function auditArchitecture(architecture: Architecture): number {
  return auditArchitectures[architecture].audit;
}

const SECCOMP_RET_KILL_PROCESS = 0x80000000;
const SECCOMP_RET_ERRNO = 0x00050000;
const ENOSYS = 38;
const EPERM = 1;

/** Verdicts without data: SECCOMP_RET_* in include/uapi/linux/seccomp.h. */
const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

const filterFlags: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};

function verdict(action: string, errno: number | undefined): number {
  const value = actions[action];
  if (value === undefined)
    throw new VivError("BAD_SPEC", `seccomp: ${action} is not an action; they are ${Object.keys(actions).join(", ")}`);
  if (action !== "SCMP_ACT_ERRNO" && action !== "SCMP_ACT_TRACE") return value;
  const data = errno ?? EPERM;
  if (data > 0xffff) throw new VivError("BAD_SPEC", `seccomp: errnoRet ${data} does not fit 16 bits`);
  return (value | data) >>> 0;
}

type Comparison = NonNullable<SeccompRule["args"]>[number];

/** Offsets in `struct seccomp_data`; both halves of an argument, little-endian. */
const nrAt = 0;
const archAt = 4;
const lowAt = (index: number) => 16 + 8 * index;
const highAt = (index: number) => 20 + 8 * index;

const low = (value: bigint) => Number(value & 0xffff_ffffn);
const high = (value: bigint) => Number((value >> 32n) & 0xffff_ffffn);

/** Goes on behind the comparison if it holds, to `otherwise` if not. All 64 bits count, unsigned. */
function compare(a: BpfAssembler, { index, value: given, valueTwo, op }: Comparison, otherwise: string): void {
  const value = BigInt.asUintN(64, BigInt(given));
  const holds = a.newLabel();
  /** The high halves decide unless they are equal; then the low ones. */
  const ordered = (ifGreater: string, ifLess: string, ifEqual: string) => {
    a.load(highAt(index));
    a.jumpIf("gt", high(value), ifGreater);
    a.jumpUnless("eq", high(value), ifLess);
    a.load(lowAt(index));
    a.jumpIf("gt", low(value), ifGreater);
    a.jumpUnless("eq", low(value), ifLess);
    a.jump(ifEqual);
  };
  switch (op) {
    case "SCMP_CMP_EQ":
      ordered(otherwise, otherwise, holds);
      break;
    case "SCMP_CMP_NE":
      ordered(holds, holds, otherwise);
      break;
    case "SCMP_CMP_GT":
      ordered(holds, otherwise, otherwise);
      break;
    case "SCMP_CMP_GE":
      ordered(holds, otherwise, holds);
      break;
    case "SCMP_CMP_LT":
      ordered(otherwise, holds, otherwise);
      break;
    case "SCMP_CMP_LE":
      ordered(otherwise, holds, holds);
      break;
    case "SCMP_CMP_MASKED_EQ": {
      const wanted = BigInt.asUintN(64, BigInt(valueTwo ?? 0)) & value;
      a.load(highAt(index));
      a.and(high(value));
      a.jumpUnless("eq", high(wanted), otherwise);
      a.load(lowAt(index));
      a.and(low(value));
      a.jumpUnless("eq", low(wanted), otherwise);
      break;
    }
    default:
      throw new VivError(
        "BAD_SPEC",
        `seccomp: ${op} is not a comparison; they are SCMP_CMP_EQ, NE, LT, LE, GE, GT and MASKED_EQ`,
      );
  }
  a.mark(holds);
}

/** One way in which a rule can match: all of the comparisons hold. */
interface Case {
  readonly comparisons: readonly Comparison[];
  readonly verdict: number;
}

function casesOf(profile: SeccompProfile, architecture: Architecture): Map<number, Case[]> {
  const cases = new Map<number, Case[]>();
  const known = new Set(syscallNames());
  for (const rule of profile.syscalls ?? []) {
    const value = verdict(rule.action, rule.errnoRet);
    const comparisons = rule.args ?? [];
    // Several comparisons of one argument are alternatives, as other runtimes read the specification.
    const isRepeated = new Set(comparisons.map(({ index }) => index)).size < comparisons.length;
    const ways = isRepeated ? comparisons.map((comparison) => [comparison]) : [comparisons];
    for (const name of rule.names) {
      // Profiles name calls of every architecture; one that none has is most likely new, and is refused by number below.
      const nr = known.has(name) ? syscallNumber(name, architecture) : undefined;
      if (nr === undefined) continue;
      const list = cases.get(nr) ?? [];
      for (const way of ways) list.push({ comparisons: way, verdict: value });
      cases.set(nr, list);
    }
  }
  return cases;
}

/** Emits what is done about one system call: conditional cases in their order, then the first unconditional one, or the default. */
function decide(a: BpfAssembler, cases: readonly Case[], byDefault: number): void {
  for (const { comparisons, verdict: value } of cases.filter(({ comparisons }) => comparisons.length > 0)) {
    const otherwise = a.newLabel();
    for (const comparison of comparisons) compare(a, comparison, otherwise);
    a.ret(value);
    a.mark(otherwise);
  }
  a.ret(cases.find(({ comparisons }) => comparisons.length === 0)?.verdict ?? byDefault);
}

/**
 * Compiles a profile for one architecture. Calls by another architecture's convention (on x86-64 also x32) end the process: their
 * numbers mean something else.
 *
 * @returns the program, and the flags for seccomp(2)
 * @throws VivError `BAD_SPEC` naming the unknown action, comparison, flag or architecture
 */
export function compileSeccomp(profile: SeccompProfile, architecture: Architecture): { program: Uint8Array; flags: number } {
  const { audit, oci } = auditArchitectures[architecture];
  if (profile.architectures !== undefined && profile.architectures.length > 0 && !profile.architectures.includes(oci)) {
    throw new VivError("BAD_SPEC", `seccomp: the profile is for ${profile.architectures.join(", ")}, not for this host's ${oci}`);
  }
  const byDefault = verdict(profile.defaultAction, profile.defaultErrnoRet);
  const cases = casesOf(profile, architecture);
  const a = new BpfAssembler();
  const foreign = a.newLabel();
  a.load(archAt);
  a.jumpUnless("eq", audit, foreign);
  a.load(nrAt);
  if (architecture === "x64") a.jumpIf("ge", 0x40000000, foreign);

  const isDenying = byDefault !== actions.SCMP_ACT_ALLOW && byDefault !== actions.SCMP_ACT_LOG;
  if (isDenying) {
    // A program takes ENOSYS as "this kernel is older" and falls back; EPERM for a call it never heard of confuses it.
    const newest = Math.max(...syscallNames().map((name) => syscallNumber(name, architecture) ?? 0));
    const isKnown = a.newLabel();
    a.jumpUnless("gt", newest, isKnown);
    a.ret(SECCOMP_RET_ERRNO | ENOSYS);
    a.mark(isKnown);
  }

  const numbers = [...cases.keys()].sort((left, right) => left - right);
  /** A binary search over the numbers: about nine comparisons instead of hundreds. */
  const search = (from: number, to: number): void => {
    if (to - from > 4) {
      const middle = (from + to) >> 1;
      const upper = a.newLabel();
      a.jumpIf("ge", numbers[middle]!, upper);
      search(from, middle);
      a.mark(upper);
      search(middle, to);
      return;
    }
    const labels = numbers.slice(from, to).map((nr) => ({ nr, label: a.newLabel() }));
    for (const { nr, label } of labels) a.jumpIf("eq", nr, label);
    a.ret(byDefault);
    for (const { nr, label } of labels) {
      a.mark(label);
      decide(a, cases.get(nr)!, byDefault);
    }
  };
  search(0, numbers.length);
  a.mark(foreign);
  a.ret(SECCOMP_RET_KILL_PROCESS);

  const flags = (profile.flags ?? []).reduce((bits, name) => {
    const flag = filterFlags[name];
    if (flag === undefined) throw new VivError("BAD_SPEC", `seccomp: ${name} is not a flag that a jail can use`);
    return bits | flag;
  }, 0);
  return { program: a.assemble(), flags };
}
