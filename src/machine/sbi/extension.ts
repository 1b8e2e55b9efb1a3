import type { Hart } from "../hart.ts";

/** Error codes (SBI 2.0, table 1). */
export const sbiError = {
  success: 0,
  failed: -1,
  notSupported: -2,
  invalidParam: -3,
  denied: -4,
  invalidAddress: -5,
  alreadyAvailable: -6,
  alreadyStarted: -7,
  alreadyStopped: -8,
} as const;
export type SbiError = (typeof sbiError)[keyof typeof sbiError];

/** What a call leaves in `a0` and `a1`; `wait` lets the hart wait for an interrupt before it goes on. */
export interface SbiResult {
  readonly error: SbiError;
  readonly value?: bigint;
  readonly wait?: boolean;
}

/** The console behind calls: bytes taken, bytes given. */
export interface SbiConsole {
  /** Returns how many bytes were taken. */
  write(bytes: Uint8Array): number;
  /** Fills `into` with what was typed; returns how many bytes that were. */
  read(into: Uint8Array): number;
}

/** What calls need of the machine. */
export interface SbiPorts {
  readonly console: SbiConsole;
  /** Guest RAM; `undefined` for what is not wholly in it. */
  read(address: number, length: number): Uint8Array | undefined;
  write(address: number, length: number): Uint8Array | undefined;
  powerOff(code: number): void;
  reset(): void;
}

/** Arguments in `a0`..`a5`, unsigned. */
export interface SbiCall {
  readonly hart: Hart;
  readonly args: readonly bigint[];
  readonly ports: SbiPorts;
}

export type SbiFunction = (call: SbiCall) => SbiResult;

/** An extension: functions by their number. What is not listed is not supported. */
export interface SbiExtension {
  readonly id: number;
  readonly name: string;
  readonly functions: Readonly<Record<number, SbiFunction>>;
}

export const ok = (value = 0n): SbiResult => ({ error: sbiError.success, value });
export const fail = (error: SbiError): SbiResult => ({ error });

/** Names of the CSRs that calls and the start of a kernel in S-mode touch (Priv. spec, chapter 2.2). */
export const csr = {
  scounteren: 0x106,
  stimecmp: 0x14d,
  medeleg: 0x302,
  mideleg: 0x303,
  mie: 0x304,
  mcounteren: 0x306,
  menvcfg: 0x30a,
  mcountinhibit: 0x320,
  mip: 0x344,
  pmpcfg0: 0x3a0,
  pmpaddr0: 0x3b0,
  mcycle: 0xb00,
  minstret: 0xb02,
  cycle: 0xc00,
  mvendorid: 0xf11,
  marchid: 0xf12,
  mimpid: 0xf13,
} as const;

export const allOnes = 2n ** 64n - 1n;

/**
 * Whether a mask of harts names this one, the only one (SBI 2.0, 3.1): `undefined` if it names another. A base of -1 means
 * all harts.
 */
export function namesHart(hart: Hart, mask: bigint, base: bigint): boolean | undefined {
  if (base === allOnes) return true;
  const self = BigInt(hart.id) - base;
  const selfBit = self >= 0n && self < 64n ? 1n << self : 0n;
  return (mask & ~selfBit) !== 0n ? undefined : (mask & selfBit) !== 0n;
}

/** Makes a supervisor software interrupt pending or takes it back. */
export function setSupervisorSoftware(hart: Hart, pending: boolean): void {
  const mip = hart.getCsr(csr.mip) ?? 0n;
  hart.setCsr(csr.mip, pending ? mip | 2n : mip & ~2n);
}

/** Sets the supervisor timer: Sstc's comparison does the rest. */
export function setSupervisorTimer(hart: Hart, at: bigint): void {
  hart.setCsr(csr.stimecmp, at);
}
