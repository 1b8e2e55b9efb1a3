import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { VivError } from "../core/errors.ts";
import type { DiskFile } from "../disk/disk.ts";
import type { Vm, VmExit, VmSetup } from "../engine/vm.ts";
import { readCpio, writeCpio } from "../image/cpio.ts";
import type { Host } from "./host.ts";
import { Machine } from "./machine.ts";
import type { GuestSpecInput } from "./spec.ts";

const bytes = (text: string) => Uint8Array.from(Buffer.from(text));

/** The header of a RISC-V Linux Image of 1 MiB. */
function image(): Uint8Array {
  const kernel = new Uint8Array(1 << 20);
  const view = new DataView(kernel.buffer);
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, 1n << 20n, true);
  kernel.set(bytes("RISCV"), 0x30);
  kernel.set(bytes("RSC\x05"), 0x38);
  return kernel;
}

const files: Record<string, Uint8Array> = {
  "Image.gz": gzipSync(image()),
  "initramfs.cpio.gz": gzipSync(writeCpio([{ path: "init", mode: 0o100755, data: new Uint8Array() }])),
  mine: image(),
  cut: gzipSync(image()).subarray(0, 500),
  foreign: Uint8Array.from([...new Uint8Array(0x1fe), 0x55, 0xaa, 0, 0, ...bytes("HdrS")]),
  disk: new Uint8Array(4096),
};

class FakeHost implements Host {
  readonly platform = "linux";
  readonly architecture = "x86_64";
  open = 0;
  timers: (() => void)[] = [];
  readFile(name: string): Uint8Array {
    if (files[name] === undefined) throw new VivError("ENOENT", `cannot read ${name}`);
    return files[name];
  }
  openDiskFile(name: string, { writable }: { writable: boolean }): DiskFile {
    const content = this.readFile(name);
    this.open++;
    return {
      name,
      size: content.length,
      writable,
      read: (position, into) => {
        const part = content.subarray(position, position + into.length);
        into.set(part);
        return part.length;
      },
      write: () => {},
      sync: async () => {},
      close: () => this.open--,
    };
  }
  openOverlayStore(): never {
    return assert.fail();
  }
  async decompress(_format: string, packed: Uint8Array): Promise<Uint8Array> {
    try {
      return new Uint8Array((await import("node:zlib")).gunzipSync(packed));
    } catch {
      throw new VivError("BAD_COMPRESSION", "cannot unpack gzip data: it is cut short");
    }
  }
  embeddedGuest() {
    return { kernel: "Image.gz", initrd: "initramfs.cpio.gz" };
  }
  monotonic = () => 0;
  wall = () => 0n;
  yieldToHost = async () => {};
  after(_delay: number, callback: () => void): () => void {
    this.timers.push(callback);
    return () => {
      this.timers = this.timers.filter((other) => other !== callback);
    };
  }
  randomBytes = (length: number) => new Uint8Array(length);
}

/** A machine whose guest does what `script` says, once for each start. */
class FakeVm implements Vm {
  readonly setup: VmSetup;
  readonly pushed: string[] = [];
  runs = 0;
  paused = false;
  closed: number[] = [];
  window = "";
  #stop: ((exit: VmExit) => void) | undefined;
  readonly #script: (vm: FakeVm) => VmExit | undefined;

