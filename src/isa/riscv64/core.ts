import { createFloat } from "../../float/float.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import { csrTable, defineCsrs } from "./csr.ts";
import { defineDecoder } from "./decode.ts";
import { type Core, declareFunctions, importPorts } from "./functions.ts";
import { HandlerTable } from "./handlers.ts";
import { instructions } from "./instructions.ts";
import { defineInterpreter, findJumps } from "./interpreter.ts";
import type { Layout } from "./layout.ts";
import { defineMmu } from "./mmu.ts";
import { definePmp } from "./pmp.ts";
import { defineTraps } from "./trap.ts";

/** Pages of 64 KiB that the module's memory must have at least; its maximum; whether it is shared. */
export interface MemoryLimits {
  readonly minimum: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** Builds the WebAssembly module of a hart: everything but devices. */
export function buildHartModule(layout: Layout, hartId: number, limits: MemoryLimits): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("machine", "memory", limits.minimum, limits.maximum, limits.shared);
  const ports = importPorts(module);
  const declared = declareFunctions(module);
  const float = createFloat(module, { flags: { flagsAddress: layout.state.fflags } });
  const core: Core = { module, ports, functions: { ...declared, float } };
  const handlers = new HandlerTable(instructions, findJumps(core, layout, instructions));
  defineMmu(core, layout);
  definePmp(core, layout);
  defineCsrs(core, layout, csrTable(hartId));
  defineTraps(core, layout);
  defineDecoder(core, layout, instructions, handlers);
  defineInterpreter(core, layout, handlers);
  const { run, flushTlb, flushTranslations, updateContext, csrRead, csrWrite, forgetCode } = core.functions;
  for (const func of [run, flushTlb, flushTranslations, updateContext, csrRead, csrWrite, forgetCode])
    module.export(func.name, func);
  return module.toBytes();
}
