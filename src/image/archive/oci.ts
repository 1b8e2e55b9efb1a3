/** What an OCI image (image-spec 1.1) of one layer says besides its layer. */
export interface OciImage {
  readonly architecture: string;
  /** Digest of the layer's uncompressed tar, and digest and size of what is stored: `sha256:...`. */
  readonly diffId: string;
  readonly layer: { readonly digest: string; readonly size: number };
  readonly entrypoint?: readonly string[];
  readonly created: string;
  /** For the index's `org.opencontainers.image.ref.name`. */
  readonly name: string;
}

/** Names of GOARCH for e_machine, class and byte order, as the image specification wants. */
export function ociArchitecture(machine: number, fileClass: 32 | 64, littleEndian: boolean): string | undefined {
  const names: Readonly<Record<number, string | undefined>> = {
    3: "386",
    8: `mips${fileClass === 64 ? "64" : ""}${littleEndian ? "le" : ""}`,
    21: littleEndian ? "ppc64le" : "ppc64",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: fileClass === 64 ? "riscv64" : undefined,
    258: "loong64",
  };
  return names[machine];
}

export function ociConfig(image: OciImage): object {
  return {
    created: image.created,
    architecture: image.architecture,
    os: "linux",
    config: {
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      ...(image.entrypoint && { Entrypoint: image.entrypoint }),
      WorkingDir: "/",
    },
    rootfs: { type: "layers", diff_ids: [image.diffId] },
    history: [{ created: image.created, created_by: "viv jail export" }],
  };
}

export function ociManifest(image: OciImage, config: { digest: string; size: number }): object {
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", ...image.layer }],
  };
}

export function ociIndex(image: OciImage, manifest: { digest: string; size: number }): object {
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        ...manifest,
        platform: { architecture: image.architecture, os: "linux" },
        annotations: { "org.opencontainers.image.ref.name": image.name },
      },
    ],
  };
}
