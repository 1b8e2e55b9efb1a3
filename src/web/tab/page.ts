import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import type { GuestSpecInput } from "../../browser.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";
import { describe } from "./statistics.ts";

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const [startButton, pauseButton, resetButton] = ["start", "pause", "reset"].map((id) => element<HTMLButtonElement>(id));
const settings = element<HTMLFormElement>("settings");
const statistics = element<HTMLDetailsElement>("statistics");
const controlKey = element<HTMLButtonElement>("control");

const terminal = new Terminal({ cursorBlink: true, scrollback: 5000, fontSize: 14 });
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(element("console"));
fit.fit();

let worker: Worker | undefined;
let isPaused = false;

function tell(message: ToWorker): void {
  worker?.postMessage(message);
}

function say(text: string): void {
  element("status").textContent = text;
}

/** The buttons as they are meant in a state. */
function enable(state: "off" | "on"): void {
  startButton.disabled = state === "on";
  pauseButton.disabled = resetButton.disabled = state === "off";
  isPaused = false;
  pauseButton.textContent = "Pause";
}

function powerOff(): void {
  worker?.terminate();
  worker = undefined;
  enable("off");
}

async function start(): Promise<void> {
  powerOff();
  terminal.reset();
  terminal.options.convertEol = true;
  const files: Record<string, Uint8Array> = {};
  const boot: NonNullable<GuestSpecInput["boot"]> = {};
  for (const role of ["kernel", "initrd"] as const) {
    const file = element<HTMLInputElement>(role).files?.[0];
    if (file === undefined) continue;
    // Two files may have one name.
    const name = `${role} ${file.name}`;
    files[name] = new Uint8Array(await file.arrayBuffer());
    boot[role] = name;
  }
  const append = element<HTMLInputElement>("append").value;
  const MiB = Number(element<HTMLSelectElement>("memory").value);
  const spec: GuestSpecInput = {
    machine: { memory: MiB * 2 ** 20 },
    boot: { ...boot, ...(append !== "" && { append }) },
    terminal: { columns: terminal.cols, rows: terminal.rows, type: "xterm-256color" },
  };
  const started = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker = started;
  started.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    // What a machine that was switched off has said is late.
    if (worker === started) hear(data);
  };
  started.onerror = (event) => {
    event.preventDefault();
    if (worker !== started) return;
    powerOff();
    say(`Failed: the worker ended (${event.message || "it could not be loaded"})`);
  };
  enable("on");
  say("Starting");
  tell({ kind: "start", spec, files });
  element("console").scrollIntoView({ block: "nearest" });
  terminal.focus();
}

function hear(message: FromWorker): void {
  if (message.kind === "running") say("Running");
  else if (message.kind === "output") {
    const from = worker;
    show(message.bytes, () => from?.postMessage({ kind: "shown" } satisfies ToWorker));
  } else if (message.kind === "stats") {
    if (message.stats !== undefined) showStatistics(describe(message.stats));
  } else {
    powerOff();
    if (message.kind === "failed") say(`Failed: ${message.message}`);
    else say(message.how.kind === "status" ? `Ended with status ${message.how.status}` : `Ended: ${message.how.kind}`);
  }
}

/**
 * Early kernel messages end their lines with a line feed alone, for which the terminal has to return its carriage itself. Once there
 * is a first carriage return, the guest has a terminal driver, and a line feed alone is what an editor means one line down by.
 */
function show(bytes: Uint8Array, done: () => void): void {
  const at = terminal.options.convertEol ? bytes.indexOf(0x0d) : -1;
  if (at < 0) {
    terminal.write(bytes, done);
    return;
  }
  terminal.write(bytes.subarray(0, at), () => {
    terminal.options.convertEol = false;
    terminal.write(bytes.subarray(at), done);
  });
}

function showStatistics(groups: ReturnType<typeof describe>): void {
  const table = document.createElement("table");
  for (const { title, rows } of groups) {
    const body = table.createTBody();
    const heading = document.createElement("th");
    heading.colSpan = 2;
    heading.scope = "rowgroup";
    heading.textContent = title;
    body.insertRow().append(heading);
    for (const cells of rows) {
      const row = body.insertRow();
      for (const text of cells) row.insertCell().textContent = text;
    }
  }
  element("figures").replaceChildren(table);
}

function type(text: string): void {
  tell({ kind: "type", bytes: new TextEncoder().encode(text) });
}

/** Whether the next character is one of Ctrl's: for keyboards of phones, which have no such key. */
function isControlled(): boolean {
  return controlKey.getAttribute("aria-pressed") === "true";
}

function setControlled(value: boolean): void {
  controlKey.setAttribute("aria-pressed", String(value));
}

terminal.onData((text) => {
  const control = isControlled() && /^[a-z@[\\\]^_ ]$/i.test(text);
  setControlled(false);
  type(control ? String.fromCharCode(text.toUpperCase().charCodeAt(0) & 0x1f) : text);
});
terminal.onBinary((text) => tell({ kind: "type", bytes: Uint8Array.from(text, (char) => char.charCodeAt(0)) }));
terminal.onResize(({ cols, rows }) => tell({ kind: "resize", columns: cols, rows }));
// Tab is the guest's: this is how a keyboard gets out of the console, as out of `viv run`.
terminal.attachCustomKeyEventHandler((event) => {
  if (!(event.ctrlKey && event.key === "]")) return true;
  event.preventDefault();
  if (event.type === "keydown") (startButton.disabled ? pauseButton : startButton).focus();
  return false;
});
new ResizeObserver(() => fit.fit()).observe(element("console"));

startButton.onclick = () => void start();
resetButton.onclick = () => void start();
pauseButton.onclick = () => {
  isPaused = !isPaused;
  tell({ kind: isPaused ? "pause" : "resume" });
  pauseButton.textContent = isPaused ? "Resume" : "Pause";
  say(isPaused ? "Paused" : "Running");
};
settings.onsubmit = (event) => {
  event.preventDefault();
  void start();
};
settings.onreset = () => say("The next start is the embedded guest's");
controlKey.onclick = () => {
  setControlled(!isControlled());
  terminal.focus();
};
const keys: Record<string, string> = { Esc: "\x1b", Tab: "\t", "↑": "A", "↓": "B", "←": "D", "→": "C" };
for (const [name, sequence] of Object.entries(keys)) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.onclick = () => {
    // Editors ask for other sequences of the arrows than shells (DECCKM).
    const arrow = terminal.modes.applicationCursorKeysMode ? "\x1bO" : "\x1b[";
    type(/[A-D]/.test(sequence) ? arrow + sequence : sequence);
    terminal.focus();
  };
  element("keys").append(button);
}
setInterval(() => {
  if (statistics.open) tell({ kind: "stats" });
}, 1000);
enable("off");
say("Off");
