# SPDX-License-Identifier: Apache-2.0
"""Administration: the same requests to Klamm and to a real Kafka 4.4.0, and what they say compared as
in test_against_kafka.py. Where Klamm means to answer otherwise, that stands in a test of its own.
"""

import itertools
import pathlib
import time

import confluent_kafka
import pytest

import batch
from test_against_kafka import Peer, all_versions, same, topic, until
from wire import Closed, Wire, frame
from kafka_server import KafkaServer
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
    fill_batches([klamm], name, "none", (T0 + 9, T0 + 1, T0 + 5), (T0 + 3,), (T0 + 4, T0 + 2))
    for start, found in ((0, 0), (1, 2), (3, 4), (4, 4), (5, 5), (6, -1)):
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


# ---- AlterConfigs, and configs of brokers

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def replaced(kind, name, *configs):
    return {"ResourceType": kind, "ResourceName": name, "Configs": [
        {"Name": n, "Value": v} for n, v in configs]}


def changed(kind, name, *configs):
    return {"ResourceType": kind, "ResourceName": name, "Configs": [
        {"Name": n, "ConfigOperation": o, "Value": v} for n, o, v in configs]}


def told(peer, kind, name, keys=None):
    """Without the key of which Kafka keeps a copy of its own."""
    rows = told_all(peer, kind, name, keys)
    return {key: row for key, row in rows.items() if key != "min.insync.replicas"}


def told_all(peer, kind, name, keys=None):
    """What DescribeConfigs says of the resource, by key."""
    answer = peer.ask("DescribeConfigs", 4, {"IncludeSynonyms": True, "Resources": [
        {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}]})
    assert answer["Results"][0]["ErrorCode"] == 0, answer
    return {c["Name"]: c for c in answer["Results"][0]["Configs"]}


def same_told(peers, kind, name, keys=None):
    """Kafka's broker may know it later than its controller."""
    ours = told(peers[0], kind, name, keys)
    until(lambda: told(peers[1], kind, name, keys) == ours,
          lambda: (ours, told(peers[1], kind, name, keys)))
    return ours


@pytest.mark.parametrize("version", all_versions("AlterConfigs"))
def test_alter_configs_of_topics(peers, version):
    name = new_topic(peers)
    keys = ["retention.ms", "segment.ms", "cleanup.policy"]
    for configs in ([("retention.ms", "5000")], [("segment.ms", " 6000 ")], [("retention.ms", "x")],
                    [("nope", "x")], [("retention.ms", None)], [("retention.ms", "1"), ("nope", "1")],
                    [("cleanup.policy", "compact,delete"), ("segment.ms", "1")],
                    [("cleanup.policy", "shred")], []):
        for only in (True, False):
            same(peers, "AlterConfigs", version, Resources=[replaced(TOPIC, name, *configs)],
                 ValidateOnly=only)
            same_told(peers, TOPIC, name, keys)
    for kind, other in ((TOPIC, "none"), (TOPIC, ""), (TOPIC, "bad/x"), (0, "x"), (1, "x"), (99, "x"),
                        (-1, "x"), (LOGGER, "1"), (BROKER, "2"), (BROKER, "x")):
        answer = same(peers, "AlterConfigs", version, Resources=[
            replaced(kind, other, ("segment.ms", "5000")), replaced(TOPIC, name)])
        assert len(answer["Responses"]) == 2
    assert same(peers, "AlterConfigs", version, Resources=[])["Responses"] == []


def test_alter_configs_refuses_doubles(peers):
    """Kafka never answers."""
    klamm = peers[0]
    for kind, name in ((TOPIC, "first"), (BROKER, "1"), (BROKER, "")):
        answer = klamm.ask("AlterConfigs", 2, {"Resources": [replaced(kind, name)] * 2})
        assert [r["ErrorCode"] for r in answer["Responses"]] == [42, 42]
    answer = klamm.ask("AlterConfigs", 2, {"Resources": [
        replaced(TOPIC, "first", ("segment.ms", "1"), ("segment.ms", "2"))]})
    assert answer["Responses"][0]["ErrorCode"] == 42


DYNAMIC = ["log.retention.ms", "log.segment.bytes", "log.cleanup.policy", "message.max.bytes",
           "log.flush.interval.ms", "log.roll.ms", "max.connections", "max.connections.per.ip",
           "producer.id.expiration.ms", "replica.alter.log.dirs.io.max.bytes.per.second",
           "log.retention.hours"]
SHADOWED = ["retention.ms", "segment.bytes", "cleanup.policy", "max.message.bytes", "flush.ms",
            "segment.ms"]


@pytest.mark.parametrize("node", ["1", ""])
def test_configs_of_brokers(peers, node):
    name = new_topic(peers)
    for peer in peers:  # a topic with values of its own
        peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
            changed(TOPIC, name, ("retention.ms", DELETE, None), ("flush.ms", SET, "77"))]})
    cases = [
        [("log.retention.ms", SET, "100000000")], [("log.segment.bytes", SET, " 2000000 ")],
        [("log.cleanup.policy", APPEND, "compact")], [("log.cleanup.policy", SUBTRACT, "delete")],
        [("log.retention.ms", SET, "x")], [("log.retention.ms", SET, None)],
        [("log.retention.ms", SET, "0")], [("log.retention.ms", SET, "-1")],
        [("log.segment.bytes", SET, "1")], [("log.segment.bytes", SET, "4000000000")],
        [("log.dirs", SET, "/x")], [("node.id", SET, "7")], [("log.retention.hours", SET, "5")],
        [("num.partitions", SET, "5")], [("log.dirs", APPEND, "/x")], [("nope", DELETE, None)],
        [("log.retention.ms", APPEND, "5")], [("log.cleanup.policy", SET, "shred")],
        [("log.retention.ms", SET, "5"), ("log.retention.ms", SET, "6")],
        [("log.retention.ms", SET, "6"), ("log.dirs", SET, "/x")], [],
        [("log.flush.interval.ms", SET, "99"), ("message.max.bytes", SET, "5000")],
        [("log.roll.ms", SET, "70000"), ("log.retention.ms", DELETE, None)],
        [("max.connections", SET, "500"), ("max.connections.per.ip", SET, "400")],
        [("max.connections.per.ip", SET, "0")], [("max.connections", SET, "-1")],
        [("producer.id.expiration.ms", SET, "3600000")], [("producer.id.expiration.ms", SET, "0")],
        *([("replica.alter.log.dirs.io.max.bytes.per.second", SET, value)]
          for value in ("0", "7", "-1", "x", "1.5", "9223372036854775807", "9223372036854775808")),
        [("num.replica.alter.log.dirs.threads", SET, "3")],
        [(k, DELETE, None) for k in DYNAMIC[:-1]],
    ]
    for configs in cases:
        for only in (True, False):
            same(peers, "IncrementalAlterConfigs", 1, ValidateOnly=only,
                 Resources=[changed(BROKER, node, *configs)])
        same_told(peers, BROKER, "1", DYNAMIC)
        same_told(peers, BROKER, "")
        same_told(peers, TOPIC, name, SHADOWED)
    assert told(peers[0], BROKER, "") == {}


