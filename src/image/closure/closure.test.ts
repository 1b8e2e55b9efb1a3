import assert from "node:assert/strict";
import { test } from "node:test";
import { VivError } from "../../core/errors.ts";
import { computeClosure } from "./closure.ts";
import { closureTree, explainFile } from "./report.ts";
import { buildElf, type ElfDescription, riscv } from "./testing/elf-builder.ts";
import { memoryFiles } from "./testing/memory-files.ts";
import type { ClosureRequest } from "./types.ts";

type Files = Parameters<typeof memoryFiles>[0];

const ldso = "/lib64/ld-linux-x86-64.so.2";
const program = (description: ElfDescription = {}) => buildElf({ interpreter: ldso, ...description });
const base: Files = {
  [ldso]: buildElf({ soname: "ld-linux-x86-64.so.2" }),
  "/lib/x86_64-linux-gnu/libc.so.6": buildElf({ soname: "libc.so.6", needed: ["ld-linux-x86-64.so.2"], symbols: ["getpwnam"] }),
};

function closure(files: Files, programs: string[], request: Partial<ClosureRequest> = {}) {
  return computeClosure(memoryFiles({ ...base, ...files }), { programs, ...request });
}

const paths = (result: ReturnType<typeof closure>) => [...result.files.keys()].sort();

test("a program brings its dynamic linker, libraries and the links on the way", () => {
  const result = closure(
    {
      "/usr/bin/tool-1": program({ needed: ["liba.so.1", "libc.so.6"] }),
      "/usr/bin/tool": { link: "tool-1" },
      "/bin": { link: "usr/bin" },
      "/usr/lib/liba.so.1": { link: "liba.so.1.2" },
      "/usr/lib/liba.so.1.2": buildElf({ soname: "liba.so.1", needed: ["libc.so.6"] }),
    },
    ["/bin/tool"],
  );
  assert.deepEqual(paths(result), [
    "/bin",
    "/lib/x86_64-linux-gnu/libc.so.6",
    ldso,
    "/usr/bin/tool",
    "/usr/bin/tool-1",
    "/usr/lib/liba.so.1",
    "/usr/lib/liba.so.1.2",
  ]);
  assert.deepEqual(result.problems, []);
  assert.ok([...result.files.values()].every((file) => file.required));
});

test("the order of the search: RPATH with those above, library path, RUNPATH, cache, default directories", () => {
  const lib = (needed: string[] = []) => buildElf({ needed });
  const files: Files = {
    "/r/libx.so": lib(),
    "/l/libx.so": lib(),
    "/u/libx.so": lib(),
    "/usr/lib/libx.so": lib(),
    "/usr/lib/liby.so": lib(["libx.so"]),
    "/usr/lib/libz.so": buildElf({ needed: ["libx.so"], runpath: "/u" }),
    "/bin/plain": program({ needed: ["libx.so"] }),
    "/bin/rpath": program({ needed: ["liby.so"], rpath: "/r" }),
    "/bin/both": program({ needed: ["libx.so"], rpath: "/r", runpath: "/u" }),
    "/bin/cut": program({ needed: ["libz.so"], rpath: "/r" }),
  };
  const where = (name: string, request?: Partial<ClosureRequest>) =>
    paths(closure(files, [`/bin/${name}`], request)).filter((path) => path.endsWith("/libx.so"));
  assert.deepEqual(where("plain"), ["/usr/lib/libx.so"]);
  assert.deepEqual(where("plain", { libraryPath: ["/l"] }), ["/l/libx.so"]);
  assert.deepEqual(where("rpath"), ["/r/libx.so"], "RPATH of the program holds for what its libraries need");
  assert.deepEqual(where("rpath", { libraryPath: ["/l"] }), ["/r/libx.so"], "RPATH comes before the library path");
  assert.deepEqual(where("both"), ["/u/libx.so"], "a RUNPATH disables the RPATH beside it");
  assert.deepEqual(where("both", { libraryPath: ["/l"] }), ["/l/libx.so"], "RUNPATH comes after the library path");
  assert.deepEqual(where("cut"), ["/u/libx.so"], "a library with RUNPATH does not inherit RPATH");
});

test("one library by two names is one; a name already loaded is not searched again", () => {
  const result = closure(
    {
      "/bin/p": program({ needed: ["liba.so", "libb.so"] }),
      "/usr/lib/liba.so": buildElf({ soname: "libinner.so" }),
      "/usr/lib/libb.so": buildElf({ needed: ["libinner.so"] }),
    },
    ["/bin/p"],
  );
  assert.deepEqual(result.problems, []);
});

