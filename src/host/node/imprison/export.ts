import { spawnSync } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  constants,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { VivError } from "../../../core/errors.ts";
import { newcHeader, newcPadding, newcTrailer } from "../../../image/archive/newc.ts";
import { type OciImage, ociArchitecture, ociConfig, ociIndex, ociManifest } from "../../../image/archive/oci.ts";
import { tarEnd, tarHeader, tarPadding } from "../../../image/archive/tar.ts";
import { parseElf } from "../../../image/closure/elf.ts";
import { hostError } from "./closure.ts";
import { GuardedTree } from "./directory.ts";
import { hostFiles } from "./files.ts";
import { loadManifest, stateDirectory } from "./manifest.ts";
import { type WalkedFile, walkJail } from "./walk.ts";

export type ExportFormat = "tar" | "cpio" | "oci" | "ext4" | "squashfs";

export interface ExportOptions {
  readonly directory: string;
  readonly format: ExportFormat;
  /** Default: the directory's name with the format's ending, beside it. `-`: standard output (tar and cpio). */
  readonly output?: string;
  /** Replaces an output that exists. */
  readonly force?: boolean;
}

const endings: Readonly<Record<ExportFormat, string>> = {
  tar: ".tar",
  cpio: ".cpio",
  oci: ".oci.tar",
  ext4: ".ext4",
  squashfs: ".squashfs",
};

/**
 * Writes a jail as an archive, an OCI image (layout in a tar archive) or a file system. Our own manifest is left out.
 * The output is complete or not there.
 * @returns the output's path and size
 * @throws VivError `ENOENT`, `EEXIST`, `NO_TOOL`, `EXPORT_FAILED`, `ETOOBIG`...
 */
export async function exportJail(options: ExportOptions): Promise<{ output: string; size: number }> {
  const directory = resolve(options.directory);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new VivError("ENOENT", `${directory} is not a directory; make a jail there by viv jail make`);
  }
  const { format } = options;
  if (options.output === "-") {
    if (format !== "tar" && format !== "cpio") throw new VivError("BAD_SPEC", `--${format} needs a file: -o FILE`);
    await pipeline(Readable.from(contents(directory, format)), process.stdout, { end: false });
    return { output: "-", size: 0 };
  }
  const output = resolve(options.output ?? `${directory}${endings[format]}`);
  if (existsSync(output) && !options.force)
    throw new VivError("EEXIST", `${output} exists; remove it, choose another by -o, or use --force`);
  if (output.startsWith(`${directory}/`))
    throw new VivError("BAD_SPEC", `${output} lies in the jail; choose a place outside by -o`);
  const temporary = join(dirname(output), `.${basename(output)}.viv-${process.pid}`);
  try {
    if (format === "tar" || format === "cpio") await writeStream(contents(directory, format), temporary);
    else if (format === "oci") await writeOci(directory, temporary, basename(directory));
    else if (format === "ext4") writeExt4(directory, temporary);
    else writeSquashfs(directory, temporary);
    renameSync(temporary, output);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw hostError(`exporting ${directory}`, error);
  }
  return { output, size: statSync(output).size };
}

function contents(directory: string, format: "tar" | "cpio"): AsyncGenerator<Uint8Array> {
  return format === "tar"
    ? tarContents(walkJail(directory, { attributes: true }))
    : cpioContents(walkJail(directory, { attributes: false }));
}

async function writeStream(source: AsyncGenerator<Uint8Array>, file: string): Promise<void> {
  await pipeline(Readable.from(source), createWriteStream(file, { flags: "wx" }));
}

async function* tarContents(files: readonly WalkedFile[]): AsyncGenerator<Uint8Array> {
  let total = 0;
  for (const { entry, source } of files) {
    const header = tarHeader(entry);
    yield header;
    total += header.length;
    if (entry.kind !== "file") continue;
    let size = 0;
    for (const { offset, length } of entry.extents ?? [{ offset: 0, length: entry.size }]) {
      yield* fileBytes(source, offset, length);
      size += length;
    }
    const padding = tarPadding(size);
    yield padding;
    total += size + padding.length;
  }
  yield tarEnd(total);
}

