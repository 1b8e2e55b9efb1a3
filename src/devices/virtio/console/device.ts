import * as v from "valibot";
import { assert } from "../../../core/errors.ts";
import { Misuse } from "../../registers.ts";
import { unsigned, whole } from "../../state.ts";
import type { Chain } from "../chain.ts";
import type { VirtioDevice, VirtioTransport } from "../mmio.ts";
import type { Handled, VirtQueue } from "../queue.ts";
import { ConsolePort, type ConsolePortOptions, type PortHost } from "./port.ts";
import { consoleConfig, consoleFeature, controlEvent } from "./registers.ts";

/** Most ports of one device; Linux has no limit of its own, QEMU has this. */
export const maxPorts = 31;
const queueSize = 128;
/** Bytes of `struct virtio_console_control`. */
const controlSize = 8;
const controlReceive = 2;
const controlTransmit = 3;

/** A message that waits for a buffer of the guest. */
interface Message {
  readonly id: number;
  readonly event: number;
  readonly value: number;
}

/**
 * Console device (virtio 1.2, 5.3). One console alone is offered without VIRTIO_CONSOLE_F_MULTIPORT; a driver that does not
 * accept that feature has port 0 only.
 */
export class VirtioConsole implements VirtioDevice, PortHost {
  readonly name = "virtio-console";
  readonly deviceId = 3;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly misuse = new Misuse();
  readonly stateFields: ReturnType<typeof stateFields>;
  readonly ports: readonly ConsolePort[];
  transport!: VirtioTransport;
  columns = 80;
  rows = 25;
  readonly #message = new Uint8Array(controlSize);
  readonly #messageView = new DataView(this.#message.buffer);
  /** At most a few for each port, whatever the guest asks for. */
  #outgoing: Message[] = [];

  constructor(ports: readonly ConsolePortOptions[]) {
    assert(ports.length > 0 && ports.length <= maxPorts, `a console device has 1 to ${maxPorts} ports`);
    for (const { name } of ports) assert(name === undefined || /^[\x21-\x7e]{1,64}$/.test(name), `bad port name ${name}`);
    this.ports = ports.map((options, id) => new ConsolePort(id, options, this));
    const multiport = ports.length > 1 || ports[0].name !== undefined;
    this.features = consoleFeature.SIZE | consoleFeature.EMERG_WRITE | (multiport ? consoleFeature.MULTIPORT : 0n);
    this.queueSizes = new Array(multiport ? 2 * ports.length + 2 : 2).fill(queueSize);
    this.stateFields = stateFields(ports.length);
  }

  /** Tells the guest the size of the terminal behind its consoles. */
  resize(columns: number, rows: number): void {
    if (columns === this.columns && rows === this.rows) return;
    this.columns = columns;
    this.rows = rows;
    this.transport.configChanged();
    if (!this.#multiport) return;
    for (const port of this.ports) if (port.isConsole && port.ready) this.#enqueue(port.id, controlEvent.RESIZE, 0);
    this.#deliver();
  }

  attach(transport: VirtioTransport): void {
    this.transport = transport;
  }

  readConfig(offset: number, size: 1 | 2 | 4): number {
    return consoleConfig.read(this, offset, size);
  }

  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    consoleConfig.write(this, offset, size, value);
  }

  /** A character that the guest writes when nothing else works (virtio 1.2, 5.3.4). */
  writeEmergency(value: number): void {
    this.ports[0].sendByte(value & 0xff);
  }

  activate(): void {
    if (!this.#multiport) this.ports[0].setGuestOpen(true);
  }

  notify(queue: VirtQueue): void {
    const { index } = queue;
    if (this.#multiport && index === controlReceive) this.#deliver();
    else if (this.#multiport && index === controlTransmit) queue.drain(this.#control);
    else {
      const port = this.#portOf(index);
      if (port === undefined) this.misuse.count("noSuchPort");
      else if (index % 2 === 0) port.offerRoom();
      else port.resume();
    }
  }

  queueStopped(queue: VirtQueue): void {
    const port = this.#portOf(queue.index);
    if (port !== undefined && queue.index % 2 === 1) port.sent = 0;
  }

  announce(port: ConsolePort): void {
    if (!port.ready || port.told === port.hostOpen) return;
    port.told = port.hostOpen;
    const waiting = this.#outgoing.filter(({ id, event }) => id === port.id && event === controlEvent.PORT_OPEN);
    // An end and a beginning that wait are as good as the older of both, if another end comes.
    if (waiting.length >= 2) this.#outgoing.splice(this.#outgoing.lastIndexOf(waiting[waiting.length - 1]), 1);
    else this.#outgoing.push({ id: port.id, event: controlEvent.PORT_OPEN, value: Number(port.hostOpen) });
    this.#deliver();
  }

  announcing(port: ConsolePort): boolean {
    return this.#outgoing.some(({ id, event }) => id === port.id && event === controlEvent.PORT_OPEN);
  }

  reset(): void {
    this.#outgoing = [];
    for (const port of this.ports) port.reset();
  }

  save(): Record<string, unknown> {
    return {
      columns: this.columns,
      rows: this.rows,
      outgoing: this.#outgoing.map((message) => ({ ...message })),
      ports: this.ports.map(({ ready, told, guestOpen, sent }) => ({ ready, told, guestOpen, sent })),
    };
  }

  load(state: v.InferOutput<v.StrictObjectSchema<ReturnType<typeof stateFields>, undefined>>): void {
    this.columns = state.columns;
    this.rows = state.rows;
    this.#outgoing = state.outgoing;
    for (const [index, port] of this.ports.entries()) port.restore(state.ports[index]);
    const { clock } = this.transport;
    // RAM may come after the devices.
    clock.schedule(clock.now(), () => {
      if (!this.transport.running) return;
      for (const port of this.ports) {
        port.restored();
        this.announce(port);
      }
      this.#deliver();
    });
  }

  get #multiport(): boolean {
    return (this.transport.accepted & consoleFeature.MULTIPORT) !== 0n;
  }

  #portOf(queue: number): ConsolePort | undefined {
    if (queue < 2) return this.ports[0];
    return queue < 4 ? undefined : this.ports[(queue - 2) >> 1];
  }

  #enqueue(id: number, event: number, value: number): void {
    if (!this.#outgoing.some((message) => message.id === id && message.event === event)) {
      this.#outgoing.push({ id, event, value });
    }
  }

