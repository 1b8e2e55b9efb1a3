/** Sequences of everything: 1 to 40 instructions of all kinds, in all modes, with and without address translation. */
import { csr, encode } from "../assembler.ts";
import { Body } from "../body.ts";
import { floatState, type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { instructions } from "../instructions.ts";
import { codeBase, dataBase, farDataBase, stubBase, windowBase, windowHalf } from "../layout.ts";
import { leafBits, PageTables, pte, type Scheme } from "../paging.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";

/** Delegates every exception there is, but the call from S-mode: the stub needs it. */
export const delegatedAll = 0xb1ffn;

// lr and sc mixed with other stores may succeed or fail as the implementation likes (Unpriv. spec, "Eventual Success of Store-Conditional").
const usable = instructions.filter(({ kind, name }) => kind !== "system" && kind !== "csr" && !/^(lr|sc)\./.test(name));
const byKind = [
  usable.filter(({ kind, size }) => kind === "plain" && size === 4),
  usable.filter(({ kind, size }) => kind === "plain" && size === 4),
  usable.filter(({ size }) => size === 2),
  usable.filter(({ kind }) => kind === "float"),
  usable.filter(({ kind }) => kind === "load" || kind === "store" || kind === "atomic"),
  usable.filter(({ kind, name }) => kind === "branch" || kind === "jal" || kind === "jalr" || name === "auipc"),
  usable,
];

export const mixGroups: readonly Group[] = [
  { name: "mix/bare", weight: 600, make: (index, id) => mix(index, id) },
  ...(["Sv39", "Sv48", "Sv57"] as const).map((scheme) => ({
    name: `mix/${scheme}`,
    weight: 200,
    make: (index: number, id: string) => mix(index, id, scheme),
  })),
];

function mix(index: number, id: string, scheme?: Scheme): TestCase {
  const random = new Random(id);
  const space = scheme === undefined ? undefined : addressSpace(scheme, index % 2 === 0 ? "S" : "U", random);
  const body = new Body(random, { offset: space?.dataOffset });
  const length = random.pick([1, 5, 10, 20, 40]);
  for (let i = 0; i < length; i++) {
    const instruction = random.pick(random.pick(byKind));
    body.addRandom(instruction);
    if (random.oneIn(12)) body.add(encode.csrrs(body.scratch(1)[0], random.pick([csr.fflags, csr.frm, csr.fcsr]), 0));
    if (random.oneIn(40)) body.add(random.pick([encode.ecall(), encode.ebreak(), encode.fenceI()]));
  }
  const mode = (["M", "S", "U"] as const satisfies Mode[])[index % 3];
  const common = {
    id,
    body: body.finish(),
    x: body.x,
    f: body.f,
    fcsr: random.below(256) & (random.oneIn(8) ? 0xff : 0x9f),
    mstatus: random.oneIn(16) ? floatState.off : random.pick([floatState.dirty, floatState.clean, floatState.initial]),
    start: random.oneIn(3) ? 4096 - 2 * random.below(60) : 2 * random.below(64),
    seed: random.u64(),
  };
  const medeleg = random.oneIn(2) ? delegatedAll & random.u64() : 0n;
  if (space === undefined) return testCase({ ...common, mode, setup: mode === "M" ? [] : writeCsrs([[csr.medeleg, medeleg]]) });
  return testCase({
    ...common,
    mode: space.mode,
    delta: space.codeOffset,
    stub: space.stub,
    windowHigh: space.windowHigh,
    pokes: space.tables.pokes,
    setup: writeCsrs([
      [csr.medeleg, medeleg],
      [csr.stvec, space.stub],
      [csr.satp, space.tables.satp],
    ]),
  });
}

interface AddressSpace {
  readonly mode: Mode;
  readonly tables: PageTables;
  readonly dataOffset: bigint;
  readonly codeOffset: bigint;
  readonly stub: bigint;
  readonly windowHigh: bigint;
}

/** A well-mapped address space somewhere in the scheme's range; the second page of data may lie apart from the first. */
function addressSpace(scheme: Scheme, mode: Mode, random: Random): AddressSpace {
  const tables = new PageTables(scheme);
  const bits = leafBits | (mode === "U" ? pte.U : 0n);
  // Far apart, so that no two share a last-level table; 2 MiB-aligned, so that superpages fit.
  const place = (slot: bigint) => tables.canonical((random.u64() & ~0x1f_ffffn & ~(0xfn << 26n)) | (slot << 26n));
  const [code, data, stub] = [place(1n), place(2n), place(3n)];
  tables.map(stub, stubBase, leafBits);
  const superpages = random.oneIn(3);
  if (superpages) {
    const physical = codeBase & ~0x1f_ffffn;
    tables.map(code, physical, bits, 1).map(data, physical, bits, 1);
    const inPage = (address: bigint) => address - physical;
    return {
      mode,
      tables,
      dataOffset: data + inPage(dataBase) - dataBase,
      codeOffset: code + inPage(codeBase) - codeBase,
      stub,
      windowHigh: windowBase + BigInt(windowHalf),
    };
  }
  const far = random.oneIn(2);
  tables.map(code, codeBase, bits).map(code + 0x1000n, codeBase + 0x1000n, bits);
  tables.map(data, dataBase, bits).map(data + 0x1000n, far ? farDataBase : dataBase + 0x1000n, bits);
  return {
    mode,
    tables,
    dataOffset: data - dataBase,
    codeOffset: code - codeBase,
    stub,
    windowHigh: far ? farDataBase : windowBase + BigInt(windowHalf),
  };
}