def test_one_broker_beats_all_brokers(peers):
    name = new_topic(peers)
    for peer in peers:
        peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
            changed(TOPIC, name, ("retention.ms", DELETE, None))]})
    steps = [("", "1000000"), ("1", "2000000"), ("", "3000000"), ("1", None), ("", None)]
    for node, value in steps:
        same(peers, "IncrementalAlterConfigs", 1, Resources=[
            changed(BROKER, node, ("log.retention.ms", DELETE if value is None else SET, value))])
        same_told(peers, BROKER, "1", DYNAMIC)
        same_told(peers, BROKER, "")
        same_told(peers, TOPIC, name, SHADOWED)
    two = [changed(BROKER, "1", ("log.roll.ms", SET, "70000")),
           changed(BROKER, "", ("log.roll.ms", SET, "80000"))]
    same(peers, "IncrementalAlterConfigs", 1, Resources=two)
    same_told(peers, BROKER, "1", DYNAMIC)
    same(peers, "AlterConfigs", 2, Resources=[
        replaced(BROKER, "1", ("log.segment.bytes", "3000000"))])
    same_told(peers, BROKER, "1", DYNAMIC)
    same(peers, "AlterConfigs", 2, Resources=[replaced(BROKER, "1")])
    same(peers, "IncrementalAlterConfigs", 1, Resources=[
        changed(BROKER, "", ("log.roll.ms", DELETE, None))])
    same_told(peers, BROKER, "1", DYNAMIC)


@pytest.mark.parametrize("node", ["1", ""])
def test_validated_configs_of_brokers_change_nothing(peers, node):
    name = new_topic(peers)
    before = [("log.retention.ms", "1000000"), ("log.roll.ms", "70000")]
    # Kafka set it at its start and lets nobody take it away.
    kept = [] if node else [("min.insync.replicas", "1")]
    same(peers, "AlterConfigs", 2, Resources=[replaced(BROKER, node, *before, *kept)])
    for peer in peers:
        peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
            changed(TOPIC, name, ("retention.ms", DELETE, None))]})

    def now(tell, of):
        return [tell(of, BROKER, "1", DYNAMIC), tell(of, BROKER, ""),
                tell(of, TOPIC, name, SHADOWED)]

    expected = now(same_told, peers)
    assert expected[0]["log.roll.ms"]["Value"] == "70000"
    cases = [[("log.retention.ms", "2000000")], [("message.max.bytes", "5000")], [],
             [("log.retention.ms", "x")], [("log.segment.bytes", "1")], [("log.retention.ms", None)],
             [("log.dirs", "/x")], [("log.cleanup.policy", "shred")], [("max.connections", "7")]]
    for configs in cases:
        for version in all_versions("AlterConfigs"):
            same(peers, "AlterConfigs", version, ValidateOnly=True,
                 Resources=[replaced(BROKER, node, *configs, *kept)])
        for version in all_versions("IncrementalAlterConfigs"):
            for operation in (SET, DELETE):
                same(peers, "IncrementalAlterConfigs", version, ValidateOnly=True, Resources=[
                    changed(BROKER, node, *((k, operation, v) for k, v in configs))])
        assert now(told, peers[0]) == expected
    assert now(same_told, peers) == expected
    same(peers, "AlterConfigs", 2, Resources=[replaced(BROKER, node, *kept)])
    peers[0].ask("AlterConfigs", 2, {"Resources": [replaced(BROKER, node)]})
    assert same_told(peers, BROKER, "") == {}


# A value of one broker and a value of all brokers, of each key that changes while the broker runs.
VALUES = {
    "compression.gzip.level": (5, 6), "compression.lz4.level": (5, 6),
    "compression.type": ("lz4", "zstd"), "compression.zstd.level": (-5, 6),
    "log.cleaner.backoff.ms": (5000, 6000),
    "log.cleaner.dedupe.buffer.size": (50000000, 60000000),
    "log.cleaner.delete.retention.ms": (5000, 6000),
    "log.cleaner.io.buffer.load.factor": (0.7, 0.8), "log.cleaner.io.buffer.size": (50000, 60000),
    "log.cleaner.io.max.bytes.per.second": (5000000.0, 6000000.0),
    "log.cleaner.max.compaction.lag.ms": (50000000, 60000000),
    "log.cleaner.min.cleanable.ratio": (0.3, 0.4), "log.cleaner.min.compaction.lag.ms": (5, 6),
    "log.cleaner.threads": (2, 1),
    "log.cleanup.policy": ("compact", "compact,delete"),
    "log.flush.interval.messages": (50, 60), "log.flush.interval.ms": (5000, 6000),
    "log.index.interval.bytes": (5000, 6000), "log.index.size.max.bytes": (50000, 60000),
    "log.message.timestamp.after.max.ms": (5000, 6000),
    "log.message.timestamp.before.max.ms": (5000, 6000),
    "log.message.timestamp.type": ("LogAppendTime", "CreateTime"),
    "log.preallocate": ("true", "false"), "log.retention.bytes": (5000, 6000),
    "log.retention.ms": (5000, 6000), "log.roll.jitter.ms": (50, 60), "log.roll.ms": (5000, 6000),
    "log.segment.bytes": (1500000, 1600000), "log.segment.delete.delay.ms": (5000, 6000),
    "max.connections": (5000, 6000), "max.connections.per.ip": (5000, 6000),
    "max.decompressed.message.bytes": (5000, 6000), "message.max.bytes": (5000, 6000),
    "producer.id.expiration.ms": (5000, 6000),
    "replica.alter.log.dirs.io.max.bytes.per.second": (2000000, 3000000),
}
NOT_TOLD_UNSET = {"replica.alter.log.dirs.io.max.bytes.per.second"}
# Kafka sets the first at its start, for its eligible leader replicas; klamm.ack is ours alone.
OURS_ALONE = {"min.insync.replicas": (2, 3), "klamm.ack": ("cache", "disk")}
AT_START = {"listeners", "listener.security.protocol.map", "num.io.threads", "num.network.threads",
            "num.recovery.threads.per.data.dir"}


