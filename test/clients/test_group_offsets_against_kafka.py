# SPDX-License-Identifier: Apache-2.0
"""Committed offsets, byte for byte, with Klamm and a real Kafka 4.4.0: commit, fetch, delete."""

import struct

import pytest

from groups import codes, on_both, rows, subscription
from test_against_kafka import NO_ID, STRANGE_ID, all_versions, until
from wire import Closed, Wire, encode_request

UNKNOWN_TOPIC, TOO_LARGE, UNKNOWN_MEMBER, ILLEGAL_GENERATION = 3, 12, 25, 22
INVALID_GROUP, REBALANCING, GROUP_NOT_FOUND, UNKNOWN_ID = 24, 27, 69, 100
SUBSCRIBED, NON_EMPTY = 86, 68


def name_of(talk, topic, version):
    return talk.peer.topics.get(topic, topic) if version >= 10 else topic


def fetch_rows(talk, version, **topics):
    key = "TopicId" if version >= 10 else "Name"
    return [{key: name_of(talk, t, version), "PartitionIndexes": p} for t, p in topics.items()]


def offsets(group):
    """{(topic, partition): (offset, epoch, metadata)} of what OffsetFetch tells of a group."""
    return {(t.get("Name", t.get("TopicId")), p["PartitionIndex"]): (
        p["CommittedOffset"], p.get("CommittedLeaderEpoch", -1), p["Metadata"])
        for t in group["Topics"] for p in t["Partitions"]}


# ---- OffsetCommit


@pytest.mark.parametrize("version", all_versions("OffsetCommit"))
@on_both
def test_commit_without_a_member(talk, version):
    """What a client that assigns by itself does; it makes the group."""
    epochs = [(0, 5, "first", 0), (1, 0, ""), (2, 1 << 40, None, 7)] if version >= 6 else \
        [(0, 5, "first"), (1, 0, ""), (2, 1 << 40, None)]
    answer = talk.commit([rows(name_of(talk, "one", version), *epochs, version=version),
                          rows(name_of(talk, "two", version), 1, version=version)], version)
    assert set(codes(answer).values()) == {0}
    assert len(codes(answer)) == 4
    told = offsets(talk.fetch())
    assert told[("one", 0)] == (5, 0 if version >= 6 else -1, "first")
    assert told[("one", 1)] == (0, -1, "")
    assert told[("one", 2)] == (1 << 40, 7 if version >= 6 else -1, "")
    assert told[("two", 1)] == (11, -1, "")
    described = talk.describe()
    assert (described["GroupState"], described["ProtocolType"]) == ("Empty", "")
    # A commit with the retention of old versions is as good.
    if version <= 4:
        talk.commit([rows("one", 0)], version, RetentionTimeMs=3600000)
        talk.commit([rows("one", 1)], version, RetentionTimeMs=-1)
        assert offsets(talk.fetch())[("one", 0)][0] == 10


@pytest.mark.parametrize("version", all_versions("OffsetCommit"))
@on_both
def test_commit_of_what_is_not_there(talk, version):
    strange = STRANGE_ID if version >= 10 else "none"
    answer = talk.commit([rows(name_of(talk, "one", version), 0, 3, -1, version=version),
                          rows(strange, 0, 1, version=version)], version)
    one = name_of(talk, "one", version)
    assert codes(answer) == {
        (one, 0): 0, (one, 3): UNKNOWN_TOPIC, (one, -1): UNKNOWN_TOPIC,
        **{(strange, p): UNKNOWN_ID if version >= 10 else UNKNOWN_TOPIC for p in (0, 1)}}
    assert offsets(talk.fetch()).keys() == {("one", 0)}
    talk.commit([rows(NO_ID if version >= 10 else "", 0, version=version)], version)
    if version < 10:
        talk.commit([rows("bad/name", 0)], version)
    talk.commit([], version)
    talk.commit([rows(one, version=version)], version)


