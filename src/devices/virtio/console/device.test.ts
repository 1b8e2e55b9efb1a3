import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeCharacters } from "../../testing/fakes.ts";
import { checkStateRefusals, checkStateRoundTrip } from "../../testing/fuzz.ts";
import { Bench, type DriverQueue, type Request } from "../testing/driver.ts";
import { VirtioConsole } from "./device.ts";
import type { ConsoleBackend } from "./port.ts";

const MULTIPORT = 2n;
const event = { DEVICE_READY: 0, PORT_ADD: 1, PORT_READY: 3, CONSOLE_PORT: 4, RESIZE: 5, PORT_OPEN: 6, PORT_NAME: 7 };
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

class Host extends FakeCharacters implements ConsoleBackend {
  log: string[] = [];

  guestOpened(open: boolean): void {
    this.log.push(open ? "opened" : "closed");
  }
}

/** The guest's driver: keeps buffers posted and collects what comes in. */
class Guest {
  readonly bench: Bench;
  readonly #posted = new Map<DriverQueue, Map<number, Request>>();

  constructor(bench: Bench) {
    this.bench = bench;
  }

  queue(index: number): DriverQueue {
    return this.bench.queues[index];
  }

  post(index: number, count: number, length: number): void {
    const queue = this.queue(index);
    const posted = this.#posted.get(queue) ?? new Map();
    this.#posted.set(queue, posted);
    for (let i = 0; i < count; i++) {
      const request = queue.add([], [length]);
      posted.set(request.head, request);
    }
    queue.kick();
  }

  /** What the device has put into the buffers, one entry for each. */
  take(index: number): Uint8Array[] {
    const queue = this.queue(index);
    const posted = this.#posted.get(queue);
    return queue.takeUsed().map(({ head, written }) => {
      const request = posted!.get(head)!;
      posted!.delete(head);
      return queue.result(request).slice(0, written);
    });
  }

  text(index: number): string {
    return this.take(index).map(decode).join("");
  }

  /** Control messages as `[id, event, value, rest]`. */
  messages(): [number, number, number, string][] {
    return this.take(2).map((bytes) => {
      const view = new DataView(bytes.buffer);
      const rest = bytes.subarray(8);
      const text =
        view.getUint16(4, true) === event.RESIZE ? `${view.getUint16(8, true)}x${view.getUint16(10, true)}` : decode(rest);
      return [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true), text];
    });
  }

  say(id: number, kind: number, value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, id, true);
    view.setUint16(4, kind, true);
    view.setUint16(6, value, true);
    this.queue(3).add([new Uint8Array(view.buffer)]);
    this.queue(3).kick();
  }

  send(index: number, ...texts: string[]): void {
    this.queue(index).add(texts.map(encode));
    this.queue(index).kick();
  }
}

function single() {
  const host = new Host();
  const device = new VirtioConsole([{ backend: host }]);
  const guest = new Guest(new Bench(device).start());
  return { host, device, port: device.ports[0], guest, bench: guest.bench };
}

/** A console and a named port, as far as a driver goes at its start. */
function multi(options: { buffers?: number } = {}) {
  const hosts = [new Host(), new Host()];
  const device = new VirtioConsole([{ backend: hosts[0] }, { backend: hosts[1], name: "org.example.0" }]);
  const guest = new Guest(new Bench(device).start());
  guest.post(2, options.buffers ?? 32, 64);
  return { hosts, device, guest, bench: guest.bench };
}

function ready(setup: ReturnType<typeof multi>) {
  const { guest } = setup;
  guest.say(0xffff_ffff, event.DEVICE_READY, 1);
  guest.say(0, event.PORT_READY, 1);
  guest.say(1, event.PORT_READY, 1);
  guest.messages();
  return setup;
}

