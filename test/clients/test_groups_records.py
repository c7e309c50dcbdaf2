# SPDX-License-Identifier: Apache-2.0
"""What lies in __consumer_offsets: lag exporters and the console consumer's formatters read it.

A key is an int16 of its kind (1 a committed offset, 2 a classic group) and what it names, a value an int16
of its version and the fact; no value takes the fact back.
"""

import struct
import time

import pytest

import batch as b
from groups import NAMES, GroupPeer, Talk, codes, rows
from test_against_kafka import until
from wire import Wire

NEVER = b"\xff\xff"  # a null string


@pytest.fixture
def talk(broker):
    with Talk(GroupPeer(broker.bootstrap), f"records-{next(NAMES)}") as talk:
        yield talk


def java_hash(text):
    code = 0
    for c in text:
        code = code * 31 + ord(c) & 0xffffffff
    return code - (1 << 32) if code >> 31 else code


def offsets_topic(wire):
    return wire.ask("Metadata", 12, Topics=[{"Name": "__consumer_offsets"}],
                    AllowAutoTopicCreation=False)["Topics"][0]


class Log:
    """The records of one group, as they come."""

    def __init__(self, talk):
        self.talk = talk
        self.wire = Wire(talk.peer.bootstrap)
        count = len(offsets_topic(self.wire)["Partitions"])
        self.partition = (java_hash(talk.group) & 0x7fffffff) % count
        self.next = 0

    def new(self):
        """(key, value) of those that are new, all in the partition that the group's name says."""
        answer = self.wire.ask("Fetch", 12, MaxWaitMs=0, MinBytes=0, MaxBytes=1 << 26, Topics=[
            {"Topic": "__consumer_offsets", "Partitions": [
                {"Partition": self.partition, "FetchOffset": self.next,
                 "PartitionMaxBytes": 1 << 26}]}])
        row = answer["Responses"][0]["Partitions"][0]
        assert row["ErrorCode"] == 0
        records = b.records_of(row["Records"] or b"")
        records = [r for r in records if r[0] >= self.next]
        self.next = max([self.next, *(r[0] + 1 for r in records)])
        name = string(self.talk.group)
        return [(key, value) for _, _, key, value in records
                if key[2:2 + len(name)] == name]

    def some(self, count):
        """As many as that, and no more. An answer may come before its record is shown."""
        records = []
        until(lambda: records.extend(self.new()) or len(records) >= count, lambda: records)
        assert len(records) == count, records
        return records

    def one(self):
        return self.some(1)[0]


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def blob(data):
    return struct.pack(">i", len(data)) + data


def offset_key(talk, topic, partition):
    return b"\0\1" + string(talk.group) + string(topic) + struct.pack(">i", partition)


def group_key(talk):
    return b"\0\2" + string(talk.group)


def is_now(data):
    at = struct.unpack(">q", data)[0]
    assert abs(at - time.time() * 1000) < 600000
    return at


def check_offset(talk, value, offset, epoch, metadata, topic="one"):
    """Version 4: a compact string, and the topic's id in tag 0."""
    data = metadata.encode()
    head = b"\0\4" + struct.pack(">qi", offset, epoch) + bytes([len(data) + 1]) + data
    assert value[:len(head)] == head
    is_now(value[len(head):len(head) + 8])
    assert value[len(head) + 8:] == b"\1\0\x10" + talk.peer.topics[topic].bytes


def check_group(value, kind, generation, protocol, leader, members):
    """Version 3; the members are in no order."""
    head = b"\0\3" + string(kind) + struct.pack(">i", generation)
    head += NEVER if protocol is None else string(protocol)
    head += NEVER if leader is None else string(leader)
    assert value[:len(head)] == head
    is_now(value[len(head):len(head) + 8])
    rest = value[len(head) + 8:]
    assert rest[:4] == struct.pack(">i", len(members))
    rest = rest[4:]
    left = list(members)
    while left:
        found = next(m for m in left if rest.startswith(m))
        left.remove(found)
        rest = rest[len(found):]
    assert rest == b""


def member_row(member, assignment):
    return (string(member.id) + (NEVER if member.instance is None else string(member.instance))
            + string("wire") + string("/127.0.0.1")
            + struct.pack(">ii", member.rebalance, member.session)
            + blob(member.protocols[0][1]) + blob(assignment))


# ---- committed offsets


@pytest.mark.parametrize("version", [2, 5, 9, 10])
def test_a_commit(talk, version):
    log = Log(talk)
    topic = talk.peer.topics["one"] if version >= 10 else "one"
    more = (3,) if version >= 6 else ()
    talk.commit([rows(topic, (0, 5, "m\u00e4", *more), (2, 6, None), version=version)], version)
    records = dict(log.some(2))
    assert set(records) == {offset_key(talk, "one", 0), offset_key(talk, "one", 2)}
    check_offset(talk, records[offset_key(talk, "one", 0)], 5, 3 if more else -1, "m\u00e4")
    check_offset(talk, records[offset_key(talk, "one", 2)], 6, -1, "")