@pytest.mark.parametrize("version", all_versions("OffsetCommit"))
@on_both
def test_commit_by_strangers(talk, version):
    one = [rows(name_of(talk, "one", version), 0, version=version)]

    def code(**fields):
        return set(codes(talk.commit(one, version, **fields)).values()).pop()

    # Only a generation of -1 makes a group.
    for who in ("nobody", ""):
        for generation in (0, 1, 2 ** 31 - 1):
            assert code(MemberId=who, GenerationIdOrMemberEpoch=generation) == \
                (GROUP_NOT_FOUND if version >= 9 else ILLEGAL_GENERATION)
    assert talk.state() == "Dead"
    for generation in (-1, -2, -2 ** 31):
        assert code(MemberId="nobody", GenerationIdOrMemberEpoch=generation) == 0
    assert code(MemberId="", GenerationIdOrMemberEpoch=0) == UNKNOWN_MEMBER
    assert code(GroupId="") == 0
    member = talk.member("a")
    talk.stable(member)
    assert code() == UNKNOWN_MEMBER
    assert code(MemberId="nobody", GenerationIdOrMemberEpoch=1) == UNKNOWN_MEMBER
    assert code(MemberId=member.id, GenerationIdOrMemberEpoch=1) == 0
    for generation in (0, 2, -1):
        assert code(MemberId=member.id, GenerationIdOrMemberEpoch=generation) == \
            ILLEGAL_GENERATION
    assert code(MemberId="", GenerationIdOrMemberEpoch=1) == UNKNOWN_MEMBER
    member.leave()
    talk.until_state("Empty")
    assert code() == 0
    assert code(MemberId=member.id) == 0
    assert code(MemberId=member.id, GenerationIdOrMemberEpoch=1) == UNKNOWN_MEMBER
    assert code(MemberId="", GenerationIdOrMemberEpoch=1) == UNKNOWN_MEMBER


@on_both
def test_metadata_of_a_commit(talk):
    """offset.metadata.max.bytes is 4096; Kafka counts the units of UTF-16, not bytes."""
    for text, code in (("x" * 4096, 0), ("x" * 4097, TOO_LARGE), ("\u00e4" * 4096, 0),
                       ("\u00e4" * 4097, TOO_LARGE), ("\U0001f600" * 2048, 0),
                       ("\U0001f600" * 2049, TOO_LARGE), ("x" * 32767, TOO_LARGE),
                       ("a\0b\u0001 \"'", 0)):
        for version in (2, 9):
            answer = talk.commit([rows("one", (0, 5, text), (1, 6, "good"))], version)
            assert codes(answer) == {("one", 0): code, ("one", 1): 0}
            if code == 0:
                assert offsets(talk.fetch())[("one", 0)][2] == text


@on_both
def test_strange_offsets_are_taken(talk):
    """The broker does not ask whether there are such records, nor epochs."""
    for offset in (0, -1, -2, -(1 << 63), (1 << 63) - 1):
        for epoch in (-1, 0, 5, -2, (1 << 31) - 1):
            talk.commit([rows("one", (0, offset, "m", epoch))])
            talk.fetch(fetch_rows(talk, 9, one=[0]))
            talk.fetch(fetch_rows(talk, 1, one=[0]), 1)


@on_both
def test_commit_in_each_state(talk):
    leader, follower = talk.member("a"), talk.member("b")

    def code(member, **over):
        return set(codes(member.commit([rows("one", 0)], **over)).values()).pop()

    leader.join()
    assert code(leader) == REBALANCING  # CompletingRebalance: the sync is still to come
    leader.sync({})
    assert code(leader) == 0
    follower.begin_join()
    leader.until_rebalance()
    assert code(leader) == 0  # PreparingRebalance: what it has read it may still commit
    talk.rejoin([leader])
    leader.end_join(), follower.end_join()
    assert code(leader) == REBALANCING
    assert code(leader, GenerationIdOrMemberEpoch=1) == ILLEGAL_GENERATION
    leader.sync({leader: b"", follower: b""})
    follower.sync()
    assert code(follower) == 0
    assert code(follower, GenerationIdOrMemberEpoch=1) == ILLEGAL_GENERATION


