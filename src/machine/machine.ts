import { type Board, type BoardBackends, createBoard } from "../boards/riscv-virt/board.ts";
import { memoryMap, tickNanoseconds } from "../boards/riscv-virt/memory-map.ts";
import { VivError } from "../core/errors.ts";
import type { Irq } from "../devices/ports.ts";
import { type BootOptions, type BootPlan, planBoot } from "./boot.ts";
import { Bus, type DeviceAccesses } from "./bus.ts";
import { HostTime, InstructionTime, MachineClock, type TimeSource } from "./clock.ts";
import { MemoryDma } from "./dma.ts";
import { type Entropy, repeatableEntropy } from "./entropy.ts";
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
}

/** Why a machine came to rest. */
export type MachineExit =
  | { readonly kind: "power-off" }
  /** The guest says that it has failed, with this code. */
  | { readonly kind: "failed"; readonly code: number }
  /** The guest, or whoever called `reset`, wants it to start again. */
  | { readonly kind: "reset" }
  | { readonly kind: "stopped" };

export type MachineState = "ready" | "running" | "paused";

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

/** A machine of the board `riscv-virt`: one hart, RAM, devices, and a clock. */
export class Machine {
  readonly hart: Hart;
  readonly memory: MachineMemory;
  readonly board: Board;
  readonly clock: MachineClock;
  /** For devices: the host's, or with `icount` the same in every run. */
  readonly entropy: Entropy;
  readonly #bus: Bus;
  readonly #loop: RunLoop;
  readonly #time: TimeSource;
  readonly #sbi: Sbi;
  readonly #plan: BootPlan;
  #state: MachineState = "ready";
  /** Whether the guest has run since everything was put into the state after power-on. */
  #used = false;
  /** What the guest or somebody outside asked for. */
  #asked: MachineExit | undefined;
  /** Whoever waits until the guest stands still. */
  readonly #pausing: (() => void)[] = [];
  /** Ends a pause. */
  #goOn: (() => void) | undefined;

  /**
   * @throws VivError `BAD_MEMORY` or `OUT_OF_MEMORY` for the RAM asked for; `BAD_KERNEL`, `BAD_FIRMWARE`, `BAD_INITRD` or
   * `BAD_OPTION` for what is to be booted
   */
  constructor(options: MachineOptions) {
    const { host, icount, backends } = options;
    this.memory = createMemory({
      reserved: options.harts.reserved,
      ram: { base: memoryMap.dram.base, size: options.memorySize },
      rom: memoryMap.mrom,
    });
    this.entropy = icount ? repeatableEntropy() : { fill: (bytes) => bytes.set(host.randomBytes(bytes.length)), reset: () => {} };
    const rngSeed = new Uint8Array(64);
    this.entropy.fill(rngSeed);
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
      powerOff: (code) => this.#ask(code === 0 ? { kind: "power-off" } : { kind: "failed", code }),
      reset: () => this.#ask({ kind: "reset" }),
      backends,
    });
    this.#bus = new Bus(this.board.mappings);
    this.#sbi = new Sbi({
      console: this.board.console,
      read: (address, length) => dma.read(address, length),
      write: (address, length) => dma.write(address, length),
      powerOff: (code) => this.#ask(code === 0 ? { kind: "power-off" } : { kind: "failed", code }),
      reset: () => this.#ask({ kind: "reset" }),
    });
    this.#load();
  }

  get state(): MachineState {
    return this.#state;
  }

  /**
   * Runs the guest from its reset state until it ends, wants to start again, or `stop`. Gives the host a turn every few
   * milliseconds. Rejects with what the host or a backend failed with.
   * @throws VivError `BAD_STATE` if it runs already
   */
  async run(): Promise<MachineExit> {
    if (this.#state !== "ready") throw new VivError("BAD_STATE", `cannot start a machine that is ${this.#state}`);
    if (this.#used) this.#load();
    this.#used = true;
    this.#asked = undefined;
    this.#state = "running";
    this.#time.start();
    try {
      while (!this.#asked) {
        if (this.#state === "running") await this.#loop.run();
        else await this.#standStill();
      }
      return this.#asked;
    } finally {
      this.#time.stop();
      this.#state = "ready";
      this.#answerPausing();
    }
  }

  /** Makes the guest stand still, its time with it; resolves when it does, or goes on before it did. No effect on a machine that does not run. */
  async pause(): Promise<void> {
    if (this.#state === "running") {
      this.#state = "paused";
      this.#loop.halt();
    }
    if (this.#state === "ready" || this.#goOn) return;
    await new Promise<void>((resolve) => this.#pausing.push(resolve));
  }

  /** Goes on after `pause`. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#answerPausing();
    this.#endPause();
  }

  /** Makes `run` come back with `reset`, as if the guest had asked for it. */
  reset(): void {
    this.#ask({ kind: "reset" });
  }

  /** Makes `run` come back as pulling the plug does. */
  stop(): void {
    this.#ask({ kind: "stopped" });
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

  /** The first request counts; it takes effect when the slice is over. */
  #ask(exit: MachineExit): void {
    if (this.#state === "ready") return;
    this.#asked ??= exit;
    this.#loop.halt();
    this.#endPause();
  }

  async #standStill(): Promise<void> {
    this.#time.stop();
    this.#answerPausing();
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
    });
    this.#time.start();
  }

  #answerPausing(): void {
    for (const resolve of this.#pausing.splice(0)) resolve();
  }

  #endPause(): void {
    this.#goOn?.();
    this.#goOn = undefined;
  }

  /** Puts everything into the state after power-on. */
  #load(): void {
    const { memory, ram, rom } = this.memory;
    this.clock.reset();
    this.#loop.reset();
    this.entropy.reset();
    for (const { device } of this.board.mappings) device.reset();
    this.board.console.reset();
    const bytes = new Uint8Array(memory.buffer);
    for (const segment of this.#plan.segments) {
      const start = ram.offset + segment.address - ram.base;
      bytes.set(segment.bytes, start);
      // New memory is zero, and stays unused on the host if nobody touches it.
      if (this.#used) bytes.fill(0, start + segment.bytes.length, start + segment.size);
    }
    bytes.set(this.#plan.rom, rom.offset);
    this.hart.reset(this.#plan.start);
    if (this.#used) this.hart.invalidateCode(0, ram.size);
    if (this.#plan.sbi) for (const [number, value] of supervisorState) this.hart.setCsr(number, value);
  }
}
