/** Sequences of everything: 1 to 40 instructions of all kinds, in all modes, with and without address translation. */
import { csr, encode } from "../assembler.ts";
import { Body } from "../body.ts";
import { floatState, type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { instructions } from "../instructions.ts";
import type { Scheme } from "../paging.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";
import { addressSpace, inSpace } from "./space.ts";

/** Delegates every exception there is, but the call from S-mode: the stub needs it. */
export const delegatedAll = 0xb1ffn;

// lr and sc mixed with other stores may succeed or fail as the implementation likes (Unpriv. spec, "Eventual Success of Store-Conditional").
const usable = instructions.filter(({ kind, name }) => kind !== "system" && kind !== "csr" && !/^(lr|sc)\./.test(name));
const byKind = [
  usable.filter(({ kind, size }) => kind === "plain" && size === 4),
  usable.filter(({ kind, size }) => kind === "plain" && size === 4),
  usable.filter(({ size }) => size === 2),
  usable.filter(({ kind }) => kind === "float"),
  usable.filter(({ kind }) => kind === "load" || kind === "store" || kind === "atomic"),
  usable.filter(({ kind, name }) => kind === "branch" || kind === "jal" || kind === "jalr" || name === "auipc"),
  usable,
];

export const mixGroups: readonly Group[] = [
  { name: "mix/bare", weight: 600, make: (index, id) => mix(index, id) },
  { name: "mix/loop", weight: 200, make: (index, id) => loop(index, id) },
  ...(["Sv39", "Sv48", "Sv57"] as const).map((scheme) => ({
    name: `mix/${scheme}`,
    weight: 200,
    make: (index: number, id: string) => mix(index, id, scheme),
  })),
];

/** Runs a sequence many times, so that it is hot: floats with flags already set, warm caches of translations, translated code. */
function loop(index: number, id: string): TestCase {
  const random = new Random(id);
  const space =
    index % 4 === 0 ? undefined : addressSpace(random.pick(["Sv39", "Sv48", "Sv57"]), index % 2 === 0 ? "S" : "U", random);
  const body = new Body(random, { offset: space?.dataOffset, calm: true });
  const [count] = body.scratch(1);
  const rounds = random.pick([8, 40, 200]);
  body.x[count] = BigInt(rounds);
  body.reserving(count);
  const length = random.pick([4, 10, 20]);
  const kinds = random.pick([byKind, [usable.filter(({ kind }) => kind === "float")], [byKind[0], byKind[4], byKind[5]]]);
  for (let i = 0; i < length; i++) body.addRandom(random.pick(random.pick(kinds)));
  body.repeat(count);
  const mode = (["M", "S", "U"] as const satisfies Mode[])[index % 3];
  const common = {
    id,
    x: body.x,
    f: body.f,
    body: body.finish(),
    fcsr: random.pick([0, 0, 1, 2, 3, 4]) << 5,
    seed: random.u64(),
  };
  const start = random.oneIn(3) ? 4096 - 2 * random.below(60) : 2 * random.below(64);
  return space === undefined ? testCase({ ...common, mode, start }) : inSpace(space, { ...common, start }, []);
}

function mix(index: number, id: string, scheme?: Scheme): TestCase {
  const random = new Random(id);
  const space = scheme === undefined ? undefined : addressSpace(scheme, index % 2 === 0 ? "S" : "U", random);
  const body = new Body(random, { offset: space?.dataOffset });
  const length = random.pick([1, 5, 10, 20, 40]);
  for (let i = 0; i < length; i++) {
    const instruction = random.pick(random.pick(byKind));
    body.addRandom(instruction);
    if (random.oneIn(12)) body.add(encode.csrrs(body.scratch(1)[0], random.pick([csr.fflags, csr.frm, csr.fcsr]), 0));
    if (random.oneIn(40)) body.add(random.pick([encode.ecall(), encode.ebreak(), encode.fenceI()]));
  }
  const mode = (["M", "S", "U"] as const satisfies Mode[])[index % 3];
  const common = {
    id,
    body: body.finish(),
    x: body.x,
    f: body.f,
    fcsr: random.below(256) & (random.oneIn(8) ? 0xff : 0x9f),
    mstatus: random.oneIn(16) ? floatState.off : random.pick([floatState.dirty, floatState.clean, floatState.initial]),
    start: random.oneIn(3) ? 4096 - 2 * random.below(60) : 2 * random.below(64),
    seed: random.u64(),
  };
  const medeleg = random.oneIn(2) ? delegatedAll & random.u64() : 0n;
  if (space === undefined) return testCase({ ...common, mode, setup: mode === "M" ? [] : writeCsrs([[csr.medeleg, medeleg]]) });
  return inSpace(space, common, [[csr.medeleg, medeleg]]);
}
