/** Address spaces in which everything that a case needs is mapped well. */
import { csr } from "../assembler.ts";
import { type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { codeBase, dataBase, farDataBase, stubBase, windowBase, windowHalf } from "../layout.ts";
import { leafBits, PageTables, pte, type Scheme } from "../paging.ts";
import type { Random } from "../random.ts";

export interface AddressSpace {
  readonly mode: Mode;
  readonly tables: PageTables;
  readonly dataOffset: bigint;
  readonly codeOffset: bigint;
  readonly stub: bigint;
  readonly windowHigh: bigint;
  /** Maps two pages of physical memory a second time, writable; returns where. */
  aliasOf(page: bigint): bigint;
}

/** A well-mapped address space somewhere in the scheme's range; the second page of data may lie apart from the first. */
export function addressSpace(scheme: Scheme, mode: Mode, random: Random): AddressSpace {
  const tables = new PageTables(scheme);
  const bits = leafBits | (mode === "U" ? pte.U : 0n);
  // Far apart, so that no two share a last-level table; 2 MiB-aligned, so that superpages fit.
  const place = (slot: bigint) => tables.canonical((random.u64() & ~0x1f_ffffn & ~(0xfn << 26n)) | (slot << 26n));
  const [code, data, stub] = [place(1n), place(2n), place(3n)];
  tables.map(stub, stubBase, leafBits);
  const aliasOf = (page: bigint) => {
    const alias = place(4n);
    tables.map(alias, page, bits).map(alias + 0x1000n, page + 0x1000n, bits);
    return alias;
  };
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
      aliasOf,
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
    aliasOf,
  };
}

/** The case in an address space; `csrs` are written before `satp`. */
export function inSpace(
  space: AddressSpace,
  given: Partial<TestCase> & Pick<TestCase, "id" | "body">,
  csrs: readonly (readonly [number, bigint])[],
): TestCase {
  return testCase({
    ...given,
    mode: space.mode,
    delta: space.codeOffset,
    stub: space.stub,
    windowHigh: space.windowHigh,
    pokes: space.tables.pokes,
    setup: writeCsrs([...csrs, [csr.stvec, space.stub], [csr.satp, space.tables.satp]]),
  });
}
