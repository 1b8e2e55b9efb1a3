import { fstatSync } from "node:fs";
import { VivError } from "../../core/errors.ts";
import { drained } from "./terminal.ts";

/** Where a process's input goes. */
export interface InputPeer {
  write(bytes: Uint8Array): Promise<void>;
  end(): void;
}

/**
 * Gives this process's standard input to a guest as fast as it takes it, its end included.
 * @returns a function that stops
 * @throws VivError `EISDIR` if it is a directory, which Node would take for an empty file
 */
export function pipeStandardInput(peer: InputPeer): () => void {
  if (fstatSync(0).isDirectory()) throw new VivError("EISDIR", "cannot read standard input: it is a directory");
  const { stdin } = process;
  let isStopped = false;
  const take = (bytes: Uint8Array) => {
    stdin.pause();
    void peer.write(bytes).then(() => isStopped || stdin.resume());
  };
  const end = () => peer.end();
  stdin.on("data", take).on("end", end).on("error", end);
  return () => {
    isStopped = true;
    stdin.off("data", take).off("end", end).off("error", end);
    stdin.pause();
    // A pipe that nobody writes to would keep the process alive.
    stdin.unref?.();
  };
}

/**
 * Writes a guest's output to a stream of this process, no faster than that goes. Done when the output has ended.
 * @param broken called with the error when the stream takes nothing any more (`EPIPE`: nobody reads it)
 */
export async function pipeOutput(
  output: AsyncIterable<Uint8Array>,
  stream: NodeJS.WriteStream,
  broken: (error: NodeJS.ErrnoException) => void,
): Promise<void> {
  let isBroken = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    isBroken = true;
    broken(error);
  });
  for await (const bytes of output) {
    if (isBroken) continue;
    if (!stream.write(bytes)) await drained(stream);
  }
}
