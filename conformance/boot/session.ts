import { readFileSync } from "node:fs";
import { createEmulatedVm } from "../../src/engine/emulator/vm.ts";
import type { VmExit, VmSetup } from "../../src/engine/vm.ts";
import * as host from "../../src/host/node/machine-host.ts";
import { readFirmware, readKernel } from "../../src/image/kernel.ts";

export interface SessionOptions {
  readonly kernel?: string;
  readonly firmware?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly console?: VmSetup["console"]["device"];
  readonly disks?: VmSetup["disks"];
  readonly memory?: number;
  readonly icount?: boolean;
  readonly tier?: VmSetup["tier"];
}

/** A machine with somebody at its console who waits for text and types. */
export class Session {
  /** All that the console has shown. */
  output = "";
  readonly exited: Promise<VmExit>;
  readonly #vm: ReturnType<typeof createEmulatedVm>;
  #seen = 0;
  #input: Uint8Array = new Uint8Array();
  #shown = () => {};

  private constructor(setup: Omit<VmSetup, "console">, device: VmSetup["console"]["device"]) {
    this.#vm = createEmulatedVm({
      ...setup,
      console: {
        device,
        window: { columns: 80, rows: 25 },
        backend: {
          write: (bytes) => {
            this.output += Buffer.from(bytes).toString("latin1");
            this.#shown();
            return bytes.length;
          },
          inputReady: () => this.#pump(),
        },
      },
    });
    this.exited = this.#vm.run();
    this.exited.catch(() => {}).finally(() => this.#shown());
  }

  static async start(options: SessionOptions): Promise<Session> {
    const read = (name: string) => new Uint8Array(readFileSync(name));
    const { kernel, firmware, initrd } = options;
    return new Session(
      {
        host,
        memory: options.memory ?? 256 * 2 ** 20,
        icount: options.icount ?? false,
        boot: {
          ...(kernel && {
            kernel: { name: kernel, content: await readKernel(read(kernel), kernel, host.decompress, { raw: !!firmware }) },
          }),
          ...(firmware && { firmware: { name: firmware, content: readFirmware(read(firmware), firmware) } }),
          ...(initrd && { initrd: { name: initrd, content: read(initrd) } }),
          append: options.append,
        },
        tier: options.tier ?? "auto",
        disks: options.disks ?? [],
        ports: [],
      },
      options.console ?? "uart16550",
    );
  }

  /** Resolves with what has come since the last `expect`, up to the text; rejects if the machine ends without it. */
  async expect(text: string): Promise<string> {
    let ended: VmExit | undefined;
    void this.exited.then((exit) => {
      ended = exit;
    });
    for (;;) {
      const at = this.output.indexOf(text, this.#seen);
      if (at >= 0) {
        const part = this.output.slice(this.#seen, at + text.length);
        this.#seen = at + text.length;
        return part;
      }
      if (ended)
        throw new Error(`the machine ended (${ended.kind}) without ${JSON.stringify(text)}:\n${this.output.slice(-2000)}`);
      await new Promise<void>((resolve) => {
        this.#shown = resolve;
      });
      // The exit is noted a turn after the last output.
      await Promise.resolve();
    }
  }

  type(text: string): void {
    this.#input = Buffer.concat([this.#input, Buffer.from(text)]);
    this.#pump();
  }

  stop(): Promise<VmExit> {
    this.#vm.stop();
    return this.exited;
  }

  #pump(): void {
    this.#input = this.#input.subarray(this.#vm.console.push(this.#input));
  }
}
