// `npm run check`: types, lint, formatting, and the import rules between rooms.
import { join } from "node:path";
import { root, run, setup } from "./setup.mjs";

setup();
run(process.execPath, [
  join(root, "node_modules/@biomejs/biome/bin/biome"),
  "check",
  "--error-on-warnings",
  "--max-diagnostics=40",
  ".",
]);
run(process.execPath, [join(root, "scripts/check-rooms.mjs")]);