test("$ORIGIN, $LIB and $PLATFORM", () => {
  const result = closure(
    {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the dynamic linker's own tokens
      "/opt/app/bin/p": program({ needed: ["liba.so"], runpath: "$ORIGIN/../${LIB}:${ORIGIN}/$PLATFORM" }),
      "/opt/app/lib/x86_64-linux-gnu/liba.so": buildElf({ needed: ["libb.so"], runpath: "$ORIGIN/sub" }),
      "/opt/app/lib/x86_64-linux-gnu/sub/libb.so": buildElf({ needed: ["$ORIGIN/libc2.so"] }),
      "/opt/app/lib/x86_64-linux-gnu/sub/libc2.so": buildElf(),
      "/usr/bin/p": { link: "/opt/app/bin/p" },
    },
    ["p"],
  );
  assert.deepEqual(result.problems, []);
  assert.ok(result.files.has("/opt/app/lib/x86_64-linux-gnu/sub/libc2.so"));
});

test("a library for another machine is passed over, and named if there is no other", () => {
  const files: Files = {
    "/bin/p": program({ needed: ["liba.so"] }),
    "/lib/x86_64-linux-gnu/liba.so": buildElf({ machine: riscv }),
    "/usr/lib/liba.so": buildElf(),
  };
  assert.ok(closure(files, ["/bin/p"]).files.has("/usr/lib/liba.so"));
  delete files["/usr/lib/liba.so"];
  const [problem] = closure(files, ["/bin/p"]).problems;
  assert.equal(problem.code, "MISSING_LIBRARY");
  assert.equal(problem.required, true);
  assert.match(problem.message, /\/bin\/p needs liba\.so.*\/lib\/x86_64-linux-gnu\/liba\.so is for another machine/);
});

test("a missing library is named with who wants it and for whom", () => {
  const result = closure({ "/bin/p": program({ needed: ["liba.so"] }), "/lib/liba.so": buildElf({ needed: ["libgone.so.3"] }) }, [
    "/bin/p",
  ]);
  assert.match(
    result.problems[0].message,
    /^\/lib\/liba\.so \(for \/bin\/p\) needs libgone\.so\.3, which is not in .*\/usr\/lib/,
  );
  assert.match(closureTree(result), /libgone\.so\.3 {2}not found/);
});

test("glibc-hwcaps: the base and every level", () => {
  const result = closure(
    {
      "/bin/p": program({ needed: ["liba.so"] }),
      "/usr/lib/liba.so": buildElf(),
      "/usr/lib/glibc-hwcaps/x86-64-v3/liba.so": buildElf(),
      "/usr/lib/glibc-hwcaps/x86-64-v2/liba.so": buildElf(),
    },
    ["/bin/p"],
  );
  assert.ok(result.files.has("/usr/lib/glibc-hwcaps/x86-64-v3/liba.so"));
  assert.ok(result.files.has("/usr/lib/glibc-hwcaps/x86-64-v2/liba.so"));
});

test("library cycles end", () => {
  const result = closure(
    {
      "/bin/p": program({ needed: ["liba.so"] }),
      "/lib/liba.so": buildElf({ needed: ["libb.so"] }),
      "/lib/libb.so": buildElf({ needed: ["liba.so", "libb.so"] }),
    },
    ["/bin/p"],
  );
  assert.deepEqual(result.problems, []);
  assert.ok(closureTree(result).includes("(above)"));
});

test("musl's own search and names", () => {
  const files: Files = {
    "/lib/ld-musl-x86_64.so.1": buildElf(),
    "/bin/p": buildElf({ interpreter: "/lib/ld-musl-x86_64.so.1", needed: ["libc.musl-x86_64.so.1", "liba.so", "libc.so"] }),
    "/opt/liba.so": buildElf(),
    "/usr/lib/liba.so": buildElf(),
  };
  assert.ok(closure(files, ["/bin/p"]).files.has("/usr/lib/liba.so"));
  const configured = closure({ ...files, "/etc/ld-musl-x86_64.path": "/opt\n" }, ["/bin/p"]);
  assert.ok(configured.files.has("/opt/liba.so"));
  assert.ok(!configured.files.has("/usr/lib/liba.so"));
  assert.ok(configured.files.has("/etc/ld-musl-x86_64.path"));
  assert.deepEqual(configured.problems, []);
});

test("scripts: interpreter, env, and a chain of scripts", () => {
  const result = closure(
    {
      "/bin/one": "#! /bin/two -x\n",
      "/bin/two": "#!/usr/bin/env -S LANG=C tool --flag\n",
      "/usr/bin/env": program(),
      "/usr/bin/tool": program({ needed: ["libc.so.6"] }),
    },
    ["one"],
  );
  assert.deepEqual(result.problems, []);
  for (const path of ["/bin/two", "/usr/bin/env", "/usr/bin/tool", "/lib/x86_64-linux-gnu/libc.so.6"])
    assert.ok(result.files.has(path));
  const gone = closure({ "/bin/one": "#!/bin/gone\n" }, ["one"]);
  assert.match(gone.problems[0].message, /\/bin\/one is a script for \/bin\/gone, which does not exist/);
});

