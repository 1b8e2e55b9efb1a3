/**
 * Operations on files below a directory that a guest may have filled with traps. Every path is opened by openat2(2) beneath the
 * root and used through its descriptor only, so that no symbolic link that is swapped in meanwhile leads anywhere else.
 */

import type { ConstantName } from "../constants.ts";
import { errnoNumber } from "../errno.ts";
import { flags, type Operation, type Steps, type Value } from "../operations.ts";
import { encodeUtf8 } from "../utf8.ts";

/** `struct open_how`, openat2(2). */
export function openHow(open: readonly ConstantName[], resolve: readonly ConstantName[], mode = 0): readonly [Value, number] {
  return [
    {
      struct: [
        { name: "flags", bits: 64, value: { flags: open } },
        { name: "mode", bits: 64, value: mode },
        { name: "resolve", bits: 64, value: { flags: resolve } },
      ],
    },
    24,
  ];
}

type More = Pick<Operation, "onError" | "onZero" | "onPositive">;

/** Where links may lead: inside the root, or nowhere at all. */
export type Links = "inside" | "none";

export function resolveFlags(links: Links): readonly ConstantName[] {
  return links === "inside"
    ? ["RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS"]
    : ["RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS", "RESOLVE_NO_SYMLINKS"];
}

/** Opens `path` below `root` as a place. */
export function place(steps: Steps, root: Value, path: string, links: Links, more: More = {}) {
  const inside = path.replace(/^\/+/, "") || ".";
  return steps.get("place", "openat2", [root, inside, ...openHow(["O_PATH", "O_CLOEXEC"], resolveFlags(links))], more);
}

/** Opens `path` below `root` as a mount point, making what of it is missing: directories, and an empty file at its end if `file`. */
export function mountPoint(steps: Steps, root: Value, path: string, links: Links, file = false) {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  let parent = root;
  parts.forEach((part, index) => {
    const isLast = index === parts.length - 1;
    // What is there already is looked at by openat2; what cannot be made is then missing there.
    if (isLast && file) steps.add("mknodat", [parent, part, 0o100644, 0], { onError: "next" });
    else steps.add("mkdirat", [parent, part, 0o755], { onError: "next" });
    if (!isLast) parent = place(steps, root, parts.slice(0, index + 1).join("/"), links);
  });
  return place(steps, root, parts.join("/"), links);
}

/** Adds operations that run only if `path` is there: `body` gets its place. Any error but ENOENT ends the plan. */
export function ifPresent(steps: Steps, root: Value, path: string, links: Links, body: (at: Value, steps: Steps) => void): void {
  const operation = place(steps, root, path, links, { onError: "next", onPositive: { skip: 1 } });
  const check = { name: operation.result };
  const start = steps.operations.length;
  steps.add("futex", []);
  body(operation, steps);
  const length = steps.operations.length - start - 1;
  // FUTEX_CMP_REQUEUE compares a word with a number and, if equal, moves no waiters: a comparison without any code.
  steps.operations[start] = {
    call: "futex",
    args: [
      { resultAt: check.name },
      flags("FUTEX_CMP_REQUEUE_PRIVATE"),
      0,
      0,
      { buffer: "scratch", size: 8 },
      BigInt.asUintN(32, BigInt(-errnoNumber("ENOENT"))),
    ],
    step: steps.operations[start]!.step,
    examines: check.name,
    onZero: { skip: length },
    onPositive: { skip: length },
  };
}

/** Writes a text to the file `path`, which the kernel itself provides (a file of proc). */
export function writeTo(steps: Steps, path: string, text: string): void {
  const fd = steps.get("file", "openat", [flags("AT_FDCWD"), path, flags("O_WRONLY", "O_CLOEXEC"), 0]);
  steps.add("write", [fd, text, encodeUtf8(text).length]);
  steps.add("close", [fd]);
}
