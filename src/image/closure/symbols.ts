interface Node {
  readonly next: Map<number, Node>;
  symbol?: string;
}

/**
 * Finds which of a set of symbols a dynamic string table holds, in one pass. Linkers share the tails of strings, so a
 * longer name with the same end counts too: never a "no" for a symbol that is there.
 */
export class SymbolFinder {
  /** A trie of the names from their ends. */
  private readonly root: Node = { next: new Map() };

  constructor(symbols: Iterable<string>) {
    for (const symbol of symbols) {
      let node = this.root;
      for (let i = symbol.length - 1; i >= 0; i--) {
        const code = symbol.charCodeAt(i);
        let next = node.next.get(code);
        if (next === undefined) node.next.set(code, (next = { next: new Map() }));
        node = next;
      }
      node.symbol = symbol;
    }
  }

  find(strings: Uint8Array): Set<string> {
    const found = new Set<string>();
    for (let end = strings.indexOf(0, 1); end > 0; end = strings.indexOf(0, end + 1)) {
      let node: Node | undefined = this.root;
      for (let at = end - 1; at >= 0; at--) {
        node = node.next.get(strings[at]);
        if (node === undefined) break;
        if (node.symbol !== undefined) found.add(node.symbol);
      }
    }
    return found;
  }
}