def dynamic_keys():
    """Those that work, of schema/configs.table."""
    table = pathlib.Path(__file__).resolve().parents[2] / "schema" / "configs.table"
    rows = ([cell.strip() for cell in line.split(" | ")] for line in table.read_text().splitlines())
    return {row[0] for row in rows if len(row) == 7 and row[5] == "works"
            and row[3].split()[0] in ("cluster", "broker")}


def test_every_dynamic_config_is_known_here():
    assert dynamic_keys() == VALUES.keys() | OURS_ALONE.keys() | AT_START


def test_every_dynamic_config(peers):
    """Set for all brokers and for one, told with its sources, shadowed by topics, and deleted."""
    name = new_topic(peers)
    for peer in peers:
        peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
            changed(TOPIC, name, ("retention.ms", DELETE, None))]})

    def compared():
        rows = same_told(peers, BROKER, "1", [*VALUES])
        same_told(peers, BROKER, "")

        def shadows(peer):
            rows = told(peer, TOPIC, name)
            return {key: row for key, row in rows.items() if not key.startswith("klamm.")}
        until(lambda: shadows(peers[0]) == shadows(peers[1]),
              lambda: [[row for k, row in shadows(a).items() if shadows(b).get(k) != row]
                       for a, b in (peers, reversed(peers))])
        return {k: (row["Value"], row["ConfigSource"]) for k, row in rows.items()}

    first = compared()
    assert first.keys() == VALUES.keys() - NOT_TOLD_UNSET
    for node, operation in (("1", SET), ("", SET), ("1", DELETE), ("", DELETE)):
        answer = same(peers, "IncrementalAlterConfigs", 1, Resources=[changed(BROKER, node, *(
            (key, operation, str(values[node == ""])) for key, values in VALUES.items()))])
        assert answer["Responses"][0]["ErrorCode"] == 0
        now = compared()
        if node == "1" and operation == DELETE:
            assert now == {k: (str(v[1]), 3) for k, v in VALUES.items()}
        elif node == "1" or operation == SET:
            assert now == {k: (str(v[0]), 2) for k, v in VALUES.items()}
        else:
            assert now == first


CLEANER = sorted(key for key in VALUES if key.startswith("log.cleaner."))


def test_configs_of_the_cleaner(peers):
    """What goes together and what may follow what is Kafka's to say: threads from half to double."""
    threads, memory, rate = ("log.cleaner.threads", "log.cleaner.dedupe.buffer.size",
                             "log.cleaner.io.max.bytes.per.second")
    steps = [
        ("", threads, 0, 42), ("", threads, 3, 42), ("", threads, 2, 0), ("1", threads, 4, 0),
        ("1", threads, 9, 42), ("1", threads, 1, 42), ("1", threads, -1, 42), ("1", threads, "x", 42),
        ("", threads, 99, 0), ("", threads, 2, 0),  # of which nothing comes for broker 1
        ("1", threads, 3, 0), ("1", threads, None, 0), ("1", threads, 4, 0), ("", threads, None, 0),
        ("1", threads, None, 42),  # back from four to one
        ("1", memory, 4194304 + 3, 42), ("1", memory, 4194304 + 4, 0), ("", memory, 9, 0),
        ("1", threads, 5, 42), ("1", memory, None, 42), ("", memory, None, 0), ("1", memory, None, 0),
        ("1", threads, 2, 0), ("1", threads, None, 0),
        ("", rate, "fast", 42), ("", rate, "1e3", 0), ("1", rate, 0, 0), ("1", rate, None, 0),
        ("", rate, None, 0), ("", "log.cleaner.backoff.ms", -1, 42),
        ("1", "log.cleaner.io.buffer.size", -1, 42), ("1", "log.cleaner.enable", "false", 42),
    ]
    for node, key, value, code in steps:
        for only in (True, False):
            answer = same(peers, "IncrementalAlterConfigs", 1, ValidateOnly=only, Resources=[
                changed(BROKER, node, (key, DELETE if value is None else SET, str(value)))])
            assert answer["Responses"][0]["ErrorCode"] == code, (node, key, value)
        same_told(peers, BROKER, "1", CLEANER)
        same_told(peers, BROKER, "")
    for configs in ([(threads, "2"), (memory, "2097152")], [(threads, "3"), (memory, "9000000")],
                    [(threads, "2"), (memory, "2097154")], []):
        same(peers, "AlterConfigs", 2, Resources=[replaced(BROKER, "1", *configs)])
        same_told(peers, BROKER, "1", CLEANER)
    assert told(peers[0], BROKER, "") == {}


def test_dynamic_configs_of_ours_alone(peers):
    klamm = peers[0]
    name = new_topic([klamm])

    def now(key):
        rows = [told_all(klamm, kind, of, [key])[key]
                for kind, of in ((BROKER, "1"), (TOPIC, name))]
        assert rows[0]["Value"] == rows[1]["Value"]
        assert rows[0]["ConfigSource"] == rows[1]["ConfigSource"]
        return rows[0]["Value"], rows[0]["ConfigSource"]

    for key, (one, everyone) in OURS_ALONE.items():
        first = now(key)
        assert first[1] == 5
        for node, operation, wanted in (("", SET, (str(everyone), 3)), ("1", SET, (str(one), 2)),
                                        ("", DELETE, (str(one), 2)), ("1", DELETE, first)):
            answer = klamm.ask("IncrementalAlterConfigs", 1, {"Resources": [
                changed(BROKER, node, (key, operation, str(one if node else everyone)))]})
            assert answer["Responses"][0]["ErrorCode"] == 0
            assert now(key) == wanted


