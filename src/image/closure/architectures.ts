import type { Elf } from "./elf.ts";

/** What the dynamic linkers know of a machine: Debian's multiarch name, library directory names, `$PLATFORM`. */
export interface Architecture {
  readonly triplets: readonly string[];
  /** Names beside `lib`, as `lib64`: the values that `$LIB` may have. */
  readonly libraries: readonly string[];
  readonly platforms: readonly string[];
}

type Row = readonly [
  machine: number,
  fileClass: 32 | 64,
  little: boolean,
  triplets: string,
  libraries: string,
  platforms: string,
];

/** e_machine (gABI), class, byte order; Debian multiarch tuples; slibdir of glibc's ports; AT_PLATFORM. */
const rows: readonly Row[] = [
  [62, 64, true, "x86_64-linux-gnu x86_64-linux-musl", "lib64", "x86_64 haswell xeon_phi"],
  [62, 32, true, "x86_64-linux-gnux32", "libx32", "x86_64"],
  [3, 32, true, "i386-linux-gnu i386-linux-musl", "lib32", "i686 i586 i486 i386"],
  [183, 64, true, "aarch64-linux-gnu aarch64-linux-musl", "lib64", "aarch64"],
  [183, 64, false, "aarch64_be-linux-gnu", "lib64", "aarch64_be"],
  [40, 32, true, "arm-linux-gnueabihf arm-linux-gnueabi arm-linux-musleabihf", "lib", "v8l v7l v6l v5l"],
  [40, 32, false, "armeb-linux-gnueabi", "lib", "v7b"],
  [243, 64, true, "riscv64-linux-gnu riscv64-linux-musl", "lib64/lp64d lib64/lp64 lib64", "riscv64"],
  [243, 32, true, "riscv32-linux-gnu", "lib32/ilp32d lib32/ilp32", "riscv32"],
  [21, 64, true, "powerpc64le-linux-gnu powerpc64le-linux-musl", "lib64", "power10 power9 power8"],
  [21, 64, false, "powerpc64-linux-gnu", "lib64", "power10 power9 power8 power7 power6 power5 power4"],
  [20, 32, false, "powerpc-linux-gnu", "lib", "ppc"],
  [22, 64, false, "s390x-linux-gnu s390x-linux-musl", "lib64", "z16 z15 z14 z13 zEC12"],
  [8, 64, true, "mips64el-linux-gnuabi64", "lib64", "mips"],
  [8, 64, false, "mips64-linux-gnuabi64", "lib64", "mips"],
  [8, 32, true, "mipsel-linux-gnu mips64el-linux-gnuabin32", "lib lib32", "mips"],
  [8, 32, false, "mips-linux-gnu", "lib lib32", "mips"],
  [258, 64, true, "loongarch64-linux-gnu", "lib64", "loongarch"],
  [43, 64, false, "sparc64-linux-gnu", "lib64", "sun4v"],
  [2, 32, false, "sparc-linux-gnu", "lib", "sun4u"],
  [0x9026, 64, true, "alpha-linux-gnu", "lib", "ev67"],
  [15, 32, false, "hppa-linux-gnu", "lib", "parisc"],
  [50, 64, true, "ia64-linux-gnu", "lib", "ia64"],
  [4, 32, false, "m68k-linux-gnu", "lib", "m68k"],
  [42, 32, true, "sh4-linux-gnu", "lib", "sh4"],
];

const table = new Map(
  rows.map(([machine, fileClass, little, triplets, libraries, platforms]): [string, Architecture] => [
    `${machine} ${fileClass} ${little}`,
    { triplets: triplets.split(" "), libraries: libraries.split(" "), platforms: platforms.split(" ") },
  ]),
);
const unknown64: Architecture = { triplets: [], libraries: ["lib64"], platforms: [] };
const unknown32: Architecture = { triplets: [], libraries: [], platforms: [] };

/** The row of an ELF file's machine; an unknown machine has only the common directories. */
export function architectureOf(elf: Elf): Architecture {
  return table.get(`${elf.machine} ${elf.class} ${elf.littleEndian}`) ?? (elf.class === 64 ? unknown64 : unknown32);
}
