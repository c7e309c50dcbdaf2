# SPDX-License-Identifier: Apache-2.0
"""Members of classic groups, byte for byte, with Klamm and a real Kafka 4.4.0: who is found, joins,
syncs, beats and leaves, is told the same. What is committed: test_group_offsets_against_kafka.py.
"""

import pytest

from groups import LONG_MS, REBALANCING, on_both, rows
from test_against_kafka import all_versions, until
from wire import Closed, Wire, encode_request

UNKNOWN_MEMBER, ILLEGAL_GENERATION, FENCED = 25, 22, 82
INCONSISTENT, INVALID_GROUP, INVALID_SESSION, FULL = 23, 24, 26, 81


# ---- FindCoordinator


@pytest.mark.parametrize("version", all_versions("FindCoordinator"))
@on_both
def test_find_coordinator(talk, version):
    """Of any group, also one that is not there, and of none."""
    if version < 4:
        for key in (talk.group, "", "x" * 1000, "\u00e4 \u0001"):
            answer = talk.ask("FindCoordinator", version, Key=key)
            assert (answer["ErrorCode"], answer["NodeId"]) == (0, 1)
            assert answer["Host"] == "127.0.0.1"
        return
    for keys in ([talk.group], [talk.group, "other", ""], [talk.group, talk.group], []):
        answer = talk.ask("FindCoordinator", version, CoordinatorKeys=keys)
        rows = answer["Coordinators"]
        assert {r["Key"] for r in rows} == set(keys)
        assert {(r["ErrorCode"], r["NodeId"]) for r in rows} <= {(0, 1)}


@pytest.mark.parametrize("version", all_versions("FindCoordinator", 1))
@on_both
def test_find_coordinator_of_unknown_kinds(talk, version):
    for kind in (3, 9, -1):
        where = {"CoordinatorKeys": [talk.group]} if version >= 4 else {"Key": talk.group}
        talk.ask("FindCoordinator", version, KeyType=kind, **where)


@pytest.mark.parametrize("version", all_versions("FindCoordinator", 1))
def test_no_coordinator_of_transactions_is_served(klamm, version):
    """Kafka has one."""
    where = {"CoordinatorKeys": ["t"]} if version >= 4 else {"Key": "t"}
    with Wire(klamm.bootstrap) as wire:
        answer = wire.ask("FindCoordinator", version, KeyType=1, **where)
    row = answer["Coordinators"][0] if version >= 4 else answer
    assert (row["ErrorCode"], row["NodeId"], row["Host"], row["Port"]) == (53, -1, "", -1)


# ---- JoinGroup


@pytest.mark.parametrize("version", all_versions("JoinGroup"))
@on_both
def test_a_lone_member(talk, version):
    member = talk.member("a")
    answer = member.ask_join(version)
    if version >= 4:
        assert answer["ErrorCode"] == 79
        assert (answer["GenerationId"], answer["Leader"], answer["Members"]) == (-1, "", [])
        answer = member.ask_join(version)
    assert (answer["ErrorCode"], answer["GenerationId"]) == (0, 1)
    assert answer["Leader"] == answer["MemberId"] == member.id
    assert [(m["MemberId"], m["Metadata"]) for m in answer["Members"]] == [
        (member.id, b"meta of a")]
    assert answer["ProtocolName"] == "range"
    assert member.id.startswith("wire-")
    assert talk.state() == "CompletingRebalance"
    assert member.sync({member: b"\0all\xff"}, min(version, 5), **(
        {"ProtocolType": "consumer", "ProtocolName": "range"} if version >= 5 else {})
    )["Assignment"] == b"\0all\xff"
    assert member.heartbeat(min(version, 4))["ErrorCode"] == 0
    assert member.leave(min(version, 5))["ErrorCode"] == 0
    assert talk.until_state("Empty")["Members"] == []


