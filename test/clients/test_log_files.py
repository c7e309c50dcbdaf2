# SPDX-License-Identifier: Apache-2.0
"""The files of a log, between Klamm and Apache Kafka."""

import re

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from log_files import CODECS, RawProducer, dump, fill, verify

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


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_kafka_dump_log_reads_ours(server, binary, tool_process, end):
    broker = server().start()
    topics = {f"c-{codec}": codec for codec in CODECS}
    make_topics(broker.bootstrap, topics, config=SMALL)
    raw = RawProducer("c-none").begin(broker.bootstrap)
    for first in range(0, 800, 400):
        fill(broker.bootstrap, topics, first, 400)
        assert raw.send(broker.bootstrap)[0] == 0
    getattr(broker, end)()
    tool = Dumper(tool_process)
    of = {suffix: sorted(p for t in topics for p in (broker.data / f"{t}-0").glob(f"*.{suffix}"))
          for suffix in ("log", "index", "timeindex", "snapshot")}
    assert len(of["log"]) == len(of["index"]) == len(of["timeindex"]) > 2 * len(topics)
    assert len(of["snapshot"]) > len(topics)
    theirs = tool(of["log"], "--deep-iteration")
    ours = dump(binary, "--records", *of["log"])
    batches = [tuple(text_of(i[f]) for f in BATCH_FIELDS) for i in ours if i["kind"] == "batch"]
    assert batches == BATCH.findall(theirs)
    assert {b[BATCH_FIELDS.index("compresscodec")] for b in batches} == set(CODECS)
    assert ([str(i["offset"]) for i in ours if i["kind"] == "record"]
            == re.findall(r"^\| offset: (\d+) ", theirs, re.M))
    for suffix in ("index", "timeindex"):
        sane = tool(of[suffix], "--index-sanity-check")
        fine = sane.count("passed sanity check") + sane.count("is empty")
        assert fine == len(of[suffix]), sane[-2000:]
        tool(of[suffix], "--verify-index-only")
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
    assert verify(binary, broker.data)["faults"] == []