def test_dynamic_configs_of_stored_batches_are_in_force(peers):
    """compression.type and log.message.timestamp.type, as the attributes of batches show them."""
    name = new_topic(peers)

    def attributes(peer):
        sent = batch.batch(payload=batch.record(value=b"x" * 500))
        row = peer.ask("Produce", 9, {"Acks": -1, "TimeoutMs": 30000, "TopicData": [
            {"Name": name, "PartitionData": [{"Index": 0, "Records": sent}]}]})
        row = row["Responses"][0]["PartitionResponses"][0]
        assert row["ErrorCode"] == 0
        got = peer.ask("Fetch", 12, {"MaxWaitMs": 0, "MinBytes": 1, "MaxBytes": 1 << 20, "Topics": [
            {"Topic": name, "Partitions": [{"Partition": 0, "FetchOffset": row["BaseOffset"],
                                            "PartitionMaxBytes": 1 << 20}]}]})
        return got["Responses"][0]["Partitions"][0]["Records"][22]

    assert [attributes(peer) for peer in peers] == [0, 0]
    steps = [("", "compression.type", "lz4", 3), ("1", "compression.type", "zstd", 4),
             ("", "log.message.timestamp.type", "LogAppendTime", 12),
             ("", "compression.type", None, 12),
             ("1", "compression.type", None, 8), ("", "log.message.timestamp.type", None, 0)]
    for node, key, value, wanted in steps:
        same(peers, "IncrementalAlterConfigs", 1, Resources=[
            changed(BROKER, node, (key, DELETE if value is None else SET, value))])
        assert attributes(peers[0]) == wanted
        until(lambda wanted=wanted: attributes(peers[1]) == wanted, lambda: attributes(peers[1]))


def test_producers_are_forgotten_sooner_when_asked(server):
    """producer.id.expiration.ms: who is forgotten may begin anywhere."""
    klamm = server(log__retention__check__interval__ms=100).start()
    peer = Peer(klamm.bootstrap)
    name = new_topic([peer])

    def send(sequence):
        sent = batch.batch(producer_id=5, producer_epoch=0, base_sequence=sequence)
        answer = peer.ask("Produce", 9, {"Acks": -1, "TimeoutMs": 30000, "TopicData": [
            {"Name": name, "PartitionData": [{"Index": 0, "Records": sent}]}]})
        return answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]

    assert (send(0), send(7)) == (0, 45)
    answer = peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
        changed(BROKER, "", ("producer.id.expiration.ms", SET, "200"))]})
    assert answer["Responses"][0]["ErrorCode"] == 0
    until(lambda: send(7) == 0, lambda: "still remembered")
    klamm.stop()


def test_configs_that_only_a_start_can_change(peers):
    """Kafka takes these while it runs, and names that nobody knows; we refuse what would do nothing."""
    klamm = peers[0]
    for node in ("1", ""):
        for key, value in (("num.io.threads", "5"), ("num.network.threads", "4"), ("nope", "1"),
                           ("background.threads", "11")):
            answer = klamm.ask("IncrementalAlterConfigs", 1, {"Resources": [
                changed(BROKER, node, (key, SET, value))]})
            assert answer["Responses"][0]["ErrorCode"] == 42
            assert key in answer["Responses"][0]["ErrorMessage"]


@pytest.mark.parametrize("key", ["max.connections", "max.connections.per.ip"])
def test_limits_of_connections_change_at_once(server, key):
    """For those who come after; over a restart too."""
    klamm = server().start()

    def set_most(value):
        with Wire(klamm.bootstrap) as wire:
            answer = wire.ask("IncrementalAlterConfigs", 1, Resources=[
                changed(BROKER, "", (key, SET, value))])
        assert answer["Responses"][0]["ErrorCode"] == 0

    def fit(count):
        """So many get an answer; the others are closed."""
        wires, answers = [Wire(klamm.bootstrap) for _ in range(count)], 0
        for wire in wires:
            try:
                answers += wire.ask("ApiVersions", 0)["ErrorCode"] == 0
            except Closed:
                pass
        for wire in wires:
            wire.socket.close()
        return answers

    def until_fit(count, wanted):
        deadline = time.monotonic() + 30  # those before may still be there
        while (fits := fit(count)) != wanted:
            assert time.monotonic() < deadline, fits

    assert fit(20) == 20
    set_most("5")
    until_fit(20, 5)
    klamm.kill()
    klamm.start()
    until_fit(20, 5)
    set_most("15")
    until_fit(20, 15)


def test_broker_configs_survive_restarts(server):
    """In force at once, on topics that are there; above the file; after a stop and a kill -9."""
    klamm = server(log__retention__check__interval__ms=100, log__segment__bytes=1 << 20,
                   message__max__bytes=2000).start()
    peer = Peer(klamm.bootstrap)
    name = new_topic([peer])

    def takes(size):
        producer = confluent_kafka.Producer({"bootstrap.servers": klamm.bootstrap})
        errors = []
        producer.produce(name, b"x" * size, callback=lambda e, _: errors.append(e))
        assert producer.flush(30) == 0
        return errors[0] is None

    assert takes(1500) and not takes(3000)
    for node, size in (("", 4000), ("1", 8000)):
        answer = peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
            changed(BROKER, node, ("message.max.bytes", SET, str(size)))]})
        assert answer["Responses"][0]["ErrorCode"] == 0
        for end in (None, klamm.stop, klamm.kill):
            if end:
                end()
                klamm.start()
                peer = Peer(klamm.bootstrap)
            assert takes(size - 500) and not takes(size + 500)
            row = told(peer, TOPIC, name, ["max.message.bytes"])["max.message.bytes"]
            assert (row["Value"], row["ConfigSource"]) == (str(size), 2 if node else 3)
            assert [s["Source"] for s in row["Synonyms"]] == ([2, 3, 4, 5] if node else [3, 4, 5])
    answer = peer.ask("AlterConfigs", 2, {"Resources": [replaced(BROKER, "1"), replaced(BROKER, "")]})
    assert [r["ErrorCode"] for r in answer["Responses"]] == [0, 0]
    assert takes(1500) and not takes(3000)


# Kafka's only logger besides root in this set-up, and one of ours.
LOGGERS = "net", "org.apache.kafka.server.logger.LoggingController"


def levels(peer, logger, name="1", keys=("root", "?")):
    """DescribeConfigs of the two loggers that both have, by our names."""
    keys = keys and [logger if k == "?" else k for k in keys]
    answer = peer.ask("DescribeConfigs", 4, {"Resources": [
        {"ResourceType": LOGGER, "ResourceName": name, "ConfigurationKeys": keys}]})
    result = answer["Results"][0]
    result["ErrorMessage"] = None
    result["Configs"] = [row | {"Name": row["Name"].replace(logger, "?")} for row in result["Configs"]
                         if row["Name"] in ("root", logger)]
    return result | {"Configs": sorted(result["Configs"], key=lambda row: row["Name"])}


