import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { readCpio, writeCpio } from "../image/cpio.ts";
import { withCommand } from "./command.ts";

const initrd = writeCpio([{ path: "init", mode: 0o100755, data: Buffer.from("x") }]);

function commandOf(spec: { command: string[]; env?: Record<string, string>; cwd?: string; tty?: boolean }) {
  const whole = withCommand(initrd, { env: {}, cwd: undefined, tty: false, ...spec });
  assert.deepEqual(whole.subarray(0, initrd.length), initrd);
  const entries = readCpio(whole.subarray(initrd.length));
  return { paths: entries.map((entry) => entry.path), script: Buffer.from(entries[0].data).toString() };
}

test("words, variables and the directory arrive in a POSIX shell as they are", () => {
  const command = ["printf", "<%s>", "", "a b", "it's", '$HOME `x` "y" \\', "\n\t*", "é"];
  const { script, paths } = commandOf({ command, env: { A: "it's $1", "B.C": "odd" }, cwd: "/tmp" });
  assert.deepEqual(paths, ["viv/command"]);
  const run = (tail: string) => spawnSync("sh", ["-c", `${script}${tail}`], { encoding: "utf8" }).stdout;
  assert.equal(
    run('exec "$@"'),
    command
      .slice(2)
      .map((word) => `<${word}>`)
      .join(""),
  );
  assert.equal(run('printf %s "$A"'), "it's $1");
  assert.equal(run("pwd"), "/tmp\n");
  assert.match(script, /set -- 'env' 'B\.C=odd' 'printf'/);
});

test("a terminal is asked for by a file", () => {
  assert.deepEqual(commandOf({ command: ["vi"], tty: true }).paths, ["viv/command", "viv/tty"]);
});

test("the second archive starts at a multiple of 4 bytes", () => {
  const odd = initrd.subarray(0, initrd.length - 3);
  const whole = withCommand(odd, { command: ["a"], env: {}, cwd: undefined, tty: false });
  assert.equal(Buffer.from(whole).indexOf("070701", odd.length), initrd.length);
});
