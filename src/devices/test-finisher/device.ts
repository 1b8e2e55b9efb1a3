import type { DeviceState, MmioDevice } from "../ports.ts";
import { Misuse } from "../registers.ts";
import { checkState } from "../state.ts";
import { finisher, finisherRegisters, finisherSize } from "./registers.ts";

export interface FinisherPorts {
  /** The guest asks to be switched off; `code` is 0 for success. It executes on until the machine stops it. */
  off(code: number): void;
  /** The guest asks to be reset. */
  reset(): void;
}

/** SiFive's test finisher (`sifive,test1`), with which a guest switches its machine off or resets it. */
export class TestFinisher implements MmioDevice {
  readonly name = "test-finisher";
  readonly size = finisherSize;
  readonly misuse = new Misuse();
  readonly #ports: FinisherPorts;

  constructor(ports: FinisherPorts) {
    this.#ports = ports;
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return finisherRegisters.read(this, offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    finisherRegisters.write(this, offset, size, value);
  }

  finish(value: number): void {
    const code = value >>> 16;
    switch (value & 0xffff) {
      case finisher.pass:
        this.#ports.off(0);
        break;
      case finisher.fail:
        // A failure without a code is a failure still.
        this.#ports.off(code === 0 ? 1 : code);
        break;
      case finisher.reset:
        this.#ports.reset();
        break;
      default:
        this.misuse.count("badValue");
    }
  }

  reset(): void {}

  save(): DeviceState {
    return { schema: "test-finisher", version: 1 };
  }

  load(state: DeviceState): void {
    checkState("test-finisher", 1, {}, state);
  }
}
