import { VirtioBlock } from "../../devices/virtio/block/device.ts";
import { VirtioConsole } from "../../devices/virtio/console/device.ts";
import { type VirtioDevice, VirtioMmio } from "../../devices/virtio/mmio.ts";
import { VirtioRng } from "../../devices/virtio/rng/device.ts";
import { type HartFactory, Machine } from "../../machine/machine.ts";
import type { Vm, VmSetup } from "../vm.ts";
import { riscv64HartFactory } from "./riscv64-hart.ts";
import { SettlingDisks } from "./settling-disks.ts";
import { statsOf } from "./stats.ts";

/** Guest time of an instruction when time is made of them: 100 million a second. */
const icount = { nanosecondsPerInstruction: 10 };

/**
 * A virtual machine whose hart is the emulator's: a `riscv-virt` board with the disks in its first slots, in order.
 * @param observed for tools: what the machine is to have instead of the harts given
 * @throws VivError `BAD_MEMORY`, `OUT_OF_MEMORY`, `BAD_KERNEL`, `BAD_FIRMWARE`, `BAD_INITRD`, `BAD_OPTION`
 */
export function createEmulatedVm(setup: VmSetup, observed: (harts: HartFactory) => HartFactory = (harts) => harts): Vm {
  const { host } = setup;
  const isVirtioConsole = setup.console.device === "virtio-console";
  const virtioConsole =
    isVirtioConsole || setup.ports.length > 0
      ? new VirtioConsole([{ backend: setup.console.backend }, ...setup.ports.map(({ name, backend }) => ({ name, backend }))])
      : undefined;
  const disks = setup.icount ? new SettlingDisks() : undefined;
  const devices: VirtioDevice[] = [
    ...setup.disks.map((disk, index) => new VirtioBlock(disks?.wrap(disk) ?? disk, { id: `viv-disk-${index}` })),
    ...(virtioConsole === undefined ? [] : [virtioConsole]),
    new VirtioRng({ fill: (bytes) => machine.entropy.fill(bytes) }),
  ];
  const machine = new Machine({
    host,
    harts: observed(riscv64HartFactory({ tier: setup.tier, module: host.hartModule?.(), monotonic: () => host.monotonic() })),
    memorySize: setup.memory,
    boot: setup.boot,
    // The serial port shows what it has on the same console: early messages, firmware.
    backends: {
      serial: isVirtioConsole ? { write: (bytes) => setup.console.backend.write(bytes) } : setup.console.backend,
      virtio: devices.map((device) => (ports) => new VirtioMmio(device, ports)),
    },
    ...(disks && { icount, settle: () => disks.settle() }),
  });
  const [terminal, ...ports] = virtioConsole?.ports ?? [];
  for (const port of ports) port.open();
  virtioConsole?.resize(setup.console.window.columns, setup.console.window.rows);
  const { serial, console: firmware } = machine.board;
  return {
    console: {
      push: (bytes) => (isVirtioConsole ? terminal : serial).push(bytes),
      resume: () => {
        for (const output of [serial, firmware, terminal]) output?.resume();
      },
    },
    ports,
    resize: (columns, rows) => virtioConsole?.resize(columns, rows),
    run: () => machine.run(),
    pause: () => machine.pause(),
    resume: () => machine.resume(),
    stop: () => machine.stop(),
    stats: () => statsOf(machine),
  };
}
