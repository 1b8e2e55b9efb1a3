import { fail, ok, type SbiExtension, sbiError } from "./extension.ts";

const started = 0n;
/** Suspend types (SBI 2.0, table 11). */
const retentive = 0n;
const nonRetentive = 0x8000_0000n;
const platformSpecific = 0x1000_0000n;

/** SBI 2.0, chapter 9, for a machine with one hart. */
export const hsm: SbiExtension = {
  id: 0x48534d,
  name: "HSM",
  functions: {
    // hart_start
    0: ({ hart, args }) => fail(args[0] === BigInt(hart.id) ? sbiError.alreadyAvailable : sbiError.invalidParam),
    // hart_stop: nobody could start the only hart again
    1: () => fail(sbiError.failed),
    // hart_get_status
    2: ({ hart, args }) => (args[0] === BigInt(hart.id) ? ok(started) : fail(sbiError.invalidParam)),
    // hart_suspend
    3: ({ args }) => {
      const type = args[0] & 0xffff_ffffn;
      if (type === retentive) return { ...ok(), wait: true };
      const reserved = (type & 0x7fff_ffffn) < platformSpecific && type !== nonRetentive;
      return fail(reserved ? sbiError.invalidParam : sbiError.notSupported);
    },
  },
};

/** SBI 2.0, chapter 10. */
export const srst: SbiExtension = {
  id: 0x53525354,
  name: "SRST",
  functions: {
    0: ({ args: [type, reason], ports }) => {
      // Reserved reasons end at 0xdfffffff; above are those of implementations and vendors, of which there are none here.
      if ((reason & 0xffff_ffffn) > 1n) return fail(sbiError.invalidParam);
      const code = (reason & 0xffff_ffffn) === 1n ? 1 : 0;
      switch (type & 0xffff_ffffn) {
        case 0n: // shutdown
          ports.powerOff(code);
          return { ...ok(), wait: true };
        case 1n: // cold reboot
        case 2n: // warm reboot
          ports.reset();
          return { ...ok(), wait: true };
        default:
          return fail(sbiError.invalidParam);
      }
    },
  },
};
