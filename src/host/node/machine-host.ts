import { randomFillSync } from "node:crypto";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
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

/** Lets input, timers and finished I/O have their turn. */
export function yieldToHost(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Calls back once, `delay` nanoseconds from now or as soon after as Node can; returns a function that cancels it. */
export function after(delay: number, callback: () => void): () => void {
  // Node's timers count in milliseconds, and take more than 2^31 of them for 1.
  const milliseconds = Math.min(delay / 1e6, 2 ** 31 - 1);
  if (milliseconds < 0.5) {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  }
  const timer = setTimeout(callback, milliseconds);
  return () => clearTimeout(timer);
}

export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(length));
}

type Unpack = (bytes: Uint8Array, options: { chunkSize: number; maxOutputLength: number }) => Promise<Buffer>;
const largeChunk = 4 * 1024 * 1024;

/**
 * Undoes a compression.
 * @throws VivError `BAD_COMPRESSION` for damaged or truncated input, output above `limit` bytes, and formats that this Node
 * does not have
 */
export async function decompress(format: string, bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  const unpack = unpacker(format);
  try {
    return await unpack(bytes, { chunkSize: largeChunk, maxOutputLength: limit });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const problem =
      code === "ERR_BUFFER_TOO_LARGE"
        ? `it is longer than ${limit} bytes when unpacked`
        : code === "Z_BUF_ERROR"
          ? "it is cut short"
          : "it is damaged";
    throw new VivError("BAD_COMPRESSION", `cannot unpack ${format} data: ${problem}`, { cause });
  }
}

function unpacker(format: string): Unpack {
  if (format === "gzip") return promisify(zlib.gunzip) as Unpack;
  // Since Node 22.15.
  const { zstdDecompress } = zlib as unknown as { zstdDecompress?: unknown };
  if (format === "zstd" && zstdDecompress !== undefined) return promisify(zstdDecompress as typeof zlib.gunzip) as Unpack;
  const hint = format === "zstd" ? "; Node 24 can, or unpack it first (zstd -d)" : `; unpack it first (${format} -d)`;
  throw new VivError("BAD_COMPRESSION", `cannot unpack ${format} data here${hint}`);
}