@pytest.mark.parametrize("name", ["1", "2", "", "x"])
def test_loggers(peers, name):
    cases = [
        [("root", SET, "ERROR"), ("?", DELETE, None)], [("?", SET, "DEBUG")], [("root", SET, "WARN")],
        [("?", DELETE, None)], [("root", SET, "INFO")], [("?", DELETE, "x")], [("?", SET, "WARN"), ("root", SET, "ERROR")],
        [("root", SET, "INFO"), ("?", DELETE, None)], [("root", DELETE, None)], [("root", DELETE, "x"), ("nope", SET, "x")],
        [("root", APPEND, "INFO")], [("?", SUBTRACT, "INFO")], [("nope", APPEND, "zzz")], [("?", 9, "INFO")],
        [("nope", SET, "DEBUG")], [("nope", DELETE, None)], [("", SET, "INFO")], [("ROOT", SET, "INFO")],
        [("?", SET, v) for v in ("NOPE",)], [("?", SET, "")], [("?", SET, "debug")], [("root", SET, " INFO")],
        [("root", SET, "OFF")], [("?", SET, None)], [("nope", SET, None)], [("nope", SET, "x"), ("?", SET, None)],
        [("?", SET, "DEBUG"), ("nope", SET, "INFO")], [("root", SET, "DEBUG"), ("?", SET, "x")],
        [("root", SET, "INFO"), ("root", SET, "WARN")], [("?", SET, "INFO"), ("?", DELETE, None)],
        [("?", SET, "ERROR"), ("root", DELETE, None)], [],
    ]
    for configs in cases:
        for only in (True, False):
            codes, told_levels = [], []
            for peer, logger in zip(peers, LOGGERS):
                renamed = [(logger if n == "?" else n, o, v) for n, o, v in configs]
                answer = peer.ask("IncrementalAlterConfigs", 1, {
                    "ValidateOnly": only, "Resources": [changed(LOGGER, name, *renamed)]})
                codes.append(answer["Responses"][0]["ErrorCode"])
                told_levels.append([levels(peer, logger, name), levels(peer, logger, "1", None),
                                    levels(peer, logger, "1", ["root", "nope"])])
            assert codes[0] == codes[1], configs
            assert told_levels[0] == told_levels[1] or configs == cases[0] and only, configs
        for config in [("root", "INFO")], []:
            same(peers, "AlterConfigs", 2, ValidateOnly=True, Resources=[replaced(LOGGER, name, *config)])


def test_the_loggers_are_the_folders_of_the_source(server):
    """And root. FATAL and TRACE are the nearest levels of ours; a restart forgets them all."""
    klamm = server().start()
    peer = Peer(klamm.bootstrap)

    def shown():
        answer = peer.ask("DescribeConfigs", 4, {"Resources": [
            {"ResourceType": LOGGER, "ResourceName": "1", "ConfigurationKeys": None}]})
        return {c["Name"]: c["Value"] for c in answer["Results"][0]["Configs"]}

    def alter(*configs):
        answer = peer.ask("IncrementalAlterConfigs", 1, {"Resources": [changed(LOGGER, "1", *configs)]})
        assert answer["Responses"][0]["ErrorCode"] == 0

    areas = {"broker", "cli", "console", "controller", "coordinator", "env", "log", "net", "replica", "store"}
    assert shown() == dict.fromkeys(areas | {"root"}, "INFO")
    alter(("net", SET, "TRACE"), ("log", SET, "FATAL"), ("root", SET, "WARN"))
    assert shown() == dict.fromkeys(areas | {"root"}, "WARN") | {"net": "DEBUG", "log": "ERROR"}
    alter(("net", DELETE, None))
    assert shown()["net"] == "WARN"
    klamm.stop()
    klamm.start()
    peer = Peer(klamm.bootstrap)
    assert set(shown().values()) == {"INFO"}


def test_a_level_of_a_logger_is_in_force(server):
    """The lines of one area come and go, those of the others stay."""
    klamm = server().start()
    peer = Peer(klamm.bootstrap)

    def says(area_level, root_level):
        answer = peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
            changed(LOGGER, "1", ("broker", SET, area_level), ("root", SET, root_level))]})
        assert answer["Responses"][0]["ErrorCode"] == 0
        before = len(klamm.lines)
        with Wire(klamm.bootstrap) as wire, pytest.raises(Closed):
            wire.send(frame(999, 0, 1, b"", False))  # broker says so at INFO before it closes
            wire.receive()
        return lambda: any("API key 999" in line for line in klamm.lines[before:])

    loud = says("INFO", "ERROR")
    until(loud, lambda: klamm.lines[-5:])
    says("WARN", "DEBUG")
    loud = says("DEBUG", "ERROR")
    until(loud, lambda: klamm.lines[-5:])
    assert sum("API key 999" in line for line in klamm.lines) == 2


# ---- configs of groups

GROUP_CASES = [
    [("consumer.session.timeout.ms", SET, " 50000 "), ("share.renew.acknowledge.enable", SET, " FALSE ")],
    [("consumer.session.timeout.ms", SET, "44999")], [("consumer.session.timeout.ms", SET, "x")],
    [("consumer.heartbeat.interval.ms", SET, "+7000"), ("streams.num.standby.replicas", SET, "2")],
    [("streams.num.standby.replicas", SET, "3")], [("share.delivery.count.limit", SET, "11")],
    [("consumer.session.timeout.ms", SET, None)], [("nope", SET, "1")], [("nope", DELETE, None)], [("", SET, "1")],
    [("consumer.session.timeout.ms", APPEND, "1")], [("streams.rack.aware.assignment.tags", APPEND, "c")],
    [("streams.rack.aware.assignment.tags", SET, " a , b ")], [("streams.rack.aware.assignment.tags", SUBTRACT, "a")],
    [("streams.rack.aware.assignment.tags", SET, "a,a")], [("share.auto.offset.reset", SET, "by_duration:PT1H")],
    [("share.auto.offset.reset", SET, "by_duration:-PT1H")], [("share.isolation.level", SET, "READ_COMMITTED")],
    [("streams.assignor.name", SET, " sticky "), ("errors.deadletterqueue.topic.name", SET, " dlq ")],
    [("streams.assignor.name", SET, "x")], [("errors.deadletterqueue.topic.name", SET, "__x")],
    [("streams.task.offset.interval.ms", SET, "20000"), ("consumer.assignor.offload.enable", SET, "false")],  # internal
    [("consumer.session.timeout.ms", SET, "50000"), ("consumer.session.timeout.ms", SET, "50001")],
    [("consumer.session.timeout.ms", SET, "51000"), ("nope", SET, "50001")], [],
    [("consumer.session.timeout.ms", DELETE, None), ("consumer.heartbeat.interval.ms", DELETE, "x")],
]


