# SPDX-License-Identifier: Apache-2.0
"""Static members (KIP-345, KIP-814), byte for byte, with Klamm and a real Kafka 4.4.0."""

import pytest

from groups import REBALANCING, codes, on_both, rows
from test_against_kafka import all_versions

UNKNOWN_MEMBER, ILLEGAL_GENERATION, FENCED, UNSUPPORTED = 25, 22, 82, 35


@pytest.mark.parametrize("version", all_versions("JoinGroup", 5))
@on_both
def test_a_static_member_needs_no_second_request(talk, version):
    member = talk.member("a", instance="i")
    answer = member.ask_join(version)
    assert (answer["ErrorCode"], answer["GenerationId"]) == (0, 1)
    assert member.id.startswith("i-")
    assert answer["Members"][0]["GroupInstanceId"] == "i"
    assert member.sync({member: b"x"})["Assignment"] == b"x"
    assert talk.describe()["Members"][0]["GroupInstanceId"] == "i"
    assert talk.describe(3)["Members"][0]["MemberId"] == member.id


@pytest.mark.parametrize("version", all_versions("JoinGroup", 5))
@on_both
def test_a_leader_comes_again(talk, version):
    """Before version 9 it believes the old id to lead, and so does not assign; from then on it
    leads and is told to leave the assignment as it is."""
    old, other = talk.member("a", instance="i"), talk.member("b")
    talk.stable(old, other)
    new = talk.member("a2", instance="i")
    answer = new.ask_join(version)
    assert (answer["ErrorCode"], answer["GenerationId"]) == (0, 2)
    assert new.id != old.id
    if version >= 9:
        assert answer["SkipAssignment"] is True
        assert answer["Leader"] == new.id
        assert {m["MemberId"] for m in answer["Members"]} == {new.id, other.id}
    else:
        assert answer["Leader"] == old.id
        assert answer["Members"] == []
    assert new.sync({})["Assignment"] == b"for a"
    assert other.heartbeat()["ErrorCode"] == 0
    assert talk.state() == "Stable"


@pytest.mark.parametrize("version", all_versions("JoinGroup", 5))
@on_both
def test_a_follower_comes_again(talk, version):
    leader, old = talk.member("a"), talk.member("b", instance="i")
    talk.stable(leader, old)
    new = talk.member("b2", instance="i")
    answer = new.ask_join(version)
    assert (answer["ErrorCode"], answer["GenerationId"]) == (0, 2)
    assert (answer["Leader"], answer["Members"]) == (leader.id, [])
    assert new.sync()["Assignment"] == b"for b"
    assert leader.heartbeat()["ErrorCode"] == 0


@on_both
def test_one_that_comes_again_with_other_protocols(talk):
    """A rebalance, if another protocol would be chosen; not for new metadata."""
    leader, old = talk.member("a", protocols=[("range", b"1"), ("sticky", b"2")]), talk.member(
        "b", instance="i", protocols=[("range", b"1"), ("sticky", b"2")])
    talk.stable(leader, old)
    new = talk.member("b2", instance="i", protocols=[("range", b"new"), ("sticky", b"2")])
    assert new.ask_join()["GenerationId"] == 2
    talk.describe()
    newer = talk.member("b3", instance="i", protocols=[("sticky", b"2")])
    newer.begin_join()
    talk.rejoin([leader])
    assert leader.end_join()["ProtocolName"] == "sticky"
    assert newer.end_join()["GenerationId"] == 3


@on_both
def test_the_old_one_is_fenced(talk):
    other, old = talk.member("a"), talk.member("b", instance="i")
    talk.stable(other, old)
    new = talk.member("b2", instance="i")
    new.join()
    new.sync()
    assert old.heartbeat()["ErrorCode"] == FENCED
    assert old.heartbeat(GroupInstanceId=None)["ErrorCode"] == UNKNOWN_MEMBER
    assert old.heartbeat(GenerationId=99)["ErrorCode"] == FENCED
    assert old.sync()["ErrorCode"] == FENCED
    assert old.sync(GroupInstanceId=None)["ErrorCode"] == UNKNOWN_MEMBER
    assert set(codes(old.commit([rows("one", 0)])).values()) == {FENCED}
    assert set(codes(old.commit([rows("one", 0)], GroupInstanceId=None)).values()) == {
        UNKNOWN_MEMBER}
    assert set(codes(new.commit([rows("one", 0)])).values()) == {0}
    assert old.ask_join()["ErrorCode"] == FENCED
    assert old.ask_join(GroupInstanceId=None)["ErrorCode"] == UNKNOWN_MEMBER
    assert old.leave()["Members"][0]["ErrorCode"] == FENCED
    assert new.heartbeat()["ErrorCode"] == 0