@on_both
def test_what_no_group_may_be_joined_with(talk):
    for version in (3, 4, 9):
        member = talk.member("a")
        assert member.ask_join(version, GroupId="")["ErrorCode"] == INVALID_GROUP
        for session in (499, 0, -1, 1800001, 2 ** 31 - 1, -2 ** 31):
            assert member.ask_join(version, SessionTimeoutMs=session)["ErrorCode"] == \
                INVALID_SESSION
        assert member.ask_join(version, MemberId="nobody")["ErrorCode"] == UNKNOWN_MEMBER
        assert member.ask_join(version, Protocols=[])["ErrorCode"] == INCONSISTENT
        assert member.ask_join(version, ProtocolType="")["ErrorCode"] == INCONSISTENT
        assert member.ask_join(version, GroupId="", SessionTimeoutMs=1, Protocols=[]
                               )["ErrorCode"] == INVALID_GROUP
        assert member.ask_join(version, SessionTimeoutMs=1, Protocols=[], MemberId="nobody"
                               )["ErrorCode"] == INVALID_SESSION
    # Kafka has made the group before it looked at the protocols.
    assert talk.describe(is_noted=False)["GroupState"] in ("Empty", "Dead")


@on_both
def test_bounds_of_the_session_timeout(talk):
    for session in (500, 1800000):
        member = talk.member("a")
        member.ask_join(3, SessionTimeoutMs=session)
        assert member.leave(2)["ErrorCode"] == 0


@on_both
def test_a_member_id_that_was_given_is_needed(talk):
    """Two without an id get different ones; one that was not given is unknown."""
    first, second = talk.member("a"), talk.member("b")
    assert first.ask_join()["ErrorCode"] == 79
    assert second.ask_join()["ErrorCode"] == 79
    assert first.id != second.id
    assert talk.describe()["GroupState"] in ("Empty", "Dead")
    assert first.heartbeat(GenerationId=0)["ErrorCode"] == UNKNOWN_MEMBER
    assert first.ask_join(MemberId=first.id + "x")["ErrorCode"] == UNKNOWN_MEMBER
    assert first.leave()["Members"][0]["ErrorCode"] == 0
    assert first.ask_join()["ErrorCode"] == UNKNOWN_MEMBER
    assert second.ask_join()["ErrorCode"] == 0


@on_both
def test_a_pending_member_can_leave_by_old_versions(talk):
    member = talk.member("a")
    member.ask_join()
    assert member.leave(1)["ErrorCode"] == 0
    assert member.leave(1)["ErrorCode"] == UNKNOWN_MEMBER


@on_both
def test_protocols_that_do_not_match(talk):
    talk.stable(talk.member("a", protocols=[("range", b"1"), ("sticky", b"2")]))
    other = talk.member("b")
    for kind, names in (("consumer", ["none"]), ("connect", ["range"]), ("connect", ["none"]),
                        ("", ["range"]), ("Consumer", ["range"]), ("consumer", ["Range"]),
                        ("consumer", [])):
        for version in (3, 4, 9):
            answer = other.ask_join(version, ProtocolType=kind, Protocols=[
                {"Name": n, "Metadata": b""} for n in names])
            assert answer["ErrorCode"] == INCONSISTENT
            assert (answer["MemberId"], answer["Leader"], answer["Members"]) == ("", "", [])
    assert talk.state() == "Stable"


@on_both
def test_the_protocol_that_all_have_is_chosen(talk):
    """By votes, each for the first of its own that all have."""
    members = [talk.member(label, protocols=[(n, label.encode() + n.encode()) for n in names])
               for label, names in (("a", ["x", "y", "z"]), ("b", ["z", "w", "y"]),
                                    ("c", ["z", "y"]))]
    talk.stable(members[0])
    assert talk.describe()["ProtocolData"] == "x"
    talk.stable(*members)
    described = talk.describe()
    assert described["ProtocolData"] == "z"
    assert {m["MemberMetadata"] for m in described["Members"]} == {b"az", b"bz", b"cz"}


@on_both
def test_only_the_leader_is_told_of_the_members(talk):
    first, second = talk.member("a"), talk.member("b")
    talk.stable(first)
    second.begin_join()
    talk.rejoin([first])
    to_first, to_second = first.end_join(), second.end_join()
    assert to_first["GenerationId"] == to_second["GenerationId"] == 2
    assert to_first["Leader"] == to_second["Leader"] == first.id
    assert {m["MemberId"]: m["Metadata"] for m in to_first["Members"]} == {
        first.id: b"meta of a", second.id: b"meta of b"}
    assert to_second["Members"] == []
    assert to_first["ProtocolType"] == to_second["ProtocolType"] == "consumer"
    assert to_first["SkipAssignment"] is False