@pytest.mark.parametrize("version", [2, 7, 9, 10])
@on_both
def test_a_topic_twice_in_a_commit(talk, version):
    """The last one of a partition counts."""
    one = name_of(talk, "one", version)
    talk.commit([rows(one, (0, 1), (0, 2), version=version),
                 rows(name_of(talk, "two", version), 0, version=version),
                 rows(one, (0, 3), (1, 4), version=version)], version)
    told = offsets(talk.fetch())
    assert (told[("one", 0)][0], told[("one", 1)][0]) == (3, 4)


@on_both
def test_thousands_of_partitions_in_a_commit(talk):
    """Of a topic that has three, and of names that there are not."""
    for version in (5, 9):
        answer = talk.commit([rows("one", *range(5000))], version)
        assert sum(c == 0 for c in codes(answer).values()) == 3
        answer = talk.commit([rows(f"none-{i}", 0, 1) for i in range(2000)], version)
        assert set(codes(answer).values()) == {UNKNOWN_TOPIC}
        assert len(codes(answer)) == 4000
    assert len(offsets(talk.fetch())) == 3


@on_both
def test_a_commit_that_is_too_large_for_a_batch(talk):
    """Three partitions again and again, until their records have more than offsets.topic's
    max.message.bytes together."""
    partition = [(i % 3, i, "x" * 4000) for i in range(600)]
    answer = talk.commit([rows("one", *partition)])
    assert set(codes(answer).values()) == {-1}
    assert talk.fetch()["Topics"] == []
    assert set(codes(talk.commit([rows("one", *partition[:200])])).values()) == {0}
    assert len(offsets(talk.fetch())) == 3


@on_both
def test_broken_commits_close_the_connection(talk):
    """A witness goes on."""
    with Wire(talk.peer.bootstrap) as witness:
        good = encode_request("OffsetCommit", 9, 1, {"GroupId": talk.group,
                                                     "Topics": [rows("one", 0)]})
        old = encode_request("OffsetCommit", 2, 1, {"GroupId": talk.group,
                                                    "Topics": [rows("one", 0)]})
        huge = old.replace(struct.pack(">ih", 1, 3) + b"one", struct.pack(">ih", 1 << 30, 3) + b"one")
        cut = struct.pack(">i", len(good) - 4 - 3) + good[4:-3]
        for data in (huge, cut, encode_request("OffsetCommit", 9, 1, {
                "GroupId": talk.group, "Topics": [rows("x" * 32768, 0)]})):
            with Wire(talk.peer.bootstrap) as wire:
                wire.send(data)
                with pytest.raises(Closed):
                    wire.receive()
            answer = witness.ask("OffsetCommit", 9, GroupId=talk.group, Topics=[rows("one", 0)])
            assert set(codes(answer).values()) == {0}


# ---- OffsetFetch


@pytest.mark.parametrize("version", all_versions("OffsetFetch"))
@on_both
def test_fetch(talk, version):
    """Of what was committed, of what was not, of what is not there; all by null."""
    talk.commit([rows("one", (0, 5, "m \u00e4\0", 3), (2, 7, "", -1)), rows("two", (1, 8, "x", 0))])
    told = talk.fetch(fetch_rows(talk, version, one=[0, 1, 2, 3, -1], two=[]), version)
    one = name_of(talk, "one", version)
    epoch = 3 if version >= 5 else -1
    assert offsets(told) == {
        (one, 0): (5, epoch, "m \u00e4\0"), (one, 2): (7, -1, ""),
        (one, 1): (-1, -1, ""), (one, 3): (-1, -1, ""), (one, -1): (-1, -1, "")}
    assert set(codes(told).values()) == {0}
    if version >= 2:
        assert len(offsets(talk.fetch(None, version))) == 3
        assert offsets(talk.fetch([], version)) == {}
    if version < 10:
        talk.fetch([{"Name": n, "PartitionIndexes": [0, 0]} for n in ("none", "", "one", "one")],
                   version)
    else:
        talk.fetch([{"TopicId": i, "PartitionIndexes": [0]} for i in (STRANGE_ID, NO_ID)], version)
    if version >= 7:
        talk.fetch(None, version, RequireStable=True)


