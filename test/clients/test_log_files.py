# SPDX-License-Identifier: Apache-2.0
"""The files of a log, between Klamm and Apache Kafka."""

import json
import re
import shutil
import subprocess

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from confluent import commit
from conftest import QUICK
from kafka_server import KafkaServer
from kafka_tools import Tools
from log_files import CODECS, RawProducer, dump, fill, read_all, verify

SMALL = {"internal.segment.bytes": "12000", "index.interval.bytes": "1000"}


def make_topics(bootstrap, topics, partitions=1, config=None):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    made = admin.create_topics([NewTopic(t, partitions, 1, config=config or {}) for t in topics])
    for future in made.values():
        future.result()


BATCH = re.compile(
    r"^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) baseSequence: (-?\d+) lastSequence: (-?\d+) "
    r"producerId: (-?\d+) producerEpoch: (-?\d+) partitionLeaderEpoch: (\d+) isTransactional: (\w+) "
    r"isControl: (\w+) deleteHorizonMs: \S+ position: (\d+) (?:CreateTime|LogAppendTime): (\d+) "
    r"size: (\d+) magic: 2 compresscodec: (\w+) crc: (\d+) isvalid: (\w+)$", re.M)
BATCH_FIELDS = ("base_offset", "last_offset", "count", "base_sequence", "last_sequence", "producer_id",
                "producer_epoch", "partition_leader_epoch", "is_transactional", "is_control", "position",
                "create_time", "size", "compresscodec", "crc", "isvalid")


class Dumper:
    """Kafka's tool over many files at once."""

    def __init__(self, process):
        self.process = process

    def __call__(self, files, *options):
        code, out = self.process.run("DumpLogSegments", ["--files", ",".join(map(str, files)), *options], "")
        assert code == 0 and "Exception" not in out, out[-3000:]
        for complaint in ("mismatch", "Mismatch", "not found", "out of order", "don't match", "isvalid: false"):
            assert complaint not in out, out[-3000:]
        return out