@on_both
def test_rejoining_a_stable_group(talk):
    """The same protocols: a follower is answered at once with what is; the leader, or other
    protocols, begin a rebalance."""
    leader, follower = talk.member("a"), talk.member("b")
    talk.stable(leader, follower)
    again = follower.ask_join()
    assert (again["ErrorCode"], again["GenerationId"], again["Members"]) == (0, 2, [])
    assert talk.state() == "Stable"
    follower.begin_join(Protocols=[{"Name": "range", "Metadata": b"new"}])
    talk.rejoin([leader])
    assert leader.end_join()["GenerationId"] == 3
    assert follower.end_join()["GenerationId"] == 3
    leader.sync({leader: b"1", follower: b"2"})
    assert follower.sync()["Assignment"] == b"2"
    leader.begin_join()
    talk.rejoin([follower])
    assert leader.end_join()["GenerationId"] == 4
    assert follower.end_join()["Leader"] == leader.id


@on_both
def test_rejoining_before_the_sync(talk):
    """In CompletingRebalance the same join is answered again with the same generation, to the
    leader with all members."""
    leader, follower = talk.member("a"), talk.member("b")
    talk.stable(leader)
    follower.begin_join()
    talk.rejoin([leader])
    leader.end_join(), follower.end_join()
    again = leader.ask_join()
    assert (again["GenerationId"], len(again["Members"])) == (2, 2)
    again = follower.ask_join()
    assert (again["GenerationId"], len(again["Members"])) == (2, 0)
    follower.begin_join(Protocols=[{"Name": "range", "Metadata": b"new"}])
    talk.rejoin([leader])
    assert leader.end_join()["GenerationId"] == follower.end_join()["GenerationId"] == 3


@on_both
def test_the_leader_that_leaves_is_followed_by_another(talk):
    first, second = talk.member("a"), talk.member("b")
    talk.stable(first, second)
    first.leave()
    second.until_rebalance()
    answer = second.join()
    assert (answer["Leader"], answer["GenerationId"]) == (second.id, 3)
    assert [m["MemberId"] for m in answer["Members"]] == [second.id]


@on_both
def test_members_that_do_not_rejoin_are_left_out(talk):
    """After the rebalance timeout, which is the members' longest."""
    first, second = talk.member("a"), talk.member("b")
    first.rebalance = second.rebalance = 700
    talk.stable(first, second)
    third = talk.member("c", rebalance=700)
    third.begin_join()
    second.until_rebalance()
    second.begin_join()
    # Any of them leads now.
    assert {m.end_join(is_noted=False)["GenerationId"] for m in (second, third)} == {3}
    assert first.heartbeat()["ErrorCode"] == UNKNOWN_MEMBER
    assert first.ask_join()["ErrorCode"] == UNKNOWN_MEMBER
    assert second.leader == third.leader
    assert second.is_leader() or third.is_leader()


@on_both
def test_a_silent_member_is_removed(talk):
    """After its session timeout."""
    silent, other = talk.member("a", session=500), talk.member("b")
    talk.stable(other, silent)
    other.until_rebalance()
    answer = other.join()
    assert [m["MemberId"] for m in answer["Members"]] == [other.id]
    assert silent.heartbeat()["ErrorCode"] == UNKNOWN_MEMBER


@on_both
def test_who_never_syncs_is_removed(talk):
    """After the rebalance timeout; with the leader, the group begins anew."""
    leader, follower = talk.member("a", rebalance=700), talk.member("b", rebalance=700)
    talk.stable(leader)
    follower.begin_join()
    talk.rejoin([leader])
    leader.end_join(), follower.end_join()
    follower.begin_sync()
    assert follower.end()["ErrorCode"] == REBALANCING
    assert leader.heartbeat()["ErrorCode"] == UNKNOWN_MEMBER
    assert follower.join()["Leader"] == follower.id


