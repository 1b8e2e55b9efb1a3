import type { FunctionBuilder } from "../../wasm/function.ts";
import type { Local } from "../../wasm/types.ts";
import { access, type Core } from "./functions.ts";
import type { Layout } from "./layout.ts";
import { exception, stateAccess } from "./state-access.ts";

/** Loads and stores where the TLB does not know the page: page boundaries, devices, code. */

export function defineMemoryAccess({ module, functions: fn, ports }: Core, layout: Layout): void {
  const { state } = layout;
  const { load64, trapped, bump, inRam } = stateAccess(layout);
  module.body(fn.loadSlow, (f, address, kind) => {
    bump(f, state.tlbMisses);
    const bytes = f.i32.let(f.i32.shl(f.i32.const(1), f.i32.and(f.get(kind), f.i32.const(3))));
    const value = f.i64.local();
    const physical = f.i64.local();
    const offset = f.i32.local();
    f.block((extend) => {
      // Across a page: byte by byte, highest first; the fault names the first byte that cannot be had.
      f.if(
        f.i32.gtU(f.i32.add(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.const(4095)), f.get(bytes)), f.i32.const(4096)),
        () => {
          const i = f.i64.let(f.i64.const(0));
          f.loop((next) => {
            const at = f.i64.let(f.i64.add(f.get(address), f.get(i)));
            const byte = f.i64.let(f.call(fn.loadSlow, f.get(at), f.i32.const(0)));
            f.if(trapped(f), () => f.return(f.i64.const(0)));
            f.set(value, f.i64.or(f.get(value), f.i64.shl(f.get(byte), f.i64.shl(f.get(i), f.i64.const(3)))));
            f.set(i, f.i64.add(f.get(i), f.i64.const(1)));
            f.brIf(next, f.i64.ltU(f.get(i), f.i64.extendI32U(f.get(bytes))));
          });
          f.br(extend);
        },
      );
      f.set(physical, f.call(fn.dataAddress, f.get(address), f.i32.const(access.read), f.get(bytes)));
      f.if(trapped(f), () => f.return(f.i64.const(0)));
      f.set(offset, f.call(fn.physical, f.get(physical)));
      f.if(f.get(offset), () => {
        f.call(fn.refill, f.get(address), f.get(offset), f.i32.const(0));
        sizes(f, kind, [
          () => f.set(value, f.i64.load8U(f.get(offset))),
          () => f.set(value, f.i64.load16U(f.get(offset))),
          () => f.set(value, f.i64.load32U(f.get(offset))),
          () => f.set(value, f.i64.load(f.get(offset))),
        ]);
        f.br(extend);
      });
      f.block((refused) => {
        f.brIf(refused, f.i64.gtU(f.get(physical), f.i64.const(0xffff_ffff)));
        f.brIf(refused, f.i32.and(f.i32.wrapI64(f.get(physical)), f.i32.sub(f.get(bytes), f.i32.const(1))));
        const at = f.i32.let(f.i32.wrapI64(f.get(physical)));
        f.if(
          f.i32.eq(f.get(bytes), f.i32.const(8)),
          () => {
            f.brIf(refused, f.i32.eqz(f.call(ports.mmioRead64, f.get(at))));
            f.set(value, load64(f, state.mailbox));
          },
          () => {
            const result = f.f64.let(f.call(ports.mmioRead, f.get(at), f.get(bytes)));
            f.brIf(refused, f.f64.lt(f.get(result), f.f64.const(0)));
            f.set(value, f.i64.truncSatF64U(f.get(result)));
          },
        );
        f.br(extend);
      });
      f.call(fn.raise, f.i32.const(exception.accessFault[0]), f.get(address));
      f.return(f.i64.const(0));
    });
    f.if(f.i32.and(f.get(kind), f.i32.const(4)), () =>
      sizes(f, kind, [
        () => f.set(value, f.i64.extend8S(f.get(value))),
        () => f.set(value, f.i64.extend16S(f.get(value))),
        () => f.set(value, f.i64.extend32S(f.get(value))),
        () => {},
      ]),
    );
    return f.get(value);
  });

  module.body(fn.storeSlow, (f, address, size, value) => {
    bump(f, state.tlbMisses);
    const bytes = f.i32.let(f.i32.shl(f.i32.const(1), f.get(size)));
    const physical = f.i64.local();
    const offset = f.i32.local();
    f.if(
      f.i32.gtU(f.i32.add(f.i32.and(f.i32.wrapI64(f.get(address)), f.i32.const(4095)), f.get(bytes)), f.i32.const(4096)),
      () => {
        // Both pages must be writable before a byte is stored.
        f.drop(f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.i32.const(1)));
        f.if(trapped(f), () => f.return());
        const second = f.i64.let(f.i64.and(f.i64.add(f.get(address), f.i64.const(4095)), f.i64.const(-4096)));
        f.drop(f.call(fn.dataAddress, f.get(second), f.i32.const(access.write), f.i32.const(1)));
        f.if(trapped(f), () => f.return());
        const i = f.i64.let(f.i64.const(0));
        f.loop((next) => {
          const at = f.i64.let(f.i64.add(f.get(address), f.get(i)));
          const byte = f.i64.let(f.i64.shrU(f.get(value), f.i64.shl(f.get(i), f.i64.const(3))));
          f.call(fn.storeSlow, f.get(at), f.i32.const(0), f.get(byte));
          f.if(trapped(f), () => f.return());
          f.set(i, f.i64.add(f.get(i), f.i64.const(1)));
          f.brIf(next, f.i64.ltU(f.get(i), f.i64.extendI32U(f.get(bytes))));
        });
        f.return();
      },
    );
    f.set(physical, f.call(fn.dataAddress, f.get(address), f.i32.const(access.write), f.get(bytes)));
    f.if(trapped(f), () => f.return());
    f.if(inRam(f, physical), () => {
      f.set(offset, f.call(fn.physical, f.get(physical)));
      f.call(fn.forgetCode, f.get(offset));
      f.call(fn.refill, f.get(address), f.get(offset), f.i32.const(1));
      sizes(f, size, [
        () => f.i64.store8(f.get(offset), f.get(value)),
        () => f.i64.store16(f.get(offset), f.get(value)),
        () => f.i64.store32(f.get(offset), f.get(value)),
        () => f.i64.store(f.get(offset), f.get(value)),
      ]);
      f.return();
    });
    f.block((refused) => {
      f.brIf(refused, f.i64.gtU(f.get(physical), f.i64.const(0xffff_ffff)));
      f.brIf(refused, f.i32.and(f.i32.wrapI64(f.get(physical)), f.i32.sub(f.get(bytes), f.i32.const(1))));
      const at = f.i32.let(f.i32.wrapI64(f.get(physical)));
      f.if(
        f.i32.eq(f.get(bytes), f.i32.const(8)),
        () => {
          f.i64.store(f.i32.const(state.mailbox), f.get(value));
          f.brIf(refused, f.i32.eqz(f.call(ports.mmioWrite64, f.get(at))));
        },
        () => f.brIf(refused, f.i32.eqz(f.call(ports.mmioWrite, f.get(at), f.get(bytes), f.i32.wrapI64(f.get(value))))),
      );
      f.return();
    });
    f.call(fn.raise, f.i32.const(exception.accessFault[1]), f.get(address));
  });

  function sizes(f: FunctionBuilder, kind: Local<"i32">, arms: readonly (() => void)[]): void {
    f.block((done) => {
      f.block((eight) => {
        f.block((four) => {
          f.block((two) => {
            f.block((one) => {
              f.brTable(f.i32.and(f.get(kind), f.i32.const(3)), [one, two, four], eight);
            });
            arms[0]();
            f.br(done);
          });
          arms[1]();
          f.br(done);
        });
        arms[2]();
        f.br(done);
      });
      arms[3]();
    });
  }
}