def text_of(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def files_of(directory, topics):
    """{"log": [...], ...} of partition 0 of each topic."""
    return {suffix: sorted(p for t in topics for p in (directory / f"{t}-0").glob(f"*.{suffix}"))
            for suffix in ("log", "index", "timeindex", "snapshot")}


def check_batches(binary, tool, logs):
    """Kafka's tool and ours say the same of each batch and record."""
    theirs = tool(logs, "--deep-iteration")
    ours = dump(binary, "--records", *logs)
    batches = [tuple(text_of(i[f]) for f in BATCH_FIELDS) for i in ours if i["kind"] == "batch"]
    assert batches == BATCH.findall(theirs)
    assert {b[BATCH_FIELDS.index("compresscodec")] for b in batches} == set(CODECS)
    assert ([str(i["offset"]) for i in ours if i["kind"] == "record"]
            == re.findall(r"^\| offset: (\d+) ", theirs, re.M))


def check_indexes(tool, of):
    for suffix in ("index", "timeindex"):
        sane = tool(of[suffix], "--index-sanity-check")
        fine = sane.count("passed sanity check") + sane.count("is empty")
        assert fine == len(of[suffix]), sane[-2000:]
        tool(of[suffix], "--verify-index-only")


def check_entries(binary, tool, of):
    entries = [(i["offset"], i["position"]) for i in dump(binary, *of["index"])]
    assert entries == [tuple(map(int, e)) for e in
                       re.findall(r"^offset: (\d+) position: (\d+)", tool(of["index"]), re.M)]
    times = [(i["timestamp"], i["offset"]) for i in dump(binary, *of["timeindex"])]
    assert times == [tuple(map(int, e)) for e in
                     re.findall(r"^timestamp: (\d+) offset: (\d+)", tool(of["timeindex"]), re.M)]
    theirs = re.findall(r"^producerId: (\d+) producerEpoch: (\d+) .*?lastSequence: (-?\d+)",
                        tool(of["snapshot"]), re.M)
    assert theirs and theirs == [
        (str(i["producer_id"]), str(i["producer_epoch"]), str(i["last_sequence"]))
        for i in dump(binary, *of["snapshot"])]


def test_kafka_dump_log_reads_ours(server, binary, tool_process):
    """After kill -9, and after a clean stop."""
    broker = server().start()
    topics = {f"c-{codec}": codec for codec in CODECS}
    make_topics(broker.bootstrap, topics, config=SMALL)
    raw = RawProducer("c-none").begin(broker.bootstrap)
    tool = Dumper(tool_process)
    fill(broker.bootstrap, topics, 0, 400)
    assert raw.send(broker.bootstrap)[0] == 0
    broker.kill()
    of = files_of(broker.data, topics)
    check_batches(binary, tool, of["log"])
    check_indexes(tool, of)
    assert verify(binary, broker.data)["faults"] == []
    broker.start()
    fill(broker.bootstrap, topics, 400, 400)
    assert raw.send(broker.bootstrap)[0] == 0
    broker.stop()
    of = files_of(broker.data, topics)
    assert len(of["log"]) == len(of["index"]) == len(of["timeindex"]) > 2 * len(topics)
    assert len(of["snapshot"]) > len(topics)
    check_batches(binary, tool, of["log"])
    check_indexes(tool, of)
    check_entries(binary, tool, of)
    assert verify(binary, broker.data)["faults"] == []


# ---- from Kafka to Klamm, and back

TOPICS = {**{f"from-{codec}": codec for codec in CODECS}, "compacted": "none"}
CONFIGS = {"retention.ms": "123456789", "max.message.bytes": "2000000", "internal.segment.bytes": "20000"}
PARTITIONS = 2
OF_THE_TOPIC = 1  # a config's source


class Written:
    """A stopped Kafka, and what it said while it ran."""

    def __init__(self, directory):
        settings = {**QUICK, "offsets.topic.num.partitions": "5",
                    "metadata.log.max.record.bytes.between.snapshots": "1",
                    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                    "allow.everyone.if.no.acl.found": "true"}
        self.kafka = KafkaServer(settings, directory=directory, heap="512m")

    def fill(self, binary, tool_process):
        bootstrap = self.kafka.start().bootstrap
        make_topics(bootstrap, [t for t in TOPICS if t != "compacted"], PARTITIONS, CONFIGS)
        make_topics(bootstrap, ["compacted"], PARTITIONS, {"cleanup.policy": "compact"})
        make_topics(bootstrap, ["dropped", "ours", "raw"])
        admin = AdminClient({"bootstrap.servers": bootstrap})
        admin.delete_topics(["dropped"])["dropped"].result()
        fill(bootstrap, TOPICS, 0, 500, PARTITIONS)
        self.raw = RawProducer("raw").begin(bootstrap)
        self.raw_offsets = [self.raw.send(bootstrap)[1] for _ in range(3)]
        commit(bootstrap, "movers", [
            ck.TopicPartition(t, p, 10 * p + 7, metadata=f"of {t}")
            for t in TOPICS for p in range(PARTITIONS)])
        set_what_stays_behind(Tools(tool_process, bootstrap))
        of_a_new_kind = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "newer",
                                     "group.protocol": "consumer"})
        of_a_new_kind.subscribe(["raw"])
        while not of_a_new_kind.assignment():
            of_a_new_kind.poll(0.1)
        of_a_new_kind.close()
        self.facts = facts_of(bootstrap)
        running = klamm(binary, "log", "import", self.kafka.data, "--to", self.kafka.directory / "no")
        assert "is in use: stop the broker" in running.stderr and running.returncode == 1
        self.kafka.stop()
        return self


LEFT_OUT = [  # behind what is told of directories and topics
    'ACL: User:alice from * ALLOW READ on LITERAL TOPIC "elsewhere"',
    "SCRAM-SHA-512 credentials of user \"alice\"",
    'config background.threads of all brokers',
    'config consumer.session.timeout.ms of group "g1"',
    'config interval.ms of client metrics "m1"',
    'config log.cleaner.threads of broker "1"',
    'config min.insync.replicas of all brokers',  # Kafka sets it itself
    'quota consumer_byte_rate of default user',
    'quota producer_byte_rate of user "alice", client-id "c"',
    'what consumer group "newer" keeps besides its offsets',
]


def set_what_stays_behind(tools):
    """Each is set twice, and for each there is another that is not there in the end."""
    one_broker, all_brokers = ("--entity-type", "brokers", "--entity-name", 1), ("--entity-type", "brokers",
                                                                                "--entity-default")
    alice, everybody = ("--entity-type", "users", "--entity-name", "alice"), ("--entity-type", "users",
                                                                              "--entity-default")
    of_a_client = (*alice, "--entity-type", "clients", "--entity-name", "c")
    scram = "SCRAM-SHA-{}=[iterations=4096,password=secret]".format
    configs = [
        (one_broker, ("log.cleaner.threads=2", "log.cleaner.threads=1"), "num.io.threads", "num.io.threads=9"),
        (all_brokers, ("background.threads=11", "background.threads=12"), "num.io.threads", "num.io.threads=9"),
        (("--entity-type", "groups", "--entity-name", "g1"),
         ("consumer.session.timeout.ms=50000", "consumer.session.timeout.ms=51000"),
         "consumer.heartbeat.interval.ms", "consumer.heartbeat.interval.ms=6000"),
        (("--entity-type", "client-metrics", "--entity-name", "m1"), ("interval.ms=1000", "interval.ms=2000"),
         "metrics", "metrics=org.apache"),
        (of_a_client, ("producer_byte_rate=1000000", "producer_byte_rate=2000000"),
         "consumer_byte_rate", "consumer_byte_rate=1000000"),
        (everybody, ("consumer_byte_rate=100000000", "consumer_byte_rate=200000000"),
         "producer_byte_rate", "producer_byte_rate=100000000"),
        (alice, (scram(512), scram(512)), "SCRAM-SHA-256", scram(256)),
    ]
    for entity, stay, gone, gone_value in configs:
        for given in (*stay, gone_value):
            tools.run("ConfigCommand", "--alter", *entity, "--add-config", given)
        tools.run("ConfigCommand", "--alter", *entity, "--delete-config", gone)
    acl = ("--allow-principal", "User:alice", "--topic", "elsewhere", "--operation")
    for operation in ("Read", "Write"):
        tools.run("AclCommand", "--add", *acl, operation)
    tools.run("AclCommand", "--remove", "--force", *acl, "Write")


