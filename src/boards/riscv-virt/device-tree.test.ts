import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readDeviceTree } from "../testing/read-fdt.ts";
import { deviceTreeBlob } from "./device-tree.ts";

const options = {
  harts: 1,
  memorySize: 256 * 2 ** 20,
  virtioSlots: [0, 1, 2, 3, 4, 5, 6, 7],
  bootargs: "console=ttyS0",
  initrd: { start: 0x8800_0000, end: 0x8810_0001 },
  rngSeed: new Uint8Array(32).fill(7),
};

const installed = (command: string) => spawnSync(command, ["--version"]).error === undefined;

test("dtc has nothing to say about the tree", { skip: !installed("dtc") && "dtc is not installed" }, () => {
  for (const harts of [1, 4]) {
    // Linux builds its own trees with this warning off: the binding of a hart's interrupt controller has no #address-cells.
    const result = spawnSync("dtc", ["-W", "no-interrupt_provider", "-I", "dtb", "-O", "dts", "-"], {
      input: deviceTreeBlob({ ...options, harts }),
    });
    assert.equal(result.stderr.toString(), "");
    assert.equal(result.status, 0);
    assert.match(result.stdout.toString(), /bootargs = "console=ttyS0"/);
  }
});

test("the tree says of each device what QEMU's says", {
  skip: !installed("qemu-system-riscv64") && "QEMU is not installed",
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "viv-dtb-"));
  try {
    const file = join(folder, "virt.dtb");
    const qemu = spawnSync("qemu-system-riscv64", ["-M", `virt,dumpdtb=${file}`, "-m", "256", "-display", "none"]);
    assert.equal(qemu.status, 0, qemu.stderr.toString());
    const theirs = readDeviceTree(readFileSync(file));
    const ours = readDeviceTree(deviceTreeBlob(options));
    const absent = /fw-cfg|flash|pci|platform|pmu|^\/soc$/;
    // Which extensions there are, and phandles, are each one's own; the seed is random; riscv,ndev was 96 before QEMU 8.
    const own = /^(phandle|riscv,.*|mmu-type|cpu|regmap|interrupt-parent|interrupts-extended|model|rng-seed)$/;
    let compared = 0;
    for (const [path, properties] of theirs) {
      if (absent.test(path)) continue;
      const node = ours.get(path);
      assert.ok(node, `no node ${path}`);
      for (const [name, value] of properties) {
        if (own.test(name)) continue;
        assert.deepEqual([...(node.get(name) ?? [])], [...value], `${path} ${name}`);
        compared++;
      }
    }
    assert.ok(compared > 60, `only ${compared} properties compared`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("interrupt controllers are wired to each hart's own contexts", () => {
  const nodes = readDeviceTree(deviceTreeBlob({ ...options, harts: 2 }));
  const cells = (path: string, name: string) => {
    const bytes = nodes.get(path)!.get(name)!;
    const view = new DataView(bytes.buffer);
    return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4));
  };
  const intc = [0, 1].map((id) => cells(`/cpus/cpu@${id}/interrupt-controller`, "phandle")[0]);
  assert.deepEqual(
    cells("/soc/plic@c000000", "interrupts-extended"),
    intc.flatMap((p) => [p, 11, p, 9]),
  );
  assert.deepEqual(
    cells("/soc/clint@2000000", "interrupts-extended"),
    intc.flatMap((p) => [p, 3, p, 7]),
  );
  assert.deepEqual(cells("/chosen", "linux,initrd-end"), [0, 0x8810_0001]);
});
