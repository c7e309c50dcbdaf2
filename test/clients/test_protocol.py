# SPDX-License-Identifier: Apache-2.0
"""Items of docs/protocol-checklist.md that need a broker of their own: its rack, its second start."""

from batch import batch
from kafka_server import KafkaServer
from klamm import KlammServer
from test_against_kafka import until
from wire import Wire


def test_the_rack_is_told(server):
    klamm = server(broker__rack="r1").start()
    with Wire(klamm.bootstrap) as wire:
        for version in (1, 9, 13):
            assert [b["Rack"] for b in wire.ask("Metadata", version, Topics=[])["Brokers"]] == ["r1"]
        assert [b["Rack"] for b in wire.ask("DescribeCluster", 2)["Brokers"]] == ["r1"]
    klamm.stop()


def fetch_after_a_restart(broker, version):
    """Makes a topic, starts the broker again, and fetches with the epoch from before."""
    broker.start()
    with Wire(broker.bootstrap) as wire:
        topic = wire.ask("CreateTopics", 7, timeoutMs=30000, Topics=[
            {"Name": "t", "NumPartitions": 1, "ReplicationFactor": 1}])["Topics"][0]
        assert topic["ErrorCode"] == 0
    broker.stop()
    broker.start()
    with Wire(broker.bootstrap) as wire:
        def find():
            return wire.ask("Metadata", 12, Topics=[{"Name": "t"}])["Topics"][0]["Partitions"]
        until(lambda: [p["LeaderId"] for p in find()] == [1], find)
        epoch = find()[0]["LeaderEpoch"]
        where = {"TopicId": topic["TopicId"]} if version >= 13 else {"Topic": "t"}

        def ask():
            return wire.ask("Fetch", version, MaxWaitMs=0, MinBytes=1, MaxBytes=1000, Topics=[
                {**where, "Partitions": [{"Partition": 0, "FetchOffset": 0,
                                          "PartitionMaxBytes": 1000, "CurrentLeaderEpoch": 0}]}])

        def code():
            return ask()["Responses"][0]["Partitions"][0]["ErrorCode"]
        answer = until(lambda: code() == 74, ask)
    row = answer["Responses"][0]["Partitions"][0]
    leader = row["CurrentLeader"]
    broker.stop()
    nodes = [{**n, "Port": n["Port"] == broker.port} for n in answer["NodeEndpoints"]] \
        if version >= 16 else None
    return leader.get("LeaderId"), leader.get("LeaderEpoch") == epoch, nodes


def test_an_old_epoch_is_told_who_leads_now(binary):
    """KIP-951, as Kafka does it."""
    for version in (18, 12):
        assert fetch_after_a_restart(KlammServer(binary), version) == \
            fetch_after_a_restart(KafkaServer(), version)


def test_clients_do_not_write_to_internal_topics(server):
    klamm = server().start()
    with Wire(klamm.bootstrap) as wire:
        found = wire.ask("FindCoordinator", 3, Key="g")
        assert found["ErrorCode"] == 0

        answer = wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
            {"Name": "__consumer_offsets", "PartitionData": [{"Index": 0, "Records": batch()}]}])
        assert answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 17
    klamm.stop()
