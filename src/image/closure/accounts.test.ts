import assert from "node:assert/strict";
import { test } from "node:test";
import { selectAccounts } from "./accounts.ts";

const passwd = `root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
old:$1$hash:1000:1000::/home/old:/bin/sh
free::1001:1001::/home/free:/bin/sh
broken line
`;
const group = `root:x:0:
adm:x:4:old,free
www-data:x:33:
nogroup:x:65534:
old:x:1000:
free:x:1001:
`;

test("only root and nobody unless more is asked for", () => {
  const result = selectAccounts(passwd, group, { names: [], uids: [], gids: [] });
  assert.match(result.passwd, /^root:.*\nnobody:.*\n$/);
  assert.equal(result.group, "root:x:0:\nnogroup:x:65534:\n");
});

test("named users with their groups, owners by number, no password hash", () => {
  const result = selectAccounts(passwd, group, { names: ["old", "ghost"], uids: [33], gids: [1001] });
  assert.deepEqual(
    result.passwd.split("\n").map((line) => line.split(":")[0]),
    ["root", "www-data", "nobody", "old", ""],
  );
  assert.ok(!result.passwd.includes("hash"));
  assert.equal(result.group, "root:x:0:\nadm:x:4:old\nwww-data:x:33:\nnogroup:x:65534:\nold:x:1000:\nfree:x:1001:\n");
  assert.deepEqual(result.missing, ["ghost"]);
});