@pytest.mark.parametrize("version", [3, 4, 9])
@on_both
def test_a_group_that_is_full(talk, version):
    """group.max.size is 8 here. In a rebalance only those count that have joined again, so that a
    new one may take the place of a slow one."""
    members = [talk.member(label) for label in "abcdefgh"]
    first, second, *others = members
    late = talk.member("late")
    first.join(version)
    for member in (second, *others):
        member.begin_join(version)
    first.until_rebalance()
    until(lambda: len(talk.describe(is_noted=False)["Members"]) == 8, talk.state)
    first.begin_join(version)
    assert {m.end_join()["ErrorCode"] for m in members} == {0}
    assert late.ask_join(version)["ErrorCode"] == FULL
    assert talk.describe()["GroupState"] == "CompletingRebalance"
    second.begin_join(version, Protocols=[{"Name": "range", "Metadata": b"new"}])
    talk.rejoin(others)
    late.begin_join(version)
    until(lambda: len(talk.describe(is_noted=False)["Members"]) == 9, talk.state)
    # All eight have joined when there is no room for one whom the group does not know.
    stranger = talk.member("stranger")
    stranger.id = "stranger"
    until(lambda: stranger.ask_join(version, is_noted=False)["ErrorCode"] == FULL, talk.state)
    assert first.ask_join(version)["ErrorCode"] == FULL
    # It is no member any more, but nobody is answered for that.
    assert first.heartbeat()["ErrorCode"] == UNKNOWN_MEMBER
    last = others.pop()
    talk.ask("LeaveGroup", 3, GroupId=talk.group, Members=[{"MemberId": last.id}])
    assert last.end()["ErrorCode"] == UNKNOWN_MEMBER
    # Any of them leads now.
    assert {m.end_join(is_noted=False)["ErrorCode"] for m in (second, *others, late)} == {0}
    assert len(talk.describe()["Members"]) == 7


@on_both
def test_an_empty_group_takes_another_kind(talk):
    for kind in ("consumer", "connect", "", "consumer"):
        member = talk.member("a", kind=kind)
        if kind:
            assert member.join()["ProtocolType"] == kind
            member.sync({})
            member.leave()
        else:
            talk.commit([rows("one", 0)])
        talk.until_state("Empty")


# ---- SyncGroup


@on_both
def test_sync_refused(talk):
    member = talk.member("a")
    assert member.sync(MemberId="nobody")["ErrorCode"] == UNKNOWN_MEMBER
    assert member.sync(GroupId="")["ErrorCode"] == INVALID_GROUP
    member.join()
    assert member.sync(MemberId="nobody")["ErrorCode"] == UNKNOWN_MEMBER
    for generation in (0, 2, -1):
        assert member.sync(GenerationId=generation)["ErrorCode"] == ILLEGAL_GENERATION
    for fields in ({"ProtocolType": "connect", "ProtocolName": "range"},
                   {"ProtocolType": "consumer", "ProtocolName": "sticky"},
                   {"ProtocolType": "connect"}, {"ProtocolName": "sticky"},
                   {"ProtocolType": "consumer"}, {"ProtocolName": "range"}, {}):
        # From version 5 on both have to be named, though they may be null.
        assert member.sync(version=5, **fields)["ErrorCode"] == INCONSISTENT
    assert talk.describe()["GroupState"] == "CompletingRebalance"


@pytest.mark.parametrize("version", all_versions("SyncGroup"))
@on_both
def test_sync_before_and_after_the_leader(talk, version):
    names = {"ProtocolType": "consumer", "ProtocolName": "range"} if version >= 5 else {}
    leader, early, late = (talk.member(label) for label in "abc")
    talk.stable(leader, early)
    late.begin_join()
    talk.rejoin([leader, early])
    for member in (leader, early, late):
        member.end_join()
    early.begin_sync(None, version, **names)
    # One that is not in the group, a member left out, and one named twice.
    answer = leader.sync({leader: b"L", early: b"\0\1" * 500, "stranger": b"?"}, version, **names)
    assert answer["Assignment"] == b"L"
    assert early.end()["Assignment"] == b"\0\1" * 500
    assert late.sync(None, version, **names)["Assignment"] == b""
    again = early.sync({leader: b"bad", early: b"bad"}, version, **names)
    assert again["Assignment"] == b"\0\1" * 500
    again = leader.sync({leader: b"other"}, version, **names)
    assert again["Assignment"] == b"L"
    if version >= 5:
        assert (again["ProtocolType"], again["ProtocolName"]) == ("consumer", "range")
    assert talk.describe()["GroupState"] == "Stable"


@on_both
def test_assignments_of_one_member_twice(talk):
    member = talk.member("a")
    member.join()
    answer = member.sync(Assignments=[{"MemberId": member.id, "Assignment": b"first"},
                                      {"MemberId": member.id, "Assignment": b"second"}])
    assert answer["Assignment"] == b"second"


