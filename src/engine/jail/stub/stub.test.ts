import assert from "node:assert/strict";
import { test } from "node:test";
import { stubFor } from "./index.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const words = (bytes: Uint8Array) =>
  Array.from({ length: bytes.length / 4 }, (_, index) =>
    Buffer.from(bytes)
      .readUInt32LE(4 * index)
      .toString(16)
      .padStart(8, "0"),
  ).join(" ");

// What is expected here was read back by GNU objdump as the instructions that the comments name.

test("x86-64: the stub's machine code", () => {
  assert.equal(
    hex(stubFor("x64").code),
    [
      "5355", // push %rbx; push %rbp
      "4889fb4889f5", // mov %rdi,%rbx; mov %rsi,%rbp
      "488b43004885c0785b", // mov 0(%rbx),%rax; test %rax,%rax; js done
      "488b7b08488b7f00", // mov 8(%rbx),%rdi; mov 0(%rdi),%rdi
      "488b7310488b7600",
      "488b5318488b5200",
      "4c8b53204d8b5200",
      "4c8b43284d8b4000",
      "4c8b4b304d8b4900",
      "0f05", // syscall
      "48894338488b4b4048894100", // mov %rax,56(%rbx); mov 64(%rbx),%rcx; mov %rax,0(%rcx)
      "4885c0780e7406", // test %rax,%rax; js error; je zero
      "488b5b58ebac", // mov 88(%rbx),%rbx; jmp loop
      "488b5b50eba6", // mov 80(%rbx),%rbx; jmp loop
      "48895d00488b5b48eb9c", // mov %rbx,0(%rbp); mov 72(%rbx),%rbx; jmp loop
      "5d5bc3", // pop %rbp; pop %rbx; ret
    ].join(""),
  );
  assert.equal(hex(stubFor("x64").enter(0x20000010n, 0x1122334455667788n)), "48bf100000200000000048be8877665544332211");
});

test("arm64: the stub's machine code", () => {
  assert.equal(
    words(stubFor("arm64").code),
    [
      "a9bf53f3 aa0003f3 aa0103f4", // stp x19,x20,[sp,#-16]!; mov x19,x0; mov x20,x1
      "f9400268 b7f80348", // ldr x8,[x19]; tbnz x8,#63,done
      "f9400660 f9400000 f9400a61 f9400021 f9400e62 f9400042", // ldr x0,[x19,#8]; ldr x0,[x0]...
      "f9401263 f9400063 f9401664 f9400084 f9401a65 f94000a5",
      "d4000001 f9001e60 f9402261 f9000020", // svc #0; str x0,[x19,#56]; ldr x1,[x19,#64]; str x0,[x1]
      "b7f800c0 b4000060 f9402e73 17ffffeb", // tbnz x0,#63,error; cbz x0,zero; ldr x19,[x19,#88]; b loop
      "f9402a73 17ffffe9 f9000293 f9402673 17ffffe6", // ldr x19,[x19,#80]; b loop; str x19,[x20]; ldr x19,[x19,#72]; b loop
      "a8c153f3 d65f03c0", // ldp x19,x20,[sp],#16; ret
    ].join(" "),
  );
  assert.equal(
    words(stubFor("arm64").enter(0x20000010n, 0x1122334455667788n)),
    "d2800200 f2a40000 f2c00000 f2e00000 d28ef101 f2aaacc1 f2c66881 f2e22441",
  );
});

test("riscv64: the stub's machine code", () => {
  assert.equal(
    words(stubFor("riscv64").code),
    [
      "ff010113 00913023 01213423 00050493 00058913", // addi sp,sp,-16; sd s1,0(sp); sd s2,8(sp); mv s1,a0; mv s2,a1
      "0004b883 0608c463", // ld a7,0(s1); bltz a7,done
      "0084b503 00053503 0104b583 0005b583 0184b603 00063603", // ld a0,8(s1); ld a0,0(a0)...
      "0204b683 0006b683 0284b703 00073703 0304b783 0007b783",
      "00000073 02a4bc23 0404b583 00a5b023", // ecall; sd a0,56(s1); ld a1,64(s1); sd a0,0(a1)
      "00054c63 00050663 0584b483 fadff06f", // bltz a0,error; beqz a0,zero; ld s1,88(s1); j loop
      "0504b483 fa5ff06f 00993023 0484b483 f99ff06f", // ld s1,80(s1); j loop; sd s1,0(s2); ld s1,72(s1); j loop
      "00013483 00813903 01010113 00008067", // ld s1,0(sp); ld s2,8(sp); addi sp,sp,16; ret
    ].join(" "),
  );
  assert.equal(
    words(stubFor("riscv64").enter(0x20000010n, 0x1122334455667788n)),
    "00000513 00b51513 00050513 00b51513 00050513 00b51513 08050513 00b51513 00050513 00b51513 01050513 " +
      "02200593 00b59593 22358593 00b59593 1a258593 00b59593 15558593 00b59593 4ce58593 00b59593 78858593",
  );
});

test("another architecture is refused with the fix", () => {
  assert.throws(() => stubFor("ppc64"), {
    code: "UNSUPPORTED_ARCHITECTURE",
    message: /this one is ppc64: use --engine emulator/,
  });
});