describe("VirtioConsole with one console", () => {
  it("does not offer MULTIPORT, has two queues, tells the size", () => {
    const { bench, device } = single();
    assert.equal(bench.accepted & MULTIPORT, 0n);
    assert.equal(bench.queues.length, 2);
    assert.deepEqual([bench.mmio.read(0x100, 2), bench.mmio.read(0x102, 2), bench.mmio.read(0x104, 4)], [80, 25, 1]);
    const generation = bench.get(0x0fc);
    device.resize(132, 50);
    assert.equal(bench.takeInterrupt(), 2);
    assert.notEqual(bench.get(0x0fc), generation);
    assert.equal(bench.mmio.read(0x100, 4), 132 | (50 << 16));
    device.resize(132, 50);
    assert.equal(bench.takeInterrupt(), 0);
  });

  it("carries bytes both ways", () => {
    const { host, port, guest } = single();
    guest.send(1, "hello, ", "", "world");
    assert.equal(host.text, "hello, world");
    assert.equal(guest.queue(1).takeUsed().length, 1);
    guest.post(0, 4, 10);
    assert.equal(port.push(encode("0123456789abcdef")), 16);
    assert.deepEqual(guest.take(0).map(decode), ["0123456789", "abcdef"]);
  });

  it("takes no more input than the guest has room for, and says when there is room", () => {
    const { host, port, guest } = single();
    assert.equal(port.push(encode("early")), 0);
    guest.post(0, 2, 4);
    assert.equal(host.ready, 1);
    assert.equal(port.push(encode("0123456789")), 8);
    assert.equal(guest.text(0), "01234567");
    guest.post(0, 1, 4);
    assert.equal(host.ready, 2);
    assert.equal(port.push(encode("89")), 2);
    guest.post(0, 1, 4);
    assert.equal(host.ready, 2);
  });

  it("makes the guest wait while the host takes nothing, and loses nothing", () => {
    const { host, port, guest } = single();
    host.room = 3;
    guest.send(1, "abcdef", "ghi");
    guest.send(1, "jkl");
    assert.equal(host.text, "abc");
    assert.equal(guest.queue(1).takeUsed().length, 0);
    host.room = 5;
    port.resume();
    assert.equal(host.text, "abcdefgh");
    host.room = 100;
    port.resume();
    assert.equal(host.text, "abcdefghijkl");
    assert.equal(guest.queue(1).takeUsed().length, 2);
  });

  it("gives the guest its turn when it sends much at once", () => {
    const { host, guest, bench } = single();
    let taken = 0;
    host.write = (bytes) => {
      taken += bytes.length;
      return bytes.length;
    };
    const queue = guest.queue(1);
    const { head } = queue.add([new Uint8Array(3 << 20)]);
    for (let i = 1; i < 11; i++) queue.push(head);
    queue.kick();
    assert.equal(taken, 16 << 20);
    bench.clock.advance(10_000);
    assert.equal(taken, 32 << 20);
    bench.clock.advance(10_000);
    assert.equal(taken, 33 << 20);
    assert.equal(bench.clock.pending, 0);
  });

  it("writes in an emergency, before there is a driver", () => {
    const host = new Host();
    const bench = new Bench(new VirtioConsole([{ backend: host }]));
    bench.put(0x108, 0x141);
    assert.equal(host.text, "A");
  });

  it("takes a half-sent chain along", () => {
    const { host, bench, guest } = single();
    host.room = 2;
    guest.send(1, "abcd");
    const other = new Host();
    const device = new VirtioConsole([{ backend: other }]);
    const to = new Bench(device);
    checkStateRoundTrip(bench.mmio, to.mmio);
    checkStateRefusals(bench.mmio);
    assert.equal(device.ports[0].push(encode("x")), 0);
    to.ram.bytes.set(bench.ram.bytes);
    to.clock.advance(10_000);
    assert.equal(host.text + other.text, "abcd");
    assert.deepEqual(other.log, ["opened"]);
  });
});

