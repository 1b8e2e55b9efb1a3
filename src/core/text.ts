/** UTF-8. The core compiles with neither Node's nor the DOM's types, both of which declare the encoders; so it has its own. */
interface TextCoders {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };
  readonly TextDecoder: new (
    label: "utf-8",
    options: { fatal: boolean },
  ) => { decode(bytes: Uint8Array, options?: { stream: boolean }): string };
}

const coders = globalThis as unknown as TextCoders;
const encoder = new coders.TextEncoder();
const lenient = new coders.TextDecoder("utf-8", { fatal: false });
const strict = new coders.TextDecoder("utf-8", { fatal: true });

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** What is no UTF-8 becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

/** `undefined` for bytes that are no UTF-8. */
export function decodeUtf8Strictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
