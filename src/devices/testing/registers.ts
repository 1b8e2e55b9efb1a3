// What every register table promises, checked against a device.
import assert from "node:assert/strict";
import type { MmioDevice } from "../ports.ts";
import type { Misuse, Register, RegisterTable } from "../registers.ts";

/** Offsets of all registers of a table, for fuzzing. */
export function offsetsOf<Device extends { readonly misuse: Misuse }>(table: RegisterTable<Device>): number[] {
  return table.registers.flatMap((register) => {
    const { at, count = 1, stride = register.size } = register;
    return Array.from({ length: count }, (_, index) => at + index * stride);
  });
}

/** After `reset()`, each readable register reads what the table says. */
export function checkResetValues<Device extends MmioDevice & { readonly misuse: Misuse }>(
  device: Device,
  registers: readonly Register<Device>[],
): void {
  for (const register of registers) {
    if (register.access === "wo" || register.reset === undefined) continue;
    device.reset();
    if (register.when !== undefined && !register.when(device)) continue;
    const { at, size, count = 1, stride = size } = register;
    for (let index = 0; index < count; index++) {
      const offset = at + index * stride;
      const value = size === 8 ? device.read64!(offset) : device.read(offset, size);
      assert.equal(value, register.reset, `${device.name}: ${register.name}[${index}] after reset`);
    }
  }
}