def test_a_commit_with_a_retention(talk):
    """Version 1, which alone can say when it expires; without the topic's id."""
    log = Log(talk)
    talk.commit([rows("one", (0, 5, "meta"))], 2, RetentionTimeMs=5000)
    key, value = log.one()
    assert key == offset_key(talk, "one", 0)
    head = b"\0\1" + struct.pack(">q", 5) + string("meta")
    assert value[:len(head)] == head
    assert len(value) == len(head) + 16
    at = is_now(value[len(head):len(head) + 8])
    assert struct.unpack(">q", value[-8:])[0] == at + 5000


def test_a_commit_that_is_refused_leaves_nothing(talk):
    log = Log(talk)
    assert set(codes(talk.commit([rows("none", 0), rows("one", 7, (0, 1, "x" * 4097))])).values()
               ) == {3, 12}
    assert set(codes(talk.commit([rows("one", 0)], MemberId="x", GenerationIdOrMemberEpoch=1)
                     ).values()) <= {25, 69}  # Kafka has made the group all the same
    assert log.new() == []


def test_offsets_taken_back(talk):
    log = Log(talk)
    talk.commit([rows("one", 0, 1), rows("two", 0)])
    log.some(3)
    talk.ask("OffsetDelete", 0, GroupId=talk.group, Topics=[
        {"Name": "one", "Partitions": [{"PartitionIndex": 0}, {"PartitionIndex": 2}]}])
    assert log.one() == (offset_key(talk, "one", 0), None)
    talk.ask("DeleteGroups", 2, GroupsNames=[talk.group])
    records = log.some(3)
    assert set(records) == {(offset_key(talk, "one", 1), None), (offset_key(talk, "two", 0), None),
                            (group_key(talk), None)}
    assert records[-1][0] == group_key(talk)


# ---- groups


def test_a_group_from_its_first_member_to_its_end(talk):
    log = Log(talk)
    first = talk.member("a")
    assert first.ask_join()["ErrorCode"] == 79
    key, value = log.one()  # it is made by the first request, though nobody has joined
    assert key == group_key(talk)
    check_group(value, "", 0, None, None, [])
    first.ask_join()
    assert log.new() == []  # it is written when the leader has synced
    first.sync({first: b"all"})
    key, value = log.one()
    assert key == group_key(talk)
    check_group(value, "consumer", 1, "range", first.id, [member_row(first, b"all")])
    second = talk.member("b", instance="i-b", session=50000, rebalance=70000)
    second.begin_join()
    talk.rejoin([first])
    first.end_join(), second.end_join()
    assert log.new() == []
    second.begin_sync()
    first.sync({second: b"half"})
    second.end()
    key, value = log.one()
    check_group(value, "consumer", 2, "range", first.id,
                [member_row(first, b""), member_row(second, b"half")])
    second.commit([rows("one", (1, 7, "by member"))])
    key, value = log.one()
    check_offset(talk, value, 7, -1, "by member")
    second.leave()
    first.until_rebalance()
    assert log.new() == []
    first.leave()
    talk.until_state("Empty")
    key, value = log.one()
    assert key == group_key(talk)
    check_group(value, "consumer", 3, None, None, [])
    talk.ask("DeleteGroups", 2, GroupsNames=[talk.group])
    assert log.some(2) == [(offset_key(talk, "one", 1), None), (group_key(talk), None)]


def test_a_group_whose_member_is_lost(talk):
    log = Log(talk)
    member = talk.member("a", session=500)
    member.join()
    member.sync({})
    log.some(2)
    until(lambda: talk.state() == "Empty", talk.state)
    key, value = log.one()
    check_group(value, "consumer", 2, None, None, [])


def test_a_static_member_that_comes_again(talk):
    log = Log(talk)
    leader, old = talk.member("a"), talk.member("b", instance="i")
    talk.stable(leader, old)
    log.some(3)
    new = talk.member("b2", instance="i", protocols=[("range", b"new metadata")])
    new.join()
    key, value = log.one()  # before its sync
    assert key == group_key(talk)
    check_group(value, "consumer", 2, "range", leader.id,
                [member_row(leader, b"for a"), member_row(new, b"for b")])
    new.sync()
    assert log.new() == []


def test_the_topic_itself(talk):
    """Internal, compacted, with the configs that Kafka gives it."""
    Log(talk)
    with Wire(talk.peer.bootstrap) as wire:
        assert offsets_topic(wire)["IsInternal"] is True
        answer = wire.ask("DescribeConfigs", 4, Resources=[
            {"ResourceType": 2, "ResourceName": "__consumer_offsets", "ConfigurationKeys": None}])
    own = {c["Name"]: c["Value"] for c in answer["Results"][0]["Configs"]
           if c["ConfigSource"] == 1}
    assert own == {"cleanup.policy": "compact", "compression.type": "producer",
                   "segment.bytes": "104857600"}
