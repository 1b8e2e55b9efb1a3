import { Machine, VivError } from "../../browser.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

const page = self as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
};
let machine: Machine | undefined;
let shown = () => {};

page.onmessage = ({ data: message }) => {
  if (message.kind === "start") void start(message);
  else if (message.kind === "type") void machine?.console.write(message.bytes);
  else if (message.kind === "resize") machine?.console.resize(message.columns, message.rows);
  else if (message.kind === "shown") shown();
  else if (message.kind === "pause") void machine?.pause();
  else if (message.kind === "resume") machine?.resume();
  else page.postMessage({ kind: "stats", stats: machine?.stats() });
};

async function start({ spec, files }: ToWorker & { kind: "start" }): Promise<void> {
  try {
    machine = await Machine.create(spec, { files });
    machine.start();
    page.postMessage({ kind: "running" });
    await show(machine);
    page.postMessage({ kind: "ended", how: await machine.exited });
  } catch (error) {
    const message = error instanceof VivError ? error.message : `a mistake in Vivarium: ${(error as Error).stack ?? error}`;
    page.postMessage({ kind: "failed", message });
  }
}

/** The guest waits when the terminal can not keep up. */
async function show({ console }: Machine): Promise<void> {
  for await (const bytes of console.output) {
    const done = new Promise<void>((resolve) => {
      shown = resolve;
    });
    page.postMessage({ kind: "output", bytes });
    await done;
  }
}
