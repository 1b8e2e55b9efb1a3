import type { Hart } from "../hart.ts";
import { base } from "./base.ts";
import { dbcn } from "./debug-console.ts";
import { csr, fail, type SbiExtension, type SbiPorts, sbiError } from "./extension.ts";
import { hsm, srst } from "./hart-system.ts";
import { isLegacy, legacy } from "./legacy.ts";
import { pmu } from "./pmu.ts";
import { ipi, rfence, time } from "./timer-ipi-fence.ts";

/** Integer registers of the calling convention. */
const a0 = 10;
const a1 = 11;
const a6 = 16;
const a7 = 17;

/**
 * The supervisor execution environment (RISC-V SBI 2.0) for a machine that starts its kernel in S-mode without firmware.
 * What is not here (SUSP, NACL, STA, CPPC, firmware features) is answered as not supported.
 */
export class Sbi {
  readonly #ports: SbiPorts;
  readonly #extensions: ReadonlyMap<bigint, SbiExtension>;
  /** Calls by the name of their extension, for reports. */
  readonly calls = new Map<string, number>();

  constructor(ports: SbiPorts) {
    this.#ports = ports;
    const extensions = new Map<bigint, SbiExtension>();
    const all = [base((id) => extensions.has(id)), time, ipi, rfence, hsm, srst, dbcn, pmu, ...legacy];
    for (const extension of all) extensions.set(BigInt(extension.id), extension);
    this.#extensions = extensions;
  }

  /**
   * Answers the call of a hart whose `run` came back for an ECALL, and moves it behind the instruction. Returns true if the
   * hart shall wait for an interrupt first.
   */
  handle(hart: Hart): boolean {
    const id = hart.getX(a7);
    const args = [0, 1, 2, 3, 4, 5].map((index) => hart.getX(a0 + index));
    const extension = this.#extensions.get(id);
    const name = extension?.name ?? "unknown";
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    // Numbers of functions are small; whatever else is in a6 names none.
    const number = isLegacy(id) ? 0 : Number(hart.getX(a6));
    const call = extension && Object.hasOwn(extension.functions, number) ? extension.functions[number] : undefined;
    const result = call ? call({ hart, args, ports: this.#ports }) : fail(sbiError.notSupported);
    if (extension && isLegacy(id)) hart.setX(a0, result.value ?? 0n);
    else {
      hart.setX(a0, BigInt.asUintN(64, BigInt(result.error)));
      hart.setX(a1, result.value ?? 0n);
    }
    hart.pc += 4n;
    return result.wait === true;
  }
}

/**
 * What firmware would have set before it enters a kernel in S-mode, where M-mode has no software of its own: every trap and
 * interrupt that S-mode can take goes there, and no feature of the hart is withheld.
 */
export const supervisorState: readonly (readonly [number: number, value: bigint])[] = [
  // All exceptions but ECALL from S-mode (9), which is a call to us, and those that cannot be delegated (11).
  [csr.medeleg, 0xb1ffn],
  // Supervisor software, timer and external interrupts.
  [csr.mideleg, 0x222n],
  [csr.mie, 0n],
  // cycle, time, instret and the hpmcounters.
  [csr.mcounteren, 0xffff_ffffn],
  // cycle, time and instret for user programs too: as OpenSBI does, and Linux relies on it (its vDSO reads time).
  [csr.scounteren, 7n],
  [csr.mcountinhibit, 0n],
  // STCE (Sstc), PBMTE (Svpbmt), ADUE (Svadu), CBZE and CBCFE (Zicboz, Zicbom), CBIE = invalidate.
  [csr.menvcfg, (1n << 63n) | (1n << 62n) | (1n << 61n) | 0xf0n],
  // One region over all addresses (NAPOT), readable, writable, executable.
  [csr.pmpaddr0, (1n << 54n) - 1n],
  [csr.pmpcfg0, 0x1fn],
  // No timer.
  [csr.stimecmp, 2n ** 64n - 1n],
];