@on_both
def test_instances_that_nobody_has(talk):
    member = talk.member("a")
    talk.stable(member)
    for code, fields in ((UNKNOWN_MEMBER, {"GroupInstanceId": "none"}),
                         (UNKNOWN_MEMBER, {"GroupInstanceId": ""})):
        assert member.heartbeat(**fields)["ErrorCode"] == code
        assert member.sync(**fields)["ErrorCode"] == code
        assert set(codes(member.commit([rows("one", 0)], **fields)).values()) == {code}
    assert member.ask_join(GroupInstanceId="none")["ErrorCode"] == UNKNOWN_MEMBER


@on_both
def test_members_with_an_instance_may_leave_it_out(talk):
    member = talk.member("a", instance="i")
    talk.stable(member)
    assert member.heartbeat(2)["ErrorCode"] == 0
    assert member.heartbeat(4, GroupInstanceId=None)["ErrorCode"] == 0
    assert member.sync(version=2)["ErrorCode"] == 0
    assert set(codes(member.commit([rows("one", 0)], 6)).values()) == {0}
    assert member.leave(2)["ErrorCode"] == 0


@on_both
def test_coming_again_while_the_group_rebalances(talk):
    """The old one's waiting join ends with FENCED_INSTANCE_ID."""
    leader, old, third = talk.member("a"), talk.member("b", instance="i"), talk.member("c")
    talk.stable(leader, old)
    third.begin_join()
    talk.rejoin([old])
    new = talk.member("b2", instance="i")
    new.begin_join()
    assert old.end()["ErrorCode"] == FENCED
    talk.rejoin([leader])
    assert {m.end_join()["GenerationId"] for m in (leader, new, third)} == {3}


@on_both
def test_coming_again_before_the_sync(talk):
    """A rebalance begins; the old one's waiting sync ends."""
    leader, old = talk.member("a"), talk.member("b", instance="i")
    talk.stable(leader)
    old.begin_join()
    talk.rejoin([leader])
    leader.end_join(), old.end_join()
    old.begin_sync()
    new = talk.member("b2", instance="i")
    new.begin_join()
    assert old.end()["ErrorCode"] in (FENCED, REBALANCING)
    talk.rejoin([leader])
    assert leader.end_join()["GenerationId"] == new.end_join()["GenerationId"] == 3


@on_both
def test_leaving_and_coming_again(talk):
    """A static member that stays away is removed by its session alone."""
    other, static = talk.member("a"), talk.member("b", instance="i", session=500)
    talk.stable(other, static)
    static.wire.socket.close()
    other.until_rebalance()
    assert len(other.join()["Members"]) == 1
    other.sync({})
    new = talk.member("b2", instance="i")
    new.begin_join()
    talk.rejoin([other])
    assert other.end_join()["GenerationId"] == new.end_join()["GenerationId"] == 4


@on_both
def test_the_last_one_comes_again(talk):
    """Alone, and from the Empty state."""
    old = talk.member("a", instance="i")
    talk.stable(old)
    new = talk.member("a2", instance="i")
    assert new.ask_join()["SkipAssignment"] is True
    assert new.sync({})["Assignment"] == b"for a"
    assert new.leave()["Members"][0]["ErrorCode"] == 0
    talk.until_state("Empty")
    newest = talk.member("a3", instance="i")
    answer = newest.ask_join()
    assert (answer["GenerationId"], answer["SkipAssignment"]) == (3, False)
    assert newest.ask_join()["ErrorCode"] == 0


@on_both
def test_instance_ids_of_many_kinds(talk):
    """The member's id is the instance's, a dash and a UUID: it has to fit into a string."""
    for instance in ("", "i", "x" * 249, "\u00e4", "with space", ".", "x" * 32730):
        member = talk.member("a", instance=instance)
        assert member.ask_join()["ErrorCode"] == 0
        assert member.id[:-36] == instance + "-"
        assert member.sync({member: b"x"})["Assignment"] == b"x"
        assert talk.describe()["Members"][0]["GroupInstanceId"] == instance
        assert member.leave()["ErrorCode"] == 0


@on_both
def test_an_instance_id_that_is_too_long(talk):
    for length in (32731, 32767):
        member = talk.member("a", instance="x" * length)
        answer = member.ask_join(GroupId=f"{talk.group}-{length}")
        assert answer["ErrorCode"] == -1
