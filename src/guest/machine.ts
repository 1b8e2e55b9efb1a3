import { VivError } from "../core/errors.ts";
import { decodeUtf8 } from "../core/text.ts";
import type { CharacterBackend } from "../devices/character.ts";
import type { Disk } from "../disk/disk.ts";
import type { Vm, VmExit, VmSetup, VmStats } from "../engine/vm.ts";
import { consoleDevice, openDisks, prepareBoot, readBootFiles } from "./boot.ts";
import { chooseEngine, type EngineChoice } from "./choose.ts";
import { commandPorts, withCommand } from "./command.ts";
import type { Host } from "./host.ts";
import { type EngineName, type GuestSpec, type GuestSpecInput, parseSpec } from "./spec.ts";
import { collect, GuestInput, GuestOutput } from "./streams.ts";
import { Tail } from "./tail.ts";

/** How a guest came to its end. */
export type GuestExit =
  /** Its command ended (as a shell has it: 128 + n after signal n), or it told a code of its own before it powered off. */
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "power-off" }
  /** It reset itself, and its specification says that this ends it. */
  | { readonly kind: "reset" }
  | { readonly kind: "panic" }
  | { readonly kind: "timeout" }
  /** `stop` was called. */
  | { readonly kind: "stopped" };

export interface CommandResult {
  /** As a shell has it: 128 + n after signal n, 126 and 127 if it could not be started or found. */
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** The console of a guest: what its kernel prints and, without a command, its shell. */
export class GuestConsole {
  /** What the guest prints. What nobody reads is dropped, but for the last 64 KiB. */
  readonly output = new GuestOutput({ lossy: true });
  /** @internal */
  readonly input = new GuestInput();
  readonly #tail = new Tail(4096);
  #resize: (columns: number, rows: number) => void = () => {};

  /** Types bytes on the console; done when the guest's device has taken them. */
  write(bytes: Uint8Array): Promise<void> {
    return this.input.write(bytes);
  }

  /** Nothing more will be typed. */
  end(): void {
    this.input.end();
  }

  /** Tells the guest the size of the console's window. */
  resize(columns: number, rows: number): void {
    this.#resize(columns, rows);
  }

  /** The last 4 KiB that the guest has printed, read or not, from the first whole line on. */
  tail(): string {
    return decodeUtf8(this.#tail.bytes());
  }

  /** @internal What the device calls. */
  readonly backend: CharacterBackend = {
    write: (bytes) => {
      const taken = this.output.write(bytes);
      this.#tail.push(bytes.subarray(0, taken));
      return taken;
    },
    inputReady: () => this.input.pump(),
  };

  /** @internal */
  attach(vm: Vm): void {
    this.output.attach(vm.console);
    this.input.attach(vm.console);
    this.#resize = (columns, rows) => vm.resize(columns, rows);
  }
}

/** Gives what makes virtual machines; loaded once it is needed, while what is booted is unpacked. */
export type LoadEngine = (engine: EngineName) => Promise<(setup: VmSetup) => Vm>;

interface MachineParts {
  readonly spec: GuestSpec;
  readonly choice: EngineChoice;
  readonly host: Host;
  readonly createVm: (setup: VmSetup) => Vm;
  readonly isEmbedded: boolean;
  readonly boot: VmSetup["boot"];
  readonly disks: readonly Disk[];
}

type State = "created" | "running" | "paused" | "ended";

/**
 * A guest on a machine of its own.
 *
 * ```js
 * const machine = await Machine.create();
 * const { status, stdout } = await machine.run(["uname", "-m"]);
 * ```
 */
export class Machine {
  readonly spec: GuestSpec;
  /** The engine that runs it, and why. */
  readonly choice: EngineChoice;
  readonly console = new GuestConsole();
  /** The command's standard input; `end` it if there is none. */
  readonly stdin = new GuestInput();
  /** The command's output. The guest waits while nobody reads it. */
  readonly stdout = new GuestOutput();
  readonly stderr = new GuestOutput();
  /** How the guest ended, once it has. Rejects if the engine fails. */
  readonly exited: Promise<GuestExit>;
  readonly #parts: MachineParts;
  readonly #statusBytes: number[] = [];
  #command: readonly string[] | undefined;
  #state: State = "created";
  #vm: Vm | undefined;
  /** The guest stands still until its output is read. */
  #holding = false;
  #endedBy: "stopped" | "timeout" | undefined;
  #settle!: { resolve: (exit: GuestExit) => void; reject: (error: unknown) => void };

