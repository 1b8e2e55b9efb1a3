/** Plans for people: one line a system call, in the notation of strace(1). */
import { errnoName } from "./errno.ts";
import type { Operation, Plan, Value } from "./operations.ts";
import type { Failure } from "./program.ts";

export function printValue(value: Value): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if ("flags" in value) return value.flags.length === 0 ? "0" : value.flags.join("|");
  if ("result" in value) return value.result;
  if ("resultAt" in value) return `&${value.resultAt}`;
  if ("input" in value) return `<${value.input}>`;
  if ("buffer" in value) return value.at === undefined ? `&${value.buffer}` : `&${value.buffer}[${value.at}]`;
  if ("load" in value) return `${value.load}[${value.at}]`;
  if ("bytes" in value) return `<${value.label}>`;
  if ("failed" in value) return value.failed === "record" ? "failed" : "&failed";
  if ("strings" in value) return `[${value.strings.map((text) => JSON.stringify(text)).join(", ")}]`;
  return `{${value.struct.map((field) => `${field.name}=${printValue(field.value)}`).join(", ")}}`;
}

/** `openat2(root1, "proc", {...}, 24)`. */
export function printOperation(operation: Operation): string {
  return `${operation.call}(${operation.args.map(printValue).join(", ")})`;
}

/** The whole plan, grouped by block and step. */
export function printPlan(plan: Plan): string {
  const lines: string[] = [];
  for (const block of plan.blocks) {
    lines.push(`${block.name}:`);
    let step = "";
    for (const operation of block.operations) {
      if (operation.step !== step) {
        step = operation.step;
        lines.push(`  # ${step}`);
      }
      const name = operation.name === undefined ? "" : `${operation.name} = `;
      const jumps = (
        [
          ["on error", operation.onError],
          ["on zero", operation.onZero],
          ["on positive", operation.onPositive],
        ] as const
      )
        .filter(([, next]) => next !== undefined)
        .map(([when, next]) => {
          const where = typeof next === "string" ? next : "skip" in next! ? `skip ${next.skip}` : next!.block;
          return `${when}: ${where}`;
        });
      lines.push(`  ${name}${printOperation(operation)}${jumps.length === 0 ? "" : `  # ${jumps.join(", ")}`}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** `mount /proc: fsopen("proc", FSOPEN_CLOEXEC) failed: EPERM`. */
export function printFailure({ operation, errno }: Failure): string {
  return `${operation.step}: ${printOperation(operation)} failed: ${errnoName(errno)}`;
}
