import type { Rule } from "./rule.ts";

const compiler = /^(?:(\w+-linux-\w+)-)?(?:gcc|cc|c89|c99|cpp|g\+\+|c\+\+)(?:-(\d+))?$/;

/** Passes of the other languages: for C they only cost room. */
const otherLanguages =
  /\/(cc1plus|cc1obj|cc1objplus|f951|gnat1|go1|d21|g\+\+-mapper-server|libstdc\+\+\w*\.a|libsupc\+\+\.a)$|\/(adalib|adainclude|finclude)\//;

/** gcc's driver finds its passes, headers and start files by itself. */
export const compilerRules: readonly Rule[] = [
  {
    name: "gcc",
    when: { program: compiler },
    needs: [
      { path: "/usr/lib/gcc/{triplet}/{2}/**", except: otherLanguages, why: "the compiler's passes, headers and start files" },
      { path: "/usr/libexec/gcc/{triplet}/{2}/**", except: otherLanguages, why: "the compiler's passes" },
      { path: "/usr/lib/gcc/{1}/{2}/**", except: otherLanguages, why: "the compiler's passes, headers and start files" },
      { path: "/usr/lib/gcc-cross/{1}/{2}/**", except: otherLanguages, why: "the compiler's passes, headers and start files" },
      { package: "libc6-dev", path: "/usr/include/**", why: "the C library's headers and start files" },
      { package: "linux-libc-dev", why: "the kernel's headers" },
      { package: "libcrypt-dev", why: "headers that belong to the C library" },
      { package: "libnsl-dev", why: "libraries that belong to the C library" },
      { package: "libtirpc-dev", why: "headers that belong to the C library" },
      { path: "/usr/{1}/**", why: "headers and libraries of the machine that is compiled for" },
      { path: "/usr/lib/{triplet}/*crt*.o", why: "start files" },
      { path: "/usr/lib64/*crt*.o", why: "start files" },
      { path: "/lib/{triplet}/libgcc_s.so.1", why: "linked into programs" },
      { program: "as", why: "the assembler" },
      { program: "ld", why: "the linker" },
      { program: "{1}-as", why: "the assembler" },
      { program: "{1}-ld", why: "the linker" },
      { program: "ar", why: "archives" },
      { program: "nm", why: "symbols, for link-time optimization" },
      { program: "ranlib", why: "archives" },
      { path: "/usr/share/gcc/python/**", why: "printers for the debugger" },
    ],
  },
  {
    name: "g++",
    when: { program: /^(?:(\w+-linux-\w+)-)?(?:g\+\+|c\+\+)(?:-(\d+))?$/ },
    needs: [
      { path: "/usr/lib/gcc/{triplet}/{2}/**", why: "the C++ compiler" },
      { path: "/usr/libexec/gcc/{triplet}/{2}/**", why: "the C++ compiler" },
      { path: "/usr/lib/gcc-cross/{1}/{2}/**", why: "the C++ compiler" },
      { path: "/usr/include/c++/**", why: "the C++ library's headers" },
      { path: "/usr/include/{triplet}/c++/**", why: "the C++ library's headers" },
    ],
  },
  {
    name: "binutils",
    when: { program: /(^|-)(ld|ld\.bfd|as|ar|nm|ranlib|objdump|strip)$/ },
    needs: [
      { path: "/usr/lib/bfd-plugins/*", except: /LLVM/, why: "plugins for link-time optimization" },
      { path: "/usr/lib/{triplet}/bfd-plugins/*", except: /LLVM/, why: "plugins for link-time optimization" },
      { path: "/usr/lib/{triplet}/ldscripts/*", why: "linker scripts" },
      { path: "/usr/lib/ldscripts/*", why: "linker scripts" },
    ],
  },
  {
    name: "make",
    when: { program: /^g?make$/ },
    needs: [{ program: "sh", why: "runs recipes" }],
  },
];
