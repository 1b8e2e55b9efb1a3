import { type Board, type BoardBackends, createBoard } from "../boards/riscv-virt/board.ts";
import { memoryMap, tickNanoseconds } from "../boards/riscv-virt/memory-map.ts";
import { VivError } from "../core/errors.ts";
import type { Irq } from "../devices/ports.ts";
import { type BootOptions, type BootPlan, planBoot } from "./boot.ts";
import { Bus, type DeviceAccesses } from "./bus.ts";
import { HostTime, InstructionTime, MachineClock, type TimeSource } from "./clock.ts";
import { MemoryDma } from "./dma.ts";
import { type Hart, type HartPorts, type InterruptBit, interruptBit } from "./hart.ts";
import type { MachineHost } from "./host.ts";
import type { MachineMemory } from "./memory.ts";
import { createMemory } from "./memory-layout.ts";
import { RunLoop, type RunLoopStats } from "./run-loop.ts";
import { csr } from "./sbi/extension.ts";
import { Sbi, supervisorState } from "./sbi/sbi.ts";

/** Makes the harts of a machine: the emulator's, or vCPUs. */
export interface HartFactory {
  /** Bytes that they keep for themselves of the machine's memory, from its first byte on. */
  readonly reserved: number;
  /** @param options `sbi`: an ECALL from S-mode comes back from `run` instead of trapping */
  create(ports: HartPorts, memory: MachineMemory, options: { id: number; sbi: boolean }): Hart;
}

export interface MachineOptions {
  readonly host: MachineHost;
  readonly harts: HartFactory;
  /** Bytes of RAM. */
  readonly memorySize: number;
  readonly boot: BootOptions;
  readonly backends: BoardBackends;
  /**
   * Makes guest time of instructions instead of the host's clock, so that a run repeats bit for bit (as long as nobody types
   * and no backend answers differently).
   */
  readonly icount?: { readonly nanosecondsPerInstruction: number };
  /** With `icount`: finishes what the host still does for backends, so that it ends at the same instruction in every run. */
  readonly settle?: () => Promise<void>;
  /** What happens when the guest asks for a reset: it starts again (the default), or the machine ends. */
  readonly onReset?: "restart" | "exit";
}

/** How a machine ended. */
export interface MachineExit {
  /** `poweroff`: by the guest, with success; `fail`: by the guest, with a code; `stop`: from outside. */
  readonly reason: "poweroff" | "fail" | "reset" | "stop";
  /** The guest's code; 0 except for `fail`. */
  readonly code: number;
}

export type MachineState = "created" | "running" | "paused" | "stopped";

/** Counts since the machine was created; instructions and time since its last reset. */
export interface MachineStats extends RunLoopStats {
  readonly instructions: number;
  /** Guest time in nanoseconds. */
  readonly time: number;
  /** Calls to the built-in supervisor execution environment, by extension. */
  readonly sbiCalls: Readonly<Record<string, number>>;
  readonly devices: readonly DeviceAccesses[];
}

const harts = 1;

/**
 * A machine of the board `riscv-virt`: one hart, RAM, devices, and a clock. It does nothing until `start`; afterwards it
 * runs by itself, giving its host a turn every few milliseconds.
 */
export class Machine {
  /** Settles when the machine ends; rejects with what the host or a backend failed with. */
  readonly exit: Promise<MachineExit>;
  readonly hart: Hart;
  readonly memory: MachineMemory;
  readonly board: Board;
  readonly clock: MachineClock;
  readonly #bus: Bus;
  readonly #loop: RunLoop;
  readonly #time: TimeSource;
  readonly #sbi: Sbi;
  readonly #plan: BootPlan;
  readonly #onReset: "restart" | "exit";
  #state: MachineState = "created";
  /** What the guest asked for in the slice in progress. */
  #power: MachineExit | undefined;
  #driving: Promise<void> = Promise.resolve();
  #end!: { resolve: (exit: MachineExit) => void; reject: (cause: unknown) => void };

