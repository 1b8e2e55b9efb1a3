/** An assembler for instruction sets with 32-bit instructions: emits words, patches branches when the labels are known. */
export interface WordAssembler {
  emit(word: number): void;
  mark(label: string): void;
  /** Emits a branch to `label`; `encode` gets the distance in bytes from the branch itself. */
  branch(label: string, encode: (offset: number) => number): void;
}

/** Little-endian machine code of what `body` emits. */
export function words(body: (assembler: WordAssembler) => void): Uint8Array {
  const code: number[] = [];
  const labels = new Map<string, number>();
  const branches: { at: number; label: string; encode: (offset: number) => number }[] = [];
  body({
    emit: (word) => code.push(word),
    mark: (label) => labels.set(label, code.length),
    branch: (label, encode) => {
      branches.push({ at: code.length, label, encode });
      code.push(0);
    },
  });
  for (const { at, label, encode } of branches) code[at] = encode(4 * (labels.get(label)! - at));
  const bytes = new Uint8Array(4 * code.length);
  const view = new DataView(bytes.buffer);
  code.forEach((word, index) => {
    view.setInt32(4 * index, word, true);
  });
  return bytes;
}