describe("VirtioConsole with several ports", () => {
  it("introduces its ports: console with size, port with name", () => {
    const { guest } = multi();
    guest.say(0xffff_ffff, event.DEVICE_READY, 1);
    assert.deepEqual(guest.messages(), [
      [0, event.PORT_ADD, 1, ""],
      [1, event.PORT_ADD, 1, ""],
    ]);
    guest.say(0, event.PORT_READY, 1);
    assert.deepEqual(guest.messages(), [
      [0, event.CONSOLE_PORT, 1, ""],
      [0, event.RESIZE, 0, "80x25"],
      [0, event.PORT_OPEN, 1, ""],
    ]);
    guest.say(1, event.PORT_READY, 1);
    assert.deepEqual(guest.messages(), [[1, event.PORT_NAME, 1, "org.example.0"]]);
  });

  it("tells consoles of a new size, the last one only", () => {
    const { guest, device } = ready(multi({ buffers: 6 }));
    device.resize(100, 30);
    device.resize(120, 40);
    guest.post(2, 8, 64);
    assert.deepEqual(guest.messages(), [[0, event.RESIZE, 0, "120x40"]]);
    device.resize(10, 5);
    assert.deepEqual(guest.messages(), [[0, event.RESIZE, 0, "10x5"]]);
  });

  it("carries bytes while both sides are open, and tells each of the other", () => {
    const { guest, device, hosts } = ready(multi());
    const port = device.ports[1];
    guest.post(4, 8, 16);
    port.open();
    assert.deepEqual(guest.messages(), [[1, event.PORT_OPEN, 1, ""]]);
    assert.equal(port.push(encode("early")), 0);
    guest.say(1, event.PORT_OPEN, 1);
    assert.deepEqual([hosts[1].log, hosts[1].ready, port.guestOpen], [["opened"], 1, true]);
    assert.equal(port.push(encode("hello")), 5);
    assert.equal(guest.text(4), "hello");
    guest.send(5, "answer");
    assert.equal(hosts[1].text, "answer");
    guest.say(1, event.PORT_OPEN, 0);
    assert.deepEqual(hosts[1].log, ["opened", "closed"]);
    assert.equal(port.push(encode("late")), 0);
    assert.equal(hosts[0].text, "");
  });

  it("ends a stream behind its last byte", () => {
    const { guest, device, hosts } = ready(multi());
    const port = device.ports[1];
    port.open();
    guest.say(1, event.PORT_OPEN, 1);
    guest.messages();
    assert.equal(port.push(encode("0123456789")), 0);
    guest.post(4, 1, 6);
    assert.equal(hosts[1].ready, 1);
    assert.equal(port.push(encode("0123456789")), 6);
    guest.post(4, 1, 6);
    assert.equal(port.push(encode("6789")), 4);
    assert.deepEqual(guest.messages(), []);
    port.close();
    // The end is told by another queue; when the guest can see it, the data has been there before.
    assert.deepEqual(guest.messages(), [[1, event.PORT_OPEN, 0, ""]]);
    assert.equal(guest.text(4), "0123456789");
    assert.equal(port.push(encode("more")), 0);
  });

  it("drops output when nobody listens, also what the host had not taken", () => {
    const { guest, device, hosts } = ready(multi());
    const port = device.ports[1];
    guest.send(5, "nobody");
    assert.equal(guest.queue(5).takeUsed().length, 1);
    port.open();
    hosts[1].room = 2;
    guest.send(5, "abcd");
    assert.equal(guest.queue(5).takeUsed().length, 0);
    port.close();
    assert.equal(guest.queue(5).takeUsed().length, 1);
    assert.equal(hosts[1].text, "ab");
  });

  it("shows each end between streams, however late the guest looks", () => {
    const { guest, device, hosts } = ready(multi({ buffers: 6 }));
    const port = device.ports[1];
    guest.say(1, event.PORT_OPEN, 1);
    guest.post(4, 8, 16);
    port.open();
    for (let i = 0; i < 5; i++) {
      port.close();
      port.open();
    }
    assert.equal(port.push(encode("new")), 0);
    guest.post(2, 16, 64);
    const states = guest.messages().map(([, , value]) => value);
    assert.deepEqual(states, [1]);
    assert.equal(hosts[1].ready, 1);
    assert.equal(port.push(encode("new")), 3);
  });

  it("keeps few messages for a guest that asks and does not listen", () => {
    const { guest, bench } = multi({ buffers: 0 });
    for (let i = 0; i < 100; i++) {
      guest.say(0xffff_ffff, event.DEVICE_READY, 1);
      guest.say(0, event.PORT_READY, 1);
      guest.say(1, event.PORT_READY, 1);
      guest.queue(3).takeUsed();
    }
    guest.post(2, 64, 64);
    assert.equal(guest.messages().length, 6);
    guest.say(7, event.PORT_READY, 1);
    guest.say(1, 99, 1);
    guest.say(0, event.DEVICE_READY, 0);
    guest.queue(3).add([new Uint8Array(7)]);
    guest.queue(3).kick();
    assert.deepEqual(bench.mmio.misuse.counts, { noSuchPort: 1, badControlMessage: 2, driverGaveUp: 1 });
  });

  it("is one console for a driver without MULTIPORT", () => {
    const hosts = [new Host(), new Host()];
    const device = new VirtioConsole([{ backend: hosts[0] }, { backend: hosts[1], name: "p" }]);
    const guest = new Guest(new Bench(device).start({ refuse: MULTIPORT }));
    guest.post(0, 1, 8);
    assert.equal(device.ports[0].push(encode("in")), 2);
    guest.send(1, "out");
    assert.equal(hosts[0].text, "out");
    device.ports[1].open();
    assert.equal(device.ports[1].push(encode("x")), 0);
    const { counts } = guest.bench.mmio.misuse;
    const before = counts.noSuchPort;
    guest.queue(3).kick();
    assert.equal(counts.noSuchPort, before + 1);
  });

  it("tells hosts that the guest is gone when it resets the device, and begins anew", () => {
    const setup = ready(multi());
    const { device, hosts, bench } = setup;
    device.ports[1].open();
    setup.guest.say(1, event.PORT_OPEN, 1);
    bench.put(0x070, 0);
    assert.deepEqual(hosts[1].log, ["opened", "closed"]);
    const guest = new Guest(bench.start());
    guest.post(2, 16, 64);
    guest.say(1, event.PORT_READY, 1);
    assert.deepEqual(guest.messages(), [
      [1, event.PORT_NAME, 1, "org.example.0"],
      [1, event.PORT_OPEN, 1, ""],
    ]);
  });

  it("takes its state along: a port whose host is gone is closed for the guest", () => {
    const { bench, device, guest } = ready(multi());
    device.ports[1].open();
    guest.say(1, event.PORT_OPEN, 1);
    guest.messages();
    const hosts = [new Host(), new Host()];
    const other = new VirtioConsole([{ backend: hosts[0] }, { backend: hosts[1], name: "org.example.0" }]);
    const to = new Bench(other);
    checkStateRoundTrip(bench.mmio, to.mmio);
    checkStateRefusals(bench.mmio);
    to.ram.bytes.set(bench.ram.bytes);
    to.clock.advance(0);
    assert.deepEqual(hosts[1].log, ["opened"]);
    assert.equal(other.ports[1].told, false);
    assert.equal(to.irq.level, true);
  });
});
