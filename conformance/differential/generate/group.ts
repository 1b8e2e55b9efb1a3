import type { TestCase } from "../case.ts";

/** Cases of one kind. Case `index` of a group depends on nothing but the group's name, the seed and the index. */
export interface Group {
  readonly name: string;
  /** How many cases a run of the usual size takes. */
  readonly weight: number;
  make(index: number, id: string): TestCase;
}

/** The name of a case, from which all its randomness comes. */
export function caseId(seed: string, group: string, index: number): string {
  return `${seed}:${group}#${index}`;
}