def test_configs_of_groups(peers):
    for configs in GROUP_CASES:
        for only in (True, False):
            same(peers, "IncrementalAlterConfigs", 1, ValidateOnly=only, Resources=[changed(GROUP, "g1", *configs)])
        same_told(peers, GROUP, "g1")
    row = told(peers[0], GROUP, "g1")["share.auto.offset.reset"]
    assert (row["Value"], row["ConfigSource"]) == ("by_duration:PT1H", 8)
    same_told(peers, GROUP, "g1", ["consumer.session.timeout.ms", "nope"])
    same_told(peers, GROUP, "of nobody")
    for name in ("", "a b", "a/b", "..", "x" * 300, "\u00e4"):
        same(peers, "IncrementalAlterConfigs", 1, Resources=[
            changed(GROUP, name, ("consumer.heartbeat.interval.ms", SET, "6000"))])
        if name:
            same_told(peers, GROUP, name)
        same(peers, "DescribeConfigs", 4, Resources=[{"ResourceType": GROUP, "ResourceName": ""}])


@pytest.mark.parametrize("version", all_versions("AlterConfigs"))
def test_alter_configs_of_groups(peers, version):
    for configs in ([("consumer.session.timeout.ms", "55000")], [("share.session.timeout.ms", "50000")], [("nope", "1")],
                    [("consumer.session.timeout.ms", None)], [("consumer.session.timeout.ms", "1")],
                    [("share.session.timeout.ms", "50000"), ("nope", "1")], []):
        for only in (True, False):
            same(peers, "AlterConfigs", version, ValidateOnly=only, Resources=[replaced(GROUP, "g2", *configs)])
        same_told(peers, GROUP, "g2")
    same(peers, "AlterConfigs", version, Resources=[replaced(GROUP, ""), replaced(TOPIC, "first")])


def test_names_of_what_has_configs(peers):
    def listed(peer, version, *types):
        answer = peer.ask("ListConfigResources", version, {"ResourceTypes": list(types)} if version else {})
        rows = sorted((r["ResourceType"], r["ResourceName"]) for r in answer["ConfigResources"])
        if types:
            return answer["ErrorCode"], [r for r in rows if r[0] != TOPIC or r[1] in ("first", "empty", "un_der")]
        return answer["ErrorCode"], {r for r in rows if r[0] != TOPIC}, (TOPIC, "first") in rows

    # Other tests have left configs of groups, and topics that one of the two has.
    for peer in peers:
        for kind, name in listed(peer, 1, GROUP)[1]:
            peer.ask("AlterConfigs", 2, {"Resources": [replaced(kind, name)]})
    for step in ([("list-a", "6000"), ("list-b", "6000")], [("list-a", None)], [("list-b", None)]):
        for name, value in step:
            config = ("consumer.heartbeat.interval.ms", DELETE if value is None else SET, value)
            same(peers, "IncrementalAlterConfigs", 1, Resources=[changed(GROUP, name, config)])
        for types in ((GROUP,), (), (TOPIC,), (BROKER,), (LOGGER,), (METRICS,), (GROUP, BROKER), (TOPIC, TOPIC), (0,), (99,),
                      (GROUP, -1), (1,)):
            ours = listed(peers[0], 1, *types)
            until(lambda: listed(peers[1], 1, *types) == ours, lambda: (ours, listed(peers[1], 1, *types)))
    rows = peers[0].ask("ListConfigResources", 1, {"ResourceTypes": [TOPIC]})["ConfigResources"]
    topics = peers[0].ask("Metadata", 12, {"Topics": None})["Topics"]
    assert sorted(r["ResourceName"] for r in rows) == sorted(t["Name"] for t in topics)
    for peer in peers:
        assert peer.ask("ListConfigResources", 0, {}) == {"ThrottleTimeMs": 0, "ErrorCode": 0, "ConfigResources": []}


@pytest.mark.parametrize("kind,name", [(TOPIC, "first"), (BROKER, "1"), (GROUP, "g")])
def test_every_config_has_its_documentation(peers, kind, name):
    """As in Kafka; where a key has no effect here, the text says so."""
    standing = {"process.roles": "(means nothing to this broker)",
                "ssl.keystore.location": "the default the broker does not start)",
                "local.retention.ms": "(kept, without effect yet)", "share.session.timeout.ms": "(kept, without effect yet)"}
    for peer in peers:
        rows = documented(peer, kind, name)
        assert len(rows) > 20
        assert not [n for n, text in rows.items() if text is None or len(text) <= 10]
    ours = documented(peers[0], kind, name)
    ends = {n: end for n, end in standing.items() if n in ours}
    assert ends
    for key, end in ends.items():
        assert ours[key].endswith(end)


def test_the_documentation_of_loggers_is_empty(peers):
    for peer in peers:
        rows = documented(peer, LOGGER, "1")
        assert set(rows.values()) == {""}


def documented(peer, kind, name):
    answer = peer.ask("DescribeConfigs", 4, {"IncludeDocumentation": True, "Resources": [
        {"ResourceType": kind, "ResourceName": name}]})
    assert answer["Results"][0]["ErrorCode"] == 0
    return {row["Name"]: row["Documentation"] for row in answer["Results"][0]["Configs"]}


def test_configs_of_groups_say_that_nobody_reads_them(peers):
    for text in documented(peers[0], GROUP, "g").values():
        assert text.endswith("(kept, without effect yet)")


