# SPDX-License-Identifier: Apache-2.0
"""Items of docs/protocol-checklist.md that need a broker of their own: its rack, its second start."""

import pytest

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


def fetch_with_an_epoch_from_before(broker, wire, topic, version):
    """What is told of the partition's leader."""
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
    leader = answer["Responses"][0]["Partitions"][0]["CurrentLeader"]
    nodes = [{**n, "Port": n["Port"] == broker.port} for n in answer["NodeEndpoints"]] \
        if version >= 16 else None
    return leader.get("LeaderId"), leader.get("LeaderEpoch") == epoch, nodes


def fetch_after_a_restart(broker, versions):
    """Makes a topic, starts the broker again, and fetches with the epoch from before."""
    broker.start()
    with Wire(broker.bootstrap) as wire:
        topic = wire.ask("CreateTopics", 7, timeoutMs=30000, Topics=[
            {"Name": "t", "NumPartitions": 1, "ReplicationFactor": 1}])["Topics"][0]
        assert topic["ErrorCode"] == 0
    broker.stop()
    broker.start()
    told = []
    for version in versions:
        with Wire(broker.bootstrap) as wire:
            told.append(fetch_with_an_epoch_from_before(broker, wire, topic, version))
    broker.stop()
    return told


def test_an_old_epoch_is_told_who_leads_now(binary):
    """KIP-951, as Kafka does it."""
    versions = (18, 12)
    assert fetch_after_a_restart(KlammServer(binary), versions) == \
        fetch_after_a_restart(KafkaServer(), versions)


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
    """With a transactional id, and by the batch alone, in every version. What is plain goes on."""
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


class Watched:
    """A broker of three reactors: an administrator, and others that answers of each reactor reach."""

    def __init__(self, server):
        self.broker = server(klamm__reactors=3, group__initial__rebalance__delay__ms=0).start()
        self.admin = Wire(self.broker.bootstrap)
        self.others = [Wire(self.broker.bootstrap) for _ in range(3)]  # one after another

    def do(self, api, version, **fields):
        answer = self.admin.ask(api, version, **fields)
        assert set(codes_of(answer)) <= {0}, answer
        return answer

    def sees(self, wanted, api, version, look, **fields):
        """Everybody asks but once."""
        asked = [other.ask(api, version, **fields) for other in self.others]
        assert [look(answer) for answer in asked] == [wanted] * len(self.others)


def codes_of(value):
    """All error codes of an answer."""
    if isinstance(value, dict):
        own = [value["ErrorCode"]] if "ErrorCode" in value else []
        return own + [c for v in value.values() for c in codes_of(v)]
    return [c for v in value for c in codes_of(v)] if isinstance(value, list) else []


@pytest.fixture
def watched(server):
    made = Watched(server)
    made.do("CreateTopics", 7, timeoutMs=30000, Topics=[
        {"Name": "t", "NumPartitions": 1, "ReplicationFactor": 1}])
    yield made
    made.broker.stop()


def test_changed_topics_are_seen_at_once(watched):
    def partitions(code, count):
        watched.sees((code, count), "Metadata", 12, lambda told: (
            told["Topics"][0]["ErrorCode"], len(told["Topics"][0]["Partitions"])),
            Topics=[{"Name": "t"}], AllowAutoTopicCreation=False)

    partitions(0, 1)
    watched.do("CreatePartitions", 3, TimeoutMs=30000, Topics=[
        {"Name": "t", "Count": 4, "Assignments": None}])
    partitions(0, 4)
    watched.do("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
        {"Name": "t", "PartitionData": [{"Index": 0, "Records": batch()}]}])
    for at in (0, 1):
        watched.do("DeleteRecords", 2, TimeoutMs=30000, Topics=[
            {"Name": "t", "Partitions": [{"PartitionIndex": 0, "Offset": at}]}])
        watched.sees(at, "ListOffsets", 7, lambda told: told["Topics"][0]["Partitions"][0]["Offset"],
                     ReplicaId=-1, Topics=[{"Name": "t", "Partitions": [
                         {"PartitionIndex": 0, "Timestamp": -2}]}])
    watched.do("DeleteTopics", 5, TopicNames=["t"], TimeoutMs=30000)
    partitions(3, 0)


