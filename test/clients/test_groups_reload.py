# SPDX-License-Identifier: Apache-2.0
"""A broker that was stopped, or killed, and started again has every group as it was: all that
DescribeGroups, ListGroups and OffsetFetch tell is the same, and the members go on as if nothing had been.
"""

import pytest

from groups import GroupPeer, Talk, rows
from wire import Wire

SESSION_MS = 1800000  # the longest session that brokers allow
LONG = {"session": SESSION_MS, "rebalance": SESSION_MS}
EVERY_BYTE = bytes(range(256))
CLIENTS = {"a": "wire", "b": "the client of b", "c": "", "d": "client-\u00fc"}


def with_clients(members):
    for member in members:
        member.wire.socket.close()
        member.wire = Wire(member.talk.peer.bootstrap, client_id=CLIENTS[member.label])


def make_stable(talk):
    """Dynamic and static members; one with a large assignment, one with an empty one."""
    protocols = [("roundrobin", b"not chosen"), ("range", EVERY_BYTE)]
    members = [talk.member("a", protocols=protocols, **LONG),
               talk.member("b", instance="instance b", session=SESSION_MS, rebalance=70000),
               talk.member("c", protocols=[("range", b"")], session=SESSION_MS - 1, rebalance=60001),
               talk.member("d", instance="\u00fc", protocols=[("range", b"x" * 20000)], **LONG)]
    with_clients(members)
    talk.stable(*members)
    # The leader assigns once more, now not by labels.
    leader = next(m for m in members if m.is_leader())
    leader.begin_join()
    others = [m for m in members if m is not leader]
    talk.rejoin(others)
    for member in members:
        member.end_join()
    leader.sync({members[0]: EVERY_BYTE, members[1]: b"y" * 50000, members[2]: b"",
                 members[3]: b"\0"})
    for member in others:
        member.sync()
    committed = members[1].commit([rows("one", (0, 2**62, "m\u00e4\u20ac\U0001f600", 7), (2, 0, ""))])
    assert all(p["ErrorCode"] == 0 for t in committed["Topics"] for p in t["Partitions"])
    return members


def make_connect(talk):
    """Of another protocol type."""
    member = talk.member("a", kind="connect", protocols=[("sessioned", b"worker")], **LONG)
    talk.stable(member)
    return [member]


def make_empty(talk):
    member = talk.member("a", **LONG)
    talk.stable(member)
    member.commit([rows("two", (1, 11, "of a member", 0))])
    member.leave()
    assert talk.state() == "Empty"
    return []


def make_simple(talk):
    """Commits without members, as consumers with their own assignment do."""
    talk.commit([rows("one", (0, 1, "old", 3), (1, 5, "x" * 4096, 2**31 - 1)),
                 rows("two", (0, 9, "", -1))])
    talk.commit([rows("one", (0, 2, "new", 4))])
    return []


KINDS = {"stable": make_stable, "connect": make_connect, "empty": make_empty, "simple": make_simple}


def in_order(value):
    """Lists have no order in these answers."""
    if isinstance(value, dict):
        return {k: in_order(v) for k, v in value.items()}
    return sorted(map(in_order, value), key=repr) if isinstance(value, list) else value


def seen(talks):
    """All that can be asked about these groups."""
    peer = talks[0].peer
    names = [t.group for t in talks]
    answers = {
        "DescribeGroups": peer.ask("DescribeGroups", 6, {
            "Groups": names, "IncludeAuthorizedOperations": True}),
        "ListGroups": peer.ask("ListGroups", 5, {"StatesFilter": [], "TypesFilter": []}),
        "OffsetFetch": peer.ask("OffsetFetch", 9, {"Groups": [
            {"GroupId": name, "Topics": None} for name in names], "RequireStable": True})}
    return {api: in_order(answer) for api, answer in answers.items()}


def check_what_was_made(was, members):
    groups = {g["GroupId"]: g for g in was["DescribeGroups"]["Groups"]}
    assert {k: (g["GroupState"], g["ProtocolType"], g["ProtocolData"]) for k, g in groups.items()} == {
        "stable": ("Stable", "consumer", "range"), "connect": ("Stable", "connect", "sessioned"),
        "empty": ("Empty", "consumer", ""), "simple": ("Empty", "", "")}
    assert {m["MemberId"]: (m["GroupInstanceId"], m["ClientId"], m["ClientHost"],
                            len(m["MemberMetadata"]), len(m["MemberAssignment"]))
            for m in groups["stable"]["Members"]} == {
        m.id: (m.instance, CLIENTS[m.label], "/127.0.0.1", *sizes) for m, sizes in zip(
            members, ((256, 256), (len(b"meta of b"), 50000), (0, 0), (20000, 1)))}
    assert {g["GroupId"] for g in was["ListGroups"]["Groups"]} == set(KINDS)
    committed = {(g["GroupId"], t["Name"], p["PartitionIndex"]): (
        p["CommittedOffset"], p["CommittedLeaderEpoch"], p["Metadata"])
        for g in was["OffsetFetch"]["Groups"] for t in g["Topics"] for p in t["Partitions"]}
    assert committed == {
        ("stable", "one", 0): (2**62, 7, "m\u00e4\u20ac\U0001f600"), ("stable", "one", 2): (0, -1, ""),
        ("empty", "two", 1): (11, 0, "of a member"), ("simple", "one", 0): (2, 4, "new"),
        ("simple", "one", 1): (5, 2**31 - 1, "x" * 4096), ("simple", "two", 0): (9, -1, "")}


def test_groups_are_as_before(own_broker):
    """After a clean stop, after kill -9, and after both once more."""
    talks = [Talk(GroupPeer(own_broker.bootstrap), kind) for kind in KINDS]
    made = {talk.group: KINDS[talk.group](talk) for talk in talks}
    was = seen(talks)
    check_what_was_made(was, made["stable"])
    for end in ("stop", "kill", "kill", "stop"):
        getattr(own_broker, end)()
        own_broker.start()
        for talk in talks:
            talk.peer.wire.socket.close()
            talk.peer.wire = Wire(own_broker.bootstrap)
            talk.peer.ready(talk.group)
        assert seen(talks) == was, f"after {end}"
        for member in (m for members in made.values() for m in members):
            member.wire.socket.close()
            member.wire = Wire(own_broker.bootstrap)
            assert member.heartbeat()["ErrorCode"] == 0, (end, member.label)
            assert member.sync()["ErrorCode"] == 0, (end, member.label)
        assert seen(talks) == was, f"when all had spoken after {end}"
    stable = {m.label: m.sync()["Assignment"] for m in made["stable"]}
    assert stable == {"a": EVERY_BYTE, "b": b"y" * 50000, "c": b"", "d": b"\0"}
