import type { GuestStats } from "../../browser.ts";

type Rows = readonly (readonly [name: string, value: string])[];
interface Group {
  readonly title: string;
  readonly rows: Rows;
}

const count = (value: number) => Math.round(value).toLocaleString("en");
const counted = (counts: Readonly<Record<string, number>>): Rows =>
  Object.entries(counts)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => [name, count(value)]);

/** What the machine does, in groups of names and values. */
export function describe(stats: GuestStats): readonly Group[] {
  const { hart, runs } = stats;
  const groups: Group[] = [
    {
      title: "Machine",
      rows: [
        ["instructions", count(stats.instructions)],
        ["guest time", `${(stats.guestTime / 1e9).toFixed(1)} s`],
        ["asleep", `${(runs.asleep / 1e9).toFixed(1)} s`],
        ...(hart?.tiers ?? []).map(
          ({ tier, instructions }) => [tier === 0 ? "interpreted" : "translated", count(instructions)] as const,
        ),
        ["translated regions", count(hart?.translation?.regions ?? 0)],
      ],
    },
    { title: "Traps by cause", rows: counted(hart?.traps ?? {}) },
    { title: "Translation caches", rows: counted(hart?.caches ?? {}) },
    { title: "SBI calls", rows: counted(stats.supervisorCalls) },
    {
      title: "Devices: reads, writes",
      rows: stats.devices.map(({ name, base, reads, writes }) => [
        `${name} at 0x${base.toString(16)}`,
        `${count(reads)}, ${count(writes)}`,
      ]),
    },
  ];
  return groups.filter(({ rows }) => rows.length > 0);
}
