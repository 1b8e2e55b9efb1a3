/** UTF-8 without `TextEncoder`, which the core's types do not have; lone surrogates become U+FFFD as there. */
export function encodeUtf8(text: string): Uint8Array {
  const ascii = new Uint8Array(text.length);
  let length = 0;
  while (length < text.length && text.charCodeAt(length) < 0x80) ascii[length] = text.charCodeAt(length++);
  if (length === text.length) return ascii;
  const bytes: number[] = [];
  for (const character of text) {
    const scalar = character.codePointAt(0)!;
    const point = scalar >= 0xd800 && scalar <= 0xdfff ? 0xfffd : scalar;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
  }
  return Uint8Array.from(bytes);
}
