import * as v from "valibot";
import { VivError } from "../core/errors.ts";
import type { DeviceState } from "./ports.ts";

const header = v.looseObject({ schema: v.string(), version: v.number() });

/**
 * Checks what `load` was given and returns it with its type.
 *
 * @param fields the state without `schema` and `version`, which must be exactly those given
 * @throws VivError `BAD_STATE`, naming the first field that is wrong
 */
export function checkState<Fields extends v.ObjectEntries>(
  schema: string,
  version: number,
  fields: Fields,
  state: DeviceState,
): v.InferOutput<v.StrictObjectSchema<Fields, undefined>> {
  const head = v.safeParse(header, state);
  if (!head.success || head.output.schema !== schema) {
    const found = head.success ? `"${head.output.schema}"` : "something without a schema";
    throw new VivError("BAD_STATE", `cannot load the state of ${schema}: found ${found}`);
  }
  if (head.output.version !== version) {
    const age = head.output.version > version ? "a newer" : "an older";
    throw new VivError(
      "BAD_STATE",
      `cannot load the state of ${schema}: ${age} version (${head.output.version}, not ${version})`,
    );
  }
  const { schema: _schema, version: _version, ...rest } = state;
  const body = v.safeParse(v.strictObject(fields), rest);
  if (body.success) return body.output;
  const [issue] = body.issues;
  const path = v.getDotPath(issue) ?? "state";
  throw new VivError("BAD_STATE", `cannot load the state of ${schema}: ${path}: ${issue.message}`);
}

/** An unsigned integer of so many bits. */
export function unsigned(bits: 1 | 2 | 3 | 4 | 5 | 8 | 16 | 32) {
  return v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** bits - 1));
}

/** Guest time or a count: a whole number that a double holds exactly. */
export const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** 64 bits, written as `0x` and hexadecimal digits: plain data has no larger integers. */
export const unsigned64 = v.pipe(
  v.string(),
  v.regex(/^0x[0-9a-f]{1,16}$/),
  v.transform((text) => BigInt(text)),
);

export function hex64(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** So many unsigned integers of so many bits. */
export function array(length: number, bits: 1 | 3 | 8 | 16 | 32) {
  return v.pipe(v.array(unsigned(bits)), v.length(length));
}