  /** Gives the guest the messages that wait, as far as it has buffers for them. */
  #deliver(): void {
    if (this.#outgoing.length === 0 || !this.#multiport) return;
    this.transport.queues[controlReceive].drain(this.#write);
    for (const port of this.ports) port.offerRoom();
  }

  readonly #write = (chain: Chain): Handled => {
    const message = this.#outgoing.shift();
    if (message === undefined) return "stop";
    const bytes = this.#encode(message);
    const written = chain.copyIn(this.transport.dma, 0, bytes);
    if (written < bytes.length) this.misuse.count("shortControlBuffer");
    this.transport.queues[controlReceive].complete(chain, written);
    return "done";
  };

  #encode({ id, event, value }: Message): Uint8Array {
    const name = event === controlEvent.PORT_NAME ? (this.ports[id].name ?? "") : "";
    const extra = event === controlEvent.RESIZE ? 4 : name.length;
    const bytes = new Uint8Array(controlSize + extra);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    if (event === controlEvent.RESIZE) {
      // In this order since virtio 1.0; Linux read them the other way round until 6.15 and the stable releases of spring 2025.
      view.setUint16(8, this.columns, true);
      view.setUint16(10, this.rows, true);
    }
    for (let i = 0; i < name.length; i++) bytes[controlSize + i] = name.charCodeAt(i);
    return bytes;
  }

  /** A control message of the guest. */
  readonly #control = (chain: Chain): Handled => {
    const complete = chain.copyOut(this.transport.dma, 0, this.#message) === controlSize;
    this.transport.queues[controlTransmit].complete(chain, 0);
    if (!complete) {
      this.misuse.count("badControlMessage");
      return "done";
    }
    const id = this.#messageView.getUint32(0, true);
    const event = this.#messageView.getUint16(4, true);
    const value = this.#messageView.getUint16(6, true);
    const port = this.ports[id];
    if (event === controlEvent.DEVICE_READY) this.#deviceReady(value);
    else if (port === undefined) this.misuse.count("noSuchPort");
    else if (event === controlEvent.PORT_READY) this.#portReady(port, value);
    else if (event === controlEvent.PORT_OPEN) port.setGuestOpen(value !== 0);
    else this.misuse.count("badControlMessage");
    this.#deliver();
    return "done";
  };

  #deviceReady(value: number): void {
    if (value !== 1) this.misuse.count("driverGaveUp");
    else for (const { id } of this.ports) this.#enqueue(id, controlEvent.PORT_ADD, 1);
  }

  #portReady(port: ConsolePort, value: number): void {
    port.ready = value === 1;
    if (!port.ready) {
      this.misuse.count("driverGaveUp");
      return;
    }
    if (port.isConsole) {
      this.#enqueue(port.id, controlEvent.CONSOLE_PORT, 1);
      this.#enqueue(port.id, controlEvent.RESIZE, 0);
    } else this.#enqueue(port.id, controlEvent.PORT_NAME, 1);
    this.announce(port);
  }
}

function stateFields(ports: number) {
  const message = v.strictObject({
    id: v.pipe(unsigned(32), v.maxValue(ports - 1)),
    event: unsigned(16),
    value: unsigned(16),
  });
  const port = v.strictObject({ ready: v.boolean(), told: v.boolean(), guestOpen: v.boolean(), sent: whole });
  return {
    columns: unsigned(16),
    rows: unsigned(16),
    outgoing: v.array(message),
    ports: v.pipe(v.array(port), v.length(ports)),
  };
}
