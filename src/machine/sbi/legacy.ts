import {
  allOnes,
  ok,
  type SbiCall,
  type SbiExtension,
  type SbiFunction,
  setSupervisorSoftware,
  setSupervisorTimer,
} from "./extension.ts";

/**
 * The legacy calls (SBI 2.0, chapter 5): each is an extension of its own, and only `a0` is returned. Those that take a
 * pointer to a hart mask in virtual memory (IPI and remote fences) are left out; TIME, IPI and RFENCE replace them.
 */
const calls: Readonly<Record<number, readonly [name: string, call: SbiFunction]>> = {
  0: [
    "set_timer",
    ({ hart, args }) => {
      setSupervisorTimer(hart, args[0]);
      return ok();
    },
  ],
  1: [
    "console_putchar",
    ({ args, ports }) => {
      const taken = ports.console.write(Uint8Array.of(Number(args[0] & 0xffn)));
      return ok(taken === 1 ? 0n : allOnes);
    },
  ],
  2: ["console_getchar", getchar],
  3: [
    "clear_ipi",
    ({ hart }) => {
      setSupervisorSoftware(hart, false);
      return ok();
    },
  ],
  8: [
    "shutdown",
    ({ ports }) => {
      ports.powerOff(0);
      return ok();
    },
  ],
};

/** The character in `a0`, or -1; `value` since it is no error code. */
function getchar({ ports }: SbiCall) {
  const byte = new Uint8Array(1);
  return ok(ports.console.read(byte) === 1 ? BigInt(byte[0]) : allOnes);
}

export const legacy: readonly SbiExtension[] = Object.entries(calls).map(([id, [name, call]]) => ({
  id: Number(id),
  name,
  functions: { 0: call },
}));

/** Legacy extensions take the function's place: it is ignored, and the value goes to `a0`. */
export const isLegacy = (id: bigint): boolean => id <= 0xfn;
