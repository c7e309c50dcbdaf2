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

NAMES = itertools.count()


@pytest.fixture(scope="module")
def peers(binary):
    with KlammServer(binary) as klamm, KafkaServer() as kafka:
        yield Peer(klamm.bootstrap), Peer(kafka.bootstrap)


def new_topic(peers, partitions=1, **configs):
    """The same new topic in both; its partitions take records."""
    name = f"admin-{next(NAMES)}"
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


def fill(peers, name, count=10, partition=0, **more):
    for peer in peers:
        producer = confluent_kafka.Producer({"bootstrap.servers": peer.bootstrap, "linger.ms": 0})
        for i in range(count):
            producer.produce(name, str(i), key="k", partition=partition, **more)
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
