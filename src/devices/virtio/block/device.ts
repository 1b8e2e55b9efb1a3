import * as v from "valibot";
import { Misuse } from "../../registers.ts";
import { unsigned } from "../../state.ts";
import type { Chain } from "../chain.ts";
import type { VirtioDevice, VirtioTransport } from "../mmio.ts";
import type { Handled, VirtQueue } from "../queue.ts";
import type { BlockBackend } from "./backend.ts";
import {
  blockConfig,
  blockFeature,
  discardLimits,
  queueSize,
  requestStatus,
  requestType,
  sectorSize,
  writeZeroesLimits,
} from "./registers.ts";

export interface BlockOptions {
  /** What the guest reads as the disk's serial number; at most 20 bytes of ASCII. */
  readonly id?: string;
  /** Told of each failure of the backend, which the guest sees as an I/O error. */
  readonly onError?: (error: unknown) => void;
}

/** Bytes of `struct virtio_blk_req` before the data. */
const headerSize = 16;
const idSize = 20;
/** Bytes of `struct virtio_blk_discard_write_zeroes`. */
const rangeSize = 16;
/** Bytes that go to the backend at once. */
const transferLimit = 1 << 20;
/** Bytes that are moved before the guest gets its turn: it can ask for terabytes with one notification. */
const turnLimit = 1 << 26;
/** A segment at least this long goes to the backend as it lies in RAM; shorter ones are gathered into one transfer. */
const directLimit = 1 << 16;

/** A request on its way. */
interface Request {
  readonly chain: Chain;
  readonly epoch: number;
  readonly type: number;
  /** Where on the disk it begins, in bytes. */
  readonly offset: number;
  /** Bytes to move; for ranges and a flush, how many calls of the backend. */
  readonly length: number;
  /** How much of that is done. */
  position: number;
  readonly ranges: readonly { readonly offset: number; readonly length: number }[];
  /** What was done is to be made durable before the guest hears of it. */
  flush: boolean;
}

/** Block device (virtio 1.2, 5.2) with one queue; requests complete in any order. */
export class VirtioBlock implements VirtioDevice {
  readonly name = "virtio-blk";
  readonly deviceId = 2;
  readonly features: bigint;
  readonly queueSizes = [queueSize];
  readonly misuse = new Misuse();
  /** Heads of the chains that the backend was working on; loading begins them anew. */
  readonly stateFields = { inFlight: v.pipe(v.array(unsigned(16)), v.maxLength(queueSize)) };
  readonly #backend: BlockBackend;
  readonly #options: BlockOptions;
  readonly #header = new Uint8Array(headerSize);
  readonly #headerView = new DataView(this.#header.buffer);
  readonly #status = new Uint8Array(1);
  /** Where the segments of a transfer are gathered. */
  #bounce: Uint8Array | undefined;
  /** What the backend is working on, requests from before a reset included. */
  readonly #inFlight = new Set<Request>();
  /** Bytes moved since the guest had its turn. */
  #moved = 0;
  /** Loaded, not begun yet. */
  #restart: number[] = [];
  #transport!: VirtioTransport;
  #queue!: VirtQueue;

  constructor(backend: BlockBackend, options: BlockOptions = {}) {
    this.#backend = backend;
    this.#options = options;
    const { SEG_MAX, BLK_SIZE, FLUSH, TOPOLOGY, RO, DISCARD, WRITE_ZEROES } = blockFeature;
    const writable = WRITE_ZEROES | (backend.discard === undefined ? 0n : DISCARD);
    this.features = SEG_MAX | BLK_SIZE | FLUSH | TOPOLOGY | (backend.readOnly ? RO : writable);
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
    this.#queue = transport.queues[0];
  }

