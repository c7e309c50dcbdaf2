# SPDX-License-Identifier: Apache-2.0
"""Administration: the same requests to Klamm and to a real Kafka 4.4.0, and what they say compared as
in test_against_kafka.py. Where Klamm means to answer otherwise, that stands in a test of its own.
"""

import itertools

import confluent_kafka
import pytest

from test_against_kafka import Peer, all_versions, same, topic, until
from kafka import KafkaServer
from klamm import KlammServer

T0 = 1700000000000
NAMES = itertools.count()


@pytest.fixture(scope="module")
def peers(binary):
    with KlammServer(binary) as klamm, KafkaServer() as kafka:
        yield Peer(klamm.bootstrap), Peer(kafka.bootstrap)


def new_topic(peers, partitions=1, **configs):
    """The same new topic in both; its partitions take records."""
    name = f"admin-{next(NAMES)}"
    configs = {"retention__ms": "-1", **configs}  # records have old timestamps
    rows = [{"Name": k.replace("__", "."), "Value": v} for k, v in configs.items()]
    for peer in peers:
        answer = peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            topic(name, partitions, Configs=rows)]})
        assert answer["Topics"][0]["ErrorCode"] == 0, answer
        peer.learn(name)
        for i in range(partitions):
            settle(peer, name, i)
    return name


def offset_of(peer, name, partition, at=-1):
    answer = peer.ask("ListOffsets", 7, {"ReplicaId": -1, "Topics": [
        {"Name": name, "Partitions": [{"PartitionIndex": partition, "Timestamp": at}]}]})
    return answer["Topics"][0]["Partitions"][0]


def settle(peer, name, partition):
    """Kafka's broker may know a partition later than its controller."""
    def leads():
        return offset_of(peer, name, partition)
    until(lambda: leads()["ErrorCode"] == 0, leads)


def fill(peers, name, count=10, partition=0, value="v"):
    for peer in peers:
        producer = confluent_kafka.Producer({"bootstrap.servers": peer.bootstrap, "linger.ms": 0})
        for i in range(count):
            producer.produce(name, value, key="k", partition=partition, timestamp=T0 + i)
            assert producer.flush(30) == 0


# ---- CreatePartitions


def grown(name, count, *places):
    return {"Name": name, "Count": count,
            "Assignments": [{"BrokerIds": p} for p in places] if places else None}


@pytest.mark.parametrize("version", all_versions("CreatePartitions"))
def test_create_partitions(peers, version):
    first, second = new_topic(peers, 2), new_topic(peers)
    cases = [
        [grown(first, n)] for n in (2, 1, 0, -1, -1 << 31, 10003, (1 << 31) - 1)
    ] + [
        [grown(n, 2)] for n in ("none", "", "bad/x", "x" * 250, "__consumer_offsets")
    ] + [
        [], [grown(first, 3), grown(first, 4)], [grown("none", 3), grown("none", 3)],
        [grown(first, 6000), grown(second, 6000)],
        [{"Name": first, "Count": 3, "Assignments": []}], [grown(first, 4, [1])],
        [grown(first, 3, [1], [1])], [grown(first, 3, [9])], [grown(first, 3, [-1])],
        [grown(first, 3, [])], [grown(first, 3, [1, 1])], [grown(first, 3, [1, 9])],
        [grown(first, 4, [1], [])], [grown(first, 4, [], [1])], [grown(first, 1, [1])],
        [grown(first, 3)], [grown(first, 5, [1], [1]), grown(second, 2), grown("none", 2)],
    ]
    for topics in cases:
        for only in (True, False):
            answer = same(peers, "CreatePartitions", version, Topics=topics, TimeoutMs=30000,
                          ValidateOnly=only)
            assert len(answer["Results"]) == len({t["Name"] for t in topics})
    for peer in peers:
        settle(peer, first, 4)
        settle(peer, second, 1)
    answer = same(peers, "Metadata", 12, Topics=[{"Name": first}, {"Name": second}])
    assert sorted(len(t["Partitions"]) for t in answer["Topics"]) == [2, 5]


def test_new_partitions_take_records_at_once(peers):
    klamm = peers[0]
    name = new_topic([klamm])
    for count in (2, 3, 40):
        answer = klamm.ask("CreatePartitions", 3, {"Topics": [grown(name, count)],
                                                   "TimeoutMs": 30000})
        assert answer["Results"][0]["ErrorCode"] == 0
        assert offset_of(klamm, name, count - 1)["ErrorCode"] == 0
    fill([klamm], name, 1, 39)
    assert offset_of(klamm, name, 39)["Offset"] == 1


# ---- DeleteRecords


def to_delete(name, *partitions):
    return {"Name": name, "Partitions": [{"PartitionIndex": i, "Offset": o} for i, o in partitions]}


