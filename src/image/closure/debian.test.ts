import assert from "node:assert/strict";
import { test } from "node:test";
import { VivError } from "../../core/errors.ts";
import { DebianPackages } from "./debian.ts";
import { Resolver } from "./resolve.ts";
import { memoryFiles } from "./testing/memory-files.ts";

const resolver = new Resolver(
  memoryFiles({
    "/var/lib/dpkg/status": `Package: tool
Status: install ok installed
Architecture: amd64
Version: 1.0-1
Depends: liba (>= 1) | liba-alt, virtual-mta,
 libb:any (>= 2)
Pre-Depends: base

Package: liba-alt
Status: install ok installed
Architecture: amd64
Version: 2
Depends: tool

Package: mta
Status: install ok installed
Architecture: all
Version: 3
Provides: virtual-mta (= 3)

Package: libb
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: base
Status: install ok installed
Architecture: amd64
Version: 9
`,
    "/var/lib/dpkg/info/tool.list": "/.\n/usr\n/bin/tool\n",
    "/var/lib/dpkg/info/liba-alt:amd64.list": "/usr/lib/liba.so\n",
    "/usr/bin/tool": "x",
    "/bin": { link: "usr/bin" },
    "/var/lib/dpkg/alternatives/editor": "auto\n/usr/bin/editor\neditor.1.gz\n/usr/share/man/man1/editor.1.gz\n\n/bin/nano\n40\n",
  }),
);
const packages = new DebianPackages(resolver);

test("a package with everything it depends on", () => {
  assert.deepEqual(
    packages.closure("tool").map(({ item, for: wanter }) => `${item.name}<${wanter}`),
    ["tool<", "base<tool", "liba-alt<tool", "mta<tool"],
  );
  assert.deepEqual(packages.files(packages.find("tool")!), ["/usr", "/bin/tool"]);
  assert.deepEqual(packages.files(packages.find("liba-alt:amd64")!), ["/usr/lib/liba.so"]);
  assert.equal(packages.owners(new Set(["/usr/bin/tool"])).get("/usr/bin/tool")!.version, "1.0-1");
  assert.deepEqual(packages.alternatives(), ["/usr/bin/editor", "/usr/share/man/man1/editor.1.gz"]);
});

test("a package that is not installed is named with the fix", () => {
  for (const name of ["libb", "nothing", "../../etc"]) {
    assert.throws(
      () => packages.closure(name),
      (error: unknown) => error instanceof VivError && error.code === "ENOENT" && error.message.includes(name),
    );
  }
  assert.throws(() => new DebianPackages(new Resolver(memoryFiles({}))).closure("x"), /no \/var\/lib\/dpkg\/status/);
});
