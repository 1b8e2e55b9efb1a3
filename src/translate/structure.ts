import { assert } from "../core/errors.ts";
import type { FunctionBuilder } from "../wasm/function.ts";
import type { I32, Label } from "../wasm/types.ts";

/**
 * Turns a control-flow graph into WebAssembly's structured control flow: blocks nested along the dominator tree (Ramsey, "Beyond
 * Relooper", ICFP 2022). Knows nothing of what the blocks do.
 */

/** Where a block goes when it is done: to another block (its index), or out of the graph, by what is emitted. */
export type Edge = number | (() => void);

/** How a block ends. */
export type Ending =
  | { readonly kind: "jump"; readonly to: Edge }
  /** `condition` emits what is tested; it is called once, last in the block. */
  | { readonly kind: "branch"; readonly condition: () => I32; readonly taken: Edge; readonly otherwise: Edge };

export interface Graph {
  /** Successors of each block, by index; block 0 is the entry. Only blocks that can be reached are emitted. */
  readonly successors: readonly (readonly number[])[];
  /** Emits the body of a block and says how it ends. Called once for each block. */
  emit(block: number): Ending;
  /** Emitted at the top of each loop, before the block that heads it. */
  enterLoop(block: number): void;
  /** Emits what leaves the graph instead of entering `block` by an edge that would make it irreducible. */
  leaveTo(block: number): void;
}

/** Reverse postorder of a graph and what follows from it. */
export interface Order {
  /** Position of each block in reverse postorder; -1 if it cannot be reached. */
  readonly position: Int32Array;
  readonly blocks: Int32Array;
  /** Immediate dominator of each block. */
  readonly dominator: Int32Array;
}

/** Computes reverse postorder and dominators (Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm"). */
export function orderBlocks(successors: Graph["successors"]): Order {
  const count = successors.length;
  const position = new Int32Array(count).fill(-1);
  const state = new Uint8Array(count);
  const postorder: number[] = [];
  const stack: number[] = [0];
  const nextChild = new Int32Array(count);
  state[0] = 1;
  while (stack.length > 0) {
    const block = stack[stack.length - 1];
    const children = successors[block];
    if (nextChild[block] < children.length) {
      const child = children[nextChild[block]++];
      if (state[child] === 0) {
        state[child] = 1;
        stack.push(child);
      }
    } else {
      stack.pop();
      postorder.push(block);
    }
  }
  const blocks = Int32Array.from(postorder.reverse());
  for (let i = 0; i < blocks.length; i++) position[blocks[i]] = i;

  const predecessors: number[][] = Array.from({ length: count }, () => []);
  for (const block of blocks) for (const to of successors[block]) predecessors[to].push(block);
  const dominator = new Int32Array(count).fill(-1);
  dominator[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 1; i < blocks.length; i++) {
      const block = blocks[i];
      let common = -1;
      for (const from of predecessors[block]) {
        if (dominator[from] === -1) continue;
        let a = from;
        let b = common === -1 ? from : common;
        while (a !== b) {
          while (position[a] > position[b]) a = dominator[a];
          while (position[b] > position[a]) b = dominator[b];
        }
        common = a;
      }
      if (dominator[block] !== common) {
        dominator[block] = common;
        changed = true;
      }
    }
  }
  return { position, blocks, dominator };
}

/** Emits the graph. Control never falls out of its end: every way leads to an edge out, which must not fall through either. */
export function emitStructured(f: FunctionBuilder, graph: Graph): void {
  const { successors } = graph;
  const { position, blocks, dominator } = orderBlocks(successors);
  const count = successors.length;
  const isLoop = new Uint8Array(count);
  const forwardEdges = new Int32Array(count);
  const dominates = (a: number, b: number) => {
    let at = b;
    while (position[at] > position[a]) at = dominator[at];
    return at === a;
  };
  /** Backward edges to a block that does not dominate their source cannot be structured: they leave. */
  const leaves = (from: number, to: number) => position[to] <= position[from] && !dominates(to, from);
  for (const block of blocks) {
    for (const to of successors[block]) {
      if (position[to] > position[block]) forwardEdges[to]++;
      else if (!leaves(block, to)) isLoop[to] = 1;
    }
  }
  const children: number[][] = Array.from({ length: count }, () => []);
  for (const block of blocks) if (block !== 0) children[dominator[block]].push(block);

  const labels: (Label | undefined)[] = new Array(count);
  const loopLabels: (Label | undefined)[] = new Array(count);

  const tree = (block: number): void => {
    // In reverse postorder already, which is the order in which they must end.
    const merges = children[block].filter((child) => forwardEdges[child] > 1);
    if (isLoop[block]) {
      f.loop((label) => {
        loopLabels[block] = label;
        graph.enterLoop(block);
        within(block, merges, merges.length - 1);
      });
      loopLabels[block] = undefined;
    } else within(block, merges, merges.length - 1);
  };
  const within = (block: number, merges: readonly number[], last: number): void => {
    if (last < 0) {
      finish(block, graph.emit(block));
      return;
    }
    const merge = merges[last];
    f.block((label) => {
      labels[merge] = label;
      within(block, merges, last - 1);
    });
    labels[merge] = undefined;
    tree(merge);
  };
  const finish = (block: number, ending: Ending): void => {
    if (ending.kind === "jump") follow(block, ending.to);
    else {
      f.if(
        ending.condition(),
        () => follow(block, ending.taken),
        () => follow(block, ending.otherwise),
      );
      f.unreachable();
    }
  };
  const follow = (from: number, to: Edge): void => {
    if (typeof to !== "number") to();
    else if (leaves(from, to)) graph.leaveTo(to);
    else if (position[to] <= position[from]) branchTo(loopLabels[to]);
    else if (forwardEdges[to] > 1) branchTo(labels[to]);
    else tree(to);
  };
  const branchTo = (label: Label | undefined): void => {
    assert(label !== undefined, "branch to a block that is not open");
    f.br(label);
  };
  tree(0);
}
