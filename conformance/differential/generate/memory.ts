/** Address translation: page-table entries with everything that can be wrong with them, and changes of them. */
import { csr, encode, type MemoryOp } from "../assembler.ts";
import { Body } from "../body.ts";
import { floatState, type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { codeBase, codePages, dataBase, stubBase, tablesBase, windowCentre } from "../layout.ts";
import { leafBits, PageTables, pte, type Scheme } from "../paging.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";
import { delegatedAll } from "./mix.ts";
import { status } from "./system.ts";

const schemes = ["Sv39", "Sv48", "Sv57"] as const satisfies Scheme[];

export const memoryGroups: readonly Group[] = [
  ...schemes.map((scheme) => ({
    name: `paging/data ${scheme}`,
    weight: 400,
    make: (index: number, id: string) => translated(scheme, index, id),
  })),
  { name: "paging/fetch", weight: 300, make: (index, id) => fetched(schemes[index % 3], index, id) },
  { name: "paging/changes", weight: 200, make: (index, id) => changed(schemes[index % 3], id) },
  { name: "paging/spaces", weight: 200, make: (index, id) => spaces(schemes[index % 3], id) },
  { name: "pmp/translated", weight: 200, make: (index, id) => translated(schemes[index % 3], index, id, { pmp: true }) },
];

interface Quality {
  /** What the mode needs of U. */
  readonly user: boolean;
  /** Atomics will use it. */
  readonly atomics?: boolean;
  /** It is above the last level. */
  readonly superpage?: boolean;
}

/** A random leaf: mostly right, with up to three things changed. */
function leaf(random: Random, { user, atomics, superpage }: Quality): bigint {
  let bits = leafBits | (user ? pte.U : 0n);
  for (let i = random.pick([0, 1, 1, 2, 3]); i > 0; i--) {
    const single = [pte.V, pte.R, pte.W, pte.X, pte.U, pte.A, pte.D, pte.A, pte.D, pte.G, pte.A | pte.D, pte.R | pte.W | pte.X];
    const rare = [pte.W | pte.X, 1n << 61n, 1n << 62n, pte.PBMT, pte.N, 1n << BigInt(random.between(54, 60)), 1n << 8n, 1n << 9n];
    bits ^= random.oneIn(3) ? random.pick(rare) : random.pick(single);
  }
  // Without any right it would lead to a table, made of whatever lies there.
  if (superpage && (bits & (pte.R | pte.W | pte.X)) === 0n) bits |= pte.R;
  // For these two see `avoided` in differences.ts.
  if (atomics && (bits & pte.W) === 0n) bits |= pte.A;
  return (bits & pte.N) === 0n ? bits : bits | pte.A | pte.D;
}

interface Place {
  readonly tables: PageTables;
  /** Virtual address of the first data page. */
  readonly data: bigint;
  readonly code: bigint;
  readonly stub: bigint;
}

function place(scheme: Scheme, random: Random): Place {
  const tables = new PageTables(scheme);
  // Slots of 1 GiB, of which the three uses never share one.
  const at = (slot: bigint) => tables.canonical((random.u64() & ~0x1_ffff_ffffn & ~(3n << 33n)) | (slot << 33n));
  return { tables, data: at(1n), code: at(2n), stub: at(3n) };
}

/**
 * Maps the two pages of data in one of several ways, with entries of random quality. Returns the pages' virtual address.
 * @param nowhere pages may have no memory behind them
 */
function mapData(target: Place, random: Random, quality: Quality, nowhere: boolean): bigint {
  const { tables } = target;
  const level = nowhere ? 0 : random.pick([0, 0, 0, 1, 2]);
  if (level > 0) {
    const size = 1n << BigInt(12 + 9 * level);
    const virtual = target.data & ~(size - 1n);
    // A superpage whose address is not aligned to its size faults.
    const physical = (dataBase & ~(size - 1n)) + (random.oneIn(6) ? 1n << BigInt(random.between(12, 11 + 9 * level)) : 0n);
    tables.put(virtual, ((physical >> 12n) << 10n) | leaf(random, { ...quality, superpage: true }), level, nodeNoise(random));
    return virtual + (dataBase & (size - 1n));
  }
  const virtual = target.data & ~0x1f_ffffn;
  if (!nowhere && random.oneIn(5)) {
    // Svnapot: 64 KiB, if the low bits of the page number say so (1000); other patterns are reserved.
    const napot = random.oneIn(4) ? BigInt(random.below(16)) : 8n;
    const entry = ((((dataBase >> 12n) & ~15n) | napot) << 10n) | leaf(random, quality) | pte.N | pte.A | pte.D;
    tables.put(virtual, entry, 0).put(virtual + 0x1000n, entry, 0);
    return virtual;
  }
  const outside = [1n << 54n, 0n, 0x1_0000_0000_0000n, 0x2_0000_0000n];
  const noise = nodeNoise(random);
  for (const page of [0n, 0x1000n]) {
    const physical = nowhere && random.oneIn(2) ? random.pick(outside) : dataBase + page;
    tables.put(virtual + page, ((physical >> 12n) << 10n) | leaf(random, quality), 0, noise);
  }
  return virtual;
}

/** Bits that must be zero in an entry that points to a table (Priv. spec, "Sv39"). */
function nodeNoise(random: Random): bigint {
  return random.oneIn(8) ? random.pick([pte.A, pte.D, pte.U, pte.G, pte.N, 1n << 61n, 1n << 54n, pte.RSW, pte.W, pte.X]) : 0n;
}

// biome-ignore format: a table
export const accesses: readonly MemoryOp[] = ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd", "fld", "fsd"];

/** How many kinds of `access` there are, and how many before those with atomics. */
const allKinds = 10;
const noAtomics = 7;

/** Loads, stores and atomics around `base`, which points to a page boundary. */
function access(random: Random, body: Body, base: number, offsets: readonly number[], kinds: number): void {
  const [rd, address] = body.scratch(2);
  const offset = random.pick(offsets);
  switch (9 - random.below(kinds)) {
    case 0:
      body.add(encode.addi(address, base, offset & ~7), random.pick([encode.amoaddD, encode.amoswapW])(rd, address, rd));
      return;
    case 1:
      body.add(encode.addi(address, base, offset & ~7), encode.lrD(rd, address), encode.scD(rd, address, rd));
      return;
    case 2:
      body.add(encode.addi(address, base, offset), encode.scW(rd, address, rd));
      return;
    case 3:
      body.add(
        encode.addi(address, base, offset & ~63),
        random.pick([encode.cboZero, encode.cboClean, encode.cboInval])(address),
      );
      return;
    default:
      body.add(encode[random.pick(accesses)](rd, base, offset));
  }
}

/** In both pages, aligned, misaligned, and across. */
const everywhere = [-256, -128, -64, -32, -17, -8, -8, -7, -6, -5, -4, -3, -2, -1, 0, 0, 1, 3, 8, 16, 33, 64, 128];

function translated(scheme: Scheme, index: number, id: string, options: { pmp?: boolean } = {}): TestCase {
  const random = new Random(id);
  const viaMprv = random.oneIn(4);
  const mode: Mode = viaMprv ? "M" : index % 2 === 0 ? "S" : "U";
  const effectiveUser = viaMprv ? random.oneIn(2) : mode === "U";
  const target = place(scheme, random);
  const user = random.oneIn(8) ? !effectiveUser : effectiveUser;
  const nowhere = random.oneIn(10);
  // With PMP, see `avoided` in differences.ts.
  const atomics = !options.pmp && random.oneIn(2);
  const data = mapData(target, random, { user, atomics }, nowhere);
  const codeBits = leafBits | (mode === "U" ? pte.U : 0n);
  target.tables.map(target.stub, stubBase, leafBits);
  codePages.forEach((page, i) => {
    target.tables.map(target.code + BigInt(i) * 0x1000n, page, codeBits);
  });
  const body = new Body(random);
  const [base, mprv, off] = body.scratch(3);
  let pointer = data + 0x1000n;
  // An address whose upper bits are not copies of the highest translated one.
  if (random.oneIn(12)) pointer ^= 1n << BigInt(random.between(12 + 9 * target.tables.levels, 63));
  body.x[base] = BigInt.asUintN(64, pointer);
  const mstatus = floatState.dirty | (random.oneIn(2) ? status.SUM : 0n) | (random.oneIn(3) ? status.MXR : 0n);
  body.x[mprv] = mstatus | status.MPRV | (effectiveUser ? 0n : 1n << 11n);
  body.x[off] = mstatus;
  body.x[0] = 0n;
  const touch = (free: Body) => {
    if (mode !== "U" && random.oneIn(3)) {
      const [bits] = free.scratch(1);
      const which = random.pick([status.SUM, status.MXR, status.SUM | status.MXR]);
      free.add(encode.lui(bits, Number(which >> 12n)), random.pick([encode.csrrs, encode.csrrc])(0, csr.sstatus, bits));
    }
    if (!nowhere) return access(random, free, base, everywhere, atomics ? allKinds : noAtomics);
    // See \`avoided\` in differences.ts.
    free.add(encode[random.pick(accesses)](free.scratch(1)[0], base, 8 * random.between(-32, 31)));
  };
  for (let i = 0; i < 5; i++) {
    if (!viaMprv) touch(body.reserving(base));
    else {
      body.add(encode.csrrw(0, csr.mstatus, mprv));
      touch(body.reserving(base, mprv, off));
      body.add(encode.csrrw(0, csr.mstatus, off));
    }
  }
  const setup = writeCsrs([
    [csr.menvcfg, (random.oneIn(2) ? 1n << 61n : 0n) | (random.oneIn(2) ? 1n << 62n : 0n) | (3n << 4n) | (3n << 6n)],
    [csr.senvcfg, (3n << 4n) | (3n << 6n)],
    // Where a walk may be denied, it may be denied to the stub too.
    [csr.medeleg, !options.pmp && random.oneIn(2) ? delegatedAll : 0n],
    [csr.stvec, target.stub],
    ...(options.pmp ? tablesProtection(random) : []),
    [csr.satp, target.tables.satp],
  ]);
  return testCase({
    id,
    mode,
    mstatus,
    setup,
    body: body.finish(),
    x: body.x,
    f: body.f,
    delta: mode === "M" ? 0n : target.code - codeBase,
    stub: mode === "M" ? stubBase : target.stub,
    pokes: target.tables.pokes,
    seed: random.u64(),
  });
}

/** A region of the page tables or of the data with few rights; the rest stays open. */
function tablesProtection(random: Random): [number, bigint][] {
  const [at, size] = random.pick([
    [tablesBase, 4096n],
    [tablesBase + 4096n * BigInt(random.below(6)), 4096n],
    [windowCentre, 4096n],
    [dataBase, 4096n],
    [windowCentre, 8n],
  ] as [bigint, bigint][]);
  const rights = BigInt(random.pick([0, 1, 3, 4, 5]));
  return [
    [csr.pmpaddr0, (at >> 2n) | (size / 8n - 1n)],
    [csr.pmpaddr0 + 1, -1n],
    [csr.pmpcfg0, 0x18n | rights | (0x1fn << 8n)],
  ];
}

/** Runs from a good page into one of random quality, or jumps to an address that has none. */
function fetched(scheme: Scheme, index: number, id: string): TestCase {
  const random = new Random(id);
  const mode: Mode = index % 2 === 0 ? "S" : "U";
  const target = place(scheme, random);
  const user = mode === "U";
  const good = leafBits | (user ? pte.U : 0n);
  target.tables.put(
    target.code + 0x1000n,
    ((codePages[1] >> 12n) << 10n) | leaf(random, { user: random.oneIn(8) ? !user : user }),
    0,
  );
  target.tables.map(target.code, codePages[0], good).map(target.stub, stubBase, leafBits);
  const body = new Body(random);
  const start = 4096 - 2 * random.between(1, 14);
  const [at, rd] = body.scratch(2);
  if (random.oneIn(4)) {
    // Upper bits that are no copies, an address without an entry, or one without memory behind it.
    body.x[at] = random.pick([target.code ^ (1n << 63n), target.data, target.code + 0x2000n, target.stub, 0n, random.u64()]);
    body.add(encode.jalr(rd, at, random.between(-4, 4)));
  }
  for (let i = 0; i < 8; i++) {
    if (random.oneIn(2)) body.add(encode.addi(rd, rd, 1));
    else body.addRaw(0x0001); // c.nop: instructions of four bytes then lie across the boundary
  }
  const setup = writeCsrs([
    [csr.menvcfg, (random.oneIn(2) ? 1n << 61n : 0n) | (random.oneIn(2) ? 1n << 62n : 0n)],
    [csr.medeleg, random.oneIn(2) ? delegatedAll : 0n],
    [csr.stvec, target.stub],
    [csr.satp, target.tables.satp],
  ]);
  return testCase({
    id,
    mode,
    mstatus: floatState.dirty | (random.oneIn(3) ? status.SUM : 0n) | (random.oneIn(3) ? status.MXR : 0n),
    setup,
    body: body.finish(),
    x: body.x,
    f: body.f,
    start,
    delta: target.code - codeBase,
    stub: target.stub,
    pokes: target.tables.pokes,
  });
}

/** M-mode with MPRV looks through page tables, changes an entry, orders that with `sfence.vma` or Svinval, and looks again. */
function changed(scheme: Scheme, id: string): TestCase {
  const random = new Random(id);
  const target = place(scheme, random);
  const level = random.pick([0, 0, 1, 2]);
  const size = 1n << BigInt(12 + 9 * level);
  const start = target.data & ~0x3fff_ffffn;
  const data = start + (dataBase & (size - 1n));
  target.tables.map(start, dataBase & ~(size - 1n), leafBits, level);
  if (level === 0) target.tables.map(data + 0x1000n, dataBase + 0x1000n, leafBits);
  const [entry] = target.tables.pokes[0];
  const body = new Body(random);
  const [base, mprv, off, slot, value, address, asid] = body.scratch(7);
  body.x[base] = data + 0x1000n;
  // Any address of the page will do for a fence.
  body.x[address] = start + (random.u64() & (size - 1n));
  body.x[off] = floatState.dirty;
  body.x[mprv] = floatState.dirty | status.MPRV | (1n << 11n);
  body.x[slot] = entry;
  body.x[asid] = 0n;
  const free = body.reserving(base, mprv, off, slot, value, address, asid);
  for (let i = 0; i < 3; i++) {
    free.add(encode.csrrw(0, csr.mstatus, mprv));
    access(random, free, base, [-8, -16, -64, -1, -4], noAtomics);
    free.add(encode.csrrw(0, csr.mstatus, off));
    const bits = leaf(random, { user: false });
    // The entry's low byte; not G, see \`avoided\` in differences.ts.
    free.add(encode.lb(value, slot, 0), encode.xori(value, value, Number(bits & 0x5fn)), encode.sb(value, slot, 0));
    free.add(...random.pick(fences(random, address, asid)));
  }
  free.add(encode.csrrw(0, csr.mstatus, mprv));
  access(random, free, base, [-8, -16, -64], noAtomics);
  free.add(encode.csrrw(0, csr.mstatus, off));
  const setup = writeCsrs([
    [csr.menvcfg, random.oneIn(2) ? 1n << 61n : 0n],
    [csr.satp, target.tables.satp],
  ]);
  return testCase({ id, mode: "M", setup, body: body.finish(), x: body.x, f: body.f, pokes: target.tables.pokes });
}

function fences(random: Random, address: number, asid: number): readonly number[][] {
  return [
    [encode.sfenceVma(0, 0)],
    [encode.sfenceVma(address, 0)],
    [encode.sfenceVma(address, asid)],
    [encode.sfenceWInval(), encode.sinvalVma(random.oneIn(2) ? address : 0, 0), encode.sfenceInvalIr()],
  ];
}

/** S-mode goes to and fro between two address spaces, of which only the code is the same. */
function spaces(scheme: Scheme, id: string): TestCase {
  const random = new Random(id);
  const target = place(scheme, random);
  const other = new PageTables(scheme, tablesBase + 0x8_0000n);
  const data = target.data & ~0x1f_ffffn;
  const global = random.oneIn(2) ? pte.G : 0n;
  target.tables.map(data, dataBase, leafBits).map(data + 0x1000n, dataBase + 0x1000n, leafBits);
  // The other way round, to be read only: what is not in the window must stay as it is.
  const readable = leafBits & ~pte.W;
  other.map(data, dataBase + 0x1000n, readable).map(data + 0x1000n, dataBase, random.oneIn(3) ? 0n : readable);
  for (const tables of [target.tables, other]) {
    tables.map(target.code, codePages[0], leafBits | global).map(target.stub, stubBase, leafBits | global);
  }
  const body = new Body(random);
  const [base, first, second] = body.scratch(3);
  const asid = BigInt(random.below(0xffff)) << 44n;
  body.x[base] = data + 0x1000n;
  body.x[first] = target.tables.satp | asid;
  // Without a fence between them, they must have different numbers (Priv. spec, Supervisor Address Translation and Protection).
  body.x[second] = other.satp | (asid ^ (1n << 44n));
  const free = body.reserving(base, first, second);
  for (let i = 0; i < 8; i++) {
    if (random.oneIn(2)) free.add(encode.csrrw(0, csr.satp, random.pick([first, second])));
    if (random.oneIn(6)) free.add(encode.sfenceVma(random.pick([0, base]), 0));
    access(random, free, base, [-256, -8, -16, -64, -4, 0, 8, 128], noAtomics);
  }
  const setup = writeCsrs([
    [csr.stvec, target.stub],
    [csr.medeleg, random.oneIn(2) ? delegatedAll : 0n],
    [csr.menvcfg, random.oneIn(2) ? 1n << 61n : 0n],
    [csr.satp, body.x[first]],
  ]);
  return testCase({
    id,
    mode: "S",
    setup,
    body: body.finish(),
    x: body.x,
    f: body.f,
    delta: target.code - codeBase,
    stub: target.stub,
    pokes: [...target.tables.pokes, ...other.pokes],
    seed: random.u64(),
  });
}
