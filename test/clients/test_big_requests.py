# SPDX-License-Identifier: Apache-2.0
"""Requests of groups and administration that are as large as they may be, or ask for far more than they
are: an answer in bounded memory, and nobody else is held up. The broker has one reactor, so that work
which grows with the square of a request stops all others."""

import struct
import threading
import time

import pytest

from klamm import KlammServer
from test_against_kafka import until
from wire import APIS, Wire, decode_response, encode_request, put_varint

LIMIT_S = 120
LATENCY_MAX_S = 10  # of the witness; it is a stall that is looked for, not a slow machine
GROUPS = 500
ANSWER_MAX = 64 << 20   # LIMIT_GROUP_ANSWER_BYTES
RSS_MAX = 500 << 20
NOT_AVAILABLE = 15


class Witness:
    """A connection that sends heartbeats while something large is asked on another one."""

    def __init__(self, bootstrap):
        self.wire = Wire(bootstrap, timeout=LIMIT_S)
        self.beats = 0
        self.slowest_s = 0.0
        self.is_ended = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.is_ended:
            start = time.monotonic()
            self.wire.ask("Heartbeat", 4, GroupId="none", GenerationId=1, MemberId="m")
            self.slowest_s = max(self.slowest_s, time.monotonic() - start)
            self.beats += 1

    def __enter__(self):
        self.thread.start()
        until(lambda: self.beats > 0, lambda: "no beat")
        return self

    def __exit__(self, *_):
        self.is_ended = True
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()
        assert self.slowest_s < LATENCY_MAX_S


def stable(wire, group, metadata):
    """A group with one static member."""
    joined = wire.ask("JoinGroup", 9, GroupId=group, MemberId="", SessionTimeoutMs=600000,
                      RebalanceTimeoutMs=10000, ProtocolType="consumer", GroupInstanceId="i",
                      Protocols=[{"Name": "range", "Metadata": metadata}])
    assert joined["ErrorCode"] == 0
    synced = wire.ask("SyncGroup", 5, GroupId=group, MemberId=joined["MemberId"],
                      GenerationId=joined["GenerationId"], GroupInstanceId="i",
                      ProtocolType="consumer", ProtocolName="range",
                      Assignments=[{"MemberId": joined["MemberId"], "Assignment": b"a"}])
    assert synced["ErrorCode"] == 0


def commit(wire, group, topic, partitions=1, metadata=""):
    answer = wire.ask("OffsetCommit", 9, GroupId=group, Topics=[{"Name": topic, "Partitions": [
        {"PartitionIndex": i, "CommittedOffset": 5, "CommittedMetadata": metadata}
        for i in range(partitions)]}])
    assert {p["ErrorCode"] for p in answer["Topics"][0]["Partitions"]} == {0}


@pytest.fixture(scope="module")
def crowded(binary, tmp_path_factory):
    """With a group that reads 50,000 topics, one with a lot of offsets, one with large metadata, and
    some hundred others."""
    server = KlammServer(binary, directory=tmp_path_factory.mktemp("crowded"), klamm__reactors=1,
                         offsets__topic__num__partitions=3,
                         group__initial__rebalance__delay__ms=0)
    with server, Wire(server.bootstrap, timeout=LIMIT_S) as wire:
        wire.ask("CreateTopics", 7, timeoutMs=30000, Topics=[
            {"Name": f"t{i}", "NumPartitions": 100, "ReplicationFactor": 1} for i in range(5)])
        wire.ask("FindCoordinator", 3, Key="g", KeyType=0)
        until(lambda: wire.ask("OffsetFetch", 5, GroupId="g", Topics=None)["ErrorCode"] == 0,
              lambda: "loading")
        names = b"".join(struct.pack(">h", 8) + b"n%07d" % i for i in range(50000))
        stable(wire, "reads", struct.pack(">hi", 0, 50000) + names + struct.pack(">i", -1))
        stable(wire, "large", b"m" * 900000)
        commit(wire, "offsets", "t0", 100, "m" * 4000)
        for i in range(GROUPS):
            commit(wire, f"group-{i}", "t0")
        yield server


def large_frame(api, version, fields, element, copies):
    """fields([element]) with the element so many times; "########" in it becomes a number."""
    empty = encode_request(api, version, 1, fields([]))[4:]
    one = encode_request(api, version, 1, fields([element]))[4:]
    at = next(i for i in range(len(empty)) if empty[i] != one[i])
    body = one[at + 1:at + 1 + len(one) - len(empty)]
    before, number, after = body.partition(b"#" * 8)
    if number:
        body = b"".join(before + b"%08d" % i + after for i in range(copies))
    else:
        body *= copies
    count = bytearray()
    if APIS[api].request.is_flexible(version):
        put_varint(count, copies + 1)
    else:
        count += struct.pack(">i", copies)
        at -= 3
    behind = len(one) - len(empty) + at + (1 if APIS[api].request.is_flexible(version) else 4)
    whole = one[:at] + bytes(count) + body + one[behind:]
    return struct.pack(">i", len(whole)) + whole


