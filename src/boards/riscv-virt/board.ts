import { Aclint } from "../../devices/aclint/device.ts";
import type { CharacterBackend, CharacterPort } from "../../devices/character.ts";
import { GoldfishRtc } from "../../devices/goldfish-rtc/device.ts";
import { Plic } from "../../devices/plic/device.ts";
import type { Clock, Dma, Irq, MmioDevice } from "../../devices/ports.ts";
import { TestFinisher } from "../../devices/test-finisher/device.ts";
import { Uart16550 } from "../../devices/uart16550/device.ts";
import { EmptySlot } from "./empty-slot.ts";
import { FirmwareConsole } from "./firmware-console.ts";
import { memoryMap, virtioSlot, virtioSlots } from "./memory-map.ts";

/** What a virtio-mmio transport is given. */
export interface VirtioSlotPorts {
  readonly irq: Irq;
  readonly dma: Dma;
  readonly clock: Clock;
}

/** What stands behind the board's devices on the host's side. */
export interface BoardBackends {
  /** Takes what the guest sends to the serial port, and what goes through calls to the firmware's console. */
  readonly serial: CharacterBackend;
  /** The transports of the virtio slots from 0 on, each with its device; at most `virtioSlots`. */
  readonly virtio: readonly ((ports: VirtioSlotPorts) => MmioDevice)[];
}

export interface BoardPorts {
  readonly clock: Clock;
  readonly dma: Dma;
  /** The interrupt-pending bits of each hart's `mip`. */
  readonly harts: readonly { readonly msip: Irq; readonly mtip: Irq; readonly meip: Irq; readonly seip: Irq }[];
  powerOff(code: number): void;
  reset(): void;
  readonly backends: BoardBackends;
}

/** The devices of a machine, and where they are. */
export interface Board {
  readonly mappings: readonly { readonly base: number; readonly device: MmioDevice }[];
  /** Input to the serial port. */
  readonly serial: CharacterPort;
  /** The console of calls to the supervisor execution environment; as a port, its input. */
  readonly console: FirmwareConsole;
}

/** Makes the devices of `riscv-virt` and wires their interrupts. */
export function createBoard(ports: BoardPorts): Board {
  const { clock, dma, harts, backends } = ports;
  if (backends.virtio.length > virtioSlots) throw new Error(`${backends.virtio.length} virtio devices in ${virtioSlots} slots`);
  const plic = new Plic({ contexts: harts.flatMap(({ meip, seip }) => [meip, seip]) });
  const serial = new Uart16550({ irq: plic.input(memoryMap.uart.interrupt), backend: backends.serial });
  const mappings = [
    { base: memoryMap.test.base, device: new TestFinisher({ off: ports.powerOff, reset: ports.reset }) },
    { base: memoryMap.rtc.base, device: new GoldfishRtc({ irq: plic.input(memoryMap.rtc.interrupt), clock }) },
    { base: memoryMap.clint.base, device: new Aclint({ clock, harts }) },
    { base: memoryMap.plic.base, device: plic },
    { base: memoryMap.uart.base, device: serial },
    ...Array.from({ length: virtioSlots }, (_, slot) => {
      const { base, interrupt } = virtioSlot(slot);
      const create = backends.virtio[slot];
      return { base, device: create ? create({ irq: plic.input(interrupt), dma, clock }) : new EmptySlot() };
    }),
  ];
  return { mappings, serial, console: new FirmwareConsole(backends.serial) };
}
