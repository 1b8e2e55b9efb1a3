/**
 * Golden translations: small programs (`src/isa/riscv64/goldens/NAME.s`) and the WebAssembly that their first region becomes
 * (`NAME.wat`). A line of a program has its encoding in a comment, so that nobody needs an assembler to run them.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import wabt from "wabt";
import { Riscv64Hart } from "../../../engine/emulator/riscv64-hart.ts";
import { createMemory } from "../../../machine/memory-layout.ts";
import { translatorTables } from "../core.ts";
import { fNames, xNames } from "../disassemble.ts";
import { dataTlb, fetchTlb, layout, reservedBytes } from "../layout.ts";
import { RegionFormer } from "../region.ts";
import { buildRegionModule } from "../region-module.ts";

/** The package's root, from the sources and from what is compiled of them. */
function projectRoot(): string {
  let folder = fileURLToPath(new URL(".", import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = join(folder, "..");
  return folder;
}
export const goldenFolder = join(projectRoot(), "src/isa/riscv64/goldens");
export const goldenNames = readdirSync(goldenFolder)
  .filter((name) => name.endsWith(".s"))
  .map((name) => name.slice(0, -2))
  .sort();

const base = 0x8000_0000;
/** Where the programs' data is: `s0` when they start. */
const data = base + 0x10000;
/** Instructions that are executed before, so that the code has been seen: what never ran is not translated. */
const warmUp = 2000;

/** Whether every instruction of a program has its encoding beside it. */
export function isEncoded(source: string): boolean {
  return [...source.matchAll(/^ +[a-z].*$/gm)].every(([line]) => / # ([0-9a-f]{4}|[0-9a-f]{8})$/.test(line));
}

/** The encodings in the comments of a program: `addi a0, a0, 1  # 00150513`. */
export function encodingsOf(source: string): number[] {
  return [...source.matchAll(/^ +[^#\n]*# ([0-9a-f]{4}|[0-9a-f]{8})$/gm)].flatMap(([, digits]) => {
    const word = Number.parseInt(digits, 16);
    return digits.length === 4 ? [word] : [word & 0xffff, word >>> 16];
  });
}

/**
 * Translates the region at the start of a program.
 * @param halfwords the program, which is to run for ever
 * @returns WebAssembly text in which addresses of the state have names, and locals that hold registers theirs
 */
export async function translate(halfwords: readonly number[]): Promise<string> {
  const memory = createMemory({ reserved: reservedBytes, ram: { base, size: 16 * 2 ** 20 }, rom: { base: 0x1000, size: 4096 } });
  const ports = { mmioRead: () => 0, mmioRead64: () => 0n, mmioWrite: () => true, mmioWrite64: () => true, time: () => 0 };
  const hart = new Riscv64Hart(ports, memory, { id: 0, sbi: false, tier: 0 });
  const view = new DataView(memory.memory.buffer);
  for (const [i, halfword] of halfwords.entries()) view.setUint16(memory.ram.offset + 2 * i, halfword, true);
  hart.reset({ pc: BigInt(base), mode: 3 });
  hart.setCsr(0x300, 0x2000n); // mstatus.FS: floating point on
  hart.setX(xNames.indexOf("s0"), BigInt(data));
  hart.run(warmUp);
  const { handlers, traits, called } = translatorTables();
  const former = new RegionFormer(layout, memory.memory.buffer, handlers, traits);
  const bank = view.getInt32(layout.state.fetchTlb, true);
  const page = view.getInt32(bank + (((base >>> 12) & (fetchTlb.entries - 1)) << 4) + fetchTlb.recordPage, true);
  const region = former.form(page, page, BigInt(base));
  if (region === undefined) throw new Error("the program's start is not worth translating");
  // Whether the host fuses must not change what is compared.
  return toText(buildRegionModule([region], former, called, false));
}

async function toText(bytes: Uint8Array): Promise<string> {
  const { readWasm } = await wabt();
  const module = readWasm(bytes, { readDebugNames: false });
  try {
    module.generateNames();
    module.applyNames();
    return readable(module.toText({ foldExprs: true, inlineExport: true }));
  } finally {
    module.destroy();
  }
}

/** What is at an address of the hart's state or TLB; where that is may change, and is nobody's concern here. */
const addressNames = new Map<number, string>();
for (const [field, at] of Object.entries(layout.state))
  if (at >= layout.state.x && field !== "end") addressNames.set(at, `state.${field}`);
for (const [i, name] of xNames.entries()) addressNames.set(layout.state.x + 8 * i, `state.${name}`);
for (const [i, name] of fNames.entries()) addressNames.set(layout.state.f + 8 * i, `state.${name}`);
for (const [bank, index] of Object.entries(dataTlb.banks)) {
  for (const field of ["readTag", "writeTag", "addend"] as const) {
    addressNames.set(layout.dataTlb + index * dataTlb.bankSize + dataTlb[field], `dataTlb.${bank}.${field}`);
  }
}

/** Names addresses, and the locals that are loaded from the state. */
function readable(text: string): string {
  const named = text
    .replace(/(i32\.const |offset=)(\d+)/g, (whole, before: string, at: string) => {
      const name = addressNames.get(Number(at));
      return name === undefined ? whole : `${before}${name}`;
    })
    .replace(/\(memory (\$\S+) \d+ \d+\)/, "(memory $1)")
    .replaceAll("$p0", "$page");
  const locals = new Map<string, string>();
  for (const [, local, field] of named.matchAll(
    /\(local\.set (\$l\d+)\s+\(i(?:32|64)\.load\s+\(i32\.const state\.(\w+)\)\)\)/g,
  )) {
    if (![...locals.values()].includes(`$${field}`)) locals.set(local, `$${field}`);
  }
  return named.replace(/\$l\d+/g, (name) => locals.get(name) ?? name);
}
