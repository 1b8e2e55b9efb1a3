import type { CharacterBackend, CharacterPort } from "../../character.ts";
import type { Chain } from "../chain.ts";
import type { VirtioTransport } from "../mmio.ts";
import type { Handled, VirtQueue } from "../queue.ts";

/** Bytes that are sent before the guest gets its turn: it can ask for terabytes with one notification. */
const turnLimit = 1 << 24;
/** Bytes given to the backend at once. */
const writeLimit = 1 << 20;

/** The host's side of a port. */
export interface ConsoleBackend extends CharacterBackend {
  /** The guest has opened or closed its side; input is taken only while it is open. */
  guestOpened?(open: boolean): void;
}

export interface ConsolePortOptions {
  readonly backend: ConsoleBackend;
  /** Printable ASCII, shown to the guest (Linux: /dev/virtio-ports/NAME). A port without a name is a console. */
  readonly name?: string;
}

/** What a port needs of its device. */
export interface PortHost {
  readonly transport: VirtioTransport;
  /** The host has opened or closed its side: the guest is to know, after what it was sent before. */
  announce(port: ConsolePort): void;
  /** The guest does not know yet that the host's side was opened or closed. */
  announcing(port: ConsolePort): boolean;
}

/**
 * A port of a console device: a byte stream each way. The device keeps no data. What `push` took lies in the guest's
 * buffers, so that a `close` after it reaches the guest's reader as the end of file behind the last byte.
 */
export class ConsolePort implements CharacterPort {
  readonly id: number;
  readonly name: string | undefined;
  readonly #backend: ConsoleBackend;
  readonly #host: PortHost;
  readonly #encoded: number;
  /** The guest has said PORT_READY. */
  ready = false;
  /** The host's side is open. A console is open from the start. */
  hostOpen: boolean;
  /** What the guest was told last, or will be told, about the host's side. */
  told = false;
  #guestOpen = false;
  /** Bytes of the first available chain that the backend has taken. */
  sent = 0;
  /** Bytes that may yet be sent in this turn. */
  #turn = 0;
  #pushedBack = false;
  /** A state was loaded, and RAM may not be there yet. */
  #restoring = false;
  #input: Uint8Array | undefined;
  #taken = 0;

  constructor(id: number, options: ConsolePortOptions, host: PortHost) {
    this.id = id;
    this.name = options.name;
    this.hostOpen = options.name === undefined;
    this.#backend = options.backend;
    this.#host = host;
    // Port 0 has the first two queues, the control queues follow (virtio 1.2, 5.3.2).
    this.#encoded = id === 0 ? 0 : 2 + 2 * id;
  }

  get isConsole(): boolean {
    return this.name === undefined;
  }

  /** The guest has this port open. */
  get guestOpen(): boolean {
    return this.#guestOpen;
  }

  get receiveQueue(): VirtQueue {
    return this.#host.transport.queues[this.#encoded];
  }

  get transmitQueue(): VirtQueue {
    return this.#host.transport.queues[this.#encoded + 1];
  }

  /** Opens the host's side: the guest can write, and read what is pushed. */
  open(): void {
    if (this.hostOpen) return;
    this.hostOpen = true;
    this.#host.announce(this);
  }

  /** Closes the host's side: the guest reads what was pushed, then the end of file. What it writes is dropped. */
  close(): void {
    if (!this.hostOpen) return;
    this.hostOpen = false;
    this.#host.announce(this);
    // With nobody there, what waits to be sent is dropped and the guest goes on.
    this.resume();
  }

  push(bytes: Uint8Array): number {
    this.#input = bytes;
    this.#taken = 0;
    // Between the end of one stream and the begin of the next the guest must see that there was an end.
    if (this.#takesInput()) this.receiveQueue.drain(this.#fill);
    this.#input = undefined;
    this.#pushedBack = this.#taken < bytes.length;
    return this.#taken;
  }

  resume(): void {
    this.#turn = turnLimit;
    this.transmitQueue.drain(this.#send);
  }

  /** Sends one byte past all queues. If the backend does not take it, it is lost: that is what an emergency can do. */
  sendByte(byte: number): void {
    if (this.hostOpen) this.#backend.write(Uint8Array.of(byte));
  }

  setGuestOpen(open: boolean): void {
    if (this.#guestOpen === open) return;
    this.#guestOpen = open;
    this.#backend.guestOpened?.(open);
    this.offerRoom();
  }

  /** The guest may have made room for input. */
  offerRoom(): void {
    if (!this.#pushedBack || !this.#takesInput()) return;
    this.#pushedBack = false;
    this.#backend.inputReady?.();
  }

  reset(): void {
    this.ready = false;
    this.told = false;
    this.sent = 0;
    this.#restoring = false;
    this.setGuestOpen(false);
  }

  /** Takes back a state; `restored` goes on from there. */
  restore(state: { ready: boolean; told: boolean; guestOpen: boolean; sent: number }): void {
    this.ready = state.ready;
    this.told = state.told;
    this.sent = state.sent;
    this.#guestOpen = state.guestOpen;
    this.#restoring = true;
  }

  /** RAM is as it was saved, too: the backend, which may be another one, learns how things are. */
  restored(): void {
    if (!this.#restoring) return;
    this.#restoring = false;
    if (this.#guestOpen) this.#backend.guestOpened?.(true);
    this.offerRoom();
  }

  readonly #fill = (chain: Chain): Handled => {
    const input = this.#input!;
    if (this.#taken === input.length) return "stop";
    const written = chain.copyIn(this.#host.transport.dma, 0, this.#taken === 0 ? input : input.subarray(this.#taken));
    this.#taken += written;
    this.receiveQueue.complete(chain, written);
    return "done";
  };

  readonly #send = (chain: Chain): Handled => {
    const { dma } = this.#host.transport;
    while (this.hostOpen && this.sent < chain.readable) {
      if (this.#turn <= 0) {
        this.#host.transport.later(this.transmitQueue);
        return "stop";
      }
      const view = chain.readableView(dma, this.sent, writeLimit);
      if (view === undefined) break;
      const taken = this.#backend.write(view);
      this.sent += taken;
      this.#turn -= taken;
      if (taken < view.length) return "stop";
    }
    this.sent = 0;
    this.transmitQueue.complete(chain, 0);
    return "done";
  };

  #takesInput(): boolean {
    return this.hostOpen && this.#guestOpen && !this.#restoring && !this.#host.announcing(this);
  }
}
