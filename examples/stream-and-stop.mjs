// Streams data through a guest's command with back-pressure, pauses it, lets it go on, and says how it ended.
// Prints: 1000000 bytes, status 0
import { Machine } from "vivarium";

const machine = await Machine.create({ command: ["tr", "a", "b"], limits: { seconds: 60 } });
machine.start();
await machine.pause();
machine.resume();

void machine.stdin.write(new Uint8Array(1_000_000).fill("a".charCodeAt(0)));
machine.stdin.end();

let length = 0;
for await (const bytes of machine.stdout) length += bytes.length;
const exit = await machine.exited;
console.log(`${length} bytes, ${exit.kind} ${exit.status}`);
