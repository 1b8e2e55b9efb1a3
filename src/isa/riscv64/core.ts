import { createFloat } from "../../float/float.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import type { Func } from "../../wasm/types.ts";
import { defineAtomics } from "./atomics.ts";
import { defineCacheBlocks } from "./cache-blocks.ts";
import { csrTable, defineCsrs } from "./csr.ts";
import { defineDecoder } from "./decode.ts";
import { type Core, declareFunctions, type Functions, importPorts } from "./functions.ts";
import { HandlerTable } from "./handlers.ts";
import type { Instruction } from "./instruction.ts";
import { instructions } from "./instructions.ts";
import { defineInterpreter } from "./interpreter.ts";
import { layout, reservedBytes } from "./layout.ts";
import { defineMemoryAccess } from "./memory-access.ts";
import { definePageWalk } from "./page-walk.ts";
import { definePmp } from "./pmp.ts";
import { defineTlb } from "./tlb.ts";
import { findTraits, type Traits } from "./traits.ts";
import { defineTraps } from "./trap.ts";

/** Pages of 64 KiB: any memory of 32-bit addresses will do. */
const mostPages = 65536;

/**
 * Builds the WebAssembly module of a hart: everything but devices. It is the same for every machine, so a build can keep it.
 * Imports `machine.memory` and the functions of `ports`.
 */
export function buildHartModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("machine", "memory", reservedBytes / 65536, mostPages, false);
  module.importTable("machine", "regions", 0);
  const ports = importPorts(module);
  const declared = declareFunctions(module);
  const float = createFloat(module, { flags: { flagsAddress: layout.state.fflags } });
  const core: Core = { module, ports, functions: { ...declared, float } };
  const handlers = new HandlerTable(instructions, findTraits(core, layout, instructions));
  definePageWalk(core, layout);
  defineTlb(core, layout);
  defineMemoryAccess(core, layout);
  defineAtomics(core, layout);
  defineCacheBlocks(core, layout);
  definePmp(core, layout);
  defineCsrs(core, layout, csrTable);
  defineTraps(core, layout);
  defineDecoder(core, layout, instructions, handlers);
  defineInterpreter(core, layout, handlers);
  const { run, flushTlb, flushTranslations, updateContext, csrRead, csrWrite, forgetCode } = core.functions;
  for (const func of [run, flushTlb, flushTranslations, updateContext, csrRead, csrWrite, forgetCode]) {
    module.export(func.name, func);
  }
  eachFunction(core.functions, "hart", (func, path) => module.export(path, func));
  return module.toBytes();
}

/** Visits the functions of a tree, with their paths. */
function eachFunction(tree: object, path: string, visit: (func: Func, path: string) => void): void {
  for (const [name, entry] of Object.entries(tree)) {
    const at = `${path}.${name}`;
    if (isFunc(entry)) visit(entry, at);
    else if (typeof entry === "object") eachFunction(entry, at, visit);
  }
}
function isFunc(entry: unknown): entry is Func {
  return typeof entry === "object" && entry !== null && "index" in entry && "results" in entry;
}

/**
 * Begins a module of translated regions: it imports the machine's memory, and from the hart's instance (`hart`) those functions
 * that regions call, by path. `uses` names these; every function of the module must be emitted with `functions`.
 */
export function beginRegionModule(uses: ReadonlySet<string>): { module: ModuleBuilder; functions: Functions } {
  const module = new ModuleBuilder();
  module.importMemory("machine", "memory", reservedBytes / 65536, mostPages, false);
  const copy = (tree: object, path: string): object =>
    Object.fromEntries(
      Object.entries(tree).map(([name, entry]) => {
        const at = `${path}.${name}`;
        if (!isFunc(entry)) return [name, copy(entry as object, at)];
        return [name, uses.has(at) ? module.importFunction("hart", at, entry.params, entry.results) : undefined];
      }),
    );
  return { module, functions: copy(callable(), "hart") as unknown as Functions };
}

/** Paths of the functions that an instruction calls. */
export type CalledFunctions = ReadonlyMap<Instruction, readonly string[]>;

let shape: Functions | undefined;
/** The hart's functions, for their names and types. */
function callable(): Functions {
  if (shape === undefined) {
    const module = new ModuleBuilder();
    const declared = declareFunctions(module);
    shape = { ...declared, float: createFloat(module, { flags: { flagsAddress: layout.state.fflags } }) };
  }
  return shape;
}

/** What the region former needs to know of the instructions; the same as in the hart's module. */
export function translatorTables(): { handlers: HandlerTable; traits: Traits; called: CalledFunctions } {
  const module = new ModuleBuilder();
  const ports = importPorts(module);
  const core: Core = { module, ports, functions: callable() };
  const traits = findTraits(core, layout, instructions);
  const paths = new Map<Func, string>();
  eachFunction(core.functions, "hart", (func, path) => paths.set(func, path));
  const called = new Map<Instruction, string[]>();
  for (const [instruction, functions] of traits.calls) {
    called.set(
      instruction,
      functions.map((func) => paths.get(func)).filter((path) => path !== undefined),
    );
  }
  return { traits, handlers: new HandlerTable(instructions, traits), called };
}
