// Boots to a shell, types on its console, and reads what it shows.
// Prints: the guest says 42
import { Machine } from "vivarium";

const machine = await Machine.create({ machine: { memory: 128 * 2 ** 20 } });
machine.start();

const decoder = new TextDecoder();
let shown = "";
for await (const bytes of machine.console.output) {
  shown += decoder.decode(bytes, { stream: true });
  const answer = /\n(\d+)\r\n/.exec(shown);
  if (answer !== null) {
    console.log(`the guest says ${answer[1]}`);
    break;
  }
  if (shown.endsWith("# \x1b[6n")) await machine.console.write(new TextEncoder().encode("echo $((6 * 7))\r"));
}
await machine.stop();