@pytest.mark.parametrize("version", all_versions("DeleteRecords"))
def test_delete_records(peers, version):
    name, second = new_topic(peers, 2), new_topic(peers)
    fill(peers, name)
    fill(peers, second)
    cases = [
        [to_delete(name, (0, 3))], [to_delete(name, (0, 1))], [to_delete(name, (0, 0))],
        [to_delete(name, (0, 11))], [to_delete(name, (0, -2))], [to_delete(name, (0, -1 << 63))],
        [to_delete(name, (0, (1 << 63) - 1))], [to_delete(name, (1, 0))], [to_delete(name, (1, 1))],
        [to_delete(name, (1, -1))], [to_delete(name, (0, 4), (1, 0), (2, 0), (-1, 0))],
        [to_delete("none", (0, 0)), to_delete("", (0, 0)), to_delete("bad/x", (0, 1))],
        [to_delete(name)], [to_delete("none")], [], [to_delete(name, (0, 5)), to_delete(second, (0, -1))],
        [to_delete(name, (0, 9))], [to_delete(name, (0, -1))], [to_delete(name, (0, 10))],
    ]
    for topics in cases:
        same(peers, "DeleteRecords", version, Topics=topics, TimeoutMs=30000)
        for at in (-1, -2, -4, T0, T0 + 3, T0 + 9):
            same(peers, "ListOffsets", 8, ReplicaId=-1, Topics=[
                {"Name": name, "Partitions": [{"PartitionIndex": 0, "Timestamp": at}]}])
    fill(peers, name, 2)
    for at in (9, 10, 12):
        assert len({fetch_code(peer, name, at) for peer in peers}) == 1


def fetch_code(peer, name, offset):
    answer = peer.ask("Fetch", 12, {"MaxWaitMs": 0, "MinBytes": 1, "MaxBytes": 1 << 20, "Topics": [
        {"Topic": name, "Partitions": [{"Partition": 0, "FetchOffset": offset,
                                        "PartitionMaxBytes": 1 << 20}]}]})
    row = answer["Responses"][0]["Partitions"][0]
    return row["ErrorCode"], row["LogStartOffset"], row["HighWatermark"], bool(row["Records"])


@pytest.mark.parametrize("policy", ["compact", "delete", "compact,delete", ""])
def test_delete_records_needs_a_policy_that_deletes(peers, policy):
    name = new_topic(peers, cleanup__policy=policy)
    fill(peers, name)
    for offset in (3, -1, 11, -5):
        same(peers, "DeleteRecords", 2, Topics=[to_delete(name, (0, offset))], TimeoutMs=30000)


def test_the_latest_record_is_one_that_is_there(peers):
    """Kafka tells the record with the largest time also when it was deleted."""
    klamm = peers[0]
    name = new_topic([klamm])
    fill([klamm], name)
    for start, found in ((3, 9), (9, 9), (10, -1)):
        klamm.ask("DeleteRecords", 2, {"TimeoutMs": 30000, "Topics": [to_delete(name, (0, start))]})
        assert offset_of(klamm, name, 0, -3)["Offset"] == found


def test_delete_records_answers_doubles(peers):
    """Kafka answers a double once, with the last of its offsets; we do what every row asks."""
    klamm = peers[0]
    name = new_topic([klamm])
    fill([klamm], name)
    answer = klamm.ask("DeleteRecords", 2, {"TimeoutMs": 30000, "Topics": [
        to_delete(name, (0, 4), (0, 2)), to_delete(name, (0, 3))]})
    rows = [p for t in answer["Topics"] for p in t["Partitions"]]
    assert [p["ErrorCode"] for p in rows] == [0, 0, 0]
    assert max(p["LowWatermark"] for p in rows) == 4
    assert offset_of(klamm, name, 0, -2)["Offset"] == 4


@pytest.mark.parametrize("ack", ["disk", "cache"])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_deleted_records_stay_away(server, ack, end):
    """Over restarts and kill -9 right behind the answer; segments wholly below the start are gone."""
    klamm = server(log__retention__check__interval__ms=100).start()
    peer = Peer(klamm.bootstrap)
    name = new_topic([peer], 2, klamm__ack=ack, internal__segment__bytes="1000")
    last = 0
    for start in (3, 17, 40):
        fill([peer], name, start - last, value="x" * 200)
        answer = peer.ask("DeleteRecords", 2, {"TimeoutMs": 30000, "Topics": [
            to_delete(name, (0, -1 if start == 40 else start - 2))]})
        row = answer["Topics"][0]["Partitions"][0]
        assert (row["ErrorCode"], row["LowWatermark"]) == (0, 40 if start == 40 else start - 2)
        getattr(klamm, end)()
        klamm.start()
        peer = Peer(klamm.bootstrap)
        assert offset_of(peer, name, 0, -2)["Offset"] == row["LowWatermark"]
        assert offset_of(peer, name, 0, -1)["Offset"] == start
        last = start

    def logs():
        return sorted(p.name for p in (klamm.data / f"{name}-0").glob("*.log"))
    until(lambda: len(logs()) == 1, logs)
