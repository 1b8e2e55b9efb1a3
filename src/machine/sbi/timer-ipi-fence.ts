import type { Hart } from "../hart.ts";
import {
  fail,
  namesHart,
  ok,
  type SbiExtension,
  type SbiFunction,
  sbiError,
  setSupervisorSoftware,
  setSupervisorTimer,
} from "./extension.ts";

/** SBI 2.0, chapter 6. */
export const time: SbiExtension = {
  id: 0x54494d45,
  name: "TIME",
  functions: {
    0: ({ hart, args }) => {
      setSupervisorTimer(hart, args[0]);
      return ok();
    },
  },
};

/** SBI 2.0, chapter 7. */
export const ipi: SbiExtension = {
  id: 0x735049,
  name: "IPI",
  functions: {
    0: ({ hart, args: [mask, base] }) => {
      const named = namesHart(hart, mask, base);
      if (named === undefined) return fail(sbiError.invalidParam);
      if (named) setSupervisorSoftware(hart, true);
      return ok();
    },
  },
};

/** Does a fence on the harts that the call names. The hart's own fences are whole, so ranges and ASIDs need no look. */
const fence =
  (apply: (hart: Hart) => void): SbiFunction =>
  ({ hart, args: [mask, base] }) => {
    const named = namesHart(hart, mask, base);
    if (named === undefined) return fail(sbiError.invalidParam);
    if (named) apply(hart);
    return ok();
  };
const fenceTranslations = fence((hart) => hart.flushTranslations());

/** SBI 2.0, chapter 8; functions 3 to 6 are for the hypervisor extension, which the hart has not. */
export const rfence: SbiExtension = {
  id: 0x52464e43,
  name: "RFENCE",
  functions: {
    // remote_fence_i: what a hart stored itself it executes, with or without a fence
    0: fence(() => {}),
    1: fenceTranslations, // remote_sfence_vma
    2: fenceTranslations, // remote_sfence_vma_asid
  },
};
