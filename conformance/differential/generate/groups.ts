import { csrGroups } from "./csr.ts";
import type { Group } from "./group.ts";
import { illegalGroups } from "./illegal.ts";
import { interruptGroups } from "./interrupts.ts";
import { memoryGroups } from "./memory.ts";
import { mixGroups } from "./mix.ts";
import { protectionGroups } from "./protection.ts";
import { singleGroups } from "./single.ts";
import { systemGroups } from "./system.ts";

/** All there is to run. */
export const groups: readonly Group[] = [
  ...singleGroups,
  ...mixGroups,
  ...illegalGroups,
  ...csrGroups,
  ...systemGroups,
  ...interruptGroups,
  ...memoryGroups,
  ...protectionGroups,
];
