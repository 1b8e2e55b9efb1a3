import type { Hart } from "../hart.ts";
import { csr, ok, type SbiExtension } from "./extension.ts";

/** SBI 2.0: major in bits 30:24, minor below. */
const specVersion = 2n << 24n;
/** Identifiers of implementations are assigned by the specification's editors; we have none, so it spells "viv". */
const implementationId = 0x766976n;
const implementationVersion = 1n;

const machineId = (hart: Hart, number: number) => ok(hart.getCsr(number) ?? 0n);

/** SBI 2.0, chapter 4. @param supported whether there is an extension with this identifier */
export const base = (supported: (id: bigint) => boolean): SbiExtension => ({
  id: 0x10,
  name: "BASE",
  functions: {
    0: () => ok(specVersion),
    1: () => ok(implementationId),
    2: () => ok(implementationVersion),
    3: ({ args }) => ok(supported(args[0]) ? 1n : 0n),
    4: ({ hart }) => machineId(hart, csr.mvendorid),
    5: ({ hart }) => machineId(hart, csr.marchid),
    6: ({ hart }) => machineId(hart, csr.mimpid),
  },
});
