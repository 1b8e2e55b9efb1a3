import assert from "node:assert/strict";
import { test } from "node:test";
import { Recording } from "../executor.ts";
import { Steps } from "../operations.ts";
import { parseJailSpec } from "../spec.ts";
import { configureInside, planPair } from "./plan.ts";
import { newAddress, newDefaultRoute, newPair, parseIpv4 } from "./rtnetlink.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("messages have the lengths and attributes of rtnetlink(7)", () => {
  const address = newAddress(2, { address: parseIpv4("10.88.0.2"), prefix: 16 });
  assert.equal(
    hex(address),
    // nlmsghdr: length 40, RTM_NEWADDR, REQUEST|ACK|EXCL|CREATE; ifaddrmsg; IFA_LOCAL; IFA_ADDRESS
    "28000000140005060100000000000000" + "0210000002000000" + "080002000a580002" + "080001000a580002",
  );
  assert.equal(
    hex(newDefaultRoute(2, parseIpv4("10.88.0.1"))),
    "2c000000180005060100000000000000" + "02000000fe04000100000000" + "0800040002000000" + "080005000a580001",
  );
  const pair = newPair("viv0a580002", 7, "eth0", 9);
  assert.equal(new DataView(pair.buffer).getUint32(0, true), pair.length);
  assert.ok(hex(pair).includes("08000a0007000000"), "IFLA_MASTER 7");
  assert.ok(hex(pair).includes("08001c0009000000"), "IFLA_NET_NS_FD 9");
});

test("an answer other than success, or the one accepted, ends the plan", () => {
  const spec = parseJailSpec({
    root: "/r",
    command: ["x"],
    network: { kind: "bridge", address: "10.88.0.2", gateway: "10.88.0.1" },
  });
  const network = spec.network.kind === "bridge" ? spec.network : assert.fail();
  const plan = planPair(network, 7, "viv0a580002", 9);
  // The first comparison of the address fails (EAGAIN: not 0), the second holds: it was EEXIST.
  let comparisons = 0;
  const accepted = new Recording(({ call }) => (call === "futex" && ++comparisons === 1 ? -11n : undefined)).run(plan);
  assert.equal(accepted.failure, undefined);
  const refused = new Recording(({ call, step }) =>
    call === "futex" && step === "join the jail to the bridge" ? -11n : undefined,
  ).run(plan);
  assert.equal(refused.failure?.operation.step, "join the jail to the bridge");
  const inside = new Steps("");
  configureInside(inside, network);
  assert.equal(inside.operations.filter(({ call }) => call === "sendto").length, 4);
});

test("addresses are checked", () => {
  assert.deepEqual(parseIpv4("10.88.255.1"), [10, 88, 255, 1]);
  for (const bad of ["10.88.0", "10.88.0.256", "10.88.0.01", "a.b.c.d", ""])
    assert.throws(() => parseIpv4(bad), { code: "BAD_SPEC" });
});
