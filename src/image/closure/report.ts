import type { Closure, ClosureFile, Reason } from "./types.ts";

export interface TreeOptions {
  /** Show the files of recognized runtimes one by one. */
  readonly all?: boolean;
  readonly sizes?: boolean;
}

/**
 * The closure as text, one tree for each program: libraries below what wants them, files of runtimes summed up below
 * the file that made the runtime known. What was shown before is marked, not repeated.
 */
export function closureTree(closure: Closure, options: TreeOptions = {}): string {
  const lines: string[] = [];
  const children = childrenOf(closure);
  const shown = new Set<string>();
  const missing = new Map<string, string[]>();
  for (const problem of closure.problems) {
    if (problem.code === "BAD_ELF" || problem.code === "BAD_LD_CACHE") continue;
    const list = missing.get(problem.wantedBy) ?? [];
    missing.set(problem.wantedBy, [...list, `${problem.subject}  not found${problem.required ? "" : " (optional)"}`]);
  }
  const size = (files: readonly ClosureFile[]): string => (options.sizes ? `  ${formatSize(sizeOf(files))}` : "");

  const walk = (path: string, indent: string): void => {
    if (shown.has(path)) return;
    shown.add(path);
    type Row = { text: string; below?: string };
    const rows: Row[] = [];
    const groups = new Map<string, ClosureFile[]>();
    for (const { file, reason } of children.get(path) ?? []) {
      // Programs and libraries of a runtime go by a name; what its patterns matched, by path.
      if (reason.kind === "rule" && reason.name.startsWith("/") && !options.all) {
        const name = reason.rule!;
        const group = groups.get(name);
        if (group === undefined) groups.set(name, [file]);
        else group.push(file);
        continue;
      }
      const parts = [
        reason.name === file.path ? file.path : `${reason.name} => ${file.path}`,
        reason.kind === "rule" ? `[${reason.rule}] ${reason.why}` : kindText[reason.kind],
        options.sizes ? formatSize(sizeOf([file])) : "",
        shown.has(file.path) && children.has(file.path) ? "(above)" : "",
      ];
      rows.push({ text: parts.filter((part) => part !== "").join("  "), below: file.path });
    }
    for (const [rule, files] of groups) {
      const what = files.length === 1 ? files[0].path : `${files.length} files, as ${files[0].path}`;
      rows.push({ text: `[${rule}]  ${what}${size(files)}` });
    }
    for (const text of missing.get(path) ?? []) rows.push({ text });
    for (const [index, row] of rows.entries()) {
      const last = index === rows.length - 1;
      lines.push(`${indent}${last ? "└── " : "├── "}${row.text}`);
      if (row.below !== undefined) walk(row.below, `${indent}${last ? "    " : "│   "}`);
    }
  };
  for (const program of closure.programs) {
    const file = closure.files.get(program.file)!;
    lines.push(`${program.path}${program.file === program.path ? "" : ` => ${program.file}`}${size([file])}`);
    walk(program.file, "");
  }
  return `${lines.join("\n")}\n`;
}

const kindText: Record<Reason["kind"], string> = {
  asked: "asked for",
  interpreter: "dynamic linker",
  needed: "",
  dlopen: "loaded while running",
  script: "interpreter",
  rule: "",
  with: "added by --with",
  package: "of a package",
  trace: "opened when traced",
};

interface Child {
  readonly file: ClosureFile;
  readonly reason: Reason;
}

/** What each file wants: no symlinks on the way, one entry for each file. */
function childrenOf(closure: Closure): Map<string, Child[]> {
  const children = new Map<string, Child[]>();
  for (const file of closure.files.values()) {
    if (file.status.kind === "symlink") continue;
    for (const reason of file.reasons) {
      if (reason.from === "") continue;
      const list = children.get(reason.from);
      if (list === undefined) children.set(reason.from, [{ file, reason }]);
      else if (list.at(-1)!.file !== file) list.push({ file, reason });
    }
  }
  return children;
}

/**
 * Why a file is in the closure: the shortest chains, each from a program asked for to the file.
 * @returns nothing if the file is not in the closure
 */
export function explainFile(closure: Closure, path: string, limit = 5): string[] {
  const end = closure.files.get(path);
  if (end === undefined) return [];
  const chains: string[] = [];
  const queue: { at: ClosureFile; text: string[]; seen: Set<string> }[] = [{ at: end, text: [], seen: new Set([path]) }];
  for (let item = queue.shift(); item !== undefined && chains.length < limit; item = queue.shift()) {
    for (const reason of item.at.reasons) {
      const rule = reason.rule === undefined ? "" : ` [${reason.rule}]`;
      const step = `${item.at.path}\n    ${reason.name === item.at.path ? "" : `as ${reason.name}: `}${reason.why}${rule}`;
      if (reason.from === "") {
        chains.push([step, ...item.text].join("\n"));
        continue;
      }
      const from = closure.files.get(reason.from);
      if (from === undefined || item.seen.has(from.path) || queue.length > 10_000) continue;
      queue.push({ at: from, text: [step, ...item.text], seen: new Set([...item.seen, from.path]) });
    }
  }
  return chains;
}

/** Bytes of the files, each hard link once. */
export function sizeOf(files: Iterable<ClosureFile>): number {
  const seen = new Set<string>();
  let total = 0;
  for (const { status } of files) {
    const key = `${status.device} ${status.inode}`;
    if (status.kind !== "file" || seen.has(key)) continue;
    seen.add(key);
    total += status.size;
  }
  return total;
}

/** `12.3 MB`: decimal units, three figures. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    unit++;
  }
  return `${value.toPrecision(3)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** The closure as plain data for `--json`. */
export function closureData(closure: Closure): object {
  return {
    programs: closure.programs,
    files: [...closure.files.values()].map(({ path, status, target, required, reasons }) => ({
      path,
      kind: status.kind,
      ...(target !== undefined && { target }),
      size: status.kind === "file" ? status.size : 0,
      required,
      reasons,
    })),
    problems: closure.problems,
    runtimes: Object.fromEntries(closure.rules),
    users: closure.users,
  };
}