async function* cpioContents(files: readonly WalkedFile[]): AsyncGenerator<Uint8Array> {
  const inodes = new Map<string, { inode: number; links: number; left: number; source: string; size: number }>();
  for (const { entry, source } of files) {
    const first = entry.kind === "hardlink" ? entry.target! : entry.path;
    const known = inodes.get(first);
    if (known !== undefined) {
      known.links++;
      known.left++;
    } else inodes.set(first, { inode: inodes.size + 1, links: 1, left: 1, source, size: entry.size });
  }
  for (const { entry } of files) {
    const shared = inodes.get(entry.kind === "hardlink" ? entry.target! : entry.path)!;
    // The kernel and cpio(1) take the contents of hard links from the last one.
    const isLast = --shared.left === 0;
    const target = entry.kind === "symlink" ? Buffer.from(entry.target!) : undefined;
    const size = target?.length ?? (isLast && (entry.kind === "file" || entry.kind === "hardlink") ? shared.size : 0);
    yield newcHeader(entry, { inode: shared.inode, links: entry.kind === "directory" ? 2 : shared.links }, size);
    if (target !== undefined) yield target;
    else yield* fileBytes(shared.source, 0, size);
    yield new Uint8Array(newcPadding(size));
  }
  yield newcHeader(newcTrailer, { inode: 0, links: 1 }, 0);
}

/** A part of a file. A file that became shorter meanwhile would damage the archive, and is refused. */
async function* fileBytes(path: string, offset: number, length: number): AsyncGenerator<Uint8Array> {
  if (length === 0) return;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    for (let at = 0; at < length; ) {
      const bytes = Buffer.allocUnsafe(Math.min(1 << 18, length - at));
      const count = readSync(fd, bytes, 0, bytes.length, offset + at);
      if (count === 0) throw new VivError("ECHANGED", `${path} was changed while it was exported; stop the jail, then export it`);
      yield bytes.subarray(0, count);
      at += count;
    }
  } finally {
    closeSync(fd);
  }
}

async function writeOci(directory: string, output: string, name: string): Promise<void> {
  const layout = mkdtempSync(join(dirname(output), ".viv-oci-"));
  try {
    const blobs = join(layout, "blobs/sha256");
    mkdirSync(blobs, { recursive: true });
    const plain = createHash("sha256");
    const packed = createHash("sha256");
    const layerFile = join(layout, "layer");
    // No time in the gzip header: equal jails make equal layers.
    await pipeline(
      Readable.from(contents(directory, "tar")),
      hashing(plain),
      createGzip({ level: 6 }),
      hashing(packed),
      createWriteStream(layerFile),
    );
    const place = (digest: string) => join(blobs, digest);
    const layerDigest = packed.digest("hex");
    const layer = { digest: `sha256:${layerDigest}`, size: statSync(layerFile).size };
    renameSync(layerFile, place(layerDigest));
    const store = (value: object): { digest: string; size: number } => {
      const bytes = Buffer.from(JSON.stringify(value));
      const digest = createHash("sha256").update(bytes).digest("hex");
      writeFileSync(place(digest), bytes);
      return { digest: `sha256:${digest}`, size: bytes.length };
    };
    const { entrypoint, architecture, created } = aboutJail(directory);
    const image: OciImage = { architecture, diffId: `sha256:${plain.digest("hex")}`, layer, entrypoint, created, name };
    const manifest = store(ociManifest(image, store(ociConfig(image))));
    writeFileSync(join(layout, "index.json"), JSON.stringify(ociIndex(image, manifest)));
    writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    await writeStream(contents(layout, "tar"), output);
  } finally {
    rmSync(layout, { recursive: true, force: true });
  }
}

