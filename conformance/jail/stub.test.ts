import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { executable } from "../../src/engine/jail/elf.ts";
import { flags, type Plan, Steps } from "../../src/engine/jail/operations.ts";
import { layOut } from "../../src/engine/jail/program.ts";
import { stubFor } from "../../src/engine/jail/stub/index.ts";
import { type Architecture, architectures } from "../../src/engine/jail/syscalls.ts";

/** Debian's package qemu-user-static has these. */
const emulators: Readonly<Record<Architecture, string>> = {
  x64: "qemu-x86_64-static",
  arm64: "qemu-aarch64-static",
  riscv64: "qemu-riscv64-static",
};

/** Takes each way out of a record once, hands a result on in a register and in memory, and ends with 7 if all of that went well. */
function everyBranch(): Plan {
  const main = new Steps("");
  main.step("try the branches");
  main.add("close", [77], { onError: { skip: 1 } });
  main.add("exit_group", [1]);
  main.add("getuid", [], { onZero: "next", onPositive: "next" });
  const file = main.get("file", "openat", [flags("AT_FDCWD"), "/dev/null", flags("O_RDONLY"), 0], { onPositive: { skip: 1 } });
  main.add("exit_group", [2]);
  main.add("close", [file], { onZero: { skip: 1 } });
  main.add("exit_group", [3]);
  const pair = {
    struct: [{ name: "iov_base", bits: 64, value: "done\n" } as const, { name: "iov_len", bits: 64, value: 5 } as const],
  };
  main.add("writev", [1, pair, 1], { name: "written", onZero: "fail", onPositive: { block: "end" } });
  const end = new Steps("e");
  end.step("end");
  // Five bytes were written: the result is the operand of a comparison made by the kernel.
  end.add("futex", [{ resultAt: "written" }, flags("FUTEX_CMP_REQUEUE_PRIVATE"), 0, 0, { buffer: "scratch", size: 8 }, 5]);
  end.add("exit_group", [7]);
  return {
    blocks: [
      { name: "main", onFail: "failed", operations: main.operations },
      { name: "end", onFail: "failed", operations: end.operations },
      { name: "failed", onFail: "failed", operations: [{ call: "exit_group", args: [4], step: "fail" }] },
    ],
  };
}

for (const architecture of architectures) {
  const native = architecture === process.arch && process.platform === "linux";
  const emulator = emulators[architecture];
  const skip = !native && spawnSync(emulator, ["--version"]).error !== undefined && `needs ${emulator} (qemu-user-static)`;
  test(`the stub for ${architecture} runs programs`, { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), "viv-stub-"));
    try {
      const path = join(folder, "program");
      writeFileSync(path, executable(layOut(everyBranch(), architecture), stubFor(architecture), architecture));
      chmodSync(path, 0o755);
      const { status, stdout } = native
        ? spawnSync(path, [], { encoding: "utf8" })
        : spawnSync(emulator, [path], { encoding: "utf8" });
      assert.equal(stdout, "done\n");
      assert.equal(status, 7);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
