import * as v from "valibot";
import type { CharacterBackend, CharacterPort } from "../character.ts";
import type { DeviceState, Irq, MmioDevice } from "../ports.ts";
import { Misuse } from "../registers.ts";
import { checkState, unsigned } from "../state.ts";
import { fcr, ier, iir, lsr, mcr, msr, uartRegisters, uartSize } from "./registers.ts";

/** Bytes of each FIFO. */
const fifoSize = 16;
/** Bytes in the receiver FIFO at which it asks for service, by the two trigger bits of FCR. */
const triggerLevels = [1, 4, 8, 14] as const;

export interface UartPorts {
  readonly irq: Irq;
  readonly backend: CharacterBackend;
}

/**
 * The serial port of QEMU's `virt` board: a 16550A whose line takes no time. A byte is sent when the backend takes it; a
 * byte that is below the trigger level counts as timed out at once, so that no driver waits for the next one. The modem
 * at the other end is always there (CTS, DSR and DCD), so modem status never interrupts; nor does it in loopback, as in QEMU.
 */
export class Uart16550 implements MmioDevice, CharacterPort {
  readonly name = "uart16550";
  readonly size = uartSize;
  readonly misuse = new Misuse();
  readonly #ports: UartPorts;
  ier = 0;
  lcr = 0;
  mcr = 0;
  scr = 0;
  /** Divisor latch: kept for the driver, of no effect. */
  dll = 0;
  dlm = 0;
  /** FCR's enable and trigger bits. */
  #fcr = 0;
  /** The last byte that came while there were no FIFOs: RBR reads it until the next. */
  #rbr = 0;
  /** LSR's error bits; the others follow from the FIFOs. */
  #errors = 0;
  /** The interrupt "transmitter holding register empty" waits to be identified. */
  #thrEmpty = false;
  readonly #received = new Ring(fifoSize);
  readonly #sending = new Ring(fifoSize);
  readonly #byte = new Uint8Array(1);
  #pushedBack = false;

