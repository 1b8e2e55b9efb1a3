/** The properties of each node by the node's path, read back from a flattened device tree. */
export function readDeviceTree(blob: Uint8Array): Map<string, Map<string, Uint8Array>> {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const [structure, strings] = [view.getUint32(8), view.getUint32(12)];
  const textAt = (at: number) => new TextDecoder().decode(blob.subarray(at, blob.indexOf(0, at)));
  const nodes = new Map<string, Map<string, Uint8Array>>();
  const path: string[] = [];
  let at = structure;
  for (;;) {
    const token = view.getUint32(at);
    at += 4;
    if (token === 1) {
      const name = textAt(at);
      path.push(name);
      nodes.set(path.join("/") || "/", new Map());
      at += (name.length + 4) & ~3;
    } else if (token === 2) path.pop();
    else if (token === 3) {
      const length = view.getUint32(at);
      const name = textAt(strings + view.getUint32(at + 4));
      nodes.get(path.join("/") || "/")!.set(name, blob.slice(at + 8, at + 8 + length));
      at += 8 + ((length + 3) & ~3);
    } else if (token === 9) return nodes;
    else throw new Error(`token ${token} at ${at - 4}`);
  }
}
