/** Linux's encoding of device numbers below 2^32 (`makedev` of the C library). */
export function deviceNumber(device: number): { major: number; minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}
