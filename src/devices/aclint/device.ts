import * as v from "valibot";
import type { Clock, DeviceState, Irq, MmioDevice } from "../ports.ts";
import { Misuse, type RegisterTable } from "../registers.ts";
import { array, checkState, hex64, unsigned64, whole } from "../state.ts";
import { aclintRegisters, aclintSize } from "./registers.ts";

/** Nanoseconds of a tick: the timebase of QEMU's `virt` board is 10 MHz. */
export const nanosecondsPerTick = 100;

/** `mtime` has this many bits, so that ticks are exact in a double; the others read as zero. It wraps after 28 years. */
const mtimeBits = 53;

export interface AclintPorts {
  readonly clock: Clock;
  /** For each hart the lines behind `mip.MSIP` and `mip.MTIP`. */
  readonly harts: readonly { readonly msip: Irq; readonly mtip: Irq }[];
}

/**
 * Software interrupts and the machine timer of all harts: RISC-V ACLINT's MSWI and MTIMER, laid out as SiFive's CLINT.
 * `mtime` counts guest time; load the state after that of the clock.
 */
export class Aclint implements MmioDevice {
  readonly name = "aclint";
  readonly size = aclintSize;
  readonly misuse = new Misuse();
  readonly table: RegisterTable<Aclint>;
  readonly #ports: AclintPorts;
  readonly #msip: Uint32Array;
  readonly #mtimecmp: BigUint64Array;
  readonly #cancel: (() => void)[];
  /** `mtime` minus the ticks of the clock; not zero once the guest has written `mtime`. */
  #offset = 0;

  constructor(ports: AclintPorts) {
    const harts = ports.harts.length;
    this.#ports = ports;
    this.table = aclintRegisters(harts);
    this.#msip = new Uint32Array(harts);
    this.#mtimecmp = new BigUint64Array(harts);
    this.#cancel = Array.from({ length: harts }, () => () => {});
    this.reset();
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return this.table.read(this, offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    this.table.write(this, offset, size, value);
  }

  read64(offset: number): bigint {
    return this.table.read64(this, offset);
  }

  write64(offset: number, value: bigint): void {
    this.table.write64(this, offset, value);
  }

  /** Ticks since reset, or as the guest has set them: what the `time` CSR shows. Below 2^53. */
  mtime(): number {
    const ticks = Math.floor(this.#ports.clock.now() / nanosecondsPerTick) + this.#offset;
    if (ticks < 2 ** mtimeBits) return ticks;
    this.#offset -= 2 ** mtimeBits;
    return ticks - 2 ** mtimeBits;
  }

  writeMtime(value: bigint): void {
    const ticks = Number(BigInt.asUintN(mtimeBits, value));
    this.#offset = ticks - Math.floor(this.#ports.clock.now() / nanosecondsPerTick);
    for (let hart = 0; hart < this.#mtimecmp.length; hart++) this.#updateTimer(hart);
  }

  /** Sets a hart's `mtimecmp`, as its register does; for an execution environment that offers `sbi_set_timer`. */
  writeMtimecmp(hart: number, value: bigint): void {
    this.#mtimecmp[hart] = value;
    this.#updateTimer(hart);
  }

  readMtimecmp(hart: number): bigint {
    return this.#mtimecmp[hart];
  }

  /** Only bit 0 of `msip` exists (ACLINT 1.0, 2.2). */
  writeMsip(hart: number, value: number): void {
    this.#msip[hart] = value & 1;
    this.#ports.harts[hart].msip.set((value & 1) === 1);
  }

  readMsip(hart: number): number {
    return this.#msip[hart];
  }

  reset(): void {
    this.#offset = 0;
    for (let hart = 0; hart < this.#msip.length; hart++) {
      this.writeMsip(hart, 0);
      this.writeMtimecmp(hart, 0xffff_ffff_ffff_ffffn);
    }
  }

  save(): DeviceState {
    return {
      schema: "aclint",
      version: 1,
      mtime: this.mtime(),
      msip: [...this.#msip],
      mtimecmp: Array.from(this.#mtimecmp, hex64),
    };
  }

  load(state: DeviceState): void {
    const harts = this.#msip.length;
    const loaded = checkState("aclint", 1, fields(harts), state);
    this.#mtimecmp.set(loaded.mtimecmp);
    for (let hart = 0; hart < harts; hart++) this.writeMsip(hart, loaded.msip[hart]);
    this.writeMtime(BigInt(loaded.mtime));
  }

  /** MTIP is high as long as `mtime` has reached `mtimecmp` (Priv. spec 3.2.1). */
  #updateTimer(hart: number): void {
    this.#cancel[hart]();
    this.#cancel[hart] = () => {};
    const compare = this.#mtimecmp[hart];
    const due = compare < 1n << BigInt(mtimeBits) && this.mtime() >= Number(compare);
    this.#ports.harts[hart].mtip.set(due);
    // What is due stays so until `mtime` wraps.
    const next = due ? 2 ** mtimeBits : Number(compare);
    const at = (next - this.#offset) * nanosecondsPerTick;
    // Beyond that nanoseconds are not exact, and nobody will wait for them.
    if (at > Number.MAX_SAFE_INTEGER) return;
    this.#cancel[hart] = this.#ports.clock.schedule(at, () => this.#updateTimer(hart));
  }
}

function fields(harts: number) {
  return {
    mtime: whole,
    msip: array(harts, 1),
    mtimecmp: v.pipe(v.array(unsigned64), v.length(harts)),
  };
}
