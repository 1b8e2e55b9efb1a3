import { type Register, RegisterTable } from "../registers.ts";
import type { Uart16550 } from "./device.ts";

/** Bytes of address space, as QEMU's `virt` board maps it. */
export const uartSize = 0x100;

/** Names and bits are those of the PC16550D data sheet (National Semiconductor, June 1995, section 8). */
export const ier = { ERBFI: 0x01, ETBEI: 0x02, ELSI: 0x04 } as const;
export const iir = {
  none: 0x01,
  thrEmpty: 0x02,
  dataAvailable: 0x04,
  timeout: 0x0c,
  lineStatus: 0x06,
  fifos: 0xc0,
} as const;
export const fcr = { enable: 0x01, resetReceiver: 0x02, resetTransmitter: 0x04, trigger: 0xc0 } as const;
export const lcr = { DLAB: 0x80 } as const;
export const mcr = { DTR: 0x01, RTS: 0x02, OUT1: 0x04, OUT2: 0x08, LOOP: 0x10 } as const;
export const lsr = { DR: 0x01, OE: 0x02, errors: 0x1e, THRE: 0x20, TEMT: 0x40 } as const;
export const msr = { CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80 } as const;

const divisor = (uart: Uart16550) => (uart.lcr & lcr.DLAB) !== 0;
const data = (uart: Uart16550) => (uart.lcr & lcr.DLAB) === 0;

const registers: Register<Uart16550>[] = [
  { name: "RBR", at: 0, size: 1, access: "ro", reset: 0, when: data, read: (uart) => uart.receive() },
  { name: "THR", at: 0, size: 1, access: "wo", when: data, write: (uart, value) => uart.transmit(value) },
  {
    name: "DLL",
    at: 0,
    size: 1,
    access: "rw",
    reset: 0,
    when: divisor,
    read: (uart) => uart.dll,
    write: (uart, value) => {
      uart.dll = value;
    },
  },
  {
    name: "IER",
    at: 1,
    size: 1,
    access: "rw",
    reset: 0,
    when: data,
    read: (uart) => uart.ier,
    write: (uart, value) => uart.writeIer(value),
  },
  {
    name: "DLM",
    at: 1,
    size: 1,
    access: "rw",
    reset: 0,
    when: divisor,
    read: (uart) => uart.dlm,
    write: (uart, value) => {
      uart.dlm = value;
    },
  },
  { name: "IIR", at: 2, size: 1, access: "ro", reset: iir.none, read: (uart) => uart.readIir() },
  { name: "FCR", at: 2, size: 1, access: "wo", write: (uart, value) => uart.writeFcr(value) },
  {
    name: "LCR",
    at: 3,
    size: 1,
    access: "rw",
    reset: 0,
    read: (uart) => uart.lcr,
    write: (uart, value) => {
      uart.lcr = value;
    },
  },
  {
    name: "MCR",
    at: 4,
    size: 1,
    access: "rw",
    reset: mcr.OUT2,
    read: (uart) => uart.mcr,
    write: (uart, value) => uart.writeMcr(value),
  },
  { name: "LSR", at: 5, size: 1, access: "ro", reset: lsr.THRE | lsr.TEMT, read: (uart) => uart.readLsr() },
  { name: "MSR", at: 6, size: 1, access: "ro", reset: msr.DCD | msr.DSR | msr.CTS, read: (uart) => uart.readMsr() },
  {
    name: "SCR",
    at: 7,
    size: 1,
    access: "rw",
    reset: 0,
    read: (uart) => uart.scr,
    write: (uart, value) => {
      uart.scr = value;
    },
  },
];

export const uartRegisters = new RegisterTable<Uart16550>(uartSize, registers, { wide: "first" });
