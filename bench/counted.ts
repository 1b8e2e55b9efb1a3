/** Our machine in this process, for what it counts. */
import { readFileSync } from "node:fs";
import { riscv64HartFactory } from "../src/engine/emulator/riscv64-hart.ts";
import * as host from "../src/host/node/machine-host.ts";
import { readKernel } from "../src/image/kernel.ts";
import { Machine } from "../src/machine/machine.ts";
import type { Guest } from "./guest.ts";

/** Millions of instructions from reset until the serial port shows a text; the same in every run. */
export async function instructionsTo(text: string, { kernel, initrd }: Guest, append: string): Promise<number> {
  let output = "";
  let count: number | undefined;
  const machine = new Machine({
    host,
    harts: riscv64HartFactory(),
    memorySize: 256 * 2 ** 20,
    boot: {
      kernel: { name: kernel, content: await readKernel(new Uint8Array(readFileSync(kernel)), kernel, host.decompress) },
      initrd: { name: initrd, content: new Uint8Array(readFileSync(initrd)) },
      append,
    },
    backends: {
      serial: {
        write: (bytes) => {
          output += Buffer.from(bytes).toString("latin1");
          if (count === undefined && output.includes(text)) {
            count = machine.hart.instret;
            machine.stop();
          }
          return bytes.length;
        },
      },
      virtio: [],
    },
    icount: { nanosecondsPerInstruction: 10 },
  });
  const exit = await machine.run();
  if (count === undefined)
    throw new Error(`the machine ended (${exit.kind}) without ${JSON.stringify(text)}:\n${output.slice(-2000)}`);
  return count / 1e6;
}
