import type { Rule } from "./rule.ts";

/** Interpreters and the modules that come with them. */
export const languageRules: readonly Rule[] = [
  {
    name: "python",
    when: { program: /^python(3\.\d+)(?:-dbg)?$/, library: /^libpython(3\.\d+)/ },
    needs: [
      { path: "{prefix}/lib/python{1}/**", except: /\/(test|idlelib\/idle_test)\//, why: "Python's standard library" },
      { path: "/usr/lib/python{1}/**", except: /\/(test|idlelib\/idle_test)\//, why: "Python's standard library" },
      { path: "/usr/lib64/python{1}/**", why: "Python's standard library" },
      { path: "{prefix}/lib/python3/dist-packages/*.pth", why: "Python's search path" },
      { path: "{prefix}/lib/python3/dist-packages/_distutils_hack/**", why: "Python's search path" },
      { path: "{prefix}/lib/python3/dist-packages/distutils-precedence.pth", why: "Python's search path" },
      { path: "{prefix}/pyvenv.cfg", why: "the virtual environment" },
      { path: "{prefix}/bin/python{1}", why: "the interpreter that Python starts for a virtual environment" },
      { path: "{prefix}/bin/python3", why: "the interpreter that Python starts for a virtual environment" },
      { path: "/etc/python{1}/*", why: "Python's configuration" },
      { path: "{prefix}/share/python-wheels/*", why: "pip of a virtual environment" },
      { path: "/usr/share/python-wheels/*", why: "pip of a virtual environment" },
      { path: "{prefix}/local/lib/python{1}/dist-packages", why: "Python's search path" },
      { path: "/usr/local/lib/python{1}/dist-packages", why: "Python's search path" },
      { path: "/usr/local/lib/python{1}/dist-packages/*.pth", why: "Python's search path" },
      { path: "/etc/mime.types", why: "file types" },
      { path: "/etc/os-release", why: "pip names the system" },
      { path: "/etc/debian_version", why: "pip names the system" },
      { program: "lsb_release", why: "pip names the system" },
      { program: "uname", why: "Python's platform module" },
    ],
  },
  {
    name: "python-modules",
    when: { interpreter: /^python/ },
    needs: [{ expand: "imports", why: "imported by" }],
  },
  {
    name: "perl",
    when: { program: /^perl(5\.\d+)?(?:\.\d+)?$/, library: /^libperl\.so\.(5\.\d+)/ },
    needs: [
      { path: "/usr/lib/{triplet}/perl-base/**", why: "Perl's modules" },
      { path: "/usr/lib/{triplet}/perl/5.*/**", why: "Perl's modules" },
      { path: "/usr/share/perl/5.*/**", why: "Perl's modules" },
      { path: "/usr/share/perl/5.*", why: "Perl's modules" },
      { path: "/usr/lib/{triplet}/perl/5.*", why: "Perl's modules" },
      { path: "/etc/perl/**", why: "Perl's configuration" },
      { path: "/usr/lib64/perl5/**", why: "Perl's modules" },
      { path: "/usr/lib/perl5/core_perl/**", why: "Perl's modules" },
      { path: "/usr/share/perl5/core_perl/**", why: "Perl's modules" },
    ],
  },
  {
    name: "perl-modules",
    when: { interpreter: /^perl/ },
    needs: [{ expand: "imports", why: "used by" }],
  },
  {
    name: "node",
    when: { program: /^node(js)?$/, library: /^libnode\.so/ },
    needs: [
      { path: "/usr/share/nodejs/**", why: "modules of Debian's Node" },
      { path: "/usr/lib/{triplet}/nodejs/**", why: "modules of Debian's Node" },
      { path: "/etc/ssl/openssl.cnf", why: "Node's OpenSSL configuration" },
      { path: "/usr/lib/ssl/openssl.cnf", why: "Node's OpenSSL configuration" },
      { path: "{prefix}/ssl/openssl.cnf", why: "Node's OpenSSL configuration" },
    ],
  },
  {
    name: "node-modules",
    when: { interpreter: /^node(js)?$/ },
    needs: [{ expand: "imports", why: "the package of" }],
  },
  {
    name: "ruby",
    when: { program: /^ruby(\d\.\d+)?$/, library: /^libruby[-.].*?(\d\.\d+)/ },
    needs: [
      { path: "/usr/lib/ruby/**", why: "Ruby's standard library" },
      { path: "/usr/lib/{triplet}/ruby/**", why: "Ruby's standard library" },
      { path: "/usr/share/rubygems-integration/**", why: "Ruby's gems" },
      { path: "/var/lib/gems/**", why: "Ruby's gems" },
      { path: "/usr/share/ruby/**", why: "Ruby's standard library" },
      { path: "/usr/lib64/ruby/**", why: "Ruby's standard library" },
    ],
  },
  {
    name: "tcl",
    when: { library: /^libtcl(\d\.\d+)/ },
    needs: [{ path: "/usr/share/tcltk/tcl{1}/**", why: "Tcl's library" }],
  },
  {
    name: "lua",
    when: { program: /^lua(\d\.\d+)/, library: /^liblua(\d\.\d+)/ },
    needs: [{ path: "/usr/share/lua/{1}/**", why: "Lua's modules" }],
  },
  {
    name: "gawk",
    when: { program: /^gawk$/ },
    needs: [
      { path: "/usr/lib/{triplet}/gawk/*", why: "awk extensions" },
      { path: "/usr/share/awk/*", why: "awk libraries" },
    ],
  },
  {
    name: "guile",
    when: { library: /^libguile-(\d\.\d+)/ },
    needs: [
      { path: "/usr/share/guile/{1}/**", why: "Guile's modules" },
      { path: "/usr/lib/{triplet}/guile/{1}/**", why: "Guile's modules" },
    ],
  },
];
