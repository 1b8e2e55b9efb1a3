/** Page tables as pokes (Priv. spec, "Sv39", "Sv48", "Sv57", "Svnapot", "Svpbmt"). */
import { tablesBase } from "./layout.ts";

/** Fields of a page-table entry. */
export const pte = {
  V: 1n << 0n,
  R: 1n << 1n,
  W: 1n << 2n,
  X: 1n << 3n,
  U: 1n << 4n,
  G: 1n << 5n,
  A: 1n << 6n,
  D: 1n << 7n,
  RSW: 3n << 8n,
  reserved: 0x7fn << 54n,
  PBMT: 3n << 61n,
  N: 1n << 63n,
} as const;

export const leafBits = pte.V | pte.R | pte.W | pte.X | pte.A | pte.D;

/** Levels of a scheme by its `satp.MODE`. */
export const satpModes = {
  Sv39: { mode: 8n, levels: 3 },
  Sv48: { mode: 9n, levels: 4 },
  Sv57: { mode: 10n, levels: 5 },
} as const;
export type Scheme = keyof typeof satpModes;

export class PageTables {
  readonly levels: number;
  readonly satp: bigint;
  readonly #leaves = new Map<bigint, bigint>();
  readonly #nodes = new Map<bigint, bigint>();
  /** Tables by the path that leads to them. */
  readonly #tables: Map<string, bigint>;

  readonly #base: bigint;

  /** @param base where the tables go, the root first */
  constructor(scheme: Scheme, base = tablesBase) {
    this.levels = satpModes[scheme].levels;
    this.satp = (satpModes[scheme].mode << 60n) | (base >> 12n);
    this.#base = base;
    this.#tables = new Map([["", base]]);
  }

  /** Sign-extends an address to what the scheme calls valid. */
  canonical(address: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(12 + 9 * this.levels, address));
  }

  /**
   * Writes a leaf.
   * @param level 0: 4 KiB, 1: 2 MiB, ... A physical address that is not aligned to it makes a misaligned superpage.
   */
  map(virtual: bigint, physical: bigint, bits: bigint, level = 0): this {
    const slot = this.#slot(virtual, level, 0n);
    if (this.#leaves.has(slot)) throw new Error(`page ${virtual.toString(16)} is mapped twice`);
    this.#leaves.set(slot, ((physical >> 12n) << 10n) | bits);
    return this;
  }

  /** Writes an entry as it is, at any level; `nodeBits` are added to the entries that lead there. */
  put(virtual: bigint, entry: bigint, level: number, nodeBits = 0n): this {
    this.#leaves.set(this.#slot(virtual, level, nodeBits), entry);
    return this;
  }

  /** Leaves come first, in the order of mapping, so that they are reported. */
  get pokes(): [bigint, bigint][] {
    return [...this.#leaves, ...[...this.#nodes].filter(([slot]) => !this.#leaves.has(slot))];
  }

  /** Address of the entry for `virtual` at `level`; makes the tables above it. */
  #slot(virtual: bigint, level: number, nodeBits: bigint): bigint {
    let path = "";
    let table = this.#base;
    for (let l = this.levels - 1; ; l--) {
      const index = (virtual >> BigInt(12 + 9 * l)) & 511n;
      const slot = table + index * 8n;
      if (l === level) return slot;
      path += `/${index}`;
      let next = this.#tables.get(path);
      if (next === undefined) {
        next = this.#base + BigInt(this.#tables.size) * 4096n;
        this.#tables.set(path, next);
      }
      this.#nodes.set(slot, (this.#nodes.get(slot) ?? (next >> 12n) << 10n) | pte.V | nodeBits);
      table = next;
    }
  }
}
