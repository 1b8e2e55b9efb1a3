/** Physical memory protection (Priv. spec, "Physical Memory Protection"). */
import { csr, encode, loadConstant } from "../assembler.ts";
import { Body } from "../body.ts";
import { floatState, type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { codePages, farDataBase, windowCentre } from "../layout.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";
import { accesses } from "./memory.ts";
import { status } from "./system.ts";

export const protectionGroups: readonly Group[] = [
  { name: "pmp/data", weight: 300, make: protectedData },
  { name: "pmp/fetch", weight: 150, make: protectedCode },
  { name: "pmp/locked", weight: 30, alone: true, make: locked },
];

/** Random PMP entries over the window, and accesses that are aligned: others may be split (Priv. spec, "Physical Memory Protection"). */
function protectedData(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const mode = (["S", "U", "S", "M"] as const)[index % 4];
  const [base, mprv] = body.scratch(2);
  body.x[base] = windowCentre;
  body.x[mprv] = floatState.dirty | status.MPRV | (random.oneIn(2) ? 1n << 11n : 0n);
  const free = body.reserving(base, mprv);
  for (let i = 0; i < 6; i++) {
    if (mode === "M") free.add(encode.csrrw(0, csr.mstatus, mprv));
    const [rd] = free.scratch(1);
    const name = random.pick(accesses);
    const size = { b: 1, h: 2, w: 4, d: 8 }[name.replace(/^f|u$/g, "")[1]] ?? 8;
    free.add(encode[name](rd, base, Math.floor(random.between(-256, 255) / size) * size));
    // M-mode itself is free of entries without L.
    if (mode === "M") free.add(encode.csrrci(0, csr.mstatus, 0), encode.ld(rd, base, 0));
  }
  const entries: [number, bigint][] = [];
  let configuration = 0n;
  for (let i = 0; i < 7; i++) {
    const size = 1n << BigInt(random.between(3, 9));
    const at = windowCentre + BigInt(random.between(-32, 31)) * 8n;
    const rights = BigInt(random.pick([0, 1, 3, 4, 5, 7]));
    const matching = BigInt(random.below(4)); // off, TOR, NA4, NAPOT
    const address = matching === 3n ? ((at & ~(size - 1n)) >> 2n) | (size / 8n - 1n) : (at >> 2n) + BigInt(random.below(2));
    entries.push([csr.pmpaddr0 + i, address]);
    configuration |= (rights | (matching << 3n)) << BigInt(8 * i);
  }
  // TOR from the last entry up to everything, or from nothing: the code must stay reachable.
  entries.push([csr.pmpaddr0 + 8, -1n], [csr.pmpcfg2, 0x1fn], [csr.pmpcfg0, configuration]);
  return testCase({ id, mode, setup: writeCsrs(entries), body: body.finish(), x: body.x, f: body.f, seed: random.u64() });
}

/** Two pages of instructions, of which a part or all of one may not be fetched. */
function protectedCode(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const mode: Mode = index % 2 === 0 ? "S" : "U";
  const [rd, count] = body.scratch(2);
  // Twice: the second time nothing is looked up anew.
  body.x[count] = 2n;
  for (let i = 0; i < 16; i++) {
    if (random.oneIn(2)) body.add(encode.addi(rd, rd, i));
    else body.addRaw(0x0001); // c.nop
  }
  body.repeat(count);
  const page = random.pick(codePages);
  const rights = BigInt(random.pick([0, 1, 3, 4, 5, 7]));
  // Near the boundary that the code crosses.
  const size = 8n << BigInt(random.pick([0, 1, 2, 3, 9]));
  const at = page + size * BigInt(random.below(3)) + (random.oneIn(2) ? 4096n - 3n * size : 0n);
  const part = size < 4096n ? at : page;
  const setup = writeCsrs([
    [csr.pmpaddr0, (part >> 2n) | (size / 8n - 1n)],
    [csr.pmpaddr0 + 1, -1n],
    [csr.pmpcfg0, 0x18n | rights | (0x1fn << 8n)],
  ]);
  return testCase({ id, mode, setup, body: body.finish(), x: body.x, f: body.f, start: 4096 - 2 * random.between(1, 24) });
}

/**
 * Locked entries, which bind M-mode too and stay as they are until reset, over a page that the harness does not need; then
 * attempts to change them.
 */
function locked(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const mode = (["M", "S", "U", "M"] as const)[index % 4];
  const [base, value] = body.scratch(2);
  body.x[base] = farDataBase + 256n;
  const free = body.reserving(base);
  const entries: [number, bigint][] = [];
  let configuration = 0n;
  for (let i = 0; i < 6; i += 2) {
    // The first of each pair is where a region of the second begins, if that is TOR.
    const from = farDataBase + 8n * BigInt(random.between(16, 48));
    const size = 8n << BigInt(random.below(5));
    const matching = BigInt(random.pick([1, 3]));
    const rights = BigInt(random.pick([0, 1, 3, 4, 5, 7])) | (random.oneIn(4) ? 0n : 0x80n);
    const second = matching === 1n ? (from + size) >> 2n : ((from & ~(size - 1n)) >> 2n) | (size / 8n - 1n);
    entries.push([csr.pmpaddr0 + i, from >> 2n], [csr.pmpaddr0 + i + 1, second]);
    configuration |= (rights | (matching << 3n)) << BigInt(8 * (i + 1));
  }
  entries.push([csr.pmpaddr0 + 8, -1n], [csr.pmpcfg2, 0x1fn], [csr.pmpcfg0, configuration]);
  for (let i = 0; i < 6; i++) {
    const [rd] = free.scratch(1);
    free.add(encode[random.pick(accesses)](rd, base, 8 * random.between(-20, 20)));
    if (mode !== "M" || random.oneIn(2)) continue;
    // Rights and address stay; W without R is not tried.
    const number = random.pick([csr.pmpcfg0, csr.pmpaddr0 + random.below(6)]);
    free.add(...loadConstant(value, number === csr.pmpcfg0 ? 0x0f1f_0f07_1f0fn : (farDataBase + 256n) >> 2n));
    free.add(encode.csrrw(0, number, value), encode.csrrs(rd, number, 0), encode.sd(rd, body.sp, 8 * i));
  }
  return testCase({ id, mode, setup: writeCsrs(entries), body: body.finish(), x: body.x, f: body.f, once: true });
}
