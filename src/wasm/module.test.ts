import assert from "node:assert/strict";
import { test } from "node:test";
import { ModuleBuilder } from "./module.ts";
import { webAssembly } from "./webassembly.ts";

type Functions = Record<string, (...args: never[]) => unknown>;
function instantiate(module: ModuleBuilder, imports = {}): Functions {
  return new webAssembly.Instance(new webAssembly.Module(module.toBytes()), imports).exports as Functions;
}

test("nested calls emit operands before operators", () => {
  const module = new ModuleBuilder();
  const f = module.define("f", ["i64", "i64"], ["i64"], (f, a, b) =>
    f.i64.sub(f.i64.mul(f.get(a), f.i64.const(3)), f.i64.shl(f.get(b), f.i64.const(2n ** 40n + 1n))),
  );
  module.export("f", f);
  assert.equal((instantiate(module).f as (a: bigint, b: bigint) => bigint)(100n, 7n), 300n - 14n);
});

test("a value used out of order is caught while building", () => {
  const module = new ModuleBuilder();
  assert.throws(
    () =>
      module.define("f", ["i32", "i32"], ["i32"], (f, a, b) => {
        const first = f.get(a);
        const second = f.get(b);
        return f.i32.sub(second, first);
      }),
    /order/,
  );
});

test("loops, br_table, value blocks and locals work together", () => {
  const module = new ModuleBuilder();
  const sum = module.define("sum", ["i32"], ["i32"], (f, n) => {
    const total = f.local("i32");
    f.block((done) => {
      f.loop((again) => {
        f.brIf(done, f.i32.eqz(f.get(n)), "unlikely");
        f.set(total, f.i32.add(f.get(total), f.get(n)));
        f.set(n, f.i32.sub(f.get(n), f.i32.const(1)));
        f.br(again);
      });
    });
    return f.get(total);
  });
  const pick = module.define("pick", ["i32"], ["i32"], (f, n) =>
    f.i32.block((out) => {
      f.block((otherwise) => {
        f.block((one) => {
          f.block((zero) => f.brTable(f.get(n), [zero, one], otherwise));
          f.brWith(out, f.i32.const(10));
        });
        f.brWith(out, f.i32.const(11));
      });
      return f.i32.if(
        f.i32.ltU(f.get(n), f.i32.const(5)),
        () => f.i32.const(12),
        () => f.i32.const(-1),
      );
    }),
  );
  module.export("sum", sum);
  module.export("pick", pick);
  const { sum: s, pick: p } = instantiate(module) as Record<string, (n: number) => number>;
  assert.equal(s(100), 5050);
  assert.deepEqual([0, 1, 2, 9].map(p), [10, 11, 12, -1]);
});

test("memory, atomics, imports, tables and globals", () => {
  const module = new ModuleBuilder();
  const twice = module.importFunction("env", "twice", ["i32"], ["i32"]);
  module.importMemory("env", "memory", 1, 1, true);
  const counter = module.global("i64", -5);
  const run = module.define("run", [], ["i64"], (f) => {
    f.i32.store(f.i32.const(64), f.i32.const(0x12345678));
    f.drop(f.i32.atomic.add(f.i32.const(64), f.i32.const(1)));
    f.memoryCopy(f.i32.const(128), f.i32.const(64), f.i32.const(4));
    f.globalSet(counter, f.i64.add(f.globalGet(counter), f.i64.load16U(f.i32.const(128))));
    const doubled = f.i32.let(f.call(twice, f.i32.const(21)));
    return f.i64.add(f.globalGet(counter), f.i64.extendI32U(f.get(doubled)));
  });
  const table = module.functionTable([run]);
  const indirect = module.define("indirect", [], ["i64"], (f) =>
    f.callIndirect(module.typeIndex([], ["i64"]), ["i64"], [], f.i32.const(0), table),
  );
  module.export("indirect", indirect);
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { indirect: call } = instantiate(module, { env: { memory, twice: (n: number) => n * 2 } }) as Record<
    string,
    () => bigint
  >;
  assert.equal(call(), BigInt(0x5679 - 5 + 42));
});
