/** Ctrl-], which few programs use. */
export const escapeKey = 0x1d;

/** What the key after the escape key asks for. */
export type EscapeCommand = "quit" | "pause" | "help";

export const escapeHelp = [
  "Ctrl-] q  stop the guest and leave",
  "Ctrl-] p  pause it, or let it go on",
  "Ctrl-] ]  give the guest a Ctrl-] (Ctrl-] twice does, too)",
  "Ctrl-] ?  this help",
] as const;

const commands = new Map<number, EscapeCommand>([
  [0x71, "quit"], // q
  [0x51, "quit"],
  [0x70, "pause"], // p
  [0x3f, "help"], // ?
  [0x68, "help"], // h
]);

/** Tells keys for the guest from those for us. A key may arrive in several chunks. */
export class EscapeKeyFilter {
  #escaped = false;

  /** Keys for the guest, in order. `command` is called for each of ours. */
  filter(bytes: Uint8Array, command: (command: EscapeCommand) => void): Uint8Array {
    if (!this.#escaped && !bytes.includes(escapeKey)) return bytes;
    const keys: number[] = [];
    for (const byte of bytes) {
      if (!this.#escaped) {
        if (byte === escapeKey) this.#escaped = true;
        else keys.push(byte);
        continue;
      }
      this.#escaped = false;
      const meant = commands.get(byte);
      if (meant !== undefined) command(meant);
      else if (byte === escapeKey || byte === 0x5d) keys.push(escapeKey);
      else keys.push(escapeKey, byte);
    }
    return Uint8Array.from(keys);
  }
}