test("names handed to dlopen, and those of .note.dlopen", () => {
  const files: Files = {
    "/bin/p": program({ needed: ["libc.so.6"], symbols: ["dlopen"], data: ["libplug.so.1", "libgone.so", "x libno.so"] }),
    "/bin/q": program({ needed: ["libc.so.6"], data: ["libplug.so.1"] }),
    "/bin/n": program({ needed: ["libc.so.6"], note: '[{"soname":["libplug.so.1"],"priority":"suggested"}]' }),
    "/lib/libplug.so.1": buildElf(),
    "/lib/libno.so": buildElf(),
  };
  const plugs = (name: string) => paths(closure(files, [name])).filter((path) => /plug|no\.so/.test(path));
  assert.deepEqual(plugs("p"), ["/lib/libplug.so.1"]);
  assert.deepEqual(plugs("q"), [], "without dlopen a name is just a string");
  assert.deepEqual(plugs("n"), ["/lib/libplug.so.1"]);
  assert.deepEqual(closure(files, ["p"]).problems, []);
});

test("what headers need is loaded before what is loaded while running: a library wanted both ways is required", () => {
  const result = closure(
    {
      "/bin/p": program({ needed: ["liba.so", "libc.so.6"], symbols: ["dlopen"], data: ["libb.so"] }),
      "/lib/liba.so": buildElf({ needed: ["libb.so"] }),
      "/lib/libb.so": buildElf({ needed: ["libgone.so"] }),
    },
    ["p"],
  );
  assert.deepEqual(
    result.problems.map((problem) => [problem.subject, problem.required]),
    [["libgone.so", true]],
  );
});

test("runtimes: name services by the functions used, and --without", () => {
  const files: Files = {
    "/bin/p": program({ needed: ["libc.so.6"], symbols: ["getpwnam"] }),
    "/bin/q": program({ needed: ["libc.so.6"] }),
    "/etc/nsswitch.conf": "passwd: files [NOTFOUND=return] fancy # comment\n",
    "/etc/passwd": "root:x:0:0::/:/bin/sh\n",
    "/lib/x86_64-linux-gnu/libnss_fancy.so.2": buildElf({ needed: ["libc.so.6"] }),
  };
  const fancy = "/lib/x86_64-linux-gnu/libnss_fancy.so.2";
  assert.ok(closure(files, ["p"]).files.has(fancy));
  assert.ok(closure(files, ["p"]).files.has("/etc/passwd"));
  assert.ok(!closure(files, ["q"]).files.has(fancy));
  assert.ok(!closure(files, ["p"], { without: ["nss"] }).files.has(fancy));
  assert.match(explainFile(closure(files, ["p"]), fancy).join(), /\/bin\/p.*asked for.*libnss_fancy/s);
  assert.throws(() => closure(files, ["p"], { without: ["nsss"] }), /no such runtime; known: /);
});

test("a program of another machine below a root of its own", () => {
  const result = computeClosure(
    memoryFiles({
      "/bin/p": buildElf({ machine: riscv, interpreter: "/lib/ld-linux-riscv64-lp64d.so.1", needed: ["libc.so.6"] }),
      "/lib/ld-linux-riscv64-lp64d.so.1": buildElf({ machine: riscv }),
      "/lib/riscv64-linux-gnu/libc.so.6": buildElf({ machine: riscv }),
    }),
    { programs: ["/bin/p"] },
  );
  assert.deepEqual(result.problems, []);
  assert.ok(result.files.has("/lib/riscv64-linux-gnu/libc.so.6"));
});

test("bad programs: one clear error", () => {
  const files: Files = {
    "/bin/text|755": "hello\n",
    "/bin/dir/x": "",
    "/bin/cut": program().subarray(0, 70),
    "/bin/loop": { link: "loop" },
  };
  const fails = (name: string, code: string, message: RegExp) =>
    assert.throws(
      () => closure(files, [name]),
      (error: unknown) => error instanceof VivError && error.code === code && message.test(error.message),
    );
  fails("nothing", "ENOENT", /nothing: no such program on .*\/usr\/bin/);
  fails("/bin/loop", "ENOENT", /no such program/);
  fails("/bin/text", "NOT_A_PROGRAM", /neither an ELF file nor a script/);
  fails("/bin/dir", "NOT_A_PROGRAM", /is a directory/);
  fails("/bin/cut", "BAD_ELF", /\/bin\/cut: truncated ELF file/);
});

test("a missing dynamic linker and a damaged library are named", () => {
  const gone = closure({ "/bin/p": program({ interpreter: "/lib/ld-gone.so" }) }, ["p"]);
  assert.match(gone.problems[0].message, /\/bin\/p needs the dynamic linker \/lib\/ld-gone\.so, which does not exist/);
  const damaged = closure({ "/bin/p": program({ needed: ["liba.so"] }), "/lib/liba.so": buildElf().subarray(0, 80) }, ["p"]);
  assert.deepEqual(damaged.problems.map((problem) => problem.code).sort(), ["BAD_ELF", "MISSING_LIBRARY"]);
});
