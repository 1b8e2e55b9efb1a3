import { InvalidArgumentError } from "commander";
import type { GuestSpecInput } from "../index.ts";

type DiskInput = NonNullable<GuestSpecInput["disks"]>[number];

const units: Record<string, number> = { "": 2 ** 20, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes of `256M`, `1G`, `65536K`; a number alone counts MiB, as for QEMU. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)(?:i?b)?$/i.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * units[match[2].toLowerCase()];
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError("a size is a number with K, M or G, such as 512M");
  return bytes;
}

/** `FILE[,ro][,overlay][,raw]`. A comma in the file's name is doubled. */
export function parseDisk(text: string, previous: readonly DiskInput[] = []): DiskInput[] {
  const [file, ...flags] = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(",,", ","));
  const disk: DiskInput = { file };
  for (const flag of flags) {
    if (flag === "ro") disk.readOnly = true;
    else if (flag === "overlay") disk.overlay = true;
    else if (flag === "raw") disk.format = "raw";
    else throw new InvalidArgumentError(`"${flag}" is none of ro, overlay and raw (a comma in a file's name is doubled)`);
  }
  if (file === "") throw new InvalidArgumentError("it names no file");
  return [...previous, disk];
}

/** `NAME=VALUE`, or `NAME` for the value that it has here. */
export function parseVariable(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  const name = at < 0 ? text : text.slice(0, at);
  const value = at < 0 ? process.env[name] : text.slice(at + 1);
  if (name === "") throw new InvalidArgumentError("it names no variable");
  if (value === undefined) throw new InvalidArgumentError(`${name} is not set here; use ${name}=VALUE`);
  return { ...previous, [name]: value };
}

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && Number.isFinite(seconds))) throw new InvalidArgumentError("it is not a number of seconds above 0");
  return seconds;
}
