# SPDX-License-Identifier: Apache-2.0
"""What must never come twice, over kill -9 and clean stops: producer ids, leader epochs, topic ids."""

import pytest

from wire import Wire

NO_TRANSACTION = {"TransactionalId": None, "TransactionTimeoutMs": 1000}


def new_topic(wire, name):
    answer = wire.ask("CreateTopics", 7, timeoutMs=30000, Topics=[
        {"Name": name, "NumPartitions": 2, "ReplicationFactor": 1}])
    assert answer["Topics"][0]["ErrorCode"] == 0
    return answer["Topics"][0]["TopicId"]


def epochs_of(wire, name):
    answer = wire.ask("Metadata", 12, Topics=[{"Name": name}])
    return [p["LeaderEpoch"] for p in answer["Topics"][0]["Partitions"]]


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_ids_and_epochs_rise_over_restarts(server, end):
    klamm = server().start()
    producer_ids, topic_ids = [], []
    with Wire(klamm.bootstrap) as wire:
        kept = new_topic(wire, "kept")
        cluster = wire.ask("DescribeCluster", 0)["ClusterId"]
    for epoch in range(4):
        with Wire(klamm.bootstrap) as wire:
            assert wire.ask("DescribeCluster", 0)["ClusterId"] == cluster
            assert epochs_of(wire, "kept") == [epoch, epoch]
            answer = wire.ask("Metadata", 12, Topics=[{"TopicId": kept, "Name": None}])
            assert answer["Topics"][0]["Name"] == "kept"
            topic_ids.append(new_topic(wire, "again"))
            wire.ask("DeleteTopics", 5, TopicNames=["again"], TimeoutMs=30000)
            for _ in range(3):
                answer = wire.ask("InitProducerId", 4, **NO_TRANSACTION)
                assert (answer["ErrorCode"], answer["ProducerEpoch"]) == (0, 0)
                producer_ids.append(answer["ProducerId"])
        getattr(klamm, end)()
        klamm.start()
    assert producer_ids == sorted(set(producer_ids))
    assert len(set(topic_ids)) == 4
    klamm.stop()


def test_consumers_find_the_end_of_an_old_epoch(server):
    """OffsetForLeaderEpoch and ListOffsets agree about which epoch wrote what (KIP-320)."""
    klamm = server().start()
    with Wire(klamm.bootstrap) as wire:
        new_topic(wire, "t")
    klamm.kill()
    klamm.start()
    with Wire(klamm.bootstrap) as wire:
        rows = wire.ask("OffsetForLeaderEpoch", 4, ReplicaId=-2, Topics=[
            {"Topic": "t", "Partitions": [{"Partition": 0, "LeaderEpoch": e} for e in (0, 1, 2)]}])
        ends = [(p["ErrorCode"], p["LeaderEpoch"], p["EndOffset"])
                for p in rows["Topics"][0]["Partitions"]]
        offsets = wire.ask("ListOffsets", 8, ReplicaId=-1, Topics=[
            {"Name": "t", "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}])
        latest = offsets["Topics"][0]["Partitions"][0]
        old = wire.ask("ListOffsets", 8, ReplicaId=-1, Topics=[{"Name": "t", "Partitions": [
            {"PartitionIndex": 0, "Timestamp": -1, "CurrentLeaderEpoch": 0}]}])
    # The log was empty in epoch 0, so that only epoch 1 has a beginning.
    assert ends[1:] == [(0, 1, 0), (0, -1, -1)]
    assert (latest["LeaderEpoch"], latest["Offset"]) == (1, 0)
    assert old["Topics"][0]["Partitions"][0]["ErrorCode"] == 74
    klamm.stop()
