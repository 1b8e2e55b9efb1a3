/**
 * A property's value: `true` for one that is only present, text, a list of texts, 32-bit cells (a number is one cell), or raw bytes.
 */
export type FdtValue = true | string | readonly string[] | number | readonly number[] | Uint8Array;

/** A node of a device tree; properties and children are written in the order given. */
export interface FdtNode {
  readonly properties: Readonly<Record<string, FdtValue>>;
  readonly children?: Readonly<Record<string, FdtNode>>;
}

/** Two cells that hold a number below 2^53, most significant first: an address or a size where `#address-cells` is 2. */
export function cells64(value: number): [high: number, low: number] {
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}

const headerSize = 40;
const token = { beginNode: 1, endNode: 2, property: 3, end: 9 } as const;

/** Big-endian output that grows. */
class Output {
  #bytes = new Uint8Array(4096);
  length = 0;

  #room(size: number): void {
    if (this.length + size <= this.#bytes.length) return;
    const larger = new Uint8Array((this.length + size) * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  cell(value: number): void {
    this.#room(4);
    new DataView(this.#bytes.buffer).setUint32(this.length, value);
    this.length += 4;
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  align(boundary: number): void {
    const padding = -this.length & (boundary - 1);
    this.#room(padding);
    this.length += padding;
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

/** Characters that names and texts of a device tree use; all of ASCII, so a character is a byte. */
function text(value: string): Uint8Array {
  const bytes = new Uint8Array(value.length + 1);
  for (let i = 0; i < value.length; i++) bytes[i] = value.charCodeAt(i) & 0x7f;
  return bytes;
}

function propertyBytes(value: FdtValue): Uint8Array {
  if (value === true) return new Uint8Array();
  if (typeof value === "string") return text(value);
  if (value instanceof Uint8Array) return value;
  const output = new Output();
  for (const item of typeof value === "number" ? [value] : value) {
    if (typeof item === "number") output.cell(item);
    else output.bytes(text(item));
  }
  return output.take();
}

/**
 * The flattened form of a device tree (Devicetree Specification 0.4, chapter 5), version 17, with an empty memory
 * reservation block.
 */
export function flattenDeviceTree(root: FdtNode, bootHart = 0): Uint8Array {
  const structure = new Output();
  const strings = new Output();
  const stringOffsets = new Map<string, number>();

  const writeNode = (name: string, node: FdtNode): void => {
    structure.cell(token.beginNode);
    structure.bytes(text(name));
    structure.align(4);
    for (const [key, value] of Object.entries(node.properties)) {
      let offset = stringOffsets.get(key);
      if (offset === undefined) {
        offset = strings.length;
        stringOffsets.set(key, offset);
        strings.bytes(text(key));
      }
      const bytes = propertyBytes(value);
      structure.cell(token.property);
      structure.cell(bytes.length);
      structure.cell(offset);
      structure.bytes(bytes);
      structure.align(4);
    }
    for (const [childName, child] of Object.entries(node.children ?? {})) writeNode(childName, child);
    structure.cell(token.endNode);
  };
  writeNode("", root);
  structure.cell(token.end);

  const structureOffset = headerSize + 16;
  const stringsOffset = structureOffset + structure.length;
  const output = new Output();
  for (const field of [
    0xd00dfeed,
    stringsOffset + strings.length,
    structureOffset,
    stringsOffset,
    headerSize,
    17, // version
    16, // last compatible version
    bootHart,
    strings.length,
    structure.length,
  ])
    output.cell(field);
  // The reservation block's terminator: an address and a size of zero.
  for (let i = 0; i < 4; i++) output.cell(0);
  output.bytes(structure.take());
  output.bytes(strings.take());
  return output.take();
}
