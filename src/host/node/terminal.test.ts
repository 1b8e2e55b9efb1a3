import assert from "node:assert/strict";
import { test } from "node:test";
import { type EscapeCommand, EscapeKeyFilter } from "./escape-key.ts";
import { TerminalModes } from "./terminal-modes.ts";

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));

function typed(...chunks: string[]): [string, EscapeCommand[]] {
  const filter = new EscapeKeyFilter();
  const commands: EscapeCommand[] = [];
  const keys = chunks.map((chunk) =>
    Buffer.from(filter.filter(bytes(chunk), (command) => commands.push(command))).toString("latin1"),
  );
  return [keys.join(""), commands];
}

test("keys are the guest's but for those after the escape key", () => {
  assert.deepEqual(typed("ls\r\x03\x1b[A"), ["ls\r\x03\x1b[A", []]);
  assert.deepEqual(typed("a\x1dqb"), ["ab", ["quit"]]);
  assert.deepEqual(typed("a\x1d", "?b\x1dp"), ["ab", ["help", "pause"]]);
  assert.deepEqual(typed("\x1d\x1d", "\x1d]"), ["\x1d\x1d", []]);
  assert.deepEqual(typed("\x1dz"), ["\x1dz", []]);
});

function left(...chunks: string[]): string {
  const modes = new TerminalModes();
  for (const chunk of chunks) modes.feed(bytes(chunk));
  return modes.restore();
}

test("what a guest has left changed about the terminal is undone, and nothing else is touched", () => {
  assert.equal(left("plain text\r\n\x1b[2J\x1b[1;1H\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[?12h"), "");
  assert.equal(left("\x1b[?1049h\x1b[?25l\x1b[?1000;1006h"), "\x1b[?1006l\x1b[?1000l\x1b[?25h\x1b[?1049l");
  assert.equal(left("\x1b[?1049h", "\x1b[?25", "l\x1b[?25h\x1b[?1049l"), "");
  assert.equal(left("\x1b[1;31mbold"), "\x1b[0m");
  assert.equal(left("\x1b[2;20r\x1b="), "\x1b7\x1b[r\x1b8\x1b>");
  assert.equal(left("\x1b[?2004h\x1b[?1h\x1bc"), "");
  assert.equal(left("\x1b[?7l"), "\x1b[?7h");
});

test("rubbish does not grow and does not end a later sequence", () => {
  assert.equal(left(`\x1b[${"9".repeat(1 << 20)}`, "\x1b[?25l"), "\x1b[?25h");
});
