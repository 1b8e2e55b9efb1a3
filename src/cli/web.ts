import { type Command, InvalidArgumentError } from "commander";
import { serveTab } from "../index.ts";
import { exitCode } from "./exit-code.ts";

/** Adds `viv web`. */
export function addWebCommand(program: Command, done: (code: number) => void): void {
  program
    .command("web")
    .description("serve a page on which a machine runs in the browser's tab; Ctrl-C ends it")
    .option("-p, --port <number>", "the port on 127.0.0.1; one that is free by default", parsePort, 0)
    .action(async ({ port }: { port: number }) => {
      const server = await serveTab({ port });
      const ended = new Promise<void>((resolve) => {
        for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
      });
      process.stdout.write(`${server.address}\n`);
      if (process.stderr.isTTY) process.stderr.write("Open this address in a browser on this computer. Ctrl-C ends.\n");
      await ended;
      await server.close();
      done(exitCode.success);
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError("it is not a number from 0 to 65535");
  return port;
}
