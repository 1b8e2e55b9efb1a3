import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupMounts, planCgroups } from "./cgroup.ts";

const v1 = ["cpu", "memory", "pids", "cpuset"].map(
  (controller) => ({ version: 1, mount: `/c/${controller}`, controllers: [controller] }) as const,
);
const v2 = [{ version: 2, mount: "/c", controllers: ["cpu", "memory", "pids", "cpuset"] }] as const;
const text = (plan: ReturnType<typeof planCgroups>) => plan.writes.map(({ mount, path, value }) => `${mount}/${path} = ${value}`);

test("v1: each controller in its own hierarchy, cpuset filled from above", () => {
  const plan = planCgroups({ memory: 1 << 20, cpus: 1.5, pids: 10, cpuset: "0" }, "j", v1);
  assert.deepEqual(text(plan), [
    "/c/memory/vivarium/j/memory.limit_in_bytes = 1048576",
    "/c/memory/vivarium/j/memory.memsw.limit_in_bytes = 1048576",
    "/c/cpu/vivarium/j/cpu.cfs_period_us = 100000",
    "/c/cpu/vivarium/j/cpu.cfs_quota_us = 150000",
    "/c/cpuset/vivarium/j/cpuset.cpus = 0",
    "/c/pids/vivarium/j/pids.max = 10",
  ]);
  assert.equal(plan.inherit.length, 4);
  assert.equal(plan.joins.length, 4);
  assert.deepEqual(plan.directories.slice(0, 2), [
    { mount: "/c/memory", path: "vivarium" },
    { mount: "/c/memory", path: "vivarium/j" },
  ]);
});

test("v2: controllers are handed down before limits are set, once each", () => {
  const plan = planCgroups({ cpus: 0.5, cpuWeight: 50, memory: 4096 }, "j", v2);
  assert.deepEqual(text(plan), [
    "/c/./cgroup.subtree_control = +memory",
    "/c/vivarium/cgroup.subtree_control = +memory",
    "/c/./cgroup.subtree_control = +cpu",
    "/c/vivarium/cgroup.subtree_control = +cpu",
    "/c/vivarium/j/memory.max = 4096",
    "/c/vivarium/j/memory.swap.max = 0",
    "/c/vivarium/j/cpu.max = 50000 100000",
    "/c/vivarium/j/cpu.weight = 50",
  ]);
  assert.deepEqual(plan.joins, [{ mount: "/c", path: "vivarium/j/cgroup.procs" }]);
});

test("hybrid: a controller is taken where it is; one that is nowhere is named", () => {
  const hybrid = [v1[1]!, { version: 2, mount: "/c/unified", controllers: ["pids"] }] as const;
  const plan = planCgroups({ memory: 4096, pids: 5 }, "j", hybrid);
  assert.deepEqual(
    plan.joins.map(({ mount }) => mount),
    ["/c/memory", "/c/unified"],
  );
  assert.throws(() => planCgroups({ cpus: 1 }, "j", hybrid), { code: "NO_CONTROLLER", message: /needs the cpu controller/ });
  assert.deepEqual(planCgroups({}, "j", []).directories, []);
});

test("hierarchies are read from mountinfo", () => {
  const mountinfo = `25 20 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
26 20 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
27 20 8:1 / / rw - ext4 /dev/sda rw
`;
  assert.deepEqual(
    cgroupMounts(mountinfo, () => ["hugetlb"]),
    [
      { version: 2, mount: "/sys/fs/cgroup/unified", controllers: ["hugetlb"] },
      { version: 1, mount: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"] },
    ],
  );
});
