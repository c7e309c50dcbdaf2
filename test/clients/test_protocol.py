# SPDX-License-Identifier: Apache-2.0
"""Items of docs/protocol-checklist.md that need a broker of their own: its rack, its second start."""

from batch import batch
from kafka_server import KafkaServer
from klamm import KlammServer
from test_against_kafka import until
from wire import Wire, versions_of


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


NOT_SERVED = {*range(24, 29), 65, 66, 68, 69, 76, 77, 78, 79, *range(83, 94)}
FEATURES_NOT_SERVED = {"transaction.version", "group.version", "share.version", "streams.version"}


def test_transactions_and_new_groups_are_not_announced(server):
    with Wire(server().start().bootstrap) as wire:
        for version in (3, 4):
            told = wire.ask("ApiVersions", version, ClientSoftwareName="x", ClientSoftwareVersion="1")
            assert not {k["ApiKey"] for k in told["ApiKeys"]} & NOT_SERVED
            for kind in ("SupportedFeatures", "FinalizedFeatures"):
                assert not {f["Name"] for f in told[kind]} & FEATURES_NOT_SERVED


def test_a_transactional_batch_is_refused_for_good(server):
    """In every version; with a transactional id, and with one in the batch alone. What is plain goes on."""
    transactional = batch(attributes=0x10, producer_id=5, producer_epoch=0, base_sequence=0)
    written = 0
    with Wire(server().start().bootstrap) as wire:
        made = wire.ask("CreateTopics", 7, timeoutMs=30000, Topics=[
            {"Name": "t", "NumPartitions": 1, "ReplicationFactor": 1}])["Topics"][0]
        first, last = versions_of("Produce")
        for version in range(max(first, 3), last + 1):
            where = {"TopicId": made["TopicId"]} if version >= 13 else {"Name": "t"}
            answers = []
            for records, given in ((transactional, {"TransactionalId": "t"}), (transactional, {}),
                                   (batch(), {"TransactionalId": "t"}), (batch(), {})):
                answer = wire.ask("Produce", version, Acks=-1, TimeoutMs=30000, **given, TopicData=[
                    {**where, "PartitionData": [{"Index": 0, "Records": records}]}])
                row = answer["Responses"][0]["PartitionResponses"][0]
                answers.append((row["ErrorCode"], row["BaseOffset"]))
            assert answers == [(53, -1), (48, -1), (53, -1), (0, written)]
            written += 1


def config_of(wire, name, key):
    told = wire.ask("DescribeConfigs", 4, Resources=[
        {"ResourceType": 2, "ResourceName": name, "ConfigurationKeys": [key]}])
    return told["Results"][0]["Configs"][0]["Value"]


def test_what_was_answered_is_seen_at_once(server):
    """Each change of an administrator, by another connection that asks but once."""
    broker = server().start()
    with Wire(broker.bootstrap) as admin, Wire(broker.bootstrap) as other:
        def partitions():
            told = other.ask("Metadata", 12, Topics=[{"Name": "t"}], AllowAutoTopicCreation=False)
            return told["Topics"][0]["ErrorCode"], len(told["Topics"][0]["Partitions"])

        def committed():
            told = other.ask("OffsetFetch", 7, GroupId="g", Topics=[
                {"Name": "t", "PartitionIndexes": [0]}])
            return told["Topics"][0]["Partitions"][0]["CommittedOffset"]

        def first_offset():
            told = other.ask("ListOffsets", 7, ReplicaId=-1, Topics=[{"Name": "t", "Partitions": [
                {"PartitionIndex": 0, "Timestamp": -2}]}])
            return told["Topics"][0]["Partitions"][0]["Offset"]

        where = {"ResourceType": 2, "ResourceName": "t"}
        assert partitions() == (3, 0)
        admin.ask("CreateTopics", 7, timeoutMs=30000, Topics=[
            {"Name": "t", "NumPartitions": 1, "ReplicationFactor": 1}])
        assert partitions() == (0, 1)
        admin.ask("CreatePartitions", 3, TimeoutMs=30000, Topics=[{"Name": "t", "Count": 4, "Assignments": None}])
        assert partitions() == (0, 4)
        admin.ask("IncrementalAlterConfigs", 1, Resources=[{**where, "Configs": [
            {"Name": "retention.ms", "ConfigOperation": 0, "Value": "86400001"}]}])
        assert config_of(other, "t", "retention.ms") == "86400001"
        admin.ask("AlterConfigs", 2, Resources=[{**where, "Configs": [
            {"Name": "segment.ms", "Value": "86400002"}]}])
        assert config_of(other, "t", "segment.ms") == "86400002"
        assert config_of(other, "t", "retention.ms") == "604800000"
        admin.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
            {"Name": "t", "PartitionData": [{"Index": 0, "Records": batch()}]}])
        admin.ask("DeleteRecords", 2, TimeoutMs=30000, Topics=[{"Name": "t", "Partitions": [
            {"PartitionIndex": 0, "Offset": 1}]}])
        assert first_offset() == 1
        admin.ask("FindCoordinator", 3, Key="g", KeyType=0)
        until(lambda: admin.ask("OffsetFetch", 5, GroupId="g", Topics=None)["ErrorCode"] == 0,
              lambda: "loading")
        admin.ask("OffsetCommit", 8, GroupId="g", Topics=[{"Name": "t", "Partitions": [
            {"PartitionIndex": 0, "CommittedOffset": 7, "CommittedMetadata": ""}]}])
        assert committed() == 7
        admin.ask("OffsetDelete", 0, GroupId="g", Topics=[
            {"Name": "t", "Partitions": [{"PartitionIndex": 0}]}])
        assert committed() == -1
        admin.ask("DeleteGroups", 2, GroupsNames=["g"])
        assert "g" not in {g["GroupId"] for g in other.ask("ListGroups", 4)["Groups"]}
        admin.ask("DeleteTopics", 5, TopicNames=["t"], TimeoutMs=30000)
        assert partitions() == (3, 0)
