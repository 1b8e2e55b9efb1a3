import type { FloatFunctions } from "../../float/types.ts";
import type { ModuleBuilder } from "../../wasm/module.ts";

/** Kinds of access, as the functions below take them. */
export const access = { read: 0, write: 1, execute: 2 } as const;

/** What the hart imports from the machine. */
export function importPorts(module: ModuleBuilder) {
  return {
    /** (address, bytes) -> value, or -1 for an access fault; 1, 2 or 4 bytes. */
    mmioRead: module.importFunction("ports", "mmioRead", ["i32", "i32"], ["f64"]),
    /** (address) -> 1 if the value is in the state's mailbox, 0 for an access fault. */
    mmioRead64: module.importFunction("ports", "mmioRead64", ["i32"], ["i32"]),
    /** (address, bytes, value) -> 1, or 0 for an access fault. */
    mmioWrite: module.importFunction("ports", "mmioWrite", ["i32", "i32", "i32"], ["i32"]),
    /** (address), value in the mailbox -> 1, or 0 for an access fault. */
    mmioWrite64: module.importFunction("ports", "mmioWrite64", ["i32"], ["i32"]),
    /** The `time` counter. */
    time: module.importFunction("ports", "time", [], ["f64"]),
  };
}
export type Ports = ReturnType<typeof importPorts>;

/**
 * The hart's larger operations, as functions of its module. Those that can raise a trap leave it pending in the state
 * (`trap`, `trapValue`); what they return is then meaningless.
 */
export function declareFunctions(module: ModuleBuilder) {
  return {
    /** (cause, trap value): makes an exception pending. */
    raise: module.declare("raise", ["i32", "i64"], []),
    /** (physical address) -> offset in memory, or 0 if that is neither RAM nor ROM. */
    physical: module.declare("physical", ["i64"], ["i32"]),
    /** (physical address, access, mode) -> 0 refused; 1 allowed, as in the whole page; 2 allowed, but not all over the page. */
    pmpCheck: module.declare("pmpCheck", ["i64", "i32", "i32", "i32"], ["i32"]),
    /** (virtual address, access, mode) -> physical address, PMP not yet checked. */
    translate: module.declare("translate", ["i64", "i32", "i32"], ["i64"]),
    /** () -> privilege mode of loads and stores (MPRV). */
    dataMode: module.declare("dataMode", [], ["i32"]),
    /** (virtual address, access, bytes within the page) -> physical address checked by PMP. */
    dataAddress: module.declare("dataAddress", ["i64", "i32", "i32"], ["i64"]),
    /** (virtual address, offset in memory, access): enters what the last walk found in the data TLB. */
    refill: module.declare("refill", ["i64", "i32", "i32"], []),
    /** (address, log2 of bytes, plus 4 to sign-extend) -> value: the way when the TLB misses. */
    loadSlow: module.declare("loadSlow", ["i64", "i32"], ["i64"]),
    /** (address, log2 of bytes, value). */
    storeSlow: module.declare("storeSlow", ["i64", "i32", "i64"], []),
    /**
     * (address, bytes, access) -> offset in memory of what translated code is about to read or write, and the TLB knows it then;
     * 0, with no trap pending, where that takes more: devices, faults, page boundaries, code.
     */
    fillTlb: module.declare("fillTlb", ["i64", "i32", "i32"], ["i32"]),
    /** (address, bytes) -> offset in memory for an atomic operation. */
    amoAddress: module.declare("amoAddress", ["i64", "i32"], ["i32"]),
    /** (offset in memory): a store is about to happen there, see to it that code decoded from its page is forgotten. */
    forgetCode: module.declare("forgetCode", ["i32"], []),
    /** (page index): no TLB entry lets the page be written any more. */
    protectPage: module.declare("protectPage", ["i32"], []),
    loadReserved: module.declare("loadReserved", ["i64", "i32"], ["i64"]),
    /** (address, value, bytes) -> 0 if stored, 1 if not. */
    storeConditional: module.declare("storeConditional", ["i64", "i64", "i32"], ["i64"]),
    cacheBlockZero: module.declare("cacheBlockZero", ["i64"], []),
    /** (address, 0 inval, 1 clean or flush). */
    cacheBlockManage: module.declare("cacheBlockManage", ["i64", "i32"], []),
    /** (virtual address of the page) -> record page, or 0 with a trap pending. */
    fetchPage: module.declare("fetchPage", ["i64"], ["i32"]),
    /** (guest page index, code offset) -> a record page, cleared. */
    allocateRecordPage: module.declare("allocateRecordPage", ["i32", "i32"], ["i32"]),
    /** (record, record page): decodes the instruction there. */
    decodeAt: module.declare("decodeAt", ["i32", "i32"], []),
    /** (instruction word, record, halfword index in its page): writes the record. */
    decode: module.declare("decode", ["i32", "i32", "i32"], []),
    /** (address of the instruction, record page): fetches the rest from the next page and decodes the whole in the crossing page. */
    decodeCrossing: module.declare("decodeCrossing", ["i64", "i32"], []),
    /** (record, record page): makes an illegal-instruction exception pending, with the instruction as trap value. */
    raiseIllegal: module.declare("raiseIllegal", ["i32", "i32"], []),
    flushTlb: module.declare("flushTlb", [], []),
    /** Flushes what `satp` governs; global mappings may stay (nonzero). */
    flushTranslations: module.declare("flushTranslations", ["i32"], []),
    /** (address, whether rs1 is x0, whether rs2 is x0). */
    fenceVma: module.declare("fenceVma", ["i64", "i32", "i32"], []),
    requireSupervisor: module.declare("requireSupervisor", [], []),
    /** Recomputes what the state caches of mode, mstatus and satp. */
    updateContext: module.declare("updateContext", [], []),
    /** (number, whether a write follows) -> value. */
    csrRead: module.declare("csrRead", ["i32", "i32"], ["i64"]),
    /** (number, value): access was checked by csrRead. */
    csrWrite: module.declare("csrWrite", ["i32", "i64"], []),
    /** () -> pending bits of mip, those of the timer included. */
    pendingInterrupts: module.declare("pendingInterrupts", [], ["i64"]),
    /** () -> cause + 1 of the interrupt to take now, or 0. */
    selectInterrupt: module.declare("selectInterrupt", [], ["i32"]),
    /** (cause, whether an interrupt, address of the instruction, trap value) -> address of the handler. */
    enterTrap: module.declare("enterTrap", ["i32", "i32", "i64", "i64"], ["i64"]),
    mret: module.declare("mret", [], ["i64"]),
    sret: module.declare("sret", [], ["i64"]),
    wfiAllowed: module.declare("wfiAllowed", [], []),
    wfiAllowedForWrs: module.declare("wfiAllowedForWrs", [], []),
    /** (instruction budget) -> exit reason. */
    run: module.declare("run", ["i32"], ["i32"]),
  };
}

export type Functions = ReturnType<typeof declareFunctions> & { readonly float: FloatFunctions };

/** What the bodies of these functions are written with. */
export interface Core {
  readonly module: ModuleBuilder;
  readonly functions: Functions;
  readonly ports: Ports;
}
