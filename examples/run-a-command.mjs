// Runs a command in the embedded Linux and prints what it wrote.
// Prints: riscv64
import { Machine } from "vivarium";

const machine = await Machine.create();
const { status, stdout } = await machine.run(["uname", "-m"]);
process.stdout.write(stdout);
process.exitCode = status;