# Of each kind of resource: its name, a key, two values, and what is told when neither is set.
TOPIC, BROKER, LOGGER, GROUP = 2, 4, 8, 32
CONFIGS = [
    (TOPIC, "t", "retention.ms", "86400001", "86400002", "604800000"),
    (BROKER, "1", "log.retention.ms", "86400003", "86400004", None),
    (BROKER, "", "log.retention.ms", "86400005", "86400006", "gone"),
    (GROUP, "g", "consumer.session.timeout.ms", "50001", "50002", "45000"),
    (LOGGER, "1", "net", "DEBUG", "WARN", "INFO"),
]


@pytest.mark.parametrize("kind,name,key,first,second,unset", CONFIGS)
def test_changed_configs_are_seen_at_once(watched, kind, name, key, first, second, unset):
    where = {"ResourceType": kind, "ResourceName": name}

    def value(wanted):
        def look(told):
            return next((c["Value"] for c in told["Results"][0]["Configs"]), "gone")
        watched.sees(wanted, "DescribeConfigs", 4, look, Resources=[
            {**where, "ConfigurationKeys": [key]}])
        if kind == BROKER:  # and by its topics
            shadow = wanted if wanted not in (None, "gone") else "604800000"
            watched.sees(shadow, "DescribeConfigs", 4, look, Resources=[
                {"ResourceType": TOPIC, "ResourceName": "t", "ConfigurationKeys": ["retention.ms"]}])

    value(unset)
    for operation, given, wanted in ((0, first, first), (0, second, second), (1, None, unset)):
        watched.do("IncrementalAlterConfigs", 1, Resources=[{**where, "Configs": [
            {"Name": key, "ConfigOperation": operation, "Value": given}]}])
        value(wanted)
    if kind != LOGGER:
        for configs, wanted in (([{"Name": key, "Value": first}], first), ([], unset)):
            watched.do("AlterConfigs", 2, Resources=[{**where, "Configs": configs}])
            value(wanted)


def test_changed_groups_are_seen_at_once(watched):
    """Offsets committed and deleted, members that an administrator removes, the group itself."""
    def committed(offset):
        watched.sees(offset, "OffsetFetch", 7,
                     lambda told: told["Topics"][0]["Partitions"][0]["CommittedOffset"],
                     GroupId="g", Topics=[{"Name": "t", "PartitionIndexes": [0]}])

    def members(state, *ids):
        watched.sees((state, [*ids]), "DescribeGroups", 5, lambda told: (
            told["Groups"][0]["GroupState"],
            [m["MemberId"] for m in told["Groups"][0]["Members"]]), Groups=["g"])

    def join(member_id, instance):
        return watched.admin.ask(
            "JoinGroup", 9, GroupId="g", SessionTimeoutMs=30000, RebalanceTimeoutMs=30000,
            MemberId=member_id, GroupInstanceId=instance, ProtocolType="consumer",
            Protocols=[{"Name": "range", "Metadata": b""}])

    watched.do("FindCoordinator", 3, Key="g", KeyType=0)
    until(lambda: watched.admin.ask("OffsetFetch", 5, GroupId="g", Topics=None)["ErrorCode"] == 0,
          lambda: "loading")
    watched.do("OffsetCommit", 8, GroupId="g", Topics=[{"Name": "t", "Partitions": [
        {"PartitionIndex": 0, "CommittedOffset": 7, "CommittedMetadata": ""}]}])
    committed(7)
    watched.do("OffsetDelete", 0, GroupId="g", Topics=[
        {"Name": "t", "Partitions": [{"PartitionIndex": 0}]}])
    committed(-1)
    for instance in ("i", None):
        joined = join("", instance)
        if instance is None:
            assert joined["ErrorCode"] == 79  # come again with this id
            joined = join(joined["MemberId"], None)
        assert joined["ErrorCode"] == 0
        members("CompletingRebalance", joined["MemberId"])
        watched.do("SyncGroup", 5, GroupId="g", GenerationId=joined["GenerationId"],
                   MemberId=joined["MemberId"], GroupInstanceId=instance,
                   ProtocolType="consumer", ProtocolName="range",
                   Assignments=[{"MemberId": joined["MemberId"], "Assignment": b"a"}])
        members("Stable", joined["MemberId"])
        gone = {"MemberId": "" if instance else joined["MemberId"], "GroupInstanceId": instance}
        watched.do("LeaveGroup", 5, GroupId="g", Members=[gone])
        members("Empty")
    watched.do("DeleteGroups", 2, GroupsNames=["g"])
    watched.sees([], "ListGroups", 4, lambda told: told["Groups"])
