/**
 * A process that makes a jail and is killed while it does. Arguments: `foreground` or `detached`, the number of the operation at which it
 * reports on descriptor 3 and waits on descriptor 4, the root, and what else the specification has, as JSON. Prints `made` if it gets so far.
 */
import { writeSync } from "node:fs";
import type { Operation, Plan } from "../../../src/engine/jail/operations.ts";
import { createJail, specFor } from "../../../src/host/node/jail/jails.ts";

/** Puts a stop before the operation `at` of the block that makes the jail. */
function stopAt(plan: Plan, at: number): Plan {
  const stop: Operation[] = [
    { call: "write", args: [3, "x", 1], step: "report" },
    { call: "read", args: [4, { buffer: "resume", size: 8 }, 1], step: "wait until the maker is dead" },
  ];
  return {
    blocks: plan.blocks.map((block) => {
      if (block.name !== "jail") return block;
      const operations = block.operations.map((operation, index) => {
        const widen = (next: Operation["onError"]) =>
          typeof next === "object" && "skip" in next && index < at && index + 1 + next.skip > at
            ? { skip: next.skip + stop.length }
            : next;
        return {
          ...operation,
          ...(operation.onError === undefined ? {} : { onError: widen(operation.onError) }),
          ...(operation.onZero === undefined ? {} : { onZero: widen(operation.onZero) }),
          ...(operation.onPositive === undefined ? {} : { onPositive: widen(operation.onPositive) }),
        };
      });
      return { ...block, operations: [...operations.slice(0, at), ...stop, ...operations.slice(at)] };
    }),
  };
}

const [mode, at, root, more = "{}"] = process.argv.slice(2);
try {
  const spec = specFor({
    root: root!,
    command: ["/bin/sh", "-c", `sleep 1000; : ${process.env.VIV_STATE}`],
    ...JSON.parse(more),
  });
  const jail = await createJail(spec, {
    detached: mode === "detached",
    ...(Number(at) < 0 ? {} : { revise: (plan) => stopAt(plan, Number(at)) }),
  });
  writeSync(1, "made\n");
  if (mode === "detached") process.exit(0);
  await jail.exited;
} catch (error) {
  console.log((error as Error).message);
  process.exit(1);
}
