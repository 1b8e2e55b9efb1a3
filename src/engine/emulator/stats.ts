import type { Machine } from "../../machine/machine.ts";
import type { VmStats } from "../vm.ts";
import { Riscv64Hart } from "./riscv64-hart.ts";

/** What a machine and its hart have counted. */
export function statsOf(machine: Machine): VmStats {
  const { instructions, time, slices, ecalls, waits, asleep, sbiCalls, devices } = machine.stats();
  const { hart } = machine;
  return {
    instructions,
    guestTime: time,
    runs: { count: slices, calls: ecalls, waits, asleep },
    supervisorCalls: sbiCalls,
    devices: devices.filter(({ reads, writes }) => reads + writes > 0),
    ...(hart instanceof Riscv64Hart && { hart: hartStats(hart) }),
  };
}

function hartStats(hart: Riscv64Hart): NonNullable<VmStats["hart"]> {
  const { regionEntries, regionInstructions, ...caches } = hart.counters;
  const { translation } = hart;
  return {
    tiers: [
      { tier: 0, instructions: hart.instret - regionInstructions },
      { tier: 1, instructions: regionInstructions, entries: regionEntries },
    ],
    ...(translation !== undefined && { translation: { ...translation, time: hart.translationTime } }),
    exits: hart.exits,
    caches,
    traps: hart.traps,
  };
}