  private constructor(parts: MachineParts) {
    this.spec = parts.spec;
    this.choice = parts.choice;
    this.#parts = parts;
    this.#command = parts.spec.command;
    this.exited = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Who does not ask how it ended is not to be ended by a rejection.
    this.exited.catch(() => {});
  }

  /**
   * Checks the specification, chooses the engine, reads what is to be booted, opens and locks the disks. Nothing runs yet.
   * `stop` releases what it holds.
   * @throws VivError `BAD_SPEC`, `NO_ENGINE`, `BAD_KERNEL`, `BAD_DISK`, `EBUSY`... naming the field or file
   */
  static async create(input: GuestSpecInput, host: Host, loadEngine: LoadEngine): Promise<Machine> {
    const spec = parseSpec(input);
    const files = readBootFiles(spec, host);
    const choice = chooseEngine(spec, { host, boot: files.subject });
    const [boot, createVm] = await Promise.all([prepareBoot(files, spec, host), loadEngine(choice.engine)]);
    const disks = openDisks(spec, host);
    return new Machine({ spec, choice, host, createVm, isEmbedded: files.isEmbedded, boot, disks });
  }

  get state(): State {
    return this.#state;
  }

  /**
   * Starts the guest.
   * @throws VivError `BAD_MEMORY`, `BAD_KERNEL`... if it does not fit together; `BAD_STATE` if it was started before
   */
  start(): void {
    if (this.#state !== "created") throw new VivError("BAD_STATE", "this machine was started before; create another one");
    let vm: Vm;
    try {
      vm = this.#parts.createVm(this.#setup());
    } catch (error) {
      this.#release();
      this.#settle.reject(error);
      throw error;
    }
    this.#vm = vm;
    this.console.attach(vm);
    if (vm.ports.length > 0) this.#attachPorts(vm);
    this.#state = "running";
    const { seconds } = this.spec.limits;
    const cancelTimeout = seconds === undefined ? () => {} : this.#parts.host.after(seconds * 1e9, () => this.#end("timeout"));
    this.#runVm(vm)
      .then(this.#settle.resolve, this.#settle.reject)
      .finally(() => {
        cancelTimeout();
        this.#release();
      });
  }

  /**
   * Runs a command in the embedded guest, from its start to its end. A machine runs one command.
   * @param options `input`: what it reads; nothing by default
   * @throws VivError `BAD_SPEC` if the machine boots something else, `GUEST_FAILED` if the guest ended before the command
   */
  async run(command: readonly string[], options: { input?: Uint8Array } = {}): Promise<CommandResult> {
    if (this.spec.command !== undefined) throw new VivError("BAD_SPEC", "this machine has a command already");
    parseSpec({ ...this.spec, command: [...command] });
    this.#command = [...command];
    this.start();
    void this.stdin.write(options.input ?? new Uint8Array());
    this.stdin.end();
    const [stdout, stderr, exit] = await Promise.all([collect(this.stdout), collect(this.stderr), this.exited]);
    if (exit.kind === "status") return { status: exit.status, stdout, stderr };
    throw new VivError("GUEST_FAILED", `the guest did not run the command to its end (${exit.kind}): ${this.console.tail()}`);
  }

  /** Makes the guest stand still, its time with it, until `resume`; resolves when it does. No effect unless it runs. */
  async pause(): Promise<void> {
    if (this.#state !== "running") return;
    this.#state = "paused";
    await this.#vm?.pause();
  }

  /** Lets a paused guest go on. */
  resume(): void {
    if (this.#state !== "paused") return;
    if (!this.#holding) this.#vm?.resume();
    this.#state = "running";
  }

  /**
   * Ends the guest as a loss of power would, and releases what it holds. No effect if it has ended.
   * @returns how it ended
   */
  async stop(): Promise<GuestExit> {
    if (this.#state === "created") {
      this.#release();
      this.#settle.resolve({ kind: "stopped" });
    } else if (this.#state !== "ended") this.#end("stopped");
    return this.exited;
  }

  /** What was counted since the guest's last reset; `undefined` before its start. */
  stats(): VmStats | undefined {
    return this.#vm?.stats();
  }

  #end(how: "stopped" | "timeout"): void {
    this.#endedBy ??= how;
    this.#vm?.stop();
  }

  #setup(): VmSetup {
    const { spec, host, boot, isEmbedded, disks } = this.#parts;
    const command = this.#command;
    const initrd =
      command === undefined || boot.initrd === undefined
        ? boot.initrd
        : { ...boot.initrd, content: withCommand(boot.initrd.content, { ...spec, command }) };
    const streams: [string, CharacterBackend][] = [
      [commandPorts.stdin, { write: (bytes) => bytes.length, inputReady: () => this.stdin.pump() }],
      [commandPorts.stdout, this.stdout],
      [commandPorts.stderr, this.stderr],
      [commandPorts.exit, { write: (bytes) => this.#takeStatus(bytes) }],
    ];
    const used = command === undefined ? [] : spec.tty ? streams.slice(3) : streams;
    return {
      host,
      memory: spec.machine.memory,
      icount: spec.icount,
      tier: spec.tier,
      boot: { ...boot, initrd },
      disks,
      console: {
        device: isEmbedded ? "virtio-console" : consoleDevice(boot.append),
        backend: this.console.backend,
        window: spec.terminal,
      },
      ports: used.map(([name, backend]) => ({ name, backend })),
    };
  }

  #attachPorts(vm: Vm): void {
    if (vm.ports.length === 1) return;
    const [stdin, stdout, stderr] = vm.ports;
    this.stdout.attach(stdout);
    this.stderr.attach(stderr);
    this.stdin.attach(stdin, () => stdin.close());
  }

  #takeStatus(bytes: Uint8Array): number {
    // A decimal number and a line end; more is rubbish of the guest's.
    const isFirst = !this.#statusBytes.includes(0x0a);
    for (const byte of bytes) if (this.#statusBytes.length < 8) this.#statusBytes.push(byte);
    if (isFirst && this.#statusBytes.includes(0x0a) && this.#vm !== undefined) this.#endCommand(this.#vm);
    return bytes.length;
  }

  /** The command has ended, and the guest has sent all of its output. */
  #endCommand(vm: Vm): void {
    // With nothing to keep, there is no need to wait for the power-off.
    const end = () => this.#parts.disks.every((disk) => disk.readOnly) && vm.stop();
    const unsettled = [this.stdout, this.stderr].map((output) => output.settle()).filter((promise) => promise !== undefined);
    if (unsettled.length === 0) {
      end();
      return;
    }
    // What is sent and not yet read is in the guest's memory: it must not power off before that is read.
    this.#holding = true;
    void vm.pause();
    void Promise.all(unsettled).then(() => {
      this.#holding = false;
      if (this.#state !== "paused") vm.resume();
      end();
    });
  }

  #status(): number | undefined {
    const match = /^(\d{1,3})\n/.exec(String.fromCharCode(...this.#statusBytes));
    return match === null ? undefined : Number(match[1]) & 0xff;
  }

  async #runVm(vm: Vm): Promise<GuestExit> {
    for (;;) {
      const exit = await vm.run();
      if (this.#endedBy !== undefined) return { kind: this.#endedBy };
      const status = this.#status();
      if (status !== undefined) return { kind: "status", status };
      if (exit.kind === "failed") return { kind: "status", status: exit.code & 0xff || 1 };
      const end = this.#explainEnd(exit);
      if (end !== undefined) return end;
    }
  }

  /** `undefined` if the guest is to start again. */
  #explainEnd(exit: VmExit): GuestExit | undefined {
    if (exit.kind !== "reset") return { kind: "power-off" };
    // Linux resets after a panic if it was told to (`panic=-1`), and prints this before.
    if (this.console.tail().includes("Kernel panic - not syncing")) return { kind: "panic" };
    const end = this.spec.onReset ?? (this.#command === undefined ? "restart" : "end");
    return end === "end" ? { kind: "reset" } : undefined;
  }

  #release(): void {
    this.#state = "ended";
    for (const output of [this.console.output, this.stdout, this.stderr]) output.end();
    for (const input of [this.console.input, this.stdin]) input.abandon();
    for (const disk of this.#parts.disks) disk.close();
  }
}
