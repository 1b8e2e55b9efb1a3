/** One thing a runtime loads by itself. Exactly one of `path`, `program`, `library`, `package`, `expand` is the primary one. */
export interface Need {
  /**
   * Glob below the root: `*`, `?`, and `/**` at the end. `{1}` stands for a group of what matched, `{triplet}` for the
   * multiarch name, `{directory}` and `{prefix}` for the directory of the matching file and the one above it.
   */
  readonly path?: string;
  /** A program, looked up on PATH. */
  readonly program?: string;
  /** A library, loaded into the process. */
  readonly library?: string;
  /** All files of an installed Debian package; `path` is taken where there is no such package. */
  readonly package?: string;
  /** Something that takes code to find out; see expanders.ts. */
  readonly expand?: "nsswitch" | "imports";
  /** Files left out of `path`. */
  readonly except?: RegExp;
  readonly why: string;
}

/** When a runtime is recognized, and what it needs then. Everything is optional: what is not installed is not needed. */
export interface Rule {
  /** Shown in the tree, and the name for `--without`. */
  readonly name: string;
  /** Any of these suffices. */
  readonly when: {
    /** Base name of a program, as asked for or behind its links. */
    readonly program?: RegExp;
    /** Base name of a loaded library. */
    readonly library?: RegExp;
    /** Base name of the interpreter in a script's first line. */
    readonly interpreter?: RegExp;
    /** Dynamic symbols that an object uses. */
    readonly symbols?: readonly string[];
  };
  readonly needs: readonly Need[];
  /** Accounts it runs under: entered into the jail's passwd and group. */
  readonly users?: readonly string[];
}
