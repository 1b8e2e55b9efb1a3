import { join } from "node:path";
import { packageFolder } from "../package.ts";
import { type PageServer, servePages } from "./server.ts";

/** What the page needs of this package, at the places that it has in it. */
const files = [
  "dist/browser/page.js",
  "dist/browser/style.css",
  "dist/browser/vivarium.js",
  "dist/browser/worker.js",
  "dist/riscv64-hart.wasm",
  "guests/linux-riscv64/Image.gz",
  "guests/linux-riscv64/initramfs.cpio.gz",
];

/**
 * Serves the page on which a machine runs in the browser's tab, to browsers on this host.
 * @param port 0 for one that is free
 * @throws VivError `EADDRINUSE`, `EACCES`
 */
export function serveTab({ port }: { port: number }): Promise<PageServer> {
  const folder = packageFolder();
  const table = Object.fromEntries(files.map((name) => [`/${name}`, join(folder, name)]));
  return servePages({ files: { ...table, "/": join(folder, "dist/browser/index.html") }, port, isolated: true });
}
