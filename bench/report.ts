/** What is printed. */
import type { Row } from "./benchmark.ts";

/** How many times better we are. */
function ratio({ ours, theirs }: Row): number | undefined {
  return theirs === undefined ? undefined : theirs / ours;
}

/** A row for programs: four significant digits; null where there is nothing to compare with. */
export function json(row: Row): string {
  const { name, peer, unit, runs, node } = row;
  const rounded = (value: number | undefined) => (value === undefined ? null : Number(value.toPrecision(4)));
  const [ours, theirs] = [rounded(row.ours), rounded(row.theirs)];
  return JSON.stringify({ name, peer, ours, theirs, ratio: rounded(ratio(row)), unit, runs, node });
}

/** Rows of `GROUP.METRIC` over all rows of a group, for each peer and Node; none of what there is but once. */
export function geometricMeans(group: string, rows: readonly Row[]): Row[] {
  const kinds = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.theirs === undefined) continue;
    const key = [metricOf(row), row.peer, row.node].join("\0");
    kinds.set(key, [...(kinds.get(key) ?? []), row]);
  }
  const mean = (values: number[]) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  return [...kinds.values()]
    .filter((kind) => kind.length > 1)
    .map((kind) => ({
      ...kind[0],
      name: `${group}.${metricOf(kind[0])}`,
      ours: mean(kind.map(({ ours }) => ours)),
      theirs: mean(kind.map(({ theirs }) => theirs as number)),
    }));
}

function metricOf({ name }: Row): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

let hasHeader = false;
const columns = [20, 8, 10, 10, 8, 9] as const;

/** A row for people, under a header if it is the first. */
export function table(row: Row): string[] {
  const line = (cells: readonly string[]) =>
    cells.map((cell, index) => (index < 2 ? cell.padEnd(columns[index]) : cell.padStart(columns[index] ?? 0))).join(" ");
  const value = (number: number | undefined) => (number === undefined ? "-" : number.toPrecision(4));
  const cells = [row.name, row.peer, value(row.ours), value(row.theirs), row.unit, value(ratio(row)), ` ${row.node}`];
  const header = hasHeader ? [] : [line(["name", "peer", "ours", "theirs", "unit", "ratio", " node"])];
  hasHeader = true;
  return [...header, line(cells)];
}
