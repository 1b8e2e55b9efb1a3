import type { Command } from "commander";
import { type ExportFormat, exportJail, formatSize, VivError } from "../../index.ts";

type ExportCommandOptions = { [format in ExportFormat]?: boolean } & { output?: string; force: boolean };

const formats: readonly ExportFormat[] = ["tar", "cpio", "oci", "ext4", "squashfs"];

/** Adds `viv jail export` to `jail`. */
export function addJailExportCommand(jail: Command, done: (code: number) => void): void {
  jail
    .command("export")
    .description("write a jail as an archive, an image or a file system")
    .argument("<DIR>", "the jail")
    .option("--tar", "a tar archive with owners, links, devices, holes and extended attributes (the default)")
    .option("--cpio", "a cpio archive (newc), as Linux takes for an initial RAM file system")
    .option("--oci", "an OCI image of one layer, as podman load and skopeo take it")
    .option("--ext4", "an ext4 file system (by mke2fs)")
    .option("--squashfs", "a squashfs file system (by mksquashfs)")
    .option("-o, --output <file>", "where to; - for standard output (default: DIR with the format's ending)")
    .option("-f, --force", "replace the file if it exists", false)
    .action(async (directory: string, options: ExportCommandOptions) => {
      const chosen = formats.filter((format) => options[format]);
      if (chosen.length > 1) throw new VivError("BAD_SPEC", `--${chosen.join(" and --")} are ${chosen.length} formats; give one`);
      const { output, size } = await exportJail({
        directory,
        format: chosen[0] ?? "tar",
        output: options.output,
        force: options.force,
      });
      if (output !== "-") process.stdout.write(`${output}: ${formatSize(size)}\n`);
      done(0);
    });
}
