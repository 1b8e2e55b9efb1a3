/**
 * Jails on a bridge, in a network namespace of this process's own (`unshare -n`): prints as JSON what a client outside reads from a
 * published port, what one jail reads from another, and what is left on the host in the end. Argument: the root, and mounts as JSON.
 */
import { spawnSync } from "node:child_process";
import { connect } from "node:net";
import { createJail, specFor, stopJail } from "../../../src/host/node/jail/jails.ts";

const [root, mounts] = process.argv.slice(2);

function read(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, host);
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", (error) => resolve((error as NodeJS.ErrnoException).code ?? "error")).on("end", () => resolve(text));
  });
}

const run = (command: string, args: string[]) => spawnSync(command, args, { encoding: "utf8" }).stdout;
run("ip", ["link", "set", "lo", "up"]);
const network = (address: string) => ({ kind: "bridge", address, prefix: 24, gateway: "10.99.0.1" }) as const;
const spec = (address: string, script: string, publish: { host: number; jail: number }[] = []) =>
  specFor({
    root: root!,
    mounts: JSON.parse(mounts!),
    command: [process.execPath, "-e", script],
    network: { ...network(address), publish },
  });
const server = `require("net").createServer((s) => s.end("from " + require("os").networkInterfaces().eth0[0].address)).listen(80)`;
const client = `require("net").connect(80, "10.99.0.2").on("data", (d) => process.exit(String(d) === "from 10.99.0.2" ? 0 : 1)).on("error", () => process.exit(2))`;

const first = await createJail(spec("10.99.0.2", server, [{ host: 8080, jail: 80 }]), { name: "first" });
let published = "";
for (let attempt = 0; attempt < 100 && !published.startsWith("from"); attempt++) {
  published = await read("127.0.0.1", 8080);
  if (!published.startsWith("from")) await new Promise((resolve) => setTimeout(resolve, 50));
}
const second = await createJail(spec("10.99.0.3", client));
const { status } = await second.exited;
const taken = await createJail(spec("10.99.0.2", client)).then(
  () => "made",
  (error: Error) => error.message,
);
await stopJail("first", 0);
await first.exited;
console.log(
  JSON.stringify({
    published,
    between: status,
    taken,
    links: run("ip", ["-br", "link"]),
    rules: run("nft", ["list", "ruleset"]),
  }),
);
