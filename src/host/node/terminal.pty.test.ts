import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noPty, Pty } from "./testing/pty.ts";

const program = fileURLToPath(new URL("./testing/echo-terminal.js", import.meta.url));
const { SIGTERM, SIGHUP, SIGCONT } = constants.signals;

test("a guest on a terminal", { skip: noPty(), timeout: 120_000 }, async (t) => {
  const start = async () => {
    const pty = new Pty(process.execPath, [program]);
    t.after(() => pty.close());
    await pty.expect(/hello\r?\n/);
    await pty.expect(/\{80x24\}/);
    return pty;
  };

  await t.test("has every key, and the size of the window", async () => {
    const pty = await start();
    assert.equal(await pty.isRaw(), true);
    for (const [key, name] of [
      ["\x03", '"\\u0003"'],
      ["\x1a", '"\\u001a"'],
      ["\r", '"\\r"'],
      ["é", '"Ã©"'],
    ]) {
      pty.type(key);
      await pty.expect(new RegExp(`<${name.replaceAll("\\", "\\\\")}>`));
    }
    pty.resize(50, 132);
    await pty.expect(/\{132x50\}/);
    pty.type("\x1dq");
    assert.deepEqual(await pty.ended(), { status: 3, restored: true });
  });

  await t.test("the terminal is put back, however the program ends", async () => {
    for (const [end, status] of [
      [(pty: Pty) => pty.kill(SIGTERM), 143],
      [(pty: Pty) => pty.kill(SIGHUP), 129],
      [(pty: Pty) => pty.type("!"), 1],
    ] as const) {
      const pty = await start();
      pty.type("*");
      await pty.expect(/full screen/);
      assert.equal(await pty.isRaw(), true);
      end(pty);
      assert.deepEqual(await pty.ended(), { status, restored: true });
      // The cursor is back, and so is the screen that was there before.
      assert.ok(pty.output.includes("\x1b[?25h\x1b[?1049l"), JSON.stringify(pty.output));
    }
  });

  await t.test("it is raw again after it was stopped and continued", async () => {
    const pty = await start();
    pty.cook();
    assert.equal(await pty.isRaw(), false);
    pty.kill(SIGCONT);
    while (!(await pty.isRaw()));
    pty.type("\x1dq");
    assert.equal((await pty.ended()).restored, true);
  });
});