  constructor(setup: VmSetup, script: (vm: FakeVm) => VmExit | undefined) {
    this.setup = setup;
    this.#script = script;
  }
  #port(name: string) {
    return {
      push: (given: Uint8Array) => {
        this.pushed.push(`${name}:${Buffer.from(given)}`);
        return given.length;
      },
      resume: () => {},
    };
  }
  stats() {
    return {
      instructions: 0,
      guestTime: 0,
      runs: { count: this.runs, calls: 0, waits: 0, asleep: 0 },
      supervisorCalls: {},
      devices: [],
    };
  }
  get console() {
    return this.#port("console");
  }
  get ports() {
    return this.setup.ports.map(({ name }, index) => ({ ...this.#port(name), close: () => void this.closed.push(index) }));
  }
  resize(columns: number, rows: number): void {
    this.window = `${columns}x${rows}`;
  }
  /** The guest prints on its console, or on a port. */
  print(text: string, port?: string, taken = text.length): void {
    const backend =
      port === undefined ? this.setup.console.backend : this.setup.ports.find(({ name }) => name.endsWith(port))?.backend;
    assert.equal(backend?.write(bytes(text)), taken);
  }
  async run(): Promise<VmExit> {
    this.runs++;
    await new Promise(setImmediate);
    const exit = this.#script(this);
    return exit ?? new Promise((resolve) => (this.#stop = resolve));
  }
  async pause(): Promise<void> {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  stop(): void {
    this.#stop?.({ kind: "stopped" });
  }
}

async function create(spec: GuestSpecInput, script: (vm: FakeVm) => VmExit | undefined = () => undefined) {
  const host = new FakeHost();
  const vms: FakeVm[] = [];
  const machine = await Machine.create(spec, host, async () => (setup) => {
    const vm = new FakeVm(setup, script);
    vms.push(vm);
    return vm;
  });
  return { host, machine, vms };
}

const off: VmExit = { kind: "power-off" };

test("a command's streams and status come back, whatever its console says", async () => {
  const { machine, vms } = await create({}, (vm) => {
    vm.print("[    0.000000] Linux version\r\n");
    vm.print("out", "stdout");
    vm.print("err", "stderr");
    vm.print("7\n", "exit");
    return off;
  });
  const result = await machine.run(["sh", "-c", "exit 7"], { input: bytes("typed") });
  assert.deepEqual(result, { status: 7, stdout: bytes("out"), stderr: bytes("err") });
  assert.deepEqual(vms[0].pushed, ["org.vivarium.stdin:typed"]);
  assert.deepEqual(vms[0].closed, [0]);
  assert.match(machine.console.tail(), /Linux version/);
  const { boot, console } = vms[0].setup;
  assert.equal(console.device, "virtio-console");
  assert.equal(boot.append, "quiet console=hvc0 earlycon=sbi panic=-1 TERM=linux");
  const initrd = boot.initrd?.content as Uint8Array;
  const start = Buffer.from(initrd).lastIndexOf("070701", Buffer.from(initrd).indexOf("viv/command"));
  assert.equal(readCpio(initrd.subarray(start))[0].path, "viv/command");
  assert.equal(machine.state, "ended");
});

test("a guest does not end before its output is read", async () => {
  for (const disks of [[], [{ file: "disk" }]]) {
    const { machine, vms } = await create({ command: ["a"], disks }, (vm) => {
      for (let i = 0; i < 5; i++) vm.print("x".repeat(1 << 16), "stdout", i === 4 ? 0 : undefined);
      vm.print("0\n", "exit");
      return undefined;
    });
    machine.start();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert.equal(vms[0].paused, true);
    // Who pauses and goes on meanwhile does not let the guest end.
    await machine.pause();
    machine.resume();
    assert.equal(vms[0].paused, true);
    machine.stdout.take();
    await new Promise(setImmediate);
    assert.equal(vms[0].paused, false);
    assert.equal(machine.state, disks.length > 0 ? "running" : "ended");
    await machine.stop();
  }
});

test("a machine runs one command, and is started once", async () => {
  const { machine } = await create({ command: ["true"] }, () => off);
  await assert.rejects(machine.run(["a"]), { code: "BAD_SPEC" });
  machine.start();
  assert.throws(() => machine.start(), { code: "BAD_STATE" });
  assert.deepEqual(await machine.exited, { kind: "power-off" });
});

test("a guest that ends before its command is a failure with its last words", async () => {
  const { machine } = await create({}, (vm) => {
    vm.print("vivarium: no way\n");
    return off;
  });
  await assert.rejects(machine.run(["a"]), { code: "GUEST_FAILED", message: /no way/ });
});

test("a status that is none is not taken for one", async () => {
  for (const rubbish of ["abc\n", "1234\n", "7", `${"9".repeat(100)}\n`]) {
    const { machine } = await create({ command: ["a"] }, (vm) => {
      vm.print(rubbish, "exit");
      return off;
    });
    machine.start();
    assert.deepEqual(await machine.exited, { kind: "power-off" }, rubbish);
  }
});

test("with a terminal, the command has the console and one port for its status", async () => {
  const { machine, vms } = await create({ command: ["vi"], tty: true, terminal: { type: "xterm", columns: 100 } }, (vm) => {
    vm.print("0\n", "exit");
    return off;
  });
  machine.start();
  machine.console.resize(120, 40);
  await machine.console.write(bytes("keys"));
  assert.deepEqual(await machine.exited, { kind: "status", status: 0 });
  assert.deepEqual(
    vms[0].setup.ports.map(({ name }) => name),
    ["org.vivarium.exit"],
  );
  assert.deepEqual([vms[0].pushed, vms[0].window, vms[0].setup.console.window.columns], [["console:keys"], "120x40", 100]);
  assert.match(vms[0].setup.boot.append ?? "", /TERM=xterm/);
});

test("a reset starts the guest again, unless it panicked or is to end", async () => {
  let boots = 0;
  const reset = { kind: "reset" } as const;
  const first = await create({}, () => (++boots < 3 ? reset : off));
  first.machine.start();
  assert.deepEqual([await first.machine.exited, boots], [off, 3]);
  const panicking = await create({}, (vm) => {
    vm.print("Kernel panic - not syncing: Attempted to kill init!\n");
    return reset;
  });
  panicking.machine.start();
  assert.deepEqual(await panicking.machine.exited, { kind: "panic" });
  const ending = await create({ onReset: "end" }, () => reset);
  ending.machine.start();
  assert.deepEqual(await ending.machine.exited, { kind: "reset" });
  const failing = await create({}, () => ({ kind: "failed", code: 42 }));
  failing.machine.start();
  assert.deepEqual(await failing.machine.exited, { kind: "status", status: 42 });
});

test("stop ends a guest in any state and closes its disks", async () => {
  const spec = { disks: [{ file: "disk" }] };
  const created = await create(spec);
  assert.equal(created.host.open, 1);
  assert.deepEqual(await created.machine.stop(), { kind: "stopped" });
  assert.equal(created.host.open, 0);
  assert.throws(() => created.machine.start(), { code: "BAD_STATE" });

  const running = await create(spec);
  running.machine.start();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  await running.machine.pause();
  assert.deepEqual([running.machine.state, running.vms[0].paused], ["paused", true]);
  running.machine.resume();
  assert.deepEqual([running.machine.state, running.vms[0].paused], ["running", false]);
  assert.deepEqual(await running.machine.stop(), { kind: "stopped" });
  assert.deepEqual(await running.machine.stop(), { kind: "stopped" });
  assert.equal(running.host.open, 0);
  for await (const _ of running.machine.console.output) assert.fail("output after the end");
});

test("a guest that takes too long is stopped", async () => {
  const { machine, host } = await create({ limits: { seconds: 5 } });
  machine.start();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  host.timers[0]();
  assert.deepEqual(await machine.exited, { kind: "timeout" });
});

test("what cannot be booted is one error with the name, and nothing stays open", async () => {
  const cases: [GuestSpecInput, string, RegExp][] = [
    [{ boot: { kernel: "missing" } }, "ENOENT", /missing/],
    [{ boot: { kernel: "foreign" } }, "BAD_KERNEL", /foreign is a Linux kernel for x86_64/],
    [{ boot: { kernel: "cut" } }, "BAD_COMPRESSION", /^cut: .*cut short/],
    [{ boot: { kernel: "disk" } }, "BAD_KERNEL", /disk/],
    [{ boot: { firmware: "mine" } }, "BAD_FIRMWARE", /mine/],
    [{ disks: [{ file: "disk" }, { file: "missing" }] }, "ENOENT", /missing/],
  ];
  for (const [spec, code, message] of cases) {
    const host = new FakeHost();
    await assert.rejects(
      Machine.create(spec, host, async () => () => assert.fail()),
      { code, message },
      JSON.stringify(spec),
    );
    assert.equal(host.open, 0);
  }
});

test("a kernel of one's own has the UART for a console, unless its command line names another", async () => {
  const device = async (append?: string) => {
    const { machine, vms } = await create({ boot: { kernel: "mine", append } }, () => off);
    machine.start();
    await machine.exited;
    return vms[0].setup.console.device;
  };
  assert.equal(await device(), "uart16550");
  assert.equal(await device("console=hvc0 quiet"), "virtio-console");
  assert.equal(await device("console=hvc0 console=ttyS0"), "uart16550");
});

test("an engine that fails to start rejects, and the disks are closed", async () => {
  const host = new FakeHost();
  const machine = await Machine.create({ disks: [{ file: "disk" }] }, host, async () => () => {
    throw new VivError("BAD_MEMORY", "too little");
  });
  assert.throws(() => machine.start(), { code: "BAD_MEMORY" });
  await assert.rejects(machine.exited, { code: "BAD_MEMORY" });
  assert.equal(host.open, 0);
});
