// Ports of a device under test: a clock that is moved by hand, lines that remember, RAM with walls around it.
import assert from "node:assert/strict";
import type { CharacterBackend } from "../character.ts";
import type { Clock, Dma, Irq } from "../ports.ts";

export class FakeClock implements Clock {
  #now = 0;
  #timers: { at: number; callback: () => void }[] = [];
  /** Nanoseconds since 1970-01-01 UTC when the clock stands at zero. */
  epoch = 1_700_000_000_000_000_000n;

  now(): number {
    return this.#now;
  }

  wallTime(): bigint {
    return this.epoch + BigInt(Math.floor(this.#now));
  }

  schedule(at: number, callback: () => void): () => void {
    const timer = { at, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves time forward, firing on the way what is due, in order. */
  advance(nanoseconds: number): void {
    const end = this.#now + nanoseconds;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = end;
  }
}

export class FakeIrq implements Irq {
  level = false;
  /** Times the line went from low to high. */
  raised = 0;

  set(level: boolean): void {
    if (level && !this.level) this.raised++;
    this.level = level;
  }
}

/** RAM at 0x80000000 whose surroundings must not change. */
export class FakeRam implements Dma {
  static readonly base = 0x8000_0000;
  readonly bytes: Uint8Array;
  readonly #all: Uint8Array;
  readonly #wall = 4096;

  constructor(size = 1 << 20) {
    this.#all = new Uint8Array(size + 2 * this.#wall).fill(0xa5);
    this.bytes = this.#all.subarray(this.#wall, this.#wall + size).fill(0);
  }

  read(address: number, length: number): Uint8Array | undefined {
    assert(length >= 0, "a device asked for a negative length");
    const offset = address - FakeRam.base;
    if (!(offset >= 0 && offset + length <= this.bytes.length)) return undefined;
    return this.bytes.subarray(offset, offset + length);
  }

  write(address: number, length: number): Uint8Array | undefined {
    return this.read(address, length);
  }

  /** Asserts that nothing beside RAM was written. */
  checkWalls(): void {
    const end = this.#all.length - this.#wall;
    const whole =
      this.#all.subarray(0, this.#wall).every((byte) => byte === 0xa5) && this.#all.subarray(end).every((b) => b === 0xa5);
    assert(whole, "a device wrote outside RAM");
  }
}

/** A host side that remembers what it was given, and takes at most `room` bytes. */
export class FakeCharacters implements CharacterBackend {
  received: number[] = [];
  room = Number.POSITIVE_INFINITY;
  ready = 0;

  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    for (const byte of bytes.subarray(0, taken)) this.received.push(byte);
    this.room -= taken;
    return taken;
  }

  inputReady(): void {
    this.ready++;
  }

  get text(): string {
    return new TextDecoder().decode(new Uint8Array(this.received));
  }
}
