/** How a plan is run: for real by `host/node/ffi`, or on paper by `Recording`. */
import type { Operation, Plan } from "./operations.ts";
import type { Failure, Inputs } from "./program.ts";

/** What a plan that has been run left behind. */
export interface Run {
  /** What the named operation returned; undefined if it was not reached. */
  result(name: string): bigint | undefined;
  /** The operation that ended the plan early. */
  readonly failure?: Failure;
}

export interface Executor {
  /**
   * Runs a plan and returns when its first block has returned. Blocks that a `clone3` with `CLONE_VFORK` began have then
   * called `execve` or ended; others may still run.
   */
  run(plan: Plan, inputs?: Inputs): Run;
}

/** How a recorded operation ends: its result, or minus the error number. Undefined: 0, or a new number if it is named. */
export type Behaviour = (operation: Operation, index: number) => bigint | undefined;

/**
 * Follows plans without a host: takes the branches that the results given by `behaviour` lead to, and keeps the operations in the
 * order in which they would run. After a call with a block for zero (`clone3`), both processes are followed, the new one first.
 */
export class Recording implements Executor {
  readonly operations: Operation[] = [];
  readonly #behaviour: Behaviour;

  constructor(behaviour: Behaviour = () => undefined) {
    this.#behaviour = behaviour;
  }

  run(plan: Plan): Run {
    const results = new Map<string, bigint>();
    let failure: Failure | undefined;
    const blockNamed = (name: string) => {
      const block = plan.blocks.find((candidate) => candidate.name === name);
      if (block === undefined) throw new Error(`broken invariant: no block is named ${name}`);
      return block;
    };
    const follow = (name: string): void => {
      let block = blockNamed(name);
      let index = 0;
      for (;;) {
        const operation = block.operations[index];
        if (operation === undefined) return;
        this.operations.push(operation);
        if (operation.call === "return" || operation.call === "exit_group") return;
        const forks = operation.call === "clone3" || operation.call === "clone";
        const value =
          this.#behaviour(operation, this.operations.length - 1) ??
          (operation.name === undefined ? 0n : BigInt(100 + results.size));
        if (operation.name !== undefined) results.set(operation.name, value);
        if (value === 0n && operation.call === "execve") return;
        if (forks && value >= 0n && typeof operation.onZero === "object" && "block" in operation.onZero)
          follow(operation.onZero.block);
        const next =
          value < 0n ? (operation.onError ?? "fail") : ((value === 0n ? operation.onZero : operation.onPositive) ?? "next");
        if (value < 0n && next === "fail") {
          const examined = operation.examines === undefined ? undefined : results.get(operation.examines);
          const subject = plan.blocks.flatMap(({ operations }) => operations).find(({ name }) => name === operation.examines);
          failure =
            subject === undefined || examined === undefined
              ? { operation, errno: Number(-value) }
              : { operation: subject, errno: Number(-examined) };
        }
        if (next === "next") index++;
        else if (typeof next === "object" && "skip" in next) index += 1 + next.skip;
        else {
          block = blockNamed(next === "fail" ? block.onFail : next.block);
          index = 0;
        }
      }
    };
    const first = plan.blocks[0];
    if (first !== undefined) follow(first.name);
    return { result: (name) => results.get(name), ...(failure === undefined ? {} : { failure }) };
  }
}
