import { createFloat } from "../../float/float.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import { csrTable, defineCsrs } from "./csr.ts";
import { defineDecoder } from "./decode.ts";
import { type Core, declareFunctions, importPorts } from "./functions.ts";
import { HandlerTable } from "./handlers.ts";
import { instructions } from "./instructions.ts";
import { defineInterpreter, findJumps } from "./interpreter.ts";
import { layout, reservedBytes } from "./layout.ts";
import { defineMmu } from "./mmu.ts";
import { definePmp } from "./pmp.ts";
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
  const ports = importPorts(module);
  const declared = declareFunctions(module);
  const float = createFloat(module, { flags: { flagsAddress: layout.state.fflags } });
  const core: Core = { module, ports, functions: { ...declared, float } };
  const handlers = new HandlerTable(instructions, findJumps(core, layout, instructions));
  defineMmu(core, layout);
  definePmp(core, layout);
  defineCsrs(core, layout, csrTable);
  defineTraps(core, layout);
  defineDecoder(core, layout, instructions, handlers);
  defineInterpreter(core, layout, handlers);
  const { run, flushTlb, flushTranslations, updateContext, csrRead, csrWrite, forgetCode } = core.functions;
  for (const func of [run, flushTlb, flushTranslations, updateContext, csrRead, csrWrite, forgetCode])
    module.export(func.name, func);
  return module.toBytes();
}
