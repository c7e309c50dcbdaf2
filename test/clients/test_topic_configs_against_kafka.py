# SPDX-License-Identifier: Apache-2.0
"""What the configs of topics do, in Klamm and in a real Kafka 4.4.0: the same batches under the same configs,
then the same files, the same log starts, the same refusals. docs/topic-configs.md says which config is shown where.

Records carry old timestamps where age matters, so that nobody has to wait for it."""

import struct
import time
import zlib

import pytest

import batch as b
from kafka_server import KafkaServer
from klamm import KlammServer
from test_against_kafka import DELETE, SET, Peer, alter
from test_data_against_kafka import T0, fetch_from, new_topic, produce, records, strip

TOPIC, BROKER = 2, 4
FOR_EVER = {"retention__ms": "-1"}
LIMIT_S = 60


class Broker(Peer):
    def __init__(self, server):
        super().__init__(server.bootstrap)
        self.data = server.data


@pytest.fixture(scope="module")
def pair(binary):
    quick = {"log.retention.check.interval.ms": "100"}
    klamm = KlammServer(binary).set("log.retention.check.interval.ms", "100")
    with klamm, KafkaServer({**quick, "log.initial.task.delay.ms": "100"}, heap="512m") as kafka:
        yield Broker(klamm), Broker(kafka)


def files(peer, topic, *endings):
    """Names of the partition's files that end so, with their bytes."""
    found = {}
    for path in sorted((peer.data / f"{topic}-0").iterdir()):
        if path.name.endswith(endings):
            try:
                found[path.name] = path.read_bytes()
            except FileNotFoundError:  # renamed this moment
                pass
    return found


def until_same(pair, look, is_wanted=lambda seen: True):
    end = time.monotonic() + LIMIT_S
    while True:
        seen = [look(peer) for peer in pair]
        if seen[0] == seen[1] and is_wanted(seen[0]):
            return seen[0]
        assert time.monotonic() < end, f"ours {seen[0]}, Kafka's {seen[1]}"
        time.sleep(0.02)


def start_of(peer, topic):
    answer = peer.ask("ListOffsets", 7, {"ReplicaId": -1, "Topics": [
        {"Name": topic, "Partitions": [{"PartitionIndex": 0, "Timestamp": -2}]}]})
    return answer["Topics"][0]["Partitions"][0]["Offset"]


def change(pair, kind, name, key, value):
    for peer in pair:
        answer = peer.ask("IncrementalAlterConfigs", 1, {"Resources": [
            alter(kind, name, (key, DELETE if value is None else SET, value))]})
        assert answer["Responses"][0]["ErrorCode"] == 0, answer


def at(timestamp, size=100, count=1):
    return records(count, size, base_timestamp=timestamp, max_timestamp=timestamp)


def until_takes(pair, topic, what, code):
    """A config that was changed is in force a little later in Kafka."""
    def told(peer):
        version, fields = 12, {"Acks": -1, "TimeoutMs": 30000, "TopicData": [
            {"Name": topic, "PartitionData": [{"Index": 0, "Records": what}]}]}
        answer = peer.ask("Produce", version, fields)
        return answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
    until_same(pair, told, lambda seen: seen == code)


# -- rolling -------------------------------------------------------------

ROLLS = {
    "internal.segment.bytes": {"internal__segment__bytes": "1000"},
    "segment.bytes": {"segment__bytes": "1048576", "max__message__bytes": "2000000"},
    "segment.ms": {"segment__ms": "1000"},
    "segment.index.bytes": {"segment__index__bytes": "40", "index__interval__bytes": "1"},
    "index.interval.bytes=0": {"internal__segment__bytes": "2000", "index__interval__bytes": "0"},
    "index.interval.bytes=300": {"internal__segment__bytes": "3000", "index__interval__bytes": "300"},
}


@pytest.mark.parametrize("name", ROLLS)
def test_segments_roll_where_kafkas_do(pair, name):
    """Also the indexes of those that are closed are the same, byte for byte."""
    topic = new_topic(pair, **FOR_EVER, **ROLLS[name])
    size, count = (250000, 10) if name == "segment.bytes" else (100, 30)
    for i in range(count):
        produce(pair, topic, at(T0 + 300 * i, size + i * 7, 1 + i % 3))

    def shape(peer):
        logs = sorted(files(peer, topic, ".log"))
        closed = tuple(log[:-4] for log in logs[:-1])
        return logs, {n: d for n, d in files(peer, topic, "index").items() if n.startswith(closed)}
    logs, indexes = until_same(pair, shape)
    assert len(logs) > 2
    assert len(indexes) == 2 * (len(logs) - 1)


def test_a_changed_segment_ms_counts_at_once(pair):
    topic = new_topic(pair, **FOR_EVER)
    for i in range(4):
        produce(pair, topic, at(T0 + 1000 * i))
    assert len(until_same(pair, lambda peer: sorted(files(peer, topic, ".log")))) == 1
    change(pair, TOPIC, topic, "segment.ms", "3000")
    until_same(pair, lambda peer: value_of(peer, TOPIC, topic, "segment.ms"), lambda seen: seen == "3000")
    time_left = [4, 5, 6, 7, 8, 9]
    for i in time_left:
        produce(pair, topic, at(T0 + 1000 * i))
    assert len(until_same(pair, lambda peer: sorted(files(peer, topic, ".log")))) == 3


