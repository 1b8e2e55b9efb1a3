/** Which accounts a jail knows: by name, and by number for owners of its files. */
export interface AccountRequest {
  readonly names: readonly string[];
  readonly uids: readonly number[];
  readonly gids: readonly number[];
}

/**
 * passwd(5) and group(5) with just the accounts that a jail needs: root and nobody, those named, the owners of files,
 * and their groups. Members are cut down to those users; passwords stay outside ("x" or none is kept, a hash is not).
 * @returns `missing`: names that there is no account of
 */
export function selectAccounts(
  passwd: string,
  group: string,
  request: AccountRequest,
): { passwd: string; group: string; missing: string[] } {
  const users = records(passwd, 7);
  const groups = records(group, 4);
  const names = new Set(["root", "nobody", ...request.names]);
  const uids = new Set(request.uids);
  const chosen = users.filter(([name, , uid]) => names.has(name) || uids.has(Number(uid)));
  const gids = new Set([0, ...request.gids, ...chosen.map((fields) => Number(fields[3]))]);
  const chosenNames = new Set(chosen.map(([name]) => name));
  const chosenGroups = groups
    .map(([name, password, gid, members]) => {
      const kept = members.split(",").filter((member) => chosenNames.has(member) && request.names.includes(member));
      return [name, password, gid, kept.join(",")];
    })
    .filter(([name, , gid, members]) => gids.has(Number(gid)) || members !== "" || name === "nogroup");
  const text = (items: string[][]) =>
    items.map(([name, password, ...rest]) => `${[name, password === "" ? "" : "x", ...rest].join(":")}\n`).join("");
  return {
    passwd: text(chosen),
    group: text(chosenGroups),
    missing: request.names.filter((name) => !users.some((fields) => fields[0] === name)),
  };
}

function records(text: string, fields: number): string[][] {
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((items) => items.length === fields && items[0] !== "" && /^\d+$/.test(items[2]));
}
