import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeCharacters, FakeIrq } from "../testing/fakes.ts";
import { checkStateRefusals, checkStateRoundTrip, poke, Random } from "../testing/fuzz.ts";
import { checkResetValues, offsetsOf } from "../testing/registers.ts";
import { Uart16550 } from "./device.ts";
import { uartRegisters } from "./registers.ts";

const reg = { data: 0, IER: 1, IIR: 2, FCR: 2, LCR: 3, MCR: 4, LSR: 5, MSR: 6, SCR: 7 };

function make() {
  const irq = new FakeIrq();
  const backend = new FakeCharacters();
  const uart = new Uart16550({ irq, backend });
  return {
    irq,
    backend,
    uart,
    out: (register: keyof typeof reg, value: number) => uart.write(reg[register], 1, value),
    in: (register: keyof typeof reg) => uart.read(reg[register], 1),
    push: (text: string) => uart.push(new TextEncoder().encode(text)),
  };
}

describe("Uart16550", () => {
  it("sends what a polling driver writes", () => {
    const port = make();
    for (const character of "hello") {
      assert.equal(port.in("LSR") & 0x60, 0x60);
      port.out("data", character.charCodeAt(0));
    }
    assert.equal(port.backend.text, "hello");
    assert.equal(port.irq.raised, 0);
  });

  it("receives into one register without FIFOs, into 16 bytes with them", () => {
    const port = make();
    assert.equal(port.push("ab"), 1);
    assert.equal(port.in("LSR") & 1, 1);
    assert.equal(port.in("data"), 0x61);
    assert.equal(port.in("LSR") & 1, 0);
    assert.equal(port.backend.ready, 1);
    port.out("FCR", 0x01);
    assert.equal(port.push("0123456789abcdefgh"), 16);
    let text = "";
    while (port.in("LSR") & 1) text += String.fromCharCode(port.in("data"));
    assert.equal(text, "0123456789abcdef");
    assert.equal(port.backend.ready, 2);
    assert.equal(port.in("data"), 0);
  });

  it("interrupts on input: available at the trigger level, timed out below it", () => {
    const port = make();
    port.out("FCR", 0x81);
    port.out("IER", 0x01);
    port.push("1234567");
    assert.equal(port.irq.level, true);
    assert.equal(port.in("IIR"), 0xcc);
    port.push("8");
    assert.equal(port.in("IIR"), 0xc4);
    for (let i = 0; i < 8; i++) port.in("data");
    assert.equal(port.irq.level, false);
    assert.equal(port.in("IIR"), 0xc1);
  });

  it("interrupts when the transmitter is empty: once for each byte, and when enabled", () => {
    const port = make();
    port.out("IER", 0x02);
    assert.equal(port.irq.level, true);
    assert.equal(port.in("IIR"), 0x02);
    assert.equal(port.irq.level, false);
    assert.equal(port.in("IIR"), 0x01);
    port.out("data", 0x41);
    assert.equal(port.irq.level, true);
    assert.equal(port.in("IIR"), 0x02);
    // Linux's 8250 driver tests that enabling it anew interrupts anew (`serial8250_THRE_test`).
    port.out("IER", 0x00);
    assert.equal(port.irq.level, false);
    port.out("IER", 0x02);
    assert.equal(port.in("IIR"), 0x02);
  });

  it("holds bytes that the host does not take, and the transmitter with them", () => {
    const port = make();
    port.out("FCR", 0x01);
    port.out("IER", 0x02);
    port.in("IIR");
    port.backend.room = 2;
    for (const byte of [1, 2, 3, 4]) port.out("data", byte);
    assert.deepEqual(port.backend.received, [1, 2]);
    assert.equal(port.in("LSR") & 0x60, 0);
    assert.equal(port.in("IIR"), 0xc1);
    port.backend.room = 100;
    port.uart.resume();
    assert.deepEqual(port.backend.received, [1, 2, 3, 4]);
    assert.equal(port.in("LSR") & 0x60, 0x60);
    assert.equal(port.in("IIR"), 0xc2);
    port.backend.room = 0;
    for (let i = 0; i < 20; i++) port.out("data", i);
    assert.deepEqual(port.uart.misuse.counts, { transmitterOverrun: 4 });
  });

  it("puts line status before data before transmitter, and never interrupts for modem status", () => {
    const port = make();
    port.out("MCR", 0x10);
    port.out("IER", 0x0f);
    port.out("data", 1);
    port.out("data", 2);
    port.out("MCR", 0x13);
    const seen: number[] = [];
    seen.push(port.in("IIR"));
    assert.equal(port.in("LSR") & 0x03, 0x03);
    seen.push(port.in("IIR"));
    port.in("data");
    seen.push(port.in("IIR"), port.in("IIR"));
    assert.deepEqual(seen, [0x06, 0x04, 0x02, 0x01]);
    assert.equal(port.irq.level, false);
  });

  it("loops modem lines and data back, as Linux's autoconfiguration expects", () => {
    const port = make();
    port.out("MCR", 0x1a);
    assert.equal(port.in("MSR"), 0x90);
    port.out("FCR", 0x01);
    assert.equal(port.push("x"), 0);
    for (let i = 0; i < 16; i++) port.out("data", i);
    assert.equal(port.push("x"), 0);
    for (let i = 0; i < 16; i++) assert.equal(port.in("data"), i);
    assert.deepEqual(port.backend.received, []);
    port.out("MCR", 0x08);
    assert.equal(port.backend.ready, 1);
    assert.equal(port.in("MSR") & 0xf0, 0xb0);
  });

  it("loses the older byte without FIFOs and the newer one with them, and says so", () => {
    const port = make();
    port.out("MCR", 0x10);
    for (const byte of [1, 2]) port.out("data", byte);
    assert.deepEqual([port.in("LSR"), port.in("data"), port.in("LSR"), port.in("data")], [0x63, 2, 0x60, 2]);
    port.out("FCR", 0x01);
    for (let byte = 0; byte < 18; byte++) port.out("data", byte);
    assert.equal(port.in("LSR"), 0x63);
    for (let byte = 0; byte < 16; byte++) assert.equal(port.in("data"), byte);
    assert.equal(port.in("data"), 0);
  });

  it("shows the divisor latch when DLAB is set", () => {
    const port = make();
    port.out("LCR", 0x83);
    port.out("data", 0x12);
    port.out("IER", 0x34);
    assert.deepEqual([port.in("data"), port.in("IER")], [0x12, 0x34]);
    port.out("LCR", 0x03);
    assert.equal(port.in("IER"), 0);
    assert.deepEqual(port.backend.received, []);
  });

  it("says by IIR whether FIFOs are on, and empties them when that changes", () => {
    const port = make();
    assert.equal(port.in("IIR"), 0x01);
    port.out("FCR", 0xc7);
    assert.equal(port.in("IIR"), 0xc1);
    port.push("abc");
    port.out("FCR", 0x00);
    assert.equal(port.in("LSR") & 1, 0);
    assert.equal(port.in("IIR"), 0x01);
  });

  it("answers a wide access with the register it begins in", () => {
    const port = make();
    port.uart.write(7, 1, 0x5a);
    assert.equal(port.uart.read(7, 1), 0x5a);
    assert.equal(port.uart.read(4, 4), 0x08);
    port.uart.write(0, 4, 0x41424344);
    assert.equal(port.backend.text, "D");
  });

  it("has the reset values of its table, and takes its state along", () => {
    const port = make();
    checkResetValues(port.uart, uartRegisters.registers);
    port.out("FCR", 0x41);
    port.out("IER", 0x01);
    port.push("abcdef");
    port.backend.room = 0;
    port.out("data", 0x7a);
    const other = make();
    checkStateRoundTrip(port.uart, other.uart);
    assert.equal(other.irq.level, true);
    other.uart.resume();
    assert.equal(other.backend.text, "z");
    assert.equal(other.in("data"), 0x61);
    checkStateRefusals(port.uart);
  });

  it("survives rubbish", () => {
    for (let seed = 0; seed < 20; seed++) {
      const port = make();
      const random = new Random(seed);
      const hot = offsetsOf(uartRegisters);
      for (let step = 0; step < 2000; step++) {
        if (random.chance(20)) {
          port.backend.room = random.pick([0, 3, 1000]);
          port.uart.resume();
        }
        if (random.chance(20)) assert(port.uart.push(new Uint8Array(random.below(40))) <= 16);
        poke(port.uart, random, hot);
        if (port.in("LSR") & 0x20) assert.equal(port.in("LSR") & 0x40, 0x40);
        const level = port.irq.level;
        assert.equal((port.in("IIR") & 1) === 0, level, `seed ${seed}, step ${step}`);
      }
      checkStateRoundTrip(port.uart, make().uart);
    }
  });
});
