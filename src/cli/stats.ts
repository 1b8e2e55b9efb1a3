import type { GuestStats } from "../index.ts";

/** What a guest did, for a person: a few lines with the largest counts first. */
export function statsText({ instructions, guestTime, runs, supervisorCalls, devices, hart }: GuestStats): string {
  const lines: [string, string][] = [
    ["instructions", `${count(instructions)} in ${seconds(guestTime)} of guest time`],
    ["runs", `${count(runs.count)}, ${count(runs.waits)} waits (${seconds(runs.asleep)} asleep), ${count(runs.calls)} calls`],
  ];
  if (hart !== undefined) {
    for (const { tier, instructions: executed, entries } of hart.tiers) {
      const share = `${((100 * executed) / Math.max(1, instructions)).toFixed(1)} %`;
      lines.push([
        `tier ${tier}`,
        `${count(executed)} (${share})${entries === undefined ? "" : `, entered ${count(entries)} times`}`,
      ]);
    }
    if (hart.translation !== undefined) {
      const { regions, instructions: translated, bytes, modules, refused, flushes, time } = hart.translation;
      lines.push([
        "translated",
        `${count(regions)} regions of ${count(translated)} instructions in ${count(modules)} modules, ${count(bytes)} bytes, ` +
          `${seconds(time)}; ${count(refused)} not worth it, ${count(flushes)} flushes`,
      ]);
    }
    lines.push(["exits", list(hart.exits)], ["caches", list(hart.caches)], ["traps", list(hart.traps)]);
  }
  lines.push(["firmware calls", list(supervisorCalls)]);
  const accesses = devices.map(({ name, base, reads, writes }): [string, number, string] => [
    `${name} at ${base.toString(16)}`,
    reads + writes,
    `${count(reads)} reads, ${count(writes)} writes`,
  ]);
  for (const [name, , text] of accesses.sort((a, b) => b[1] - a[1])) lines.push([name, text]);
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines
    .filter(([, text]) => text !== "")
    .map(([name, text]) => `${name.padEnd(width)}  ${text}\n`)
    .join("");
}

const count = (value: number) => value.toLocaleString("en");
const seconds = (nanoseconds: number) => `${(nanoseconds / 1e9).toFixed(3)} s`;

/** Counts that are not zero, largest first: `load page fault 12, breakpoint 3`. */
function list(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, value]) => value > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([name, value]) => `${words(name)} ${count(value)}`)
    .join(", ");
}
/** `tlbMisses` as a person writes it. */
const words = (name: string) =>
  name.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
