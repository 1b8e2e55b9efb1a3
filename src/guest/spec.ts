import * as v from "valibot";
import { VivError } from "../core/errors.ts";

export const engineNames = ["auto", "jail", "hypervisor", "emulator"] as const;

const path = v.pipe(
  v.string(),
  v.nonEmpty("must name a file"),
  v.check((name) => !name.includes("\0"), "must not contain NUL"),
);
const word = v.pipe(
  v.string(),
  v.check((text) => !text.includes("\0"), "must not contain NUL"),
);

/** Bytes of RAM: whole pages of 4096. What a board can hold, the board checks. */
const memory = v.pipe(
  v.number(),
  v.safeInteger("must be a whole number of bytes"),
  v.minValue(1, "must be more than 0"),
  v.multipleOf(4096, "must be a multiple of 4096 bytes"),
);

const diskSchema = v.strictObject({
  /** A file with the disk's bytes, or a block device of the host. */
  file: path,
  /** The guest can not write, and others may read the file at the same time. */
  readOnly: v.optional(v.boolean(), false),
  /** The guest can write; what it writes is thrown away when it ends. */
  overlay: v.optional(v.boolean(), false),
  /** `raw`: the file's bytes are the disk's, even if they look like another format. */
  format: v.optional(v.literal("raw")),
});

const specSchema = v.strictObject({
  /** Which kind of world; `auto` picks the lightest that holds the guest. */
  engine: v.optional(v.picklist(engineNames), "auto"),
  machine: v.optional(
    v.strictObject({
      board: v.optional(v.picklist(["riscv-virt"]), "riscv-virt"),
      memory: v.optional(memory, 256 * 1024 * 1024),
      cpus: v.optional(v.literal(1), 1),
    }),
    {},
  ),
  /** What the machine starts with. Without a kernel and firmware it is the embedded guest. */
  boot: v.optional(
    v.strictObject({
      /** Starts in M-mode instead of the built-in SBI. */
      firmware: v.optional(path),
      kernel: v.optional(path),
      initrd: v.optional(path),
      /** The kernel's command line. For the embedded guest: added to its own. */
      append: v.optional(word),
    }),
    {},
  ),
  disks: v.optional(v.pipe(v.array(diskSchema), v.maxLength(5, "has more than 5 disks, which is what the board takes")), []),
  /** Program and arguments for the embedded guest; without it, a shell on the console. */
  command: v.optional(v.pipe(v.array(word), v.minLength(1, "must name a program"))),
  /** Environment variables of the command, added to the guest's own. */
  env: v.optional(v.record(v.pipe(v.string(), v.regex(/^[^=\0]+$/, "is not a name of a variable")), word), {}),
  /** The command's directory, in the guest. */
  cwd: v.optional(
    v.pipe(
      word,
      v.check((name) => name.startsWith("/"), "must be an absolute path"),
    ),
  ),
  /** The command runs on the console, as in a terminal, instead of on `stdin`, `stdout` and `stderr`. */
  tty: v.optional(v.boolean(), false),
  /** The terminal that the console is shown on. */
  terminal: v.optional(
    v.strictObject({
      columns: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xffff)), 80),
      rows: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xffff)), 25),
      /** Its kind, as `$TERM` names it. */
      type: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9._+-]+$/, "is not a name of a kind of terminal")), "linux"),
    }),
    {},
  ),
  /** Time is counted in instructions: equal runs are equal bit for bit. */
  icount: v.optional(v.boolean(), false),
  /** Which code the emulator runs: 0 its interpreter, 1 translated at once, `auto` translated where it pays. */
  tier: v.optional(v.picklist([0, 1, "auto"]), "auto"),
  /** The boot log is complete instead of errors only. */
  verbose: v.optional(v.boolean(), false),
  /** What a reset that the guest asks for does: start it again, or end it. */
  onReset: v.optional(v.picklist(["restart", "end"])),
  limits: v.optional(
    v.strictObject({
      /** Seconds of the host's time from the start, after which the guest is stopped. */
      seconds: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0.001, "must be more than 0"))),
    }),
    {},
  ),
});

/** A guest as its user describes it: everything may be left out. */
export type GuestSpecInput = v.InferInput<typeof specSchema>;
/** A guest, complete: what `parseSpec` makes of its description. Plain data. */
export type GuestSpec = v.InferOutput<typeof specSchema>;
export type EngineName = Exclude<(typeof engineNames)[number], "auto">;

/**
 * Checks a description of a guest and fills in what it leaves out.
 * @throws VivError `BAD_SPEC` naming the field: one that is unknown, of the wrong type, or contradicts another
 */
export function parseSpec(input: unknown): GuestSpec {
  if (Array.isArray(input)) throw new VivError("BAD_SPEC", "a guest's specification must be Object, not Array");
  const result = v.safeParse(specSchema, input);
  if (!result.success) throw new VivError("BAD_SPEC", explain(result.issues[0]));
  const spec = result.output;
  const contradiction = findContradiction(spec);
  if (contradiction !== undefined) throw new VivError("BAD_SPEC", contradiction);
  return spec;
}

function findContradiction(spec: GuestSpec): string | undefined {
  const own = spec.boot.kernel !== undefined || spec.boot.firmware !== undefined;
  if (own && spec.command !== undefined) {
    return "a command runs in the embedded guest only; with a kernel or firmware of your own, give it its work by --append or on a disk";
  }
  if (spec.boot.initrd !== undefined && spec.boot.kernel === undefined) return "an initrd needs a kernel";
  if (spec.command === undefined) {
    if (spec.cwd !== undefined) return "a working directory needs a command";
    if (Object.keys(spec.env).length > 0) return "environment variables need a command";
    if (spec.tty) return "a terminal for a command needs a command";
  }
  for (const disk of spec.disks) {
    if (disk.readOnly && disk.overlay) return `disk ${disk.file} cannot be read-only and have an overlay`;
  }
  return undefined;
}

function explain(issue: v.BaseIssue<unknown>): string {
  const field = v.getDotPath(issue) ?? "";
  if (issue.type === "strict_object" && issue.expected === "never") {
    const parent = field.includes(".") ? `${field.slice(0, field.lastIndexOf("."))} of ` : "";
    return `${field.slice(field.lastIndexOf(".") + 1)} is not a field of ${parent}a guest's specification`;
  }
  const subject = field === "" ? "a guest's specification" : field;
  const isOurs = !issue.message.startsWith("Invalid");
  if (isOurs) return `${subject} ${issue.message}${typeof issue.input === "object" ? "" : `, not ${issue.received}`}`;
  return `${subject} must be ${issue.expected ?? "something else"}, not ${issue.received}`;
}
