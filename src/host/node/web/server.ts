import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { VivError } from "../../../core/errors.ts";

const types: Partial<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

export interface PageServerOptions {
  /** What is served, and nothing else: names of files by the path of the address, such as `/index.html`. `/` is what its entry says. */
  readonly files: Readonly<Record<string, string>>;
  /** 0 for one that is free. */
  readonly port: number;
  /** The page is cross-origin isolated: it may share memory with its workers. */
  readonly isolated?: boolean;
}

export interface PageServer {
  /** Ends with a slash. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves files to browsers on this host only.
 * @throws VivError `EADDRINUSE`, `EACCES`
 */
export async function servePages({ files, port, isolated = false }: PageServerOptions): Promise<PageServer> {
  const table = new Map(Object.entries(files));
  const server = createServer((request, response) => answer(table, isolated, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === "EADDRINUSE" ? "it is in use; choose another with --port" : cause.message;
      reject(new VivError(cause.code ?? "EIO", `cannot listen on port ${port}: ${reason}`, { cause }));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(files: ReadonlyMap<string, string>, isolated: boolean, request: IncomingMessage, response: ServerResponse): void {
  const refuse = (status: number, text: string) => response.writeHead(status, { "content-type": "text/plain" }).end(`${text}\n`);
  // A name that someone else's page has made to point here is not ours.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "")) return void refuse(421, "not a name of this server");
  if (request.method !== "GET" && request.method !== "HEAD") return void refuse(405, "only GET and HEAD");
  const path = (request.url ?? "").split("?", 1)[0];
  // The path is looked up and never made part of a name: there is no way out of the table.
  const name = files.get(path);
  if (name === undefined) return void refuse(404, "not here");
  const stream = createReadStream(name);
  stream.on("error", () => {
    if (response.headersSent) response.destroy();
    else refuse(500, "this file of the package cannot be read");
  });
  stream.on("open", () => {
    response.writeHead(200, {
      "content-type": types[extname(name)] ?? "application/octet-stream",
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      // xterm.js sets styles; translated code is WebAssembly.
      "content-security-policy":
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
      ...(isolated && { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }),
    });
    if (request.method === "HEAD") {
      stream.destroy();
      response.end();
    } else stream.pipe(response);
  });
  response.on("close", () => stream.destroy());
}
