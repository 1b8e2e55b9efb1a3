import { cells64, type FdtNode, type FdtValue, flattenDeviceTree } from "../fdt.ts";
import { finisher, memoryMap, plicSources, timebaseHertz, virtioSlot } from "./memory-map.ts";

/** Single-letter extensions in the canonical order, as `riscv,isa` spells them. */
const isaBase = "imafdc";
/**
 * Multi-letter extensions in the canonical order (Unprivileged ISA, chapter "ISA Extension Naming Conventions").
 * `svadu` without `svade`: the walker sets A and D from the start (Linux, riscv/extensions.yaml).
 */
export const isaExtensions = [
  "zicbom",
  "zicbop",
  "zicboz",
  "zicntr",
  "zicond",
  "zicsr",
  "zifencei",
  "zihpm",
  "zacas",
  "zawrs",
  "zfa",
  "zba",
  "zbb",
  "zbc",
  "zbs",
  "sstc",
  "svadu",
  "svinval",
  "svnapot",
  "svpbmt",
] as const;

/** What differs between two device trees of this board. */
export interface DeviceTreeOptions {
  readonly harts: number;
  /** Bytes of RAM. */
  readonly memorySize: number;
  /** Slots whose virtio-mmio transport has a device behind it. */
  readonly virtioSlots: readonly number[];
  /** The kernel's command line. */
  readonly bootargs?: string;
  /** Guest-physical addresses of the initial RAM disk: first byte, and the byte after the last. */
  readonly initrd?: { readonly start: number; readonly end: number };
  /** Entropy for the kernel; 32 bytes or more count fully. */
  readonly rngSeed?: Uint8Array;
}

/** The board's device tree, in the structure of QEMU's `virt`; each node follows its binding in Linux 6.12. */
export function deviceTree(options: DeviceTreeOptions): FdtNode {
  const harts = Array.from({ length: options.harts }, (_, id) => id);
  let phandles = 0;
  const cpuPhandles = harts.map(() => ++phandles);
  const intcPhandles = harts.map(() => ++phandles);
  const plicPhandle = ++phandles;
  const testPhandle = ++phandles;

  const reg = (range: { base: number; size: number }) => [...cells64(range.base), ...cells64(range.size)];
  const unit = (name: string, range: { base: number }) => `${name}@${range.base.toString(16)}`;
  const interrupt = (source: number) => ({ interrupts: source, "interrupt-parent": plicPhandle });
  const serialPath = `/soc/${unit("serial", memoryMap.uart)}`;

  const cpu = (id: number): FdtNode => ({
    properties: {
      device_type: "cpu",
      reg: id,
      status: "okay",
      compatible: "riscv",
      phandle: cpuPhandles[id],
      "riscv,isa": `rv64${[isaBase, ...isaExtensions].join("_")}`,
      "riscv,isa-base": "rv64i",
      "riscv,isa-extensions": [...isaBase, ...isaExtensions],
      "riscv,cbom-block-size": 64,
      "riscv,cbop-block-size": 64,
      "riscv,cboz-block-size": 64,
      "mmu-type": "riscv,sv57",
    },
    children: {
      "interrupt-controller": {
        properties: {
          "#interrupt-cells": 1,
          "interrupt-controller": true,
          compatible: "riscv,cpu-intc",
          phandle: intcPhandles[id],
        },
      },
    },
  });

  const chosen: Record<string, FdtValue> = { "stdout-path": serialPath };
  if (options.bootargs) chosen.bootargs = options.bootargs;
  if (options.initrd) {
    chosen["linux,initrd-start"] = cells64(options.initrd.start);
    chosen["linux,initrd-end"] = cells64(options.initrd.end);
  }
  if (options.rngSeed) chosen["rng-seed"] = options.rngSeed;

  const soc: Record<string, FdtNode> = {
    [unit("test", memoryMap.test)]: {
      properties: {
        compatible: ["sifive,test1", "sifive,test0", "syscon"],
        reg: reg(memoryMap.test),
        phandle: testPhandle,
      },
    },
    [unit("rtc", memoryMap.rtc)]: {
      properties: { compatible: "google,goldfish-rtc", reg: reg(memoryMap.rtc), ...interrupt(memoryMap.rtc.interrupt) },
    },
    [unit("clint", memoryMap.clint)]: {
      properties: {
        compatible: ["sifive,clint0", "riscv,clint0"],
        reg: reg(memoryMap.clint),
        // Machine software and timer interrupts of each hart.
        "interrupts-extended": intcPhandles.flatMap((intc) => [intc, 3, intc, 7]),
      },
    },
    [unit("plic", memoryMap.plic)]: {
      properties: {
        compatible: ["sifive,plic-1.0.0", "riscv,plic0"],
        reg: reg(memoryMap.plic),
        "#address-cells": 0,
        "#interrupt-cells": 1,
        "interrupt-controller": true,
        // Contexts: each hart's machine, then its supervisor external interrupt.
        "interrupts-extended": intcPhandles.flatMap((intc) => [intc, 11, intc, 9]),
        "riscv,ndev": plicSources,
        phandle: plicPhandle,
      },
    },
    [unit("serial", memoryMap.uart)]: {
      properties: {
        compatible: "ns16550a",
        reg: reg(memoryMap.uart),
        "clock-frequency": 3_686_400,
        ...interrupt(memoryMap.uart.interrupt),
      },
    },
  };
  for (const slot of options.virtioSlots) {
    const range = virtioSlot(slot);
    soc[unit("virtio_mmio", range)] = {
      properties: { compatible: "virtio,mmio", reg: reg(range), "dma-coherent": true, ...interrupt(range.interrupt) },
    };
  }

  const syscon = (compatible: string, value: number): FdtNode => ({
    properties: { compatible, regmap: testPhandle, offset: 0, value },
  });

  return {
    properties: {
      "#address-cells": 2,
      "#size-cells": 2,
      compatible: "riscv-virtio",
      model: "riscv-virtio,vivarium",
    },
    children: {
      chosen: { properties: chosen },
      aliases: { properties: { serial0: serialPath } },
      [unit("memory", memoryMap.dram)]: {
        properties: { device_type: "memory", reg: reg({ base: memoryMap.dram.base, size: options.memorySize }) },
      },
      cpus: {
        properties: { "#address-cells": 1, "#size-cells": 0, "timebase-frequency": timebaseHertz },
        children: {
          ...Object.fromEntries(harts.map((id) => [`cpu@${id.toString(16)}`, cpu(id)])),
          "cpu-map": {
            properties: {},
            children: {
              cluster0: {
                properties: {},
                children: Object.fromEntries(harts.map((id) => [`core${id}`, { properties: { cpu: cpuPhandles[id] } }])),
              },
            },
          },
        },
      },
      soc: {
        properties: { "#address-cells": 2, "#size-cells": 2, compatible: "simple-bus", ranges: true },
        children: soc,
      },
      poweroff: syscon("syscon-poweroff", finisher.pass),
      reboot: syscon("syscon-reboot", finisher.reset),
    },
  };
}

/** The same, as a guest takes it. */
export function deviceTreeBlob(options: DeviceTreeOptions): Uint8Array {
  return flattenDeviceTree(deviceTree(options));
}
