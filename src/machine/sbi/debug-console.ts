import { fail, ok, type SbiCall, type SbiExtension, sbiError } from "./extension.ts";

/** Bytes of one call at most: a call is never long, and the caller asks again for the rest. */
const largest = 1n << 16n;

/** The buffer that a call names: length, address, and the address's upper half, which must be zero on a 64-bit hart. */
function buffer({ args: [length, low, high] }: SbiCall, access: (address: number, length: number) => Uint8Array | undefined) {
  if (high !== 0n) return undefined;
  // The whole of it has to be memory, even if only its start is used.
  if (access(Number(low), Number(length)) === undefined) return undefined;
  return access(Number(low), Number(length < largest ? length : largest));
}

/** SBI 2.0, chapter 12. */
export const dbcn: SbiExtension = {
  id: 0x4442434e,
  name: "DBCN",
  functions: {
    // console_write
    0: (call) => {
      const bytes = buffer(call, call.ports.read);
      return bytes ? ok(BigInt(call.ports.console.write(bytes))) : fail(sbiError.invalidParam);
    },
    // console_read
    1: (call) => {
      const bytes = buffer(call, call.ports.write);
      return bytes ? ok(BigInt(call.ports.console.read(bytes))) : fail(sbiError.invalidParam);
    },
    // console_write_byte
    2: ({ args, ports }) => {
      const taken = ports.console.write(Uint8Array.of(Number(args[0] & 0xffn)));
      return taken === 1 ? ok() : fail(sbiError.failed);
    },
  },
};
