/** One file as an archive describes it; contents follow separately. */
export interface ArchiveEntry {
  /** Relative to the root, without a leading `/`; empty for the root itself. */
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";
  /** Permissions with setuid, setgid, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of contents; 0 for everything but files. */
  readonly size: number;
  /** Seconds and nanoseconds since 1970. */
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  /** Of a symlink: what it says. Of a hard link: the path of the entry that it is one file with. */
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly attributes?: ReadonlyMap<string, Uint8Array>;
  /** Of a sparse file: where its data lie, in order, without overlaps; the last may be empty at the end of the file. */
  readonly extents?: readonly { readonly offset: number; readonly length: number }[];
}