@on_both
def test_sync_during_a_rebalance(talk):
    """Also for one that waited since before it."""
    leader, follower, new = (talk.member(label) for label in "abc")
    talk.stable(leader)
    follower.begin_join()
    talk.rejoin([leader])
    leader.end_join(), follower.end_join()
    follower.begin_sync()
    new.begin_join()
    assert follower.end()["ErrorCode"] == REBALANCING
    leader.until_rebalance()
    assert leader.sync({leader: b"x"})["ErrorCode"] == REBALANCING
    talk.rejoin([leader, follower])
    assert {m.end_join()["GenerationId"] for m in (leader, follower, new)} == {3}
    assert leader.sync({leader: b"x"}, GenerationId=2)["ErrorCode"] == ILLEGAL_GENERATION


# ---- Heartbeat


@pytest.mark.parametrize("version", all_versions("Heartbeat"))
@on_both
def test_heartbeats(talk, version):
    member, other = talk.member("a"), talk.member("b")
    assert member.heartbeat(version, MemberId="nobody")["ErrorCode"] == UNKNOWN_MEMBER
    assert member.heartbeat(version, GroupId="")["ErrorCode"] == INVALID_GROUP
    member.join()
    assert member.heartbeat(version)["ErrorCode"] == 0  # the sync is still to come
    member.sync({})
    assert member.heartbeat(version)["ErrorCode"] == 0
    for generation in (0, 2, -1):
        assert member.heartbeat(version, GenerationId=generation)["ErrorCode"] == \
            ILLEGAL_GENERATION
    assert member.heartbeat(version, MemberId="nobody")["ErrorCode"] == UNKNOWN_MEMBER
    assert member.heartbeat(version, MemberId="")["ErrorCode"] == UNKNOWN_MEMBER
    other.begin_join()
    member.until_rebalance()
    assert member.heartbeat(version)["ErrorCode"] == REBALANCING
    assert member.heartbeat(version, GenerationId=9)["ErrorCode"] == ILLEGAL_GENERATION
    talk.rejoin([member])
    member.end_join(), other.end_join()
    assert member.heartbeat(version, GenerationId=1)["ErrorCode"] == ILLEGAL_GENERATION
    member.leave(), other.leave()
    assert member.heartbeat(version)["ErrorCode"] == UNKNOWN_MEMBER


# ---- LeaveGroup


@pytest.mark.parametrize("version", all_versions("LeaveGroup"))
@on_both
def test_leave(talk, version):
    first, second = talk.member("a"), talk.member("b")
    assert first.leave(version)["ErrorCode"] in (0, UNKNOWN_MEMBER)
    talk.stable(first, second)
    for member in (first, second, first):
        answer = member.leave(version)
        if version >= 3:
            assert [m["MemberId"] for m in answer["Members"]] == [member.id]
    assert talk.until_state("Empty")["ProtocolType"] == "consumer"
    first.id = "nobody"
    first.leave(version)


@pytest.mark.parametrize("version", all_versions("LeaveGroup", 3))
@on_both
def test_leave_of_several(talk, version):
    """As an administrator does, some by their instance."""
    plain, static, kept = (talk.member("a"), talk.member("b", instance="i-b"),
                           talk.member("c", instance="i-c"))
    talk.stable(plain, static, kept)
    answer = talk.ask("LeaveGroup", version, GroupId=talk.group, Members=[
        {"MemberId": plain.id}, {"MemberId": "", "GroupInstanceId": "i-b"},
        {"MemberId": "nobody"}, {"MemberId": "", "GroupInstanceId": "i-none"},
        {"MemberId": static.id, "GroupInstanceId": "i-c"}, {"MemberId": ""},
        {"MemberId": plain.id}, {"MemberId": plain.id, "GroupInstanceId": "i-c"}])
    assert answer["ErrorCode"] == 0
    assert [m["ErrorCode"] for m in answer["Members"]] == [
        0, 0, UNKNOWN_MEMBER, UNKNOWN_MEMBER, FENCED, UNKNOWN_MEMBER, UNKNOWN_MEMBER, FENCED]
    kept.until_rebalance()
    assert [m["MemberId"] for m in talk.describe()["Members"]] == [kept.id]
    assert talk.ask("LeaveGroup", version, GroupId=talk.group, Members=[])["ErrorCode"] == 0
    assert talk.ask("LeaveGroup", version, GroupId="", Members=[
        {"MemberId": plain.id}])["ErrorCode"] == INVALID_GROUP
    answer = talk.ask("LeaveGroup", version, GroupId=talk.group + "-none", Members=[
        {"MemberId": "x"}])
    assert answer["Members"][0]["ErrorCode"] == UNKNOWN_MEMBER


