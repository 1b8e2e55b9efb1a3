// A program that gives its terminal to a guest which shows what it gets, for terminal.pty.test.ts.
import { Terminal } from "../terminal.ts";

const queue: Uint8Array[] = [];
let wake = () => {};
const show = (text: string) => {
  queue.push(Buffer.from(text));
  wake();
};
async function* output() {
  for (;;) {
    while (queue.length > 0) yield queue.shift() as Uint8Array;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

const terminal = new Terminal();
terminal.say("hello");
void terminal.attach(
  {
    output: output(),
    write: async (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      if (text === "!") throw new Error("uncaught");
      if (text === "*") show("\x1b[?1049h\x1b[?25lfull screen");
      else show(`<${JSON.stringify(text)}>`);
    },
    resize: (columns, rows) => show(`{${columns}x${rows}}`),
  },
  (command) => {
    if (command !== "quit") return;
    terminal.detach();
    process.exit(3);
  },
);
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(signal === "SIGTERM" ? 143 : 129));
