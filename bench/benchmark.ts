/** What a benchmark is, and what it reports. */

/** One comparison. Smaller values are better, of all units; a ratio above 1 says that we are better. */
export interface Row {
  readonly name: string;
  /** Who we are compared with. */
  readonly peer: string;
  readonly ours: number;
  /** Undefined where there is nothing to compare with; so is `ratio`. */
  readonly theirs?: number;
  readonly unit: string;
  readonly runs: number;
  /** Version of Node that ours ran on. */
  readonly node: string;
}

export interface NodeBinary {
  /** As `process.version`. */
  readonly version: string;
  readonly path: string;
}

export interface Context {
  /** How often each contender is measured; values are medians. */
  readonly runs: number;
  /** Ours is measured on each of them. */
  readonly nodes: readonly NodeBinary[];
  report(row: Row): void;
  /** Says what is going on, where somebody may be looking. */
  progress(text: string): void;
}

/** The group whose ratios have a mean that says something. */
export const steady = "steady";

export interface Benchmark {
  readonly name: string;
  /** Its kind: `npm run bench -- GROUP` runs all of a group. */
  readonly group: string;
  run(context: Context): Promise<void>;
}

/** Thrown by a benchmark that cannot run here: its reason is shown, the others go on. */
export class Skip extends Error {}

/** Whoever is measured: one of ours on some Node, or the peer. */
export interface Contender<Sample> {
  readonly name: string;
  /** The version of Node, if it is ours. */
  readonly node?: string;
  /** What it is good for comparing, if not all. */
  readonly metrics?: readonly string[];
  measure(): Promise<Sample>;
}

/** Measures the contenders by turns, so that what else the host does falls on all of them. */
export async function byTurns<Sample>(
  name: string,
  contenders: readonly Contender<Sample>[],
  { runs, progress }: Context,
): Promise<Map<Contender<Sample>, Sample[]>> {
  const samples = new Map<Contender<Sample>, Sample[]>(contenders.map((contender) => [contender, []]));
  for (let run = 1; run <= runs; run++) {
    for (const contender of contenders) {
      progress(`${name}: ${contender.name}, run ${run} of ${runs}`);
      samples.get(contender)?.push(await contender.measure());
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/**
 * Compares every contender of ours with every peer, and reports a row for each metric.
 * @param metrics what follows the name, and its unit
 */
export async function compare<Sample extends Readonly<Record<string, number>>>(
  name: string,
  contenders: readonly Contender<Sample>[],
  metrics: Readonly<Record<string, string>>,
  context: Context,
): Promise<void> {
  const samples = await byTurns(name, contenders, context);
  const value = (of: Contender<Sample>, metric: string) => median((samples.get(of) ?? []).map((sample) => sample[metric]));
  for (const peer of contenders.filter(({ node }) => node === undefined)) {
    for (const ours of contenders) {
      if (ours.node === undefined) continue;
      for (const [metric, unit] of Object.entries(metrics)) {
        if (peer.metrics?.includes(metric) === false) continue;
        context.report({
          name: `${name}.${metric}`,
          peer: peer.name,
          ours: value(ours, metric),
          theirs: value(peer, metric),
          unit,
          runs: context.runs,
          node: ours.node,
        });
      }
    }
  }
}
