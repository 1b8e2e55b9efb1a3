/**
 * Every way in which our machine and QEMU may differ while both follow the specification, or in which QEMU does not follow
 * it. What is not listed here is compared bit for bit.
 */

export interface CsrDifference {
  readonly first: number;
  readonly last: number;
  /** Bits that are not compared when the CSR is read. */
  readonly mask: bigint;
  /** Whether it exists is not compared either. */
  readonly skip?: boolean;
  readonly reason: string;
  readonly section: string;
}

const all = (1n << 64n) - 1n;

export const csrDifferences: readonly CsrDifference[] = [
  {
    first: 0xb00,
    last: 0xb1f,
    mask: all,
    reason: "machine counters count what each implementation counts; QEMU's follow the host's clock",
    section: "Priv. spec, Hardware Performance Monitor",
  },
  {
    first: 0x323,
    last: 0x33f,
    mask: all,
    reason: "which events can be selected is the implementation's choice",
    section: "Priv. spec, Hardware Performance Monitor",
  },
];
