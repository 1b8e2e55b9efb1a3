import type { Rule } from "./rule.ts";

/** What glibc and musl open without any ELF header saying so. */
export const glibcRules: readonly Rule[] = [
  {
    name: "ld.so",
    when: { library: /^ld-linux.*\.so\.\d+$|^ld64?\.so\.\d+$/ },
    needs: [
      { path: "/etc/ld.so.cache", why: "the dynamic linker's index of libraries" },
      { path: "/etc/ld.so.preload", why: "libraries loaded into every program" },
    ],
  },
  {
    name: "ld-musl",
    when: { library: /^ld-musl-(.+)\.so\.1$/ },
    needs: [{ path: "/etc/ld-musl-{1}.path", why: "musl's library directories" }],
  },
  {
    name: "thread-exit",
    when: { symbols: ["pthread_exit", "pthread_cancel", "backtrace"] },
    needs: [{ library: "libgcc_s.so.1", why: "glibc loads the unwinder for thread exit and backtraces" }],
  },
  {
    name: "nss",
    when: {
      symbols: [
        "getpwnam",
        "getpwuid",
        "getpwent",
        "getgrnam",
        "getgrgid",
        "getgrent",
        "getpwnam_r",
        "getpwuid_r",
        "getpwent_r",
        "getgrnam_r",
        "getgrgid_r",
        "getgrent_r",
        "getgrouplist",
        "initgroups",
        "getlogin",
        "getspnam",
      ],
    },
    needs: [
      { path: "/etc/nsswitch.conf", why: "names the name services" },
      { path: "/etc/passwd", why: "users" },
      { path: "/etc/group", why: "groups" },
      { path: "/etc/default/nss", why: "options of the name services" },
      { expand: "nsswitch", why: "a name service of nsswitch.conf" },
    ],
  },
  {
    name: "resolver",
    when: {
      symbols: [
        "getaddrinfo",
        "getnameinfo",
        "gethostbyname",
        "gethostbyname_r",
        "gethostbyname2",
        "gethostbyname2_r",
        "gethostbyaddr",
        "gethostbyaddr_r",
        "getservbyname",
        "getservbyname_r",
        "getservbyport",
        "getservbyport_r",
        "getprotobyname",
        "getprotobyname_r",
        "getprotobynumber",
        "res_init",
        "res_ninit",
      ],
    },
    needs: [
      { path: "/etc/nsswitch.conf", why: "names the name services" },
      { path: "/etc/hosts", why: "host names" },
      { path: "/etc/host.conf", why: "the resolver's configuration" },
      { path: "/etc/resolv.conf", why: "the name servers" },
      { path: "/etc/gai.conf", why: "order of addresses" },
      { path: "/etc/services", why: "port names" },
      { path: "/etc/protocols", why: "protocol names" },
      { path: "/etc/networks", why: "network names" },
      { path: "/etc/ethers", why: "hardware addresses" },
      { path: "/etc/rpc", why: "RPC program names" },
      { library: "libidn2.so.0", why: "host names in other scripts" },
      { expand: "nsswitch", why: "a name service of nsswitch.conf" },
    ],
  },
  {
    name: "locale",
    when: { symbols: ["setlocale", "newlocale"] },
    needs: [
      { path: "/usr/lib/locale/**", why: "locales" },
      { path: "/usr/share/locale/locale.alias", why: "names of locales" },
      { path: "/usr/lib/{triplet}/gconv/gconv-modules.cache", why: "opened with the locale's character set" },
      { path: "/usr/lib64/gconv/gconv-modules.cache", why: "opened with the locale's character set" },
    ],
  },
  {
    name: "gconv",
    when: { symbols: ["iconv_open", "iconv"] },
    needs: [
      { path: "/usr/lib/{triplet}/gconv/**", why: "character set conversions" },
      { path: "/usr/lib64/gconv/**", why: "character set conversions" },
    ],
  },
  {
    name: "timezones",
    when: { symbols: ["localtime", "localtime_r", "tzset", "mktime"] },
    needs: [
      { path: "/etc/localtime", why: "the system's time zone" },
      { path: "/etc/timezone", why: "the name of the system's time zone" },
      { path: "/usr/share/zoneinfo/**", except: /\/zoneinfo\/(right|posix)(\/|$)/, why: "time zones" },
    ],
  },
  {
    name: "shell",
    when: { symbols: ["system", "popen", "wordexp"] },
    needs: [{ program: "sh", why: "system() and popen() start the shell" }],
  },
  {
    name: "shells",
    when: { symbols: ["getusershell"] },
    needs: [{ path: "/etc/shells", why: "login shells" }],
  },
];
