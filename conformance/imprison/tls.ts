import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server for `action`, in a process of its own since `action` blocks; its certificate is put to `certificate`. */
export async function serveTls(certificate: string, action: (port: number) => void): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "viv-tls-"));
  const [key, cert] = [join(scratch, "key.pem"), join(scratch, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
  const made = spawnSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject], {
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  copyFileSync(cert, certificate);
  const script = `
    const { readFileSync } = require("node:fs");
    const options = { key: readFileSync(${JSON.stringify(key)}), cert: readFileSync(${JSON.stringify(cert)}) };
    const server = require("node:https").createServer(options, (_, response) => response.end("over TLS\\n"));
    server.listen(0, "localhost", () => console.log(server.address().port));`;
  const server = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const port = await new Promise<number>((resolve) => server.stdout.once("data", (text) => resolve(Number(text))));
    action(port);
  } finally {
    server.kill();
    rmSync(scratch, { recursive: true, force: true });
    readFileSync(certificate);
  }
}
