import { Misuse } from "../../registers.ts";
import type { Chain } from "../chain.ts";
import type { VirtioDevice, VirtioTransport } from "../mmio.ts";
import type { Handled, VirtQueue } from "../queue.ts";
import { rngConfig } from "./registers.ts";

/** Where random bytes come from. */
export interface EntropySource {
  /** Fills all of `bytes`, which are the device's own. At most `entropyLimit` at a time. */
  fill(bytes: Uint8Array): void;
}

/** Bytes given for one request; the driver asks again (virtio 1.2, 5.4.6.1 lets the device give fewer). */
export const entropyLimit = 4096;

/** Entropy device (virtio 1.2, 5.4). */
export class VirtioRng implements VirtioDevice {
  readonly name = "virtio-rng";
  readonly deviceId = 4;
  readonly features = 0n;
  readonly queueSizes = [64];
  readonly misuse = new Misuse();
  readonly stateFields = {};
  readonly #source: EntropySource;
  readonly #bytes = new Uint8Array(entropyLimit);
  #transport!: VirtioTransport;

  constructor(source: EntropySource) {
    this.#source = source;
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  readConfig(offset: number, size: 1 | 2 | 4): number {
    return rngConfig.read(this, offset, size);
  }

  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    rngConfig.write(this, offset, size, value);
  }

  notify(queue: VirtQueue): void {
    queue.drain(this.#serve);
  }

  reset(): void {}

  save(): Record<string, unknown> {
    return {};
  }

  load(): void {}

  readonly #serve = (chain: Chain): Handled => {
    const bytes = this.#bytes.subarray(0, Math.min(chain.writable, entropyLimit));
    if (bytes.length > 0) this.#source.fill(bytes);
    chain.copyIn(this.#transport.dma, 0, bytes);
    this.#transport.queues[0].complete(chain, bytes.length);
    return "done";
  };
}
