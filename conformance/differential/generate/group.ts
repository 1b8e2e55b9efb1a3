import type { TestCase } from "../case.ts";

/** Cases of one kind. A case depends on nothing but its name, from which all its randomness comes. */
export interface Group {
  readonly name: string;
  /** How many cases a run of the usual size takes. */
  readonly weight: number;
  /** What QEMU's hart must have besides for these cases, with a reason. */
  readonly qemu?: { readonly extensions: readonly string[]; readonly reason: string };
  /** Cases that leave something behind until reset: each runs in a machine of its own. */
  readonly alone?: boolean;
  make(index: number, id: string): TestCase;
}

/** The name of a case: `seed:group#index`. */
export function caseId(seed: string, group: string, index: number): string {
  return `${seed}:${group}#${index}`;
}

/** The case of a name. `undefined` if there is no such group. */
export function caseOf(id: string, groups: readonly Group[]): { group: Group; test: TestCase } | undefined {
  const [, name, index] = /^[^:]*:(.*)#(\d+)$/.exec(id) ?? [];
  const group = groups.find((group) => group.name === name);
  return group && { group, test: group.make(Number(index), id) };
}