def test_configs_of_groups_survive_restarts(server):
    klamm = server(group__consumer__session__timeout__ms=46000, group__consumer__max__session__timeout__ms=50000).start()
    peer = Peer(klamm.bootstrap)
    key, other = "consumer.session.timeout.ms", "share.auto.offset.reset"

    def alter(name, *configs):
        return peer.ask("IncrementalAlterConfigs", 1, {"Resources": [changed(GROUP, name, *configs)]})["Responses"][0]["ErrorCode"]

    assert alter("g", (key, SET, "50001")) == 40
    assert alter("g", (key, SET, "50000"), (other, SET, "earliest")) == 0
    assert alter("h", (key, SET, "49000")) == 0
    for end in (klamm.stop, klamm.kill):
        end()
        klamm.start()
        peer = Peer(klamm.bootstrap)
        row = told(peer, GROUP, "g")[key]
        assert [(s["Name"], s["Value"], s["Source"]) for s in row["Synonyms"]] == [
            (key, "50000", 8), ("group." + key, "46000", 4), ("group." + key, "45000", 5)]
        assert told(peer, GROUP, "g")[other]["ConfigSource"] == 8
        row = told(peer, GROUP, "none")[key]
        assert (row["Value"], row["ConfigSource"]) == ("46000", 4)
        listed = peer.ask("ListConfigResources", 1, {"ResourceTypes": [GROUP]})["ConfigResources"]
        assert [r["ResourceName"] for r in listed] == (["g", "h"] if end == klamm.stop else ["g"])
        assert alter("h", (key, DELETE, None)) == 0
    assert alter("g\0h", (key, SET, "49000")) == 42


def test_client_metrics_are_no_resource(peers):
    """Kafka keeps subscriptions; here no client would ever be told of one (KIP-714 is not served)."""
    klamm = peers[0]
    for api, resource in (("IncrementalAlterConfigs", changed(METRICS, "m", ("interval.ms", SET, "1000"))),
                          ("AlterConfigs", replaced(METRICS, "m", ("interval.ms", "1000")))):
        answer = klamm.ask(api, 1, {"Resources": [resource]})
        assert answer["Responses"][0]["ErrorCode"] == 42
    answer = klamm.ask("DescribeConfigs", 4, {"Resources": [{"ResourceType": METRICS, "ResourceName": "m"}]})
    assert answer["Results"][0]["ErrorCode"] == 42
    assert not {71, 72} & {k["ApiKey"] for k in klamm.ask("ApiVersions", 4, {
        "ClientSoftwareName": "x", "ClientSoftwareVersion": "1"})["ApiKeys"]}


# ---- ListOffsets


def special_offsets(peers, name, names=(-1, -2, -3, -4, -5, -6)):
    for version in all_versions("ListOffsets"):
        for at in names:
            for isolation in (0, 1) if version >= 2 else (None,):
                fields = {} if isolation is None else {"IsolationLevel": isolation}
                same(peers, "ListOffsets", version, ReplicaId=-1, **fields, Topics=[
                    {"Name": name, "Partitions": [{"PartitionIndex": 0, "Timestamp": at}]}])


def offsets_by_time(peers, name):
    """The first record at each time or after it, inside a batch, too."""
    for version in (1, 4, 11):
        for at in range(T0, T0 + 12):
            same(peers, "ListOffsets", version, ReplicaId=-1, Topics=[
                {"Name": name, "Partitions": [{"PartitionIndex": 0, "Timestamp": at}]}])


def fill_batches(peers, name, codec, *batches):
    """Each batch with its records' times, and in a millisecond of its own by the broker's clock."""
    for peer in peers:
        producer = confluent_kafka.Producer({"bootstrap.servers": peer.bootstrap, "linger.ms": 10000,
                                             "compression.type": codec})
        for times in batches:
            for at in times:
                producer.produce(name, b"v" * 50, key=str(next(NAMES)), partition=0, timestamp=at)
            assert producer.flush(30) == 0
            time.sleep(0.002)


@pytest.mark.parametrize("codec", ["none", "gzip", "lz4", "snappy", "zstd"])
@pytest.mark.parametrize("policy", ["delete", "compact"])
def test_special_offsets(peers, codec, policy):
    """The largest time inside a batch, several times in one, and in segments of one batch each."""
    batches = [(T0 + 5, T0 + 1), (T0 + 7, T0 + 9, T0 + 9, T0 + 2), (T0 + 9, T0 + 3), (T0 + 8,)]
    for segment in ("1000000", "350"):
        name = new_topic(peers, cleanup__policy=policy, internal__segment__bytes=segment)
        special_offsets(peers, name)
        for i in range(len(batches)):
            fill_batches(peers, name, codec, batches[i])
            special_offsets(peers, name)
        offsets_by_time(peers, name)
        if policy == "delete":
            same(peers, "DeleteRecords", 2, Topics=[to_delete(name, (0, 3))], TimeoutMs=30000)
            special_offsets(peers, name, (-1, -2, -4, -5, -6))


def test_special_offsets_by_the_brokers_clock(peers):
    """Times differ, offsets do not."""
    name = new_topic(peers, message__timestamp__type="LogAppendTime")
    fill_batches(peers, name, "none", (T0, T0), (T0,))
    for at in (-1, -2, -3, -4, -5, -6):
        rows = [offset_of(peer, name, 0, at) for peer in peers]
        assert [(r["ErrorCode"], r["Offset"], r["LeaderEpoch"]) for r in rows[:1]] == \
            [(r["ErrorCode"], r["Offset"], r["LeaderEpoch"]) for r in rows[1:]], at


# ---- DescribeTopicPartitions


def paged(peers, names, limit=2000, cursor=None):
    return same(peers, "DescribeTopicPartitions", 0, Topics=[{"Name": n} for n in names],
                ResponsePartitionLimit=limit,
                Cursor=cursor and {"TopicName": cursor[0], "PartitionIndex": cursor[1]})


def test_describe_topic_partitions(peers):
    a, b, c = sorted(new_topic(peers, n) for n in (3, 5, 2))
    for limit in (2000, 5000, 10, 5, 4, 3, 2, 1, 0, -1):
        for names in ([a], [b, a], [a, a], [c, "none", a, b], ["none"], ["bad/x", a],
                      ["nona", "nonb", "none"], [a, "zzz"], ["__consumer_offsets", a]):
            paged(peers, names, limit)
            for cursor in ((a, 0), (a, 1), (a, 3), (a, 99), (b, 4), (a, -1), (c, 0), ("none", 0),
                           ("none", 7), (a + "x", 0), ("", 0), ("zzz", 0), ("bad/x", 0)):
                paged(peers, names, limit, cursor)
    for index in (-1, -1 << 31):
        paged(peers, [], 10, (a, index))