  /**
   * @throws VivError `BAD_MEMORY` or `OUT_OF_MEMORY` for the RAM asked for; `BAD_KERNEL`, `BAD_FIRMWARE`, `BAD_INITRD` or
   * `BAD_OPTION` for what is to be booted
   */
  constructor(options: MachineOptions) {
    const { host, icount, backends } = options;
    this.exit = new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
    });
    this.#onReset = options.onReset ?? "restart";
    this.memory = createMemory({
      reserved: options.harts.reserved,
      ram: { base: memoryMap.dram.base, size: options.memorySize },
      rom: memoryMap.mrom,
    });
    // A run that repeats has the same entropy each time.
    const rngSeed = icount ? new Uint8Array(64).fill(0x42) : host.randomBytes(64);
    this.#plan = planBoot(options.boot, {
      harts,
      memorySize: options.memorySize,
      virtioSlots: backends.virtio.map((_, slot) => slot),
      rngSeed,
    });

    this.#time = icount ? new InstructionTime(() => this.hart.instret, icount.nanosecondsPerInstruction) : new HostTime(host);
    this.clock = new MachineClock(this.#time, tickNanoseconds, () => this.#loop.stir());
    const dma = new MemoryDma(this.memory, (offset, length) => this.hart.invalidateCode(offset, length));
    const line = (bit: InterruptBit): Irq => ({
      set: (level) => {
        this.hart.setInterrupt(bit, level);
        if (level) this.#loop.interrupt();
      },
    });
    const bus = () => this.#bus;
    const accessed = () => this.#loop.accessed();
    const { clock } = this;
    this.hart = options.harts.create(
      {
        mmioRead: (address, size) => {
          accessed();
          return bus().read(address, size);
        },
        mmioRead64: (address) => {
          accessed();
          return bus().read64(address);
        },
        mmioWrite: (address, size, value) => {
          accessed();
          return bus().write(address, size, value);
        },
        mmioWrite64: (address, value) => {
          accessed();
          return bus().write64(address, value);
        },
        time: () => clock.ticks(),
      },
      this.memory,
      { id: 0, sbi: this.#plan.sbi },
    );
    this.#loop = new RunLoop({
      hart: this.hart,
      clock,
      host,
      tick: tickNanoseconds,
      ecall: () => this.#sbi.handle(this.hart),
      interruptPending: () => ((this.hart.getCsr(csr.mip) ?? 0n) & (this.hart.getCsr(csr.mie) ?? 0n)) !== 0n,
      settle: options.settle ?? (async () => {}),
    });
    this.board = createBoard({
      clock,
      dma,
      harts: [
        {
          msip: line(interruptBit.MSIP),
          mtip: line(interruptBit.MTIP),
          meip: line(interruptBit.MEIP),
          seip: line(interruptBit.SEIP),
        },
      ],
      powerOff: (code) => this.#ask({ reason: code === 0 ? "poweroff" : "fail", code }),
      reset: () => this.#ask({ reason: "reset", code: 0 }),
      backends,
    });
    this.#bus = new Bus(this.board.mappings);
    this.#sbi = new Sbi({
      console: this.board.console,
      read: (address, length) => dma.read(address, length),
      write: (address, length) => dma.write(address, length),
      powerOff: (code) => this.#ask({ reason: code === 0 ? "poweroff" : "fail", code }),
      reset: () => this.#ask({ reason: "reset", code: 0 }),
    });
    this.#load(false);
  }

  get state(): MachineState {
    return this.#state;
  }

  /** Starts the machine. */
  start(): void {
    this.#expect("start", "created");
    this.#drive();
  }

  /** Makes the guest stand still, its time with it; resolves when it does. */
  async pause(): Promise<void> {
    this.#expect("pause", "running", "paused");
    await this.#halt("paused");
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#expect("resume", "paused", "running");
    if (this.#state === "paused") this.#drive();
  }

  /** Starts the guest again from power-on; what it had in RAM and devices is gone. A paused machine stays paused. */
  async reset(): Promise<void> {
    this.#expect("reset", "running", "paused");
    const state = this.#state;
    await this.#halt("paused");
    if (this.state === "stopped") return;
    this.#load(true);
    if (state === "running") this.#drive();
  }

  /** Ends the machine as pulling the plug does; resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    if (this.#state === "stopped") return this.#driving;
    await this.#halt("paused");
    this.#finish({ reason: "stop", code: 0 });
  }

  stats(): MachineStats {
    return {
      ...this.#loop.stats,
      instructions: this.hart.instret,
      time: this.clock.now(),
      sbiCalls: Object.fromEntries(this.#sbi.calls),
      devices: this.#bus.accesses(),
    };
  }

  #expect(operation: string, ...states: MachineState[]): void {
    if (states.includes(this.#state)) return;
    throw new VivError("BAD_STATE", `cannot ${operation} a machine that is ${this.#state}`);
  }

  /** The guest asks for an end; the first request counts, and takes effect when the slice is over. */
  #ask(exit: MachineExit): void {
    this.#power ??= exit;
    this.#loop.halt();
  }

  /** Puts everything into the state after power-on. */
  #load(again: boolean): void {
    const { memory, ram, rom } = this.memory;
    this.clock.reset();
    this.#loop.reset();
    for (const { device } of this.board.mappings) device.reset();
    this.board.console.reset();
    const bytes = new Uint8Array(memory.buffer);
    for (const segment of this.#plan.segments) {
      const start = ram.offset + segment.address - ram.base;
      bytes.set(segment.bytes, start);
      // New memory is zero, and stays unused on the host if nobody touches it.
      if (again) bytes.fill(0, start + segment.bytes.length, start + segment.size);
    }
    bytes.set(this.#plan.rom, rom.offset);
    this.hart.reset(this.#plan.start);
    this.hart.invalidateCode(0, ram.size);
    if (this.#plan.sbi) for (const [number, value] of supervisorState) this.hart.setCsr(number, value);
  }

  #drive(): void {
    this.#state = "running";
    const run = async () => {
      try {
        do {
          this.#time.start();
          await this.#loop.run();
          this.#time.stop();
        } while (this.#restart());
        if (this.#power) this.#finish(this.#power);
      } catch (cause) {
        this.#time.stop();
        this.#state = "stopped";
        this.#end.reject(cause);
      }
    };
    this.#driving = run();
  }

  /** After the loop has halted: whether to run again at once, because the guest asked for a reset. */
  #restart(): boolean {
    if (this.#power?.reason !== "reset" || this.#onReset !== "restart") return false;
    this.#power = undefined;
    this.#load(true);
    return this.#state === "running";
  }

  async #halt(state: MachineState): Promise<void> {
    if (this.#state === "running") {
      this.#state = state;
      this.#loop.halt();
    }
    await this.#driving;
  }

  #finish(exit: MachineExit): void {
    this.#state = "stopped";
    this.#end.resolve(exit);
  }
}
