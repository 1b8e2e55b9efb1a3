import { type CalledFunctions, translatorTables } from "../../isa/riscv64/core.ts";
import { special } from "../../isa/riscv64/handlers.ts";
import { hostFusesMultiplyAdd } from "../../isa/riscv64/inline-float.ts";
import { hotness, layout, recordPage, regionEntry } from "../../isa/riscv64/layout.ts";
import { type Region, RegionFormer } from "../../isa/riscv64/region.ts";
import { buildRegionModule } from "../../isa/riscv64/region-module.ts";
import { type WasmMemory, type WasmTable, webAssembly } from "../../wasm/webassembly.ts";

/** Jumps to a place after which it is translated. */
export const defaultThreshold = 8000;
/** A module is made of so many regions at once, or of fewer after so many runs of the hart: each module has its costs. */
const batch = { regions: 16, runs: 12 } as const;

/** Counts, for reports. */
export interface TranslationStats {
  regions: number;
  instructions: number;
  bytes: number;
  modules: number;
  refused: number;
  flushes: number;
}

/**
 * The translated regions of a hart. The interpreter queues what is jumped to often; `drain` translates it, a module for each
 * batch, and marks the records so that the interpreter enters the region. Bounded: when the regions are used up, all are dropped.
 */
export class CodeCache {
  readonly stats: TranslationStats = { regions: 0, instructions: 0, bytes: 0, modules: 0, refused: 0, flushes: 0 };
  readonly #memory: WasmMemory;
  readonly #table: WasmTable;
  readonly #hart: Record<string, unknown>;
  readonly #view: DataView;
  /** Made when the first region is: short runs translate nothing. */
  #translator: { readonly former: RegionFormer; readonly called: CalledFunctions } | undefined;
  #next = 1;
  #runsWaited = 0;

  /** @param hart exports of the hart's instance, which regions call */
  constructor(memory: WasmMemory, table: WasmTable, hart: Record<string, unknown>) {
    this.#memory = memory;
    this.#table = table;
    this.#hart = hart;
    this.#view = new DataView(memory.buffer);
  }

  /** Called after each run of the hart: whether it is time to translate what was queued. */
  isDue(): boolean {
    const queued = this.#view.getInt32(layout.hotQueue, true);
    if (queued === 0) return false;
    return queued >= batch.regions || ++this.#runsWaited >= batch.runs;
  }

  /** Translates what the interpreter has queued. */
  drain(): void {
    const count = this.#view.getInt32(layout.hotQueue, true);
    this.#view.setInt32(layout.hotQueue, 0, true);
    this.#runsWaited = 0;
    const { former, called } = (this.#translator ??= this.#createTranslator());
    if (this.#next + count >= regionEntry.count) this.flush();
    const regions: Region[] = [];
    const seen = new Set<number>();
    for (let i = 0; i < count; i++) {
      const entry = layout.hotQueue + 16 + i * hotness.queueEntry;
      const record = this.#view.getInt32(entry, true);
      const page = this.#view.getInt32(entry + 4, true);
      const address = this.#view.getBigUint64(entry + 8, true);
      if (seen.has(record) || !this.#isPlain(record, page) || !former.isCurrent(page, address)) continue;
      seen.add(record);
      const region = former.form(record, page, address);
      if (region === undefined) {
        this.stats.refused++;
        this.#view.setInt32(record + recordPage.region, -1, true);
        continue;
      }
      regions.push(region);
      this.stats.instructions += region.instructionCount;
    }
    if (regions.length === 0) return;
    const bytes = buildRegionModule(regions, former, called, hostFusesMultiplyAdd());
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), {
      machine: { memory: this.#memory },
      hart: this.#hart,
    });
    for (const [index, region] of regions.entries()) this.#install(region, exports[`r${index}`]);
    this.stats.modules++;
    this.stats.bytes += bytes.length;
    this.stats.regions += regions.length;
  }

  #createTranslator() {
    const { handlers, traits, called } = translatorTables();
    return { former: new RegionFormer(layout, this.#memory.buffer, handlers, traits), called };
  }

  /** A decoded instruction at which no region starts yet, in a page that is still the one it was. */
  #isPlain(record: number, page: number): boolean {
    const id = this.#view.getUint16(record + recordPage.handler, true);
    if (id <= special.translated || page === layout.crossing) return false;
    return this.#view.getInt32(record + recordPage.region, true) === 0;
  }

  #install(region: Region, func: unknown): void {
    const number = this.#next++;
    this.#table.set(number, func);
    const at = layout.regions + number * regionEntry.size;
    const set = (offset: number, value: number) => this.#view.setInt32(at + offset, value, true);
    set(regionEntry.func, number);
    set(regionEntry.handler, this.#view.getUint16(region.record, true));
    set(regionEntry.dataTlb, region.bank);
    set(regionEntry.longest, region.instructionCount);
    set(regionEntry.float, region.usesFloat ? 1 : 0);
    set(regionEntry.pageCount, region.otherPages.length);
    for (const [index, { distance, records }] of region.otherPages.entries()) {
      const page = regionEntry.pages + index * 12;
      set(page, distance);
      set(page + 4, records);
      set(page + 8, this.#view.getInt32(records + recordPage.epoch, true));
    }
    this.#view.setInt32(region.record + recordPage.region, number, true);
    this.#view.setUint16(region.record + recordPage.handler, special.translated, true);
  }

  /** Drops all regions: every record is as if it had not been decoded. */
  flush(): void {
    const bytes = new Uint8Array(this.#memory.buffer);
    const used = this.#view.getInt32(layout.recordPool + 4, true);
    for (let i = 0; i < used; i++) {
      const page = layout.recordPages + recordPage.header + i * recordPage.stride;
      if (this.#view.getInt32(page + recordPage.decoded, true) === 0) continue;
      this.#view.setInt32(page + recordPage.decoded, 0, true);
      this.#view.setInt32(page + recordPage.epoch, this.#view.getInt32(page + recordPage.epoch, true) + 1, true);
      bytes.fill(0, page, page + recordPage.size);
    }
    for (let i = 1; i < this.#next; i++) this.#table.set(i, null);
    this.#next = 1;
    this.stats.flushes++;
  }
}