@pytest.mark.parametrize("version", all_versions("OffsetFetch"))
@on_both
def test_fetch_of_no_group(talk, version):
    topics = fetch_rows(talk, version, one=[0, 1])
    told = talk.fetch(topics, version)
    assert set(offsets(told).values()) == {(-1, -1, "")}
    assert told.get("ErrorCode", 0) == 0
    if version >= 2:
        assert talk.fetch(None, version)["Topics"] == []
    if version < 8:
        talk.ask("OffsetFetch", version, GroupId="", Topics=topics)
        return
    talk.ask("OffsetFetch", version, Groups=[{"GroupId": "", "Topics": topics}])
    talk.ask("OffsetFetch", version, Groups=[])


@pytest.mark.parametrize("version", all_versions("OffsetFetch", 8))
@on_both
def test_fetch_of_several_groups(talk, version):
    talk.commit([rows("one", (0, 5, "mine", 3))])
    talk.commit([rows("two", 1, 2)], GroupId=talk.group + "-b")
    one, two = fetch_rows(talk, version, one=[0, 1]), fetch_rows(talk, version, two=[1])
    answer = talk.ask("OffsetFetch", version, Groups=[
        {"GroupId": talk.group, "Topics": one}, {"GroupId": talk.group + "-b", "Topics": two},
        {"GroupId": talk.group + "-none", "Topics": one}, {"GroupId": talk.group, "Topics": None},
        {"GroupId": talk.group + "-b", "Topics": None}, {"GroupId": "", "Topics": []}])
    told = [(g["GroupId"], g["ErrorCode"], len(offsets(g))) for g in answer["Groups"]]
    assert sorted(told, key=repr)[0] == ("", 0, 0)
    assert len(told) == 6


@pytest.mark.parametrize("version", all_versions("OffsetFetch", 9))
@on_both
def test_fetch_as_a_member(talk, version):
    """These fields are not looked at in a classic group."""
    member = talk.member("a")
    talk.stable(member)
    member.commit([rows("one", 0)])
    for who, epoch in ((None, -1), (member.id, 1), (member.id, 0), (member.id, -1), ("nobody", 1),
                       ("nobody", -1), (None, 1), ("", -1), ("", 1)):
        answer = talk.ask("OffsetFetch", version, Groups=[{
            "GroupId": talk.group, "MemberId": who, "MemberEpoch": epoch,
            "Topics": fetch_rows(talk, version, one=[0])}])
        assert answer["Groups"][0]["ErrorCode"] == 0
        assert answer["Groups"][0]["Topics"][0]["Partitions"][0]["CommittedOffset"] == 10


@on_both
def test_by_name_and_by_id_is_the_same(talk):
    one = talk.peer.topics["one"]
    assert set(codes(talk.commit([rows(one, (0, 5, "by id"), version=10)], 10)).values()) == {0}
    assert offsets(talk.fetch(None, 9)) == {("one", 0): (5, -1, "by id")}
    talk.commit([rows("one", (0, 6, "by name"))])
    assert offsets(talk.fetch(None, 10)) == {(one, 0): (6, -1, "by name")}


# ---- topics that go


@on_both
def test_offsets_go_with_their_topic(talk):
    """And are not those of another one with the same name."""
    name = talk.group + "-topic"
    peer = talk.peer

    def make():
        answer = peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            {"Name": name, "NumPartitions": 1, "ReplicationFactor": 1}]})
        assert answer["Topics"][0]["ErrorCode"] == 0
        peer.learn(name)

    make()
    old = peer.topics["old " + name] = peer.topics[name]
    talk.commit([rows(name, (0, 5)), rows("one", (0, 6))])
    peer.ask("DeleteTopics", 5, {"TopicNames": [name], "TimeoutMs": 30000})
    gone = {("one", 0): (6, -1, "")}

    def told():  # the coordinator may hear of it later
        answer = peer.ask("OffsetFetch", 7, {"GroupId": talk.group, "Topics": None})
        return offsets(answer)
    until(lambda: told() == gone, told)
    make()
    assert peer.topics[name] != old
    talk.fetch(fetch_rows(talk, 9, **{name: [0]}))
    assert codes(talk.commit([rows(old, 0, version=10)], 10)) == {(old, 0): UNKNOWN_ID}


