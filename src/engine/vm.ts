import type { CharacterBackend, CharacterPort } from "../devices/character.ts";
import type { Disk } from "../disk/disk.ts";
import type { Kernel } from "../image/kernel.ts";
import type { MachineHost } from "../machine/host.ts";

interface Named<Content> {
  readonly name: string;
  readonly content: Content;
}

/** A guest that is ready to start: what an engine makes a virtual machine of. */
export interface VmSetup {
  readonly host: MachineHost;
  readonly memory: number;
  readonly icount: boolean;
  /** Which code the emulator runs: 0 its interpreter, 1 translated at once, `auto` translated where it pays. */
  readonly tier: 0 | 1 | "auto";
  readonly boot: {
    readonly kernel?: Named<Kernel>;
    readonly firmware?: Named<Exclude<Kernel, { kind: "Image" }>>;
    readonly initrd?: Named<Uint8Array>;
    readonly append?: string;
  };
  readonly disks: readonly Disk[];
  readonly console: {
    readonly device: "uart16550" | "virtio-console";
    readonly backend: CharacterBackend;
    readonly window: { readonly columns: number; readonly rows: number };
  };
  /** Named ports of the virtio console; the guest sees them in this order. */
  readonly ports: readonly { readonly name: string; readonly backend: CharacterBackend }[];
}

/** How a virtual machine came to its end. */
export type VmExit =
  | { readonly kind: "power-off" }
  /** The guest says that it has failed, with this code (test finisher). */
  | { readonly kind: "failed"; readonly code: number }
  | { readonly kind: "reset" }
  | { readonly kind: "stopped" };

/** A virtual machine of any engine. It does not run before `run` is called. */
export interface Vm {
  readonly console: CharacterPort;
  /** As in the setup, in its order. `close` tells the guest that the host's side has gone: end of its input. */
  readonly ports: readonly (CharacterPort & { close(): void })[];
  resize(columns: number, rows: number): void;
  /** Runs until the guest ends or resets, or `stop`; then it may be run again, from its reset state. */
  run(): Promise<VmExit>;
  /** Guest time stands still until `resume`. */
  pause(): Promise<void>;
  resume(): void;
  /** Makes `run` come back soon; has no effect if it does not run. */
  stop(): void;
  stats(): VmStats;
}

/** What was counted since the guest's last reset. Times are nanoseconds. */
export interface VmStats {
  readonly instructions: number;
  readonly guestTime: number;
  /** Runs of the hart, calls of the guest's to its firmware, waits for interrupts, and host time asleep in these. */
  readonly runs: { readonly count: number; readonly calls: number; readonly waits: number; readonly asleep: number };
  /** By SBI extension. */
  readonly supervisorCalls: Readonly<Record<string, number>>;
  /** Those that were accessed. */
  readonly devices: readonly { readonly name: string; readonly base: number; readonly reads: number; readonly writes: number }[];
  /** Of an emulated hart. */
  readonly hart?: {
    /** Interpreted and translated instructions; how often translated code was entered from the interpreter. */
    readonly tiers: readonly { readonly tier: 0 | 1; readonly instructions: number; readonly entries?: number }[];
    /** Translated regions, their instructions and bytes of WebAssembly, and the host time that it took to make them. */
    readonly translation?: Readonly<
      Record<"regions" | "instructions" | "bytes" | "modules" | "refused" | "flushes" | "time", number>
    >;
    /** Why runs came back. */
    readonly exits: Readonly<Record<"budget" | "wfi" | "ecall", number>>;
    /** Misses of the translation caches, page walks, flushes, decoded instructions. */
    readonly caches: Readonly<Record<string, number>>;
    /** By cause, named as in the privileged specification. */
    readonly traps: Readonly<Record<string, number>>;
  };
}
