import { beginRegionModule, type CalledFunctions } from "./core.ts";
import { layout } from "./layout.ts";
import type { Region, RegionFormer } from "./region.ts";
import { regionType, TranslatorEmitter } from "./translator.ts";

/**
 * The WebAssembly module of regions: it exports a function `r0`, `r1`... for each.
 * @param fuses whether the host fuses multiplication and addition (`hostFusesMultiplyAdd`)
 */
export function buildRegionModule(
  regions: readonly Region[],
  former: RegionFormer,
  called: CalledFunctions,
  fuses: boolean,
): Uint8Array<ArrayBuffer> {
  const uses = new Set<string>(["hart.fillTlb"]);
  for (const { blocks } of regions) {
    for (const { instructions } of blocks) {
      for (const { handler } of instructions) for (const path of called.get(handler.instruction) ?? []) uses.add(path);
    }
  }
  const { module, functions } = beginRegionModule(uses);
  const emitter = new TranslatorEmitter(functions, layout, fuses);
  for (const [index, region] of regions.entries()) {
    const func = module.declare(`r${index}`, regionType.params, regionType.results);
    former.emit(region, emitter);
    module.builtBody(func, emitter);
    module.export(func.name, func);
  }
  return module.toBytes({ names: false });
}