function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

/** The first program of the jail is what its image starts. */
function aboutJail(directory: string): { entrypoint?: string[]; architecture: string; created: string } {
  const tree = new GuardedTree(directory);
  try {
    const manifest = loadManifest(tree)?.manifest;
    const created = manifest?.made ?? new Date().toISOString();
    const files = Object.entries(manifest?.files ?? {});
    const asked = files.filter(([, file]) => file.why.some((why) => why.kind === "asked" && why.from === ""));
    const program = manifest?.request.programs[0];
    const path = asked.find(([, file]) => file.why.some((why) => why.name === program))?.[0];
    const binary = files.find(
      ([, file]) => file.kind === "file" && file.why.some((why) => why.kind === "interpreter" || why.kind === "asked"),
    );
    const architecture = binary && architectureAt(directory, binary[0]);
    return { ...(path !== undefined && { entrypoint: [path] }), architecture: architecture ?? hostArchitecture(), created };
  } finally {
    tree.close();
  }
}

function architectureAt(directory: string, path: string): string | undefined {
  const files = hostFiles(directory);
  try {
    const size = files.status(path)?.size ?? 0;
    const elf = parseElf({ size, read: (offset, length) => files.read(path, offset, length) }, path);
    return ociArchitecture(elf.machine, elf.class, elf.littleEndian);
  } catch (error) {
    if (error instanceof VivError) return undefined;
    throw error;
  }
}

function hostArchitecture(): string {
  return { x64: "amd64", ia32: "386" }[process.arch as string] ?? process.arch;
}

function writeSquashfs(directory: string, output: string): void {
  runTool("mksquashfs", "squashfs-tools", [
    directory,
    output,
    "-noappend",
    "-no-progress",
    "-quiet",
    "-xattrs",
    "-e",
    stateDirectory.slice(1),
  ]);
}

function writeExt4(directory: string, output: string): void {
  const files = walkJail(directory, { attributes: false });
  const block = 4096;
  // Data, an inode of 256 bytes and a share of the directory for each file, then a quarter more for the jail to grow in.
  const data = files.reduce(
    (sum, { stat }) => sum + Math.min(Math.ceil(Number(stat.size) / block), Number(stat.blocks) / 8 + 1),
    0,
  );
  const inodes = files.length + 1024;
  const blocks = Math.ceil((data + inodes / 8) * 1.25) + 8192;
  const size = `${Math.ceil((blocks * block) / 1024)}k`;
  const options = ["-q", "-F", "-t", "ext4", "-b", String(block), "-N", String(inodes), "-m", "0", "-E", "lazy_itable_init=0"];
  runTool("mke2fs", "e2fsprogs", [...options, "-d", directory, output, size]);
  if (!existsSync(`${directory}${stateDirectory}`)) return;
  const script = join(mkdtempSync(join(tmpdir(), "viv-ext4-")), "commands");
  try {
    const ours = readdirSync(`${directory}${stateDirectory}`).map((name) => `rm "${stateDirectory}/${name}"\n`);
    writeFileSync(script, `${ours.join("")}rmdir ${stateDirectory}\n`);
    runTool("debugfs", "e2fsprogs", ["-w", "-f", script, output]);
  } finally {
    rmSync(dirname(script), { recursive: true, force: true });
  }
}

function runTool(name: string, debianPackage: string, args: readonly string[]): void {
  const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  const result = spawnSync(name, args, {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    env: { ...process.env, PATH: path },
  });
  if (result.error !== undefined) {
    throw new VivError(
      "NO_TOOL",
      `this export needs the program ${name}; install it (Debian: apt-get install ${debianPackage})`,
      {
        cause: result.error,
      },
    );
  }
  if (result.status !== 0)
    throw new VivError("EXPORT_FAILED", `${name} failed: ${result.stderr.trim().split("\n").slice(-3).join("; ")}`);
}