def value_of(peer, kind, name, key):
    answer = peer.ask("DescribeConfigs", 4, {"Resources": [
        {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": [key]}]})
    return answer["Results"][0]["Configs"][0]["Value"]


@pytest.mark.parametrize("is_wanted", ["true", "false"])
def test_preallocate(pair, is_wanted):
    topic = new_topic(pair, **FOR_EVER, preallocate=is_wanted, internal__segment__bytes="100000")
    produce(pair, topic, at(T0))
    sizes = until_same(pair, lambda peer: [len(data) for data in files(peer, topic, ".log").values()])
    assert (sizes == [100000]) == (is_wanted == "true")


# -- retention -----------------------------------------------------------

ONE_EACH = {"internal__segment__bytes": "200"}  # a segment for each batch


def filled(pair, *ages_ms, **configs):
    """A topic with a batch of each age. Its retention is set when they are there, in both at once."""
    late = {k.replace("__", "."): v for k, v in configs.items() if k.startswith("retention")}
    topic = new_topic(pair, **{k: v for k, v in configs.items() if not k.startswith("retention")}, **FOR_EVER)
    now = int(time.time() * 1000)
    for age in ages_ms:
        produce(pair, topic, at(now - age))
    for key, value in late.items():
        change(pair, TOPIC, topic, key, value)
    return topic


HOUR = 3600000


def test_retention_by_time_stops_at_the_first_that_is_wanted(pair):
    topic = filled(pair, 2 * HOUR, 3 * HOUR, 0, 2 * HOUR, 0, retention__ms=str(HOUR), **ONE_EACH)
    until_same(pair, lambda peer: start_of(peer, topic), lambda start: start == 2)
    until_same(pair, lambda peer: len(files(peer, topic, ".log")), lambda count: count == 3)


def test_retention_by_time_takes_the_last_segment_too(pair):
    topic = filled(pair, 2 * HOUR, 3 * HOUR, retention__ms=str(HOUR), file__delete__delay__ms="0")
    until_same(pair, lambda peer: start_of(peer, topic), lambda start: start == 2)
    until_same(pair, lambda peer: sorted(files(peer, topic, ".log", ".deleted")),
               lambda names: names == ["00000000000000000002.log"])


def test_retention_by_size_keeps_what_reaches_it(pair):
    topic = filled(pair, *[0] * 8, retention__bytes="500", **ONE_EACH)
    start = until_same(pair, lambda peer: start_of(peer, topic), lambda start: start > 0)
    left = until_same(pair, lambda peer: sum(map(len, files(peer, topic, ".log").values())))
    assert 500 <= left < 900 and start == 5


def test_minus_one_keeps_for_ever(pair):
    """Until it is changed; another topic shows that rounds went by."""
    kept = filled(pair, *[30 * 24 * HOUR] * 3, retention__ms="-1", retention__bytes="-1", **ONE_EACH)
    gone = filled(pair, *[30 * 24 * HOUR] * 3, retention__ms=str(HOUR), **ONE_EACH)
    until_same(pair, lambda peer: start_of(peer, gone), lambda start: start == 3)
    assert [start_of(peer, kept) for peer in pair] == [0, 0]
    change(pair, TOPIC, kept, "retention.ms", str(HOUR))
    until_same(pair, lambda peer: start_of(peer, kept), lambda start: start == 3)


def test_without_a_cleanup_policy_nothing_goes(pair):
    kept = filled(pair, HOUR, HOUR, HOUR, cleanup__policy="", retention__ms="1", retention__bytes="1", **ONE_EACH)
    gone = filled(pair, HOUR, HOUR, HOUR, retention__ms="1", **ONE_EACH)
    until_same(pair, lambda peer: start_of(peer, gone), lambda start: start == 3)
    assert [start_of(peer, kept) for peer in pair] == [0, 0]
    change(pair, TOPIC, kept, "cleanup.policy", "delete")
    until_same(pair, lambda peer: start_of(peer, kept), lambda start: start == 3)


def test_deleted_segments_stay_as_files_for_their_delay(pair):
    topic = filled(pair, HOUR, HOUR, HOUR, retention__ms="1", file__delete__delay__ms="3000000", **ONE_EACH)
    until_same(pair, lambda peer: start_of(peer, topic), lambda start: start == 3)
    until_same(pair, lambda peer: sorted(files(peer, topic, ".log.deleted", "index.deleted")),
               lambda names: len(names) == 9)


def test_deleted_records_free_segments(pair):
    """Also where retention keeps all."""
    topic = filled(pair, *[0] * 6, file__delete__delay__ms="0", **ONE_EACH)
    for peer in pair:
        peer.ask("DeleteRecords", 2, {"TimeoutMs": 30000, "Topics": [
            {"Name": topic, "Partitions": [{"PartitionIndex": 0, "Offset": 4}]}]})
    until_same(pair, lambda peer: sorted(files(peer, topic, ".log", ".deleted")), lambda names: names == [
        "00000000000000000004.log", "00000000000000000005.log"])


@pytest.mark.parametrize("key, value", [("log.retention.ms", "1"), ("log.retention.bytes", "1")])
def test_the_brokers_value_stands_in_while_it_runs(pair, key, value):
    own = filled(pair, HOUR, HOUR, HOUR, retention__bytes="1000000", **ONE_EACH)
    other = new_topic(pair, **ONE_EACH)
    for _ in range(3):
        produce(pair, other, at(int(time.time() * 1000) - HOUR))
    change(pair, BROKER, "", key, value)
    try:
        until_same(pair, lambda peer: start_of(peer, other), lambda start: start >= 2)
        assert [start_of(peer, own) for peer in pair] == [0, 0]
    finally:
        change(pair, BROKER, "", key, None)


# -- what may be stored, and how -----------------------------------------

def test_limits_of_messages_change_at_once(pair):
    topic = new_topic(pair, **FOR_EVER)
    big = at(T0, 500)
    produce(pair, topic, big)
    for key, value, code in (("max.message.bytes", "300", 10), ("message.timestamp.before.max.ms", "1000", 32)):
        change(pair, TOPIC, topic, key, value)
        until_takes(pair, topic, big, code)
        change(pair, TOPIC, topic, key, None)
        until_takes(pair, topic, big, 0)
    soon = at(int(time.time() * 1000) + 600000)
    until_takes(pair, topic, soon, 0)
    change(pair, TOPIC, topic, "message.timestamp.after.max.ms", "1000")
    until_takes(pair, topic, soon, 32)


def test_a_batch_that_decodes_to_too_much(pair):
    topic = new_topic(pair, max__decompressed__message__bytes="1000", **FOR_EVER)
    for size, code in ((500, 0), (5000, 87)):
        packed = b.batch(gzipped(size), codec=1)
        assert produce(pair, topic, packed)["ErrorCode"] == code


def gzipped(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b.record(0, b"k", b"v" * size)) + packer.flush()


def stored(peer, topic, offset):
    return fetch_from(peer, topic, [(0, offset, {})], version=12)["Responses"][0]["Partitions"][0]["Records"]


def attributes_of(data):
    return struct.unpack_from(">h", data, 21)[0]


@pytest.mark.parametrize("codec, number, low, high", [
    ("gzip", 1, "1", "9"), ("lz4", 3, "1", "17"), ("zstd", 4, "-131072", "22")])
def test_levels_of_compression(pair, codec, number, low, high):
    """A higher level makes it smaller, in both."""
    words = b"".join(b"%d %x;" % (i * i * 7919 % 10007, i % 97) for i in range(1500))
    sizes = []
    for level in (low, high):
        topic = new_topic(pair, compression__type=codec, **{f"compression__{codec}__level": level}, **FOR_EVER)
        sent = b.batch(b.record(0, b"k", words), base_timestamp=T0, max_timestamp=T0)
        produce(pair, topic, sent)
        got = [stored(peer, topic, 0) for peer in pair]
        assert [attributes_of(data) for data in got] == [number, number]
        sizes.append([len(data) for data in got])
    assert sizes[1][0] < sizes[0][0] and sizes[1][1] < sizes[0][1], sizes


@pytest.mark.parametrize("wanted, kept", [("uncompressed", 0), ("producer", 1), ("gzip", 1)])
def test_compression_type(pair, wanted, kept):
    topic = new_topic(pair, compression__type=wanted, **FOR_EVER)
    produce(pair, topic, b.batch(gzipped(50), codec=1, base_timestamp=T0, max_timestamp=T0))
    assert [attributes_of(stored(peer, topic, 0)) for peer in pair] == [kept, kept]


def test_the_type_of_timestamps_changes_at_once(pair):
    topic = new_topic(pair, **FOR_EVER)
    change(pair, TOPIC, topic, "message.timestamp.type", "LogAppendTime")

    def attributes(peer):
        row = strip(peer.ask("Produce", 12, {"Acks": -1, "TimeoutMs": 30000, "TopicData": [
            {"Name": topic, "PartitionData": [{"Index": 0, "Records": at(T0)}]}]}))
        row = row["Responses"][0]["PartitionResponses"][0]
        return attributes_of(stored(peer, topic, row["BaseOffset"]))
    until_same(pair, attributes, lambda seen: seen == 8)


# -- what is taken and told, and does nothing on one broker ---------------

@pytest.mark.parametrize("key, value", [
    ("unclean.leader.election.enable", "true"), ("leader.replication.throttled.replicas", "*"),
    ("follower.replication.throttled.replicas", "0:1,1:1"), ("flush.messages", "5"), ("flush.ms", "100"),
    ("segment.jitter.ms", "77"), ("min.insync.replicas", "2")])
def test_values_are_taken_and_told(pair, key, value):
    topic = new_topic(pair, **{key.replace(".", "__"): value})
    for peer in pair:
        assert value_of(peer, TOPIC, topic, key) == value
    assert produce(pair, topic, records(1))["ErrorCode"] == 0