def test_all_topics_page_by_page(peers):
    """The pages together are what one page says; each as long as it may be."""
    for limit in (1, 3, 2000):
        ways = []
        for peer in peers:
            topics, cursor, pages = {}, None, 0
            while pages == 0 or cursor:
                answer = peer.ask("DescribeTopicPartitions", 0, {
                    "Topics": [], "ResponsePartitionLimit": limit, "Cursor": cursor})
                cursor = answer["NextCursor"]
                count = 0
                for row in answer["Topics"]:
                    assert row["ErrorCode"] == 0
                    indexes = [p["PartitionIndex"] for p in row["Partitions"]]
                    if not row["Name"].startswith("__"):
                        topics.setdefault(row["Name"], []).extend(indexes)
                    count += len(indexes)
                assert count == limit or not cursor
                pages += 1
            ways.append(topics)
        assert {n: p for n, p in ways[0].items() if n in ways[1]} == ways[1]  # some are only ours
        assert all(p == list(range(len(p))) for p in ways[0].values())


def test_a_page_of_an_empty_name(peers):
    """Kafka did not foresee it and answers UNKNOWN_SERVER_ERROR."""
    answer = peers[0].ask("DescribeTopicPartitions", 0, {"Topics": [{"Name": ""}]})
    assert [t["ErrorCode"] for t in answer["Topics"]] == [17]


def test_pages_are_bounded_by_the_broker(server):
    klamm = server(max__request__partition__size__limit=2).start()
    peer = Peer(klamm.bootstrap)
    answer = peer.ask("DescribeTopicPartitions", 0, {"Topics": [{"Name": "first"}, {"Name": "un_der"}]})
    assert [len(t["Partitions"]) for t in answer["Topics"]] == [2]
    assert answer["NextCursor"] == {"TopicName": "un_der", "PartitionIndex": 0}


# ---- DescribeLogDirs


def directories(peer, version, topics):
    """Without what the two machines' files have of their own."""
    answer = peer.ask("DescribeLogDirs", version, {"Topics": topics})
    assert len(answer["Results"]) == 1
    row = answer["Results"][0]
    assert row.pop("LogDir").endswith("/data")
    if version >= 4:
        assert 0 < row.pop("UsableBytes") < row.pop("TotalBytes")
    for t in row["Topics"]:
        t["Partitions"].sort(key=lambda p: p["PartitionIndex"])
    row["Topics"] = sorted((t for t in row["Topics"] if not t["Name"].startswith("__")),
                           key=lambda t: t["Name"])
    return answer


@pytest.mark.parametrize("version", all_versions("DescribeLogDirs"))
def test_describe_log_dirs(peers, version):
    a, b = new_topic(peers, 3), new_topic(peers, 2)
    fill(peers, a, 5, 0)
    fill(peers, a, 3, 2)
    fill(peers, b, 1, 1)
    for topics in (
            [{"Topic": a, "Partitions": [0, 1, 2]}], [{"Topic": a, "Partitions": [2]}],
            [{"Topic": a, "Partitions": []}], [{"Topic": "none", "Partitions": [0]}], [],
            [{"Topic": a, "Partitions": [7, -1, 0, 0]}], [{"Topic": "", "Partitions": [0]}],
            [{"Topic": a, "Partitions": [1]}, {"Topic": a, "Partitions": [0]}],
            [{"Topic": b, "Partitions": [0, 1]}, {"Topic": "none", "Partitions": [0]},
             {"Topic": a, "Partitions": [0]}]):
        ours, theirs = (directories(peer, version, topics) for peer in peers)
        assert ours == theirs, topics
    known = [{t["Name"]: t for t in directories(peer, version, None)["Results"][0]["Topics"]}
             for peer in peers]
    assert known[0].keys() >= known[1].keys()  # some are only ours
    assert (known[0][a], known[0][b]) == (known[1][a], known[1][b])
    assert sum(p["PartitionSize"] for p in known[0][a]["Partitions"]) > 0


# ---- a log directory that failed


def fail_second_directory(server, name):
    """Produces until the segments roll, when the second of two directories is not there any more."""
    peer = Peer(server.bootstrap)
    answer = peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
        topic(name, 4, Configs=[{"Name": "internal.segment.bytes", "Value": "1000"}])]})
    assert answer["Topics"][0]["ErrorCode"] == 0
    for i in range(4):
        settle(peer, name, i)
    second = server.directory / "two"
    lost = sorted(int(p.name.rsplit("-", 1)[1]) for p in second.glob(f"{name}-*"))
    assert len(lost) == 2
    second.rename(server.directory / "away")
    second.touch()  # a file, where the directory should be
    producer = confluent_kafka.Producer({"bootstrap.servers": server.bootstrap, "linger.ms": 0,
                                         "message.timeout.ms": 3000})
    for _ in range(3):
        for i in range(4):
            producer.produce(name, b"x" * 600, partition=i)
        assert producer.flush(30) == 0
    return peer, lost


def test_a_failed_log_directory_is_told(binary, tmp_path):
    """Also the metadata that other brokers would need says so in Kafka: the leader epoch rises there,
    and eligible leader replicas are kept, which this build does not have."""
    told_by = []
    for make, name in ((KlammServer, "klamm"), (KafkaServer, "kafka")):
        own = tmp_path / name
        dirs = {"log.dirs": f"{own}/one,{own}/two"}
        server = (KlammServer(binary, directory=own, log__dirs=dirs["log.dirs"])
                  if make is KlammServer else KafkaServer(dirs, directory=own))
        own.mkdir(exist_ok=True)
        try:
            server.start()
            peer, lost = fail_second_directory(server, "t")

            def partitions(peer=peer):
                answer = peer.ask("Metadata", 12, {"Topics": [{"Name": "t"}]})
                return sorted(answer["Topics"][0]["Partitions"], key=lambda p: p["PartitionIndex"])
            until(lambda partitions=partitions: any(p["ErrorCode"] for p in partitions()), partitions)
            rows = {}
            paged_answer = peer.ask("DescribeTopicPartitions", 0, {"Topics": [{"Name": "t"}]})
            for row in (*partitions(), *paged_answer["Topics"][0]["Partitions"]):
                for field in ("LeaderEpoch", "EligibleLeaderReplicas", "LastKnownElr"):
                    row.pop(field, None)
                is_lost = row.pop("PartitionIndex") in lost
                rows.setdefault(is_lost, []).append(row)
            dirs = peer.ask("DescribeLogDirs", 5, {"Topics": []})["Results"]
            codes = {d["LogDir"].rsplit("/", 1)[1]: (d["ErrorCode"], d["Topics"], d["TotalBytes"] > 0)
                     for d in dirs}
            errors = [offset_of(peer, "t", i)["ErrorCode"] for i in lost]
            told_by.append((rows, codes, errors))
        finally:
            server.kill()
    assert told_by[0] == told_by[1]
    assert told_by[0][0][True][0]["OfflineReplicas"] == [1]