def facts_of(bootstrap):
    """All that has to be the same before and after."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    described = admin.describe_topics(ck.TopicCollection([*TOPICS, "raw"]))
    ids = {t: str(f.result().topic_id) for t, f in described.items()}
    group = ck.ConsumerGroupTopicPartitions("movers")
    committed = admin.list_consumer_group_offsets([group])["movers"].result().topic_partitions
    resources = [ConfigResource(ConfigResource.Type.TOPIC, t) for t in TOPICS]
    configs = {r.name: {k: v.value for k, v in f.result().items() if v.source == OF_THE_TOPIC}
               for r, f in admin.describe_configs(resources).items()}
    return {"ids": ids, "configs": configs,
            "committed": sorted((p.topic, p.partition, p.offset, p.metadata) for p in committed),
            "records": {t: read_all(bootstrap, t, PARTITIONS) for t in TOPICS}}


def klamm(binary, *words):
    return subprocess.run([binary, *map(str, words)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def written(binary, tmp_path_factory, tool_process):
    made = Written(tmp_path_factory.mktemp("kafka"))
    yield made.fill(binary, tool_process)
    made.kafka.kill()


def import_all(binary, source, target, *words):
    done = klamm(binary, "log", "import", source, "--to", target, "--json", *words)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


def test_klamm_takes_over_what_kafka_wrote(server, binary, written):
    broker = server()
    source = written.kafka.data
    before = {p: p.stat().st_mtime_ns for p in source.rglob("*") if p.is_file()}
    said = import_all(binary, source, broker.data, "--config", "raw:retention.bytes=12345")
    assert {p: p.stat().st_mtime_ns for p in source.rglob("*") if p.is_file()} == before
    names = {t["name"]: t for t in said["topics"]}
    assert set(names) == {*TOPICS, "raw", "ours", "__consumer_offsets"}
    assert names["__consumer_offsets"]["partitions"] == 5
    assert names["raw"]["configs"] == {"retention.bytes": "12345"}
    again = klamm(binary, "log", "import", source, "--to", broker.data)
    assert again.returncode == 1 and "topic raw already exists" in again.stderr
    assert verify(binary, broker.data)["faults"] == []
    broker.start()
    assert facts_of(broker.bootstrap) == written.facts
    raw = written.raw
    assert raw.send(broker.bootstrap, sequence=2) == (0, written.raw_offsets[2])  # a repeat
    assert raw.send(broker.bootstrap, sequence=9)[0] == 45  # a gap
    assert raw.send(broker.bootstrap) == (0, written.raw_offsets[2] + 1)
    assert RawProducer("raw").begin(broker.bootstrap).id > raw.id
    epochs = dump(binary, broker.data / "raw-0" / "leader-epoch-checkpoint")
    assert len(epochs) >= 2 and epochs[-1]["start_offset"] == 3
    fill(broker.bootstrap, TOPICS, 500, 20, PARTITIONS)
    assert all(len(read_all(broker.bootstrap, t, PARTITIONS)) == 520 for t in TOPICS)
    broker.stop()
    assert verify(binary, broker.data)["faults"] == []


def test_what_is_not_taken_over(server, binary, written, tmp_path):
    source = shutil.copytree(written.kafka.data, tmp_path / "copy")
    target = tmp_path / "target"

    def refused(*words):
        done = klamm(binary, "log", "import", source, "--to", target, *words)
        assert done.returncode == 1 and done.stdout == "", done.stdout
        return done.stderr

    (source / ".kafka_cleanshutdown").unlink()
    assert "was not stopped cleanly" in refused()
    shutil.rmtree(source / "from-zstd-1")
    shutil.rmtree(source / "raw-0")
    assert "topic from-zstd: these partitions are not in the directories named: 1;" in refused(
        "--allow", "unclean")
    assert "topic raw: these partitions are not in the directories named: 0;" in refused(
        "--allow", "unclean", "--topic", "raw")
    whole = shutil.copytree(source / "from-lz4-0", tmp_path / "whole")
    for path in (source / "from-lz4-0").glob("*.log"):
        path.unlink()
    said = refused("--allow", "unclean", "--allow", "missing")
    assert re.search(r"from-lz4-0: the recovery point is \d+ by its checkpoint, and there is no segment", said)
    assert re.search(r"from-lz4-0/\d+\.index: an index without its \.log, which is not there", said)
    shutil.copytree(whole, source / "from-lz4-0", dirs_exist_ok=True)
    log = min((source / "from-none-0").glob("*.log"))
    good = log.read_bytes()
    log.write_bytes(good[:100] + b"\xff" + good[101:])
    assert f"{log}: position 0: a batch whose checksum is" in refused(
        "--allow", "unclean", "--allow", "missing")
    assert "no such topic is taken over" in refused("--allow", "unclean", "--topic", "raw", "--config",
                                                    "from-gzip:retention.ms=1")
    assert "there is no topic nowhere" in refused("--allow", "unclean", "--topic", "nowhere")
    # Nothing of all that has left anything but a directory without topics.
    assert [p.name for p in target.iterdir() if p.is_dir()] == []
    log.write_bytes(good)
    said = import_all(binary, source, target, "--allow", "unclean", "--allow", "missing")
    assert not (target / ".kafka_cleanshutdown").exists()
    assert said["left_out"][-len(LEFT_OUT):] == LEFT_OUT
    others = {re.sub(r"\.\w+-", ".ID-", line) for line in said["left_out"][:-len(LEFT_OUT)]}
    assert others <= {f"{source}/dropped-0.ID-delete: Kafka has deleted it, or set it aside"}  # for a minute
    broker = server(log__dirs=target).start()
    for topic in TOPICS:
        records = written.facts["records"][topic]
        if topic == "from-zstd":
            records = [r for r in records if r[0] == 0]
        assert read_all(broker.bootstrap, topic, PARTITIONS) == records


def test_each_snapshot_of_kafkas_metadata_says_the_same(binary, written, tmp_path):
    """With the records behind it."""
    source = shutil.copytree(written.kafka.data, tmp_path / "copy")
    kraft = source / "__cluster_metadata-0"
    whole = import_all(binary, source, tmp_path / "none", "--dry-run")
    assert len(whole["topics"]) == len(TOPICS) + 3
    snapshots = sorted(kraft.glob("*.checkpoint"))
    assert len(snapshots) > 10
    content = {s: s.read_bytes() for s in snapshots}
    for keep in [None, *snapshots[1::7]]:
        for snapshot in snapshots:
            snapshot.unlink(missing_ok=True)
        if keep:
            keep.write_bytes(content[keep])
        assert import_all(binary, source, tmp_path / "none", "--dry-run") == whole, keep
    assert not (tmp_path / "none").exists()


def test_kafka_serves_segments_of_ours(server, binary, written):
    """A topic made in Kafka gets the files of ours. Its leader epoch must be above those in them
    (docs/operating.md): here they are of one life of a broker, epoch 0."""
    broker = server().start()
    make_topics(broker.bootstrap, ["ours"], config=SMALL)
    raw = RawProducer("ours").begin(broker.bootstrap)
    for codec in CODECS:
        fill(broker.bootstrap, {"ours": codec}, 0, 200)
        last = raw.send(broker.bootstrap)[1]
    records = read_all(broker.bootstrap, "ours")
    broker.stop()
    ours, theirs = broker.data / "ours-0", written.kafka.data / "ours-0"
    assert len(list(ours.glob("*.log"))) > 3 and len(list(ours.glob("*.snapshot"))) > 3
    for path in [*theirs.iterdir()]:
        if path.name != "partition.metadata":
            path.unlink()
    for path in ours.iterdir():
        if path.name != "partition.metadata":
            shutil.copy(path, theirs)
    kafka = written.kafka.start()
    assert read_all(kafka.bootstrap, "ours") == records
    assert raw.send(kafka.bootstrap, sequence=raw.sequence - 1) == (0, last)  # a repeat
    assert raw.send(kafka.bootstrap) == (0, len(records))
    kafka.stop()
    epochs = [(e["epoch"], e["start_offset"]) for e in dump(binary, theirs / "leader-epoch-checkpoint")]
    assert epochs[0] == (0, 0) and epochs[-1][0] > 0 and epochs[-1][1] == len(records)
    assert verify(binary, theirs)["faults"] == []
