import { VivError } from "../../core/errors.ts";

/** Nanoseconds of a clock that never goes back. */
export function monotonic(): number {
  return performance.now() * 1e6;
}

/** Nanoseconds since 1970-01-01 UTC. */
export function wall(): bigint {
  // The first sum is in microseconds: as a double it is exact enough, in nanoseconds it is not.
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** Callbacks that wait for their turn, each by a number. */
const turns = new Map<number, () => void>();
let nextTurn = 0;
let channel: MessageChannel | undefined;

/**
 * Calls back after what waits already: a message to ourselves, because timers of a browser wait 4 ms once they are nested.
 * Returns a function that cancels it.
 */
function soon(callback: () => void): () => void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = ({ data }: MessageEvent<number>) => {
      const turn = turns.get(data);
      turns.delete(data);
      turn?.();
    };
  }
  const id = nextTurn++;
  turns.set(id, callback);
  channel.port2.postMessage(id);
  return () => turns.delete(id);
}

/** Lets input, timers and finished I/O have their turn. */
export function yieldToHost(): Promise<void> {
  return new Promise((resolve) => soon(resolve));
}

/**
 * Calls back once, `delay` nanoseconds from now or as soon after as the browser can; returns a function that cancels it. A
 * browser lets timers of pages in the background wait for a second and more; those of workers it does not.
 */
export function after(delay: number, callback: () => void): () => void {
  // Timers count in milliseconds, and take more than 2^31 of them for 1.
  const milliseconds = Math.min(delay / 1e6, 2 ** 31 - 1);
  if (milliseconds < 0.5) return soon(callback);
  const timer = setTimeout(callback, milliseconds);
  return () => clearTimeout(timer);
}

/** What `crypto.getRandomValues` gives at most in a call. */
const randomLimit = 65536;

export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += randomLimit) crypto.getRandomValues(bytes.subarray(at, at + randomLimit));
  return bytes;
}

/**
 * Undoes a compression.
 * @throws VivError `BAD_COMPRESSION` for damaged or truncated input, output above `limit` bytes, and formats other than gzip,
 * which is what browsers have
 */
export async function decompress(format: string, bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  if (format !== "gzip") {
    throw new VivError("BAD_COMPRESSION", `cannot unpack ${format} data in a browser; unpack it first (${format} -d)`);
  }
  const reader = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await nextChunk(reader);
    if (done) break;
    length += value.length;
    if (length > limit) {
      void reader.cancel();
      throw new VivError("BAD_COMPRESSION", `cannot unpack gzip data: it is longer than ${limit} bytes when unpacked`);
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

async function nextChunk(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (cause) {
    throw new VivError("BAD_COMPRESSION", "cannot unpack gzip data: it is damaged or cut short", { cause });
  }
}