  /** In sectors, whatever `blk_size` is. */
  capacity(): bigint {
    return BigInt(Math.floor(this.#backend.size / sectorSize));
  }

  readConfig(offset: number, size: 1 | 2 | 4): number {
    return blockConfig.read(this, offset, size);
  }

  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    blockConfig.write(this, offset, size, value);
  }

  notify(): void {
    this.#drain();
  }

  reset(): void {
    this.#restart = [];
  }

  queueStopped(): void {
    this.#restart = [];
  }

  save(): Record<string, unknown> {
    const inFlight = Array.from(this.#inFlight).filter(this.#alive);
    return { inFlight: [...this.#restart, ...inFlight.map(({ chain }) => chain.head)] };
  }

  load(state: { inFlight: number[] }): void {
    const { clock } = this.#transport;
    this.#restart = state.inFlight;
    // RAM may come after the devices.
    clock.schedule(clock.now(), () => {
      const heads = this.#restart;
      this.#restart = [];
      if (!this.#transport.running) return;
      for (const head of heads) {
        const chain = this.#queue.again(head);
        if (chain !== undefined) this.#begin(chain);
      }
      this.#queue.publish();
    });
  }

  #drain(): void {
    this.#moved = 0;
    this.#queue.drain(this.#serve);
  }

  readonly #serve = (chain: Chain): Handled => {
    // As many as there can be chains; the others wait, so that a guest cannot pile up work by resetting the device.
    if (this.#inFlight.size >= queueSize) return "stop";
    if (this.#moved >= turnLimit) {
      this.#transport.later(this.#queue);
      return "stop";
    }
    return this.#begin(chain);
  };

  readonly #alive = (request: Request): boolean => request.epoch === this.#queue.epoch && this.#transport.running;

  #begin(chain: Chain): Handled {
    if (chain.writable === 0) {
      this.#transport.fail("noRoomForStatus");
      return "stop";
    }
    if (chain.copyOut(this.#transport.dma, 0, this.#header) < headerSize) {
      return this.#finish(chain, requestStatus.IOERR, 0, "shortHeader");
    }
    const type = this.#headerView.getUint32(0, true);
    const sector = this.#headerView.getUint32(8, true) + this.#headerView.getUint32(12, true) * 2 ** 32;
    switch (type) {
      case requestType.IN:
        return this.#transfer(chain, type, sector, chain.writable - 1);
      case requestType.OUT:
        return this.#transfer(chain, type, sector, chain.readable - headerSize);
      case requestType.FLUSH:
        return this.#run(this.#request(chain, type, 0, 0, { flush: true }));
      case requestType.GET_ID:
        return this.#giveId(chain);
      case requestType.DISCARD:
      case requestType.WRITE_ZEROES:
        return this.#ranges(chain, type);
      default:
        return this.#finish(chain, requestStatus.UNSUPP, 0);
    }
  }

  #request(
    chain: Chain,
    type: number,
    offset: number,
    length: number,
    more: { flush?: boolean; ranges?: Request["ranges"] } = {},
  ): Request {
    const { flush = false, ranges = [] } = more;
    return { chain, epoch: this.#queue.epoch, type, offset, length, position: 0, ranges, flush };
  }

  #transfer(chain: Chain, type: number, sector: number, length: number): Handled {
    if (type === requestType.OUT && this.#backend.readOnly) {
      return this.#finish(chain, requestStatus.IOERR, 0, "writeToReadOnly");
    }
    if (length % sectorSize !== 0) return this.#finish(chain, requestStatus.IOERR, 0, "partOfSector");
    if (!this.#inside(sector, length / sectorSize)) return this.#finish(chain, requestStatus.IOERR, 0, "outsideDisk");
    const flush = type === requestType.OUT && this.#writesThrough();
    return this.#run(this.#request(chain, type, sector * sectorSize, length, { flush }));
  }

  /** Without a way to ask for a flush, a write is durable when it is done (virtio 1.2, 5.2.6.2). */
  #writesThrough(): boolean {
    return (this.#transport.accepted & blockFeature.FLUSH) === 0n;
  }

  #inside(sector: number, sectors: number): boolean {
    return sector + sectors <= Math.floor(this.#backend.size / sectorSize);
  }

  #giveId(chain: Chain): Handled {
    const id = new Uint8Array(Math.min(idSize, chain.writable - 1));
    const text = this.#options.id ?? "";
    for (let i = 0; i < Math.min(id.length, text.length); i++) id[i] = text.charCodeAt(i);
    chain.copyIn(this.#transport.dma, 0, id);
    return this.#finish(chain, requestStatus.OK, id.length);
  }

  #ranges(chain: Chain, type: number): Handled {
    const zeroes = type === requestType.WRITE_ZEROES;
    const { sectors: sectorLimit, segments } = zeroes ? writeZeroesLimits : discardLimits;
    const offered = this.#transport.accepted & (zeroes ? blockFeature.WRITE_ZEROES : blockFeature.DISCARD);
    if (offered === 0n) return this.#finish(chain, requestStatus.UNSUPP, 0);
    const length = chain.readable - headerSize;
    if (length % rangeSize !== 0 || length > segments * rangeSize) {
      return this.#finish(chain, requestStatus.IOERR, 0, "badRanges");
    }
    const bytes = new Uint8Array(length);
    chain.copyOut(this.#transport.dma, headerSize, bytes);
    const view = new DataView(bytes.buffer);
    const ranges: { offset: number; length: number }[] = [];
    for (let at = 0; at < length; at += rangeSize) {
      const sector = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const sectors = view.getUint32(at + 8, true);
      // `unmap` means nothing for a discard and must be zero; other flags are for later versions (virtio 1.2, 5.2.6.2).
      if (view.getUint32(at + 12, true) > (zeroes ? 1 : 0)) return this.#finish(chain, requestStatus.UNSUPP, 0);
      if (sectors > sectorLimit) return this.#finish(chain, requestStatus.IOERR, 0, "badRanges");
      if (!this.#inside(sector, sectors)) return this.#finish(chain, requestStatus.IOERR, 0, "outsideDisk");
      if (sectors > 0) ranges.push({ offset: sector * sectorSize, length: sectors * sectorSize });
    }
    const flush = zeroes && this.#writesThrough();
    return this.#run(this.#request(chain, type, 0, ranges.length, { flush, ranges }));
  }

  /** Takes a request on until it is done or the backend makes it wait. */
  #run(request: Request): Handled {
    try {
      while (request.position < request.length) {
        const waiting = request.ranges.length > 0 ? this.#nextRange(request) : this.#nextPart(request);
        if (waiting !== undefined) return this.#wait(request, waiting);
      }
      if (request.flush) {
        request.flush = false;
        const waiting = this.#backend.flush();
        if (waiting instanceof Promise) return this.#wait(request, waiting);
      }
    } catch (error) {
      this.#options.onError?.(error);
      return this.#finish(request.chain, requestStatus.IOERR, 0);
    }
    const written = request.type === requestType.IN ? request.length : 0;
    return this.#finish(request.chain, requestStatus.OK, written);
  }

  #nextRange(request: Request): Promise<void> | undefined {
    const { offset, length } = request.ranges[request.position++];
    this.#moved += length;
    const zeroes = request.type === requestType.WRITE_ZEROES;
    const waiting = zeroes ? this.#backend.writeZeroes(offset, length) : this.#backend.discard!(offset, length);
    return waiting instanceof Promise ? waiting : undefined;
  }

  /** Moves the next part between disk and RAM. */
  #nextPart(request: Request): Promise<void> | undefined {
    const { chain, position } = request;
    const { dma } = this.#transport;
    const offset = request.offset + position;
    const rest = Math.min(request.length - position, transferLimit);
    this.#moved += rest;
    if (request.type === requestType.IN) {
      const piece = wholeSectors(chain.writableView(dma, position, rest), rest);
      const into = piece ?? this.#gather(rest);
      const waiting = this.#backend.read(offset, into);
      if (waiting instanceof Promise) {
        return waiting.then((bytes) => {
          if (bytes.length !== into.length) throw new RangeError(`backend read ${bytes.length} bytes instead of ${into.length}`);
          if (this.#alive(request)) chain.copyIn(dma, position, bytes);
          request.position += bytes.length;
        });
      }
      if (piece === undefined) chain.copyIn(dma, position, into);
      request.position += into.length;
      return undefined;
    }
    const piece = wholeSectors(chain.readableView(dma, headerSize + position, rest), rest);
    const from = piece ?? this.#gather(rest);
    if (piece === undefined) chain.copyOut(dma, headerSize + position, from);
    request.position += from.length;
    const waiting = this.#backend.write(offset, from);
    return waiting instanceof Promise ? waiting : undefined;
  }

  #gather(length: number): Uint8Array {
    this.#bounce ??= new Uint8Array(transferLimit);
    return this.#bounce.subarray(0, length);
  }

  #wait(request: Request, waiting: Promise<void>): Handled {
    this.#inFlight.add(request);
    const goOn = (failure: { error: unknown } | undefined) => {
      this.#inFlight.delete(request);
      if (failure !== undefined) this.#options.onError?.(failure.error);
      if (this.#alive(request)) {
        const handled = failure === undefined ? this.#run(request) : this.#finish(request.chain, requestStatus.IOERR, 0);
        if (handled === "done") this.#queue.recycle(request.chain);
        this.#queue.publish();
      }
      // Others may have waited for this one to end.
      if (this.#transport.running) this.#drain();
    };
    waiting.then(
      () => goOn(undefined),
      (error) => goOn({ error }),
    );
    return "later";
  }

  /** `written`: bytes of data before the status, which is the last byte of the chain. */
  #finish(chain: Chain, status: number, written: number, misuse?: string): Handled {
    if (misuse !== undefined) this.misuse.count(misuse);
    this.#status[0] = status;
    chain.copyIn(this.#transport.dma, chain.writable - 1, this.#status);
    this.#queue.complete(chain, written + 1);
    return "done";
  }
}

/** A piece of RAM that is worth a transfer of its own: all of it, or a long one, cut to whole sectors. */
function wholeSectors(piece: Uint8Array | undefined, rest: number): Uint8Array | undefined {
  if (piece === undefined || piece.length === rest) return piece;
  return piece.length >= directLimit ? piece.subarray(0, piece.length - (piece.length % sectorSize)) : undefined;
}