@on_both
def test_a_waiting_join_ends_with_the_leave_of_another(talk):
    first, second = talk.member("a"), talk.member("b")
    talk.stable(first)
    second.begin_join()
    first.until_rebalance()
    assert first.leave()["ErrorCode"] == 0
    answer = second.end_join()
    assert (answer["GenerationId"], answer["Leader"]) == (2, second.id)


@on_both
def test_a_waiting_join_ends_with_its_own_leave(talk):
    """Sent by an administrator."""
    first, second = talk.member("a"), talk.member("b")
    talk.stable(first)
    second.begin_join()
    first.until_rebalance()
    talk.ask("LeaveGroup", 5, GroupId=talk.group, Members=[{"MemberId": second.id}])
    answer = second.end()
    assert answer["ErrorCode"] == UNKNOWN_MEMBER


# ---- requests that no client sends


@on_both
def test_long_names(talk):
    """Up to what the protocol can say; what would not fit is refused, and nobody else sees it."""
    longest = "g" * 32767
    member = talk.member("a")
    for version in (3, 9):
        member.id = ""
        member.ask_join(version, GroupId=longest)
        talk.ask("LeaveGroup", 5, GroupId=longest, Members=[{"MemberId": member.id}])
    member.id = ""
    member.ask_join(9, ProtocolType="t" * 32767)
    member.ask_join(9, Protocols=[{"Name": "p" * 32767, "Metadata": b"m" * (1 << 20)}])
    talk.ask("Heartbeat", 4, GroupId=longest, MemberId=longest, GenerationId=1)
    assert talk.ask("FindCoordinator", 3, Key=longest)["ErrorCode"] == 0


@on_both
def test_strings_that_are_too_long(talk):
    with Wire(talk.peer.bootstrap) as witness:
        for api, version in (("Heartbeat", 4), ("JoinGroup", 9), ("SyncGroup", 5),
                             ("LeaveGroup", 5), ("OffsetCommit", 9)):
            with Wire(talk.peer.bootstrap) as wire:
                wire.send(encode_request(api, version, 1, {"GroupId": "x" * 32768}))
                with pytest.raises(Closed):
                    wire.receive()
            answer = witness.ask("FindCoordinator", 3, Key=talk.group)
            assert answer["ErrorCode"] == 0


@on_both
def test_bytes_pass_as_they_are(talk):
    """Metadata and assignments need not be of the consumer's protocol, though their kind says so."""
    odd = [b"", b"\0", b"\xff" * 100, bytes(range(256)) * 1024]
    for version in (5, 9):
        for data in odd:
            member = talk.member("a", protocols=[("range", data), ("other", b"\xff\xff")])
            assert member.join(version)["Members"][0]["Metadata"] == data
            assert member.sync({member: data})["Assignment"] == data
            row = talk.describe()["Members"][0]
            assert (row["MemberMetadata"], row["MemberAssignment"]) == (data, data)
            member.leave()


@on_both
def test_what_is_too_large_for_a_record(talk):
    """offsets.topic's max.message.bytes hold for a group too: the sync fails, and all join again."""
    member = talk.member("a", protocols=[("range", b"m" * (2 << 20))])
    assert member.join()["ErrorCode"] == 0
    assert member.sync({member: b"x"})["ErrorCode"] == -1
    assert member.heartbeat()["ErrorCode"] == REBALANCING
    assert talk.describe()["GroupState"] == "PreparingRebalance"
    member.protocols = [("range", b"small")]
    assert member.join()["GenerationId"] == 2
    assert member.sync({member: b"x" * (2 << 20)})["ErrorCode"] == -1
    assert member.join()["GenerationId"] == 3
    assert member.sync({member: b"x"})["Assignment"] == b"x"


@on_both
def test_a_connection_that_ends_leaves_no_gap(talk):
    """One that waits in a join and goes away is a member until its session ends."""
    first, gone = talk.member("a"), talk.member("b", session=500, rebalance=60000)
    talk.stable(first)
    gone.begin_join()
    first.until_rebalance()
    gone.wire.socket.close()
    first.begin_join()
    assert first.end_join()["ErrorCode"] == 0
    first.sync({first: b"x"})
    until(lambda: talk.state() != "Stable" or len(talk.describe(is_noted=False)["Members"]) == 1,
          talk.state)
    assert first.rebalance == LONG_MS
