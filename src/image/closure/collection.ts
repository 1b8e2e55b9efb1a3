import type { FileStatus } from "./filesystem.ts";
import type { Resolution, Resolver } from "./resolve.ts";
import type { ClosureFile, Problem, Reason } from "./types.ts";

/** Files found so far with their reasons, and what was not found. */
export class Collection {
  readonly files = new Map<string, ClosureFile>();
  private readonly found = new Map<string, Problem>();
  private readonly recorded = new Set<string>();
  private readonly resolver: Resolver;

  constructor(resolver: Resolver) {
    this.resolver = resolver;
  }

  get problems(): Problem[] {
    return [...this.found.values()];
  }

  problem(code: Problem["code"], required: boolean, subject: string, wantedBy: string, message: string): void {
    const key = `${code} ${subject} ${wantedBy}`;
    const known = this.found.get(key);
    if (known !== undefined) known.required ||= required;
    else this.found.set(key, { code, required, subject, wantedBy, message });
  }

  /** Adds a file with the symlinks on the way to it. */
  include(path: string, reason: Reason, required: boolean): Resolution | undefined {
    const end = this.resolver.resolveLink(path);
    if (end === undefined) return undefined;
    for (const link of end.links) this.record(link, this.resolver.status(link)!, reason, required);
    this.record(end.path, end.status, reason, required);
    if (end.status.kind !== "symlink") return end;
    const file = this.resolver.resolve(path);
    if (file === undefined) return undefined;
    for (const link of file.links) this.record(link, this.resolver.status(link)!, reason, required);
    this.record(file.path, file.status, reason, required);
    return file;
  }

  record(path: string, status: FileStatus, reason: Reason, required: boolean): void {
    if (path === "/") return;
    const known = this.files.get(path);
    const key = `${path}\0${reason.from}\0${reason.kind}\0${reason.rule ?? reason.name}`;
    if (known === undefined) {
      const target = status.kind === "symlink" ? { target: this.resolver.readLink(path) } : {};
      this.files.set(path, { path, status, ...target, reasons: [reason], required });
      this.recorded.add(key);
      return;
    }
    known.required ||= required;
    if (reason.from === path || this.recorded.has(key)) return;
    this.recorded.add(key);
    known.reasons.push(reason);
  }
}
