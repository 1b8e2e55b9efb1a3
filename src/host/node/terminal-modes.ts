/**
 * Remembers what a guest has changed about the terminal (ECMA-48 and xterm's control sequences), to undo it when the guest
 * ends without doing so: the other screen, a hidden cursor, reports of the mouse...
 */
export class TerminalModes {
  /** DEC private modes that differ from what a shell expects, in the order in which they were changed. */
  readonly #modes = new Map<number, boolean>();
  #keypad = false;
  #attributes = false;
  #margins = false;
  #sequence = "";

  /** Reads what goes to the terminal. A sequence may arrive in several chunks. */
  feed(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x1b) this.#sequence = "\x1b";
      else if (this.#sequence !== "") this.#continue(byte);
    }
  }

  /** What puts the terminal back; "" if there is nothing to undo. */
  restore(): string {
    const modes = [...this.#modes].map(([mode, set]) => `\x1b[?${mode}${set ? "l" : "h"}`).reverse();
    return [
      this.#margins ? "\x1b7\x1b[r\x1b8" : "",
      this.#attributes ? "\x1b[0m" : "",
      this.#keypad ? "\x1b>" : "",
      ...modes,
    ].join("");
  }

  #continue(byte: number): void {
    const sequence = this.#sequence + String.fromCharCode(byte);
    this.#sequence = "";
    if (sequence === "\x1b=") this.#keypad = true;
    else if (sequence === "\x1b>") this.#keypad = false;
    else if (sequence === "\x1bc") this.#reset();
    else if (sequence.startsWith("\x1b[")) {
      const isFinal = byte >= 0x40 && byte <= 0x7e && sequence.length > 2;
      if (isFinal) this.#control(sequence.slice(2, -1), sequence.at(-1) as string);
      else if (sequence.length < 64) this.#sequence = sequence;
    }
  }

  #control(parameters: string, final: string): void {
    if (final === "m") this.#attributes = !/^0*$/.test(parameters);
    else if (final === "r") this.#margins = parameters !== "";
    else if (parameters === "!" && final === "p") this.#reset();
    else if ((final === "h" || final === "l") && parameters.startsWith("?")) {
      for (const mode of parameters.slice(1).split(";")) this.#setMode(Number(mode), final === "h");
    }
  }

  #setMode(mode: number, set: boolean): void {
    // On by default: 7 wraps lines, 25 shows the cursor.
    const byDefault = mode === 7 || mode === 25;
    if (!tracked.has(mode)) return;
    this.#modes.delete(mode);
    if (set !== byDefault) this.#modes.set(mode, set);
  }

  #reset(): void {
    this.#modes.clear();
    this.#keypad = this.#attributes = this.#margins = false;
  }
}

/** Cursor keys, colours inverted, origin, wrap, mouse (9, 1000-1006, 1015, 1016), cursor, focus, other screen, bracketed paste. */
const tracked = new Set([1, 5, 6, 7, 9, 25, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004]);
