/** Where a guest's entropy comes from. */
export interface Entropy {
  fill(bytes: Uint8Array): void;
  /** Begins anew, where that means something. */
  reset(): void;
}

/** Bytes that look random and are the same in every run (xorshift32, Marsaglia 2003): for runs that shall repeat only. */
export function repeatableEntropy(): Entropy {
  const seed = 0x76697661;
  let state = seed;
  return {
    fill(bytes) {
      for (let i = 0; i < bytes.length; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        bytes[i] = state >>> 24;
      }
    },
    reset() {
      state = seed;
    },
  };
}
