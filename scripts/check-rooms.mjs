// Checks that imports between rooms follow rooms.json: each room lists the rooms it may import. An import that is not
// listed fails, and so does a permission that no import uses any more. Tests may import any room.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root } from "./setup.mjs";

const rules = JSON.parse(readFileSync(join(root, "rooms.json"), "utf8"));
const rooms = Object.keys(rules).sort((a, b) => b.length - a.length);
const source = join(root, "src");

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : entry.name.endsWith(".ts") ? [path] : [];
  });
}

function roomOf(path) {
  const inside = relative(source, path);
  return rooms.find((room) => inside === room || inside.startsWith(`${room}/`));
}

const used = new Set();
const problems = [];
for (const file of files(source)) {
  const name = relative(root, file);
  if (/\.test\.ts$/.test(file) || file.includes("/testing/")) continue;
  const from = roomOf(file);
  if (from === undefined) {
    problems.push(`${name}: its folder is not a room of rooms.json`);
    continue;
  }
  const text = readFileSync(file, "utf8").replace(/^\s*(?:\*|\/\*|\/\/).*$/gm, ""); // examples in comments import, too
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
    const target = match[1];
    if (!target.startsWith(".")) {
      const allowed = rules[from].packages ?? [];
      const packageName = target.startsWith("@") ? target.split("/").slice(0, 2).join("/") : target.split("/")[0];
      const key = packageName.startsWith("node:") ? "node:*" : packageName;
      if (allowed.includes(key)) used.add(`${from} > ${key}`);
      else problems.push(`${name}: room ${from} may not import the package ${target}`);
      continue;
    }
    const to = roomOf(join(dirname(file), target));
    if (to === undefined) problems.push(`${name}: imports ${target}, which is in no room`);
    else if (to === from) continue;
    else if ((rules[from].rooms ?? []).includes(to)) used.add(`${from} > ${to}`);
    else problems.push(`${name}: room ${from} may not import room ${to} (${target})`);
  }
}
for (const [room, rule] of Object.entries(rules)) {
  for (const target of [...(rule.rooms ?? []), ...(rule.packages ?? [])]) {
    if (!used.has(`${room} > ${target}`)) problems.push(`rooms.json: ${room} no longer imports ${target}; remove the permission`);
  }
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