  constructor(ports: UartPorts) {
    this.#ports = ports;
    this.reset();
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return uartRegisters.read(this, offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    uartRegisters.write(this, offset, size, value);
  }

  push(bytes: Uint8Array): number {
    // In loopback the receiver is cut off from the line; what arrives waits.
    const room = this.mcr & mcr.LOOP ? 0 : this.#receiverSize() - this.#received.length;
    const taken = Math.min(bytes.length, Math.max(room, 0));
    for (let i = 0; i < taken; i++) this.#put(bytes[i]);
    this.#pushedBack = taken < bytes.length;
    if (taken > 0) this.#updateIrq();
    return taken;
  }

  resume(): void {
    this.#drain();
    this.#updateIrq();
  }

  receive(): number {
    const empty = this.#fcr & fcr.enable ? 0 : this.#rbr;
    const byte = this.#received.length > 0 ? this.#received.take() : empty;
    this.#updateIrq();
    this.#offerRoom();
    return byte;
  }

  transmit(byte: number): void {
    this.#thrEmpty = false;
    if (this.mcr & mcr.LOOP) {
      if (this.#received.length === this.#receiverSize()) {
        // RBR gives way to the new byte, a full FIFO does not (data sheet, 8.4).
        this.#errors |= lsr.OE;
        if ((this.#fcr & fcr.enable) === 0) this.#received.clear();
      }
      if (this.#received.length < this.#receiverSize()) this.#put(byte);
      this.#thrEmpty = true;
      this.#updateIrq();
      return;
    }
    if (this.#sending.length >= (this.#fcr & fcr.enable ? fifoSize : 1)) this.misuse.count("transmitterOverrun");
    else this.#sending.put(byte);
    this.#drain();
    this.#updateIrq();
  }

  writeIer(value: number): void {
    const before = this.ier;
    this.ier = value & 0x0f;
    // Enabling the interrupt raises it if the register is empty, also when it had been identified before: drivers rely on it.
    if ((before ^ this.ier) & ier.ETBEI) this.#thrEmpty = (this.ier & ier.ETBEI) !== 0 && this.#sending.length === 0;
    this.#updateIrq();
  }

  readIir(): number {
    const value = this.#interrupt();
    if (value === iir.thrEmpty) {
      this.#thrEmpty = false;
      this.#updateIrq();
    }
    return value | (this.#fcr & fcr.enable ? iir.fifos : 0);
  }

  writeFcr(value: number): void {
    // Switching FIFOs on or off empties them (data sheet, 8.3).
    const switched = ((value ^ this.#fcr) & fcr.enable) !== 0;
    if (switched || value & fcr.resetReceiver) this.#received.clear();
    if (switched || value & fcr.resetTransmitter) {
      this.#sending.clear();
      this.#thrEmpty = true;
    }
    this.#fcr = value & fcr.enable ? value & (fcr.enable | fcr.trigger) : 0;
    this.#updateIrq();
    this.#offerRoom();
  }

  writeMcr(value: number): void {
    this.mcr = value & 0x1f;
    this.#offerRoom();
  }

  readLsr(): number {
    const empty = this.#sending.length === 0 ? lsr.THRE | lsr.TEMT : 0;
    const value = this.#errors | empty | (this.#received.length > 0 ? lsr.DR : 0);
    this.#errors = 0;
    this.#updateIrq();
    return value;
  }

  /** The modem's lines. In loopback its outputs are its inputs (data sheet, 8.6). */
  readMsr(): number {
    if (!(this.mcr & mcr.LOOP)) return msr.DCD | msr.DSR | msr.CTS;
    const line = (output: number, input: number) => (this.mcr & output ? input : 0);
    return line(mcr.RTS, msr.CTS) | line(mcr.DTR, msr.DSR) | line(mcr.OUT1, msr.RI) | line(mcr.OUT2, msr.DCD);
  }

  reset(): void {
    this.ier = 0;
    this.lcr = 0;
    this.mcr = mcr.OUT2;
    this.scr = 0;
    this.dll = 0;
    this.dlm = 0;
    this.#fcr = 0;
    this.#rbr = 0;
    this.#errors = 0;
    this.#thrEmpty = false;
    this.#received.clear();
    this.#sending.clear();
    this.#updateIrq();
    this.#offerRoom();
  }

  save(): DeviceState {
    return {
      schema: "uart16550",
      version: 1,
      ier: this.ier,
      lcr: this.lcr,
      mcr: this.mcr,
      scr: this.scr,
      dll: this.dll,
      dlm: this.dlm,
      fcr: this.#fcr,
      rbr: this.#rbr,
      errors: this.#errors,
      thrEmpty: this.#thrEmpty,
      received: this.#received.toArray(),
      sending: this.#sending.toArray(),
    };
  }

  load(state: DeviceState): void {
    const loaded = checkState("uart16550", 1, fields, state);
    this.ier = loaded.ier;
    this.lcr = loaded.lcr;
    this.mcr = loaded.mcr;
    this.scr = loaded.scr;
    this.dll = loaded.dll;
    this.dlm = loaded.dlm;
    this.#fcr = loaded.fcr & fcr.enable ? loaded.fcr & (fcr.enable | fcr.trigger) : 0;
    this.#rbr = loaded.rbr;
    this.#errors = loaded.errors & lsr.errors;
    this.#thrEmpty = loaded.thrEmpty;
    this.#received.clear();
    for (const byte of loaded.received) this.#received.put(byte);
    this.#sending.clear();
    for (const byte of loaded.sending) this.#sending.put(byte);
    this.#updateIrq();
  }

  #put(byte: number): void {
    this.#received.put(byte);
    if ((this.#fcr & fcr.enable) === 0) this.#rbr = byte;
  }

  #receiverSize(): number {
    return this.#fcr & fcr.enable ? fifoSize : 1;
  }

  /** Sends what waits, as far as the backend takes it. */
  #drain(): void {
    if (this.#sending.length === 0) return;
    while (this.#sending.length > 0) {
      this.#byte[0] = this.#sending.first;
      if (this.#ports.backend.write(this.#byte) === 0) return;
      this.#sending.take();
    }
    this.#thrEmpty = true;
  }

  #offerRoom(): void {
    if (!this.#pushedBack || this.mcr & mcr.LOOP || this.#received.length > 0) return;
    this.#pushedBack = false;
    this.#ports.backend.inputReady?.();
  }

  /** IIR's identification, by priority (data sheet, table V). */
  #interrupt(): number {
    if (this.ier & ier.ELSI && this.#errors !== 0) return iir.lineStatus;
    if (this.ier & ier.ERBFI && this.#received.length > 0) {
      const trigger = this.#fcr & fcr.enable ? triggerLevels[this.#fcr >> 6] : 1;
      return this.#received.length >= trigger ? iir.dataAvailable : iir.timeout;
    }
    if (this.ier & ier.ETBEI && this.#thrEmpty) return iir.thrEmpty;
    return iir.none;
  }

  #updateIrq(): void {
    this.#ports.irq.set(this.#interrupt() !== iir.none);
  }
}

/** Bytes first in, first out. */
class Ring {
  readonly #bytes: Uint8Array;
  #start = 0;
  length = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  get first(): number {
    return this.#bytes[this.#start];
  }

  put(byte: number): void {
    this.#bytes[(this.#start + this.length++) % this.#bytes.length] = byte;
  }

  take(): number {
    const byte = this.#bytes[this.#start];
    this.#start = (this.#start + 1) % this.#bytes.length;
    this.length--;
    return byte;
  }

  clear(): void {
    this.length = 0;
  }

  toArray(): number[] {
    return Array.from({ length: this.length }, (_, i) => this.#bytes[(this.#start + i) % this.#bytes.length]);
  }
}

const bytes = v.pipe(v.array(unsigned(8)), v.maxLength(fifoSize));
const fields = {
  ier: unsigned(4),
  lcr: unsigned(8),
  mcr: unsigned(5),
  scr: unsigned(8),
  dll: unsigned(8),
  dlm: unsigned(8),
  fcr: unsigned(8),
  rbr: unsigned(8),
  errors: unsigned(8),
  thrEmpty: v.boolean(),
  received: bytes,
  sending: bytes,
};
