import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkJail, closureOf, exportJail, makeJail, makeTracedJail, VivError } from "../../src/index.ts";
import { runJailed } from "./jail.ts";

/** Something that takes a whole system to try. */
export interface SystemCase {
  readonly name: string;
  readonly packages: readonly string[];
  readonly check: (scratch: string) => void | Promise<void>;
}

function run(command: string, args: readonly string[], options: { cwd?: string; input?: Buffer } = {}): string {
  const result = spawnSync(command, args, { ...options, maxBuffer: 1 << 28 });
  assert.equal(result.status, 0, `${command} ${args.join(" ")}: ${result.error?.message ?? result.stderr}`);
  return result.stdout.toString();
}

const viv = join(import.meta.dirname, "../../../bin/viv.mjs");

function isError(code: string, message: RegExp) {
  return (error: unknown) => error instanceof VivError && error.code === code && message.test(error.message);
}

/** Exercises bash so that a tree that was exported and unpacked shows that it is whole. */
function expectBash(jail: string): void {
  const result = runJailed(jail, ["/bin/bash", "-c", "shopt -s globstar; for f in /usr/bin/*; do echo $f; done"]);
  assert.equal(result.stdout, "/usr/bin/bash\n/usr/bin/ls\n", result.stderr);
}

export const systems: readonly SystemCase[] = [
  {
    name: "no space",
    packages: [],
    check: (scratch) => {
      const disk = join(scratch, "disk");
      mkdirSync(disk);
      run("mount", ["-t", "tmpfs", "-o", "size=6m", "viv-conform", disk]);
      try {
        const jail = join(disk, "jail");
        assert.throws(() => makeJail({ directory: jail, programs: ["bash", "ls", "perl"] }), isError("ENOSPC", /make room/));
        assert.deepEqual(readdirSync(disk), []);
        makeJail({ directory: jail, programs: ["ls"], without: ["locale", "timezones", "gconv", "nss"] });
        const before = run("find", [".", "-printf", "%p %m %s %l\n"], { cwd: jail });
        // Room for the check beforehand, but not for the copies: holes are counted, and filled by nobody else.
        writeFileSync(join(disk, "filler"), Buffer.alloc(1 << 20));
        assert.throws(() => makeJail({ directory: jail, programs: ["bash", "perl"] }), isError("ENOSPC", /make room/));
        assert.equal(run("find", [".", "-printf", "%p %m %s %l\n"], { cwd: jail }), before);
        const sparse = join(scratch, "sparse");
        run("dd", ["if=/dev/urandom", `of=${sparse}`, "bs=1M", "count=5", "status=none"]);
        run("truncate", ["-s", "100M", sparse]);
        assert.throws(() => makeJail({ directory: jail, programs: [], with: [sparse] }), isError("ENOSPC", /make room/));
        assert.equal(run("find", [".", "-printf", "%p %m %s %l\n"], { cwd: jail }), before);
      } finally {
        run("umount", [disk]);
      }
    },
  },
  {
    name: "killed at any time",
    packages: [],
    check: async (scratch) => {
      const root = join(scratch, "root");
      const jail = join(scratch, "jail");
      makeJail({ directory: root, programs: ["bash", "ls"] });
      rmSync(join(root, ".vivarium"), { recursive: true });
      const fill = (text: string) => {
        mkdirSync(join(root, "data"), { recursive: true });
        for (let i = 0; i < 400; i++) writeFileSync(join(root, `data/${i}`), `${text} ${i}\n`);
      };
      fill("first");
      makeJail({ directory: jail, root, programs: ["bash", "ls"], with: ["/data"] });
      const generation = () =>
        new Set(readdirSync(join(jail, "data")).map((name) => readFileSync(join(jail, "data", name), "utf8").split(" ")[0]));
      let undone = 0;
      for (let delay = 0; delay < 24; delay++) {
        const text = `round${delay}`;
        fill(text);
        const child = spawn(process.execPath, [viv, "jail", "make", jail, "--root", root], { stdio: "ignore" });
        const ended = new Promise((resolve) => child.once("exit", resolve));
        // Killed when the journal is there, and a little later each time; or when it has ended.
        let over = false;
        ended.then(() => {
          over = true;
        });
        while (!over && !existsSync(join(jail, ".vivarium/journal.json"))) await new Promise((resolve) => setTimeout(resolve, 1));
        await new Promise((resolve) => setTimeout(resolve, delay * 2));
        child.kill("SIGKILL");
        await ended;
        if (existsSync(join(jail, ".vivarium/journal.json"))) undone++;
        // Whatever it did, the next command finds one generation of files, and this one's in the end.
        checkJail(jail);
        assert.equal(generation().size, 1, `after a kill ${delay * 2} ms into the change`);
        makeJail({ directory: jail, root, programs: [] });
        assert.deepEqual([...generation()], [text]);
      }
      assert.ok(undone > 0, "no kill came in time: the test tries nothing");
      assert.deepEqual(readdirSync(join(jail, ".vivarium")), ["imprison.json"]);
    },
  },
  {
    name: "musl",
    packages: ["musl", "musl-tools", "gcc"],
    check: (scratch) => {
      // Not below /tmp, which is the jail's own when it runs.
      const program = `/usr/local/bin/viv-conform-${process.pid}`;
      const source = join(scratch, "a.c");
      writeFileSync(source, '#include <stdio.h>\nint main() { puts("musl"); return 0; }\n');
      run("musl-gcc", ["-o", program, source]);
      try {
        const jail = join(scratch, "jail");
        const { closure } = makeJail({ directory: jail, programs: [program] });
        assert.ok([...closure.files.keys()].some((path) => /ld-musl-\w+\.so\.1$/.test(path)));
        assert.equal(runJailed(jail, [program]).stdout, "musl\n");
      } finally {
        rmSync(program);
      }
    },
  },
  {
    name: "another machine's tree",
    packages: ["libc6-riscv64-cross"],
    check: () => {
      const closure = closureOf({ programs: ["/lib/libm.so.6"], root: "/usr/riscv64-linux-gnu" });
      assert.deepEqual(
        closure.problems.filter((problem) => problem.required).map((problem) => problem.message),
        [],
      );
      for (const path of ["/lib/libc.so.6", "/lib/ld-linux-riscv64-lp64d.so.1"]) assert.ok(closure.files.has(path), path);
    },
  },
  {
    name: "a Debian package",
    packages: ["sed"],
    check: (scratch) => {
      const jail = join(scratch, "jail");
      makeJail({ directory: jail, programs: [], packages: ["sed"] });
      assert.equal(runJailed(jail, ["/bin/sed", "s/a/b/"], { input: "a\n" }).stdout, "b\n");
      for (const path of run("dpkg", ["-L", "sed"]).trim().split("\n")) {
        if (existsSync(path)) assert.ok(existsSync(join(jail, path)), path);
      }
    },
  },
  {
    name: "traced commands",
    packages: ["strace"],
    check: (scratch) => {
      const jail = join(scratch, "jail");
      const data = join("/var/lib", `viv-conform-${process.pid}`);
      mkdirSync(data);
      try {
        writeFileSync(join(data, "one"), `${data}/two\n`);
        writeFileSync(join(data, "two"), "found\n");
        const command = `sh -c 'read next <${data}/one; cat "$next"'`;
        const { traces } = makeTracedJail({ directory: jail, programs: ["ls"] }, [command]);
        assert.deepEqual(
          traces.map(({ here, jailed }) => [here, jailed]),
          [[0, 0]],
        );
        assert.equal(runJailed(jail, ["/bin/sh", "-c", `cat $(cat ${data}/one)`]).stdout, "found\n");
      } finally {
        rmSync(data, { recursive: true });
      }
    },
  },
  {
    name: "exports",
    packages: ["cpio", "squashfs-tools", "e2fsprogs", "skopeo"],
    check: async (scratch) => {
      const jail = join(scratch, "jail");
      makeJail({ directory: jail, programs: ["bash", "ls"] });
      const target = (name: string) => {
        mkdirSync(join(scratch, name));
        return join(scratch, name);
      };
      const { output: tar } = await exportJail({ directory: jail, format: "tar" });
      run("tar", ["--xattrs", "-xpf", tar], { cwd: target("tar") });
      expectBash(join(scratch, "tar"));
      const { output: cpio } = await exportJail({ directory: jail, format: "cpio" });
      run("cpio", ["-id", "--quiet"], { cwd: target("cpio"), input: readFileSync(cpio) });
      expectBash(join(scratch, "cpio"));
      const { output: squashfs } = await exportJail({ directory: jail, format: "squashfs" });
      run("unsquashfs", ["-q", "-n", "-d", join(scratch, "squashfs"), squashfs]);
      expectBash(join(scratch, "squashfs"));
      const { output: ext4 } = await exportJail({ directory: jail, format: "ext4" });
      run("e2fsck", ["-fn", ext4]);
      run("debugfs", ["-R", `rdump / ${target("ext4")}`, ext4]);
      expectBash(join(scratch, "ext4"));
      const { output: oci } = await exportJail({ directory: jail, format: "oci" });
      // skopeo checks every digest on the way.
      const copied = join(scratch, "copied.tar");
      run("skopeo", ["--insecure-policy", "copy", "-q", `oci-archive:${oci}`, `docker-archive:${copied}:jail:test`]);
      assert.match(run("skopeo", ["inspect", "--config", `oci-archive:${oci}`]), /"Entrypoint": \[\s*"\/usr\/bin\/bash"/);
      for (const name of ["tar", "cpio", "squashfs", "ext4"]) assert.ok(!existsSync(join(scratch, name, ".vivarium")), name);
    },
  },
  {
    name: "check",
    packages: [],
    check: (scratch) => {
      const jail = join(scratch, "jail");
      makeJail({ directory: jail, programs: ["bash", "ls"], dev: true });
      const of = () => checkJail(jail).filter((finding) => finding.code !== "security-update" && finding.code !== "not-checked");
      assert.deepEqual(of(), []);
      run("mknod", [join(jail, "dev/sda"), "b", "8", "0"]);
      run("chmod", ["4755", join(jail, "usr/bin/ls")]);
      rmSync(join(jail, "lib/x86_64-linux-gnu/libtinfo.so.6"), { force: true });
      copyFileSync(join(jail, "etc/passwd"), join(jail, "etc/copy"));
      const found = of().map((finding) => `${finding.code} ${finding.path}`);
      assert.ok(found.includes("device /dev/sda"), found.join("\n"));
      assert.ok(found.includes("setuid /usr/bin/ls"));
      assert.ok(found.includes("changed /usr/bin/ls"));
      assert.ok(found.some((text) => text.startsWith("missing-library /usr/bin/bash")));
      assert.ok(found.some((text) => text.startsWith("added")));
      assert.ok(statSync(jail).isDirectory());
    },
  },
];
