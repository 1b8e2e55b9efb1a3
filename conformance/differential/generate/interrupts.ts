/** Interrupts: which are taken, in which order, by whom, and where they arrive. */
import { csr, encode, loadConstant, reg } from "../assembler.ts";
import { trapEntries } from "../blob.ts";
import { Body } from "../body.ts";
import { floatState, type Mode, type TestCase, testCase, writeCsrs } from "../case.ts";
import { stubBase } from "../layout.ts";
import { Random } from "../random.ts";
import type { Group } from "./group.ts";
import { status } from "./system.ts";

const { t0, t1, t2 } = reg;
const modes = ["M", "S", "U"] as const satisfies Mode[];
const clint = 0x200_0000n;
const MTIP = 1 << 7;
const MSIP = 1 << 3;
/** SSIP, STIP, SEIP. */
const supervisor = 0x222n;

export const interruptGroups: readonly Group[] = [
  {
    name: "interrupts",
    weight: 400,
    make: interrupts,
    qemu: {
      extensions: ["smaia", "ssaia"],
      reason:
        "without them QEMU takes the interrupt with the lowest number, not by priority (Priv. spec, Machine Interrupt Registers)",
    },
  },
];

/** Waits until `mip` shows a bit that a device drives. */
function waitFor(bit: number): number[] {
  return [encode.csrrs(t1, csr.mip, 0), encode.andi(t1, t1, bit), encode.beq(t1, 0, -8)];
}

function interrupts(index: number, id: string): TestCase {
  const random = new Random(id);
  const body = new Body(random);
  const mode = modes[index % 3];
  for (let i = 0; i < 6; i++) {
    const [rd, rs] = body.scratch(2);
    const turn = random.pick([encode.csrrsi, encode.csrrci]);
    const choice = random.below(4);
    if (choice === 0 && mode === "M") body.add(turn(rd, csr.mstatus, 8));
    else if (choice === 1 && mode !== "U") body.add(turn(rd, csr.sstatus, 2));
    else if (choice === 2 && mode === "S") body.add(encode.csrrs(rd, random.pick([csr.sip, csr.sie]), 0));
    else if (choice === 3 && mode === "S") body.add(encode.csrrsi(rd, csr.sip, 2));
    else body.add(encode.add(rd, rs, rd));
  }
  const setup: number[] = [];
  if (random.oneIn(2)) {
    setup.push(...loadConstant(t0, clint), encode.addi(t1, 0, 1), encode.sw(t1, t0, 0), ...waitFor(MSIP));
  }
  if (random.oneIn(2)) setup.push(...loadConstant(t2, clint + 0x4000n), encode.sd(0, t2, 0), ...waitFor(MTIP));
  const stce = random.oneIn(2) ? 1n << 63n : 0n;
  setup.push(
    ...writeCsrs([
      [csr.menvcfg, stce],
      ...(random.oneIn(2) ? [[csr.stimecmp, 0n] as const] : []),
      [csr.mip, random.u64() & supervisor],
      [csr.mideleg, random.pick([0n, supervisor, random.u64() & supervisor])],
      [csr.mie, random.pick([0xaaan, random.u64() & 0xaaan])],
      [csr.mtvec, random.oneIn(2) ? trapEntries.vectored : trapEntries.direct],
      [csr.stvec, stubBase | BigInt(random.below(2))],
    ]),
  );
  const mstatus = floatState.dirty | (random.u64() & (status.SIE | status.MPIE | status.SPIE | status.SPP));
  return testCase({ id, mode, mstatus, setup, body: body.finish(), x: body.x, f: body.f });
}
