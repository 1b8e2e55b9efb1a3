import { createHash } from "node:crypto";
import { constants, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { VivError } from "../../../core/errors.ts";
import type { GuardedTree } from "./directory.ts";
import { readDescriptor } from "./read.ts";

/** Where the manifest and, while a jail is changed, the journal lie in a jail. */
export const stateDirectory = "/.vivarium";
export const manifestPath = `${stateDirectory}/imprison.json`;

const path = v.pipe(
  v.string(),
  v.check(
    (text) => text.startsWith("/") && !text.includes("\0") && !text.split("/").some((part) => part === "." || part === ".."),
  ),
);
const natural = v.pipe(v.number(), v.integer(), v.minValue(0));
const strings = v.array(v.string());

const requestSchema = v.object({
  programs: strings,
  with: strings,
  packages: strings,
  libraryPath: strings,
  without: strings,
  users: strings,
  trace: strings,
  dev: v.boolean(),
  root: v.string(),
});

const recordSchema = v.object({
  kind: v.picklist(["file", "directory", "symlink", "character", "block", "fifo"]),
  mode: natural,
  uid: natural,
  gid: natural,
  size: v.optional(natural),
  sha256: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  target: v.optional(v.string()),
  device: v.optional(v.object({ major: natural, minor: natural })),
  link: v.optional(path),
  source: v.string(),
  copy: v.string(),
  why: v.array(v.object({ from: v.string(), kind: v.string(), name: v.string(), why: v.string(), rule: v.optional(v.string()) })),
});

const manifestSchema = v.object({
  schema: v.literal("vivarium.imprison"),
  version: v.literal(1),
  made: v.string(),
  request: requestSchema,
  files: v.record(path, recordSchema),
});

/** What `viv jail make` was asked for; the next one adds to it. */
export type JailRequest = v.InferOutput<typeof requestSchema>;

/** One file as it was made: `source` and `copy` are fingerprints that change with the original and with the copy. */
export type FileRecord = v.InferOutput<typeof recordSchema>;

/** Says of each file of a jail what it was when made, and why it is there. */
export type Manifest = v.InferOutput<typeof manifestSchema>;

export interface LoadedManifest {
  readonly manifest: Manifest;
  /** It is the one that we wrote: a program inside the jail may have changed it since. */
  readonly genuine: boolean;
}

/**
 * The manifest of a jail; undefined if it has none.
 * @throws VivError `BAD_MANIFEST`
 */
export function loadManifest(tree: GuardedTree): LoadedManifest | undefined {
  const file = tree.find(manifestPath);
  if (file === undefined) return undefined;
  const name = `${tree.directory}${manifestPath}`;
  let bytes: Buffer;
  try {
    bytes = readDescriptor(openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK), 1 << 30);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new VivError("BAD_MANIFEST", `${name}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new VivError("BAD_MANIFEST", `${name}: is no JSON; make the jail anew in another directory`, { cause });
  }
  const result = v.safeParse(manifestSchema, value);
  if (!result.success) {
    const at = result.issues[0].path?.map((item) => String(item.key)).join(".") ?? "";
    throw new VivError("BAD_MANIFEST", `${name}: ${at}: ${result.issues[0].message}; make the jail anew in another directory`);
  }
  return { manifest: result.output, genuine: recordedDigests(realpathSync(tree.directory)).includes(digest(bytes)) };
}

/**
 * Puts the manifest in its place in one step, which is the last thing done. Its digest is recorded before, beside that
 * of the one in place: whichever is there after a crash is known.
 * @param finalDirectory where the jail will be, links resolved
 */
export function storeManifest(tree: GuardedTree, manifest: Manifest, finalDirectory: string): void {
  const bytes = Buffer.from(`${JSON.stringify(manifest)}\n`);
  const temporary = tree.at(`${manifestPath}.new`);
  // What lies there may be a link that leads out of the jail: it goes, and "wx" follows none.
  rmSync(temporary, { force: true });
  writeFileSync(temporary, bytes, { mode: 0o600, flag: "wx" });
  const file = digestFile(finalDirectory);
  mkdirSync(join(file, ".."), { recursive: true, mode: 0o700 });
  const manifests = [digest(bytes), ...recordedDigests(finalDirectory).slice(0, 1)];
  writeFileSync(`${file}.new`, JSON.stringify({ directory: finalDirectory, manifests }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  tree.rename(`${manifestPath}.new`, manifestPath);
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Outside of every jail: the manifest inside is within reach of the jail's root. */
function digestFile(directory: string): string {
  const state = process.env.XDG_STATE_HOME || join(homedir(), ".local/state");
  return join(state, "vivarium/imprison", `${digest(Buffer.from(directory)).slice(0, 24)}.json`);
}

/** Digests of the manifests that may be in place, the newest first. */
function recordedDigests(directory: string): string[] {
  try {
    const value = JSON.parse(readFileSync(digestFile(directory), "utf8")) as { manifests?: unknown } | null;
    return Array.isArray(value?.manifests) ? value.manifests.filter((item): item is string => typeof item === "string") : [];
  } catch {
    // None recorded, or unreadable: the manifest is then taken as not ours, which costs a comparison of contents.
    return [];
  }
}
