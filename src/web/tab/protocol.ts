import type { GuestExit, GuestSpecInput, GuestStats } from "../../browser.ts";

/** What the page tells the worker that its machine runs in. A worker runs one machine. */
export type ToWorker =
  | { readonly kind: "start"; readonly spec: GuestSpecInput; readonly files: Readonly<Record<string, Uint8Array>> }
  | { readonly kind: "type"; readonly bytes: Uint8Array }
  | { readonly kind: "resize"; readonly columns: number; readonly rows: number }
  /** The terminal has shown the last output; until then there is no more. */
  | { readonly kind: "shown" }
  | { readonly kind: "pause" | "resume" | "stats" };

/** What the worker tells the page. */
export type FromWorker =
  | { readonly kind: "running" }
  | { readonly kind: "output"; readonly bytes: Uint8Array }
  | { readonly kind: "stats"; readonly stats: GuestStats | undefined }
  | { readonly kind: "ended"; readonly how: GuestExit }
  | { readonly kind: "failed"; readonly message: string };
