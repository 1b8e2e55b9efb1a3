import { compilerRules } from "./compilers.ts";
import { glibcRules } from "./glibc.ts";
import { languageRules } from "./languages.ts";
import { libraryRules } from "./libraries.ts";
import type { Rule } from "./rule.ts";
import { serverRules } from "./servers.ts";
import { toolRules } from "./tools.ts";

export type { Need, Rule } from "./rule.ts";

/** Everything known of what runtimes load by themselves. */
export const runtimeRules: readonly Rule[] = [
  ...glibcRules,
  ...libraryRules,
  ...languageRules,
  ...toolRules,
  ...compilerRules,
  ...serverRules,
];
