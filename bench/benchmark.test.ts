import assert from "node:assert/strict";
import { test } from "node:test";
import { type Contender, type Context, compare, type Row } from "./benchmark.ts";
import { geometricMeans, json } from "./report.ts";

function contender(
  name: string,
  values: number[],
  order: string[],
  more: Partial<Contender<{ cpu: number; wall: number }>> = {},
) {
  return {
    name,
    measure: async () => {
      order.push(name);
      const cpu = values.shift() as number;
      return { cpu, wall: cpu * 2 };
    },
    ...more,
  };
}

test("contenders are measured by turns, and medians compared with each peer's", async () => {
  const rows: Row[] = [];
  const order: string[] = [];
  const context: Context = { runs: 3, nodes: [], report: (row) => rows.push(row), progress: () => {} };
  const contenders = [
    contender("a", [1, 9, 2], order, { node: "v20" }),
    contender("b", [5, 4, 6], order, { node: "v24" }),
    contender("peer", [8, 3, 4], order),
    contender("scale", [1, 1, 1], order, { metrics: ["cpu"] }),
  ];
  await compare("x", contenders, { cpu: "s", wall: "s" }, context);
  assert.equal(order.join(" "), "a b peer scale a b peer scale a b peer scale");
  assert.deepEqual(
    rows.map(({ name, peer, ours, theirs, node }) => [name, peer, ours, theirs, node]),
    [
      ["x.cpu", "peer", 2, 4, "v20"],
      ["x.wall", "peer", 4, 8, "v20"],
      ["x.cpu", "peer", 5, 4, "v24"],
      ["x.wall", "peer", 10, 8, "v24"],
      ["x.cpu", "scale", 2, 1, "v20"],
      ["x.cpu", "scale", 5, 1, "v24"],
    ],
  );
});

const row: Row = { name: "x.cpu", peer: "peer", ours: 2, theirs: 4, unit: "s", runs: 3, node: "v20" };

test("a ratio above 1 says that we are better; nothing to compare with is null", () => {
  assert.equal(json(row), '{"name":"x.cpu","peer":"peer","ours":2,"theirs":4,"ratio":2,"unit":"s","runs":3,"node":"v20"}');
  const alone = JSON.parse(json({ ...row, theirs: undefined }));
  assert.deepEqual([alone.theirs, alone.ratio], [null, null]);
});

test("means are of the same metric, peer and Node, and only of several", () => {
  const rows = [row, { ...row, name: "y.cpu", ours: 8, theirs: 1 }, { ...row, name: "y.wall" }, { ...row, node: "v24" }];
  const means = geometricMeans("steady", rows);
  assert.equal(means.length, 1);
  assert.deepEqual([means[0].name, Math.round(means[0].ours * 1e9) / 1e9, means[0].theirs], ["steady.cpu", 4, 2]);
});
