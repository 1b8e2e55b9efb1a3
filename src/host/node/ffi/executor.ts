/** Runs plans on this host: lays them out in shared pages and lets the stub go over them. */
import type { Executor, Run } from "../../../engine/jail/executor.ts";
import type { Plan } from "../../../engine/jail/operations.ts";
import { type Inputs, layOut } from "../../../engine/jail/program.ts";
import { stubFor } from "../../../engine/jail/stub/index.ts";
import { header } from "../../../engine/jail/stub/record.ts";
import type { Architecture } from "../../../engine/jail/syscalls.ts";
import { loadCode, mapPages } from "./libc.ts";

let stub: ((firstRecord: bigint, header: bigint) => void) | undefined;

export class HostExecutor implements Executor {
  run(plan: Plan, inputs: Inputs = {}): Run {
    const code = stubFor(process.arch).code;
    stub ??= loadCode(code);
    const program = layOut(plan, process.arch as Architecture, inputs);
    const pages = mapPages(program.size);
    try {
      pages.bytes.set(program.at(pages.address));
      stub(pages.address + BigInt(header.size), pages.address);
      const executed = pages.bytes.slice();
      const memory = new DataView(executed.buffer);
      const failure = program.failure(memory);
      return { result: (name) => program.result(memory, name), ...(failure === undefined ? {} : { failure }) };
    } finally {
      pages.free();
    }
  }
}