# ---- OffsetDelete


def delete(talk, *topics, **fields):
    """Topics as (name, partition...)."""
    return talk.ask("OffsetDelete", 0, **{"GroupId": talk.group, "Topics": [
        {"Name": name, "Partitions": [{"PartitionIndex": p} for p in partitions]}
        for name, *partitions in topics], **fields})


@on_both
def test_offset_delete(talk):
    assert delete(talk, ("one", 0))["ErrorCode"] == GROUP_NOT_FOUND
    assert delete(talk, ("one", 0), GroupId="")["ErrorCode"] == INVALID_GROUP
    talk.commit([rows("one", 0, 1, 2), rows("two", 0)])
    answer = delete(talk, ("one", 0, 1, 3), ("none", 0), ("two",))
    assert codes(answer) == {("one", 0): 0, ("one", 1): 0, ("one", 3): UNKNOWN_TOPIC,
                             ("none", 0): UNKNOWN_TOPIC}
    assert offsets(talk.fetch()).keys() == {("one", 2), ("two", 0)}
    assert codes(delete(talk, ("one", 0))) == {("one", 0): 0}  # again
    delete(talk)
    delete(talk, ("one", 2), ("two", 0))
    assert offsets(talk.fetch()) == {}
    talk.describe()


@pytest.mark.parametrize("version", [0, 1, 2, 3])
@on_both
def test_offset_delete_of_what_is_subscribed(talk, version):
    """As the members' metadata say; Kafka reads them where their kind is `consumer`."""
    metadata = subscription("one", "none", version=version)
    if version >= 1:
        metadata += struct.pack(">i", 0)
    if version >= 2:
        metadata += struct.pack(">i", 5)
    if version >= 3:
        metadata += struct.pack(">h", -1)
    member = talk.member("a", protocols=[("range", metadata)])
    talk.commit([rows("one", 0), rows("two", 0)])
    talk.stable(member)
    answer = delete(talk, ("one", 0), ("two", 0))
    assert codes(answer) == {("one", 0): SUBSCRIBED, ("two", 0): 0}
    assert offsets(talk.fetch()).keys() == {("one", 0)}
    member.leave()
    talk.until_state("Empty")
    assert codes(delete(talk, ("one", 0))) == {("one", 0): 0}


@on_both
def test_offset_delete_while_the_group_rebalances(talk):
    member = talk.member("a", protocols=[("range", subscription("one"))])
    talk.commit([rows("one", 0), rows("two", 0)])
    member.join()
    assert codes(delete(talk, ("one", 0), ("two", 0))) == {("one", 0): SUBSCRIBED, ("two", 0): 0}


@on_both
def test_offset_delete_with_metadata_that_says_nothing(talk):
    """Of the consumer's kind but not of its protocol, or of another kind."""
    for kind, metadata in (("consumer", b"junk"), ("consumer", b""), ("connect", b"junk")):
        member = talk.member("a", kind=kind, protocols=[("range", metadata)])
        talk.commit([rows("one", 0), rows("two", 0)])
        talk.stable(member)
        answer = delete(talk, ("one", 0), ("two", 0))
        if kind == "consumer":  # what cannot be read may be anything
            assert set(codes(answer).values()) == {SUBSCRIBED}
        else:
            assert (answer["ErrorCode"], answer["Topics"]) == (NON_EMPTY, [])
        member.leave()
        talk.until_state("Empty")
        assert set(codes(delete(talk, ("one", 0), ("two", 0))).values()) == {0}