THROTTLED = ",".join(f"{i}:{i % 10}" for i in range(4600))

# Each took half a minute when the work grew with the square.
SQUARES = {
    "topics that nobody may delete the offsets of": (
        "OffsetDelete", 0, lambda rows: {"GroupId": "reads", "Topics": rows},
        {"Name": "########", "Partitions": [{"PartitionIndex": 0}]}, 60000),
    "states of groups": (
        "ListGroups", 5, lambda rows: {"StatesFilter": rows, "TypesFilter": []}, "nonsense", 1400000),
    "types of groups": (
        "ListGroups", 5, lambda rows: {"StatesFilter": [], "TypesFilter": rows}, "nonsense", 1400000),
    "keys of configs": (
        "DescribeConfigs", 4, lambda rows: {"Resources": [
            {"ResourceType": 4, "ResourceName": "1", "ConfigurationKeys": rows}]}, "########",
        1000000),
    "members that leave": (
        "LeaveGroup", 5, lambda rows: {"GroupId": "reads", "Members": rows},
        {"MemberId": "########"}, 300000),
    "groups": ("FindCoordinator", 4, lambda rows: {"KeyType": 0, "CoordinatorKeys": rows},
               "########", 300000),
    "offsets by time": (
        "ListOffsets", 7, lambda rows: {"ReplicaId": -1, "Topics": rows},
        {"Name": "########", "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}, 100000),
    "committed offsets": (
        "OffsetFetch", 9, lambda rows: {"Groups": [{"GroupId": "offsets", "Topics": rows}]},
        {"Name": "########", "PartitionIndexes": list(range(10))}, 10000),
}


@pytest.mark.parametrize("name", SQUARES)
def test_others_go_on(crowded, name):
    api, version, fields, element, copies = SQUARES[name]
    frame = large_frame(api, version, fields, element, copies)
    with Wire(crowded.bootstrap, timeout=LIMIT_S) as wire, Witness(crowded.bootstrap):
        wire.send(frame)
        assert wire.receive()[:4] == b"\0\0\0\x01"  # the answer to it; reading it takes Python long


def test_others_go_on_while_long_lists_are_changed(crowded):
    """Words that are appended to lists of thousands, and taken away again."""
    for operation in (2, 2, 3):
        with Wire(crowded.bootstrap, timeout=LIMIT_S) as wire, Witness(crowded.bootstrap):
            answer = wire.ask("IncrementalAlterConfigs", 1, Resources=[
                {"ResourceType": 2, "ResourceName": f"t{i}", "Configs": [
                    {"Name": f"{who}.replication.throttled.replicas", "ConfigOperation": operation,
                     "Value": THROTTLED} for who in ("leader", "follower")]} for i in range(5)])
            assert {r["ErrorCode"] for r in answer["Responses"]} == {0}


def rss(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


@pytest.mark.parametrize("api", ["DescribeGroups", "OffsetFetch"])
def test_a_large_group_that_is_named_a_thousand_times(crowded, api):
    """A request of some KB: what does not fit into the answer is told to be asked for later."""
    if api == "DescribeGroups":
        version, fields = 5, {"Groups": ["large"] * 1000}
    else:
        version, fields = 9, {"Groups": [{"GroupId": "offsets", "Topics": None}] * 1000}
    with Wire(crowded.bootstrap, timeout=LIMIT_S) as wire, Witness(crowded.bootstrap):
        wire.send(encode_request(api, version, 1, fields))
        answer = wire.receive()
        assert len(answer) < ANSWER_MAX
        rows = decode_response(api, version, answer)[1]["Groups"]
    codes = [row["ErrorCode"] for row in rows]
    assert len(codes) == 1000 and set(codes) == {0, NOT_AVAILABLE}
    for row in rows:
        is_told = row["ErrorCode"] == 0
        assert len(row["Members" if api == "DescribeGroups" else "Topics"]) == is_told
    assert rss(crowded) < RSS_MAX


def test_twenty_thousand_groups_in_one_request(crowded):
    """As many as there are is what tools ask for."""
    names = [f"group-{i}" for i in range(20000)]
    with Wire(crowded.bootstrap, timeout=LIMIT_S) as wire, Witness(crowded.bootstrap):
        told = wire.ask("DescribeGroups", 5, Groups=names)["Groups"]
        assert [g["GroupId"] for g in told] == names
        assert [g["GroupState"] for g in told] == ["Empty"] * GROUPS + ["Dead"] * (20000 - GROUPS)
        told = wire.ask("OffsetFetch", 9, Groups=[{"GroupId": n, "Topics": None} for n in names])
        assert [len(g["Topics"]) for g in told["Groups"]] == [1] * GROUPS + [0] * (20000 - GROUPS)
        told = wire.ask("DeleteGroups", 2, GroupsNames=names[1:])["Results"]
        codes = {g["GroupId"]: g["ErrorCode"] for g in told}
        assert [codes[n] for n in names[1:]] == [0] * (GROUPS - 1) + [69] * (20000 - GROUPS)
