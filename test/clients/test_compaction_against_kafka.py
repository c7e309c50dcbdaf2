# SPDX-License-Identifier: Apache-2.0
"""Compaction in Klamm and in a real Kafka 4.4.0: the same records survive with the same offsets, keys
and values, whatever the codec; Kafka's dump tool finds our compacted segments valid; and Kafka
serves them from its own directory."""

import itertools
import random
import shutil
import subprocess
import time

import pytest

import confluent
from conftest import one_broker
from kafka_server import KafkaServer, java_command
from wire import Wire

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
DAY_MS = 86400000
NOT_YET_THERE = (confluent.ck.KafkaError.NOT_LEADER_FOR_PARTITION,
                 confluent.ck.KafkaError.LEADER_NOT_AVAILABLE,
                 confluent.ck.KafkaError.UNKNOWN_TOPIC_OR_PART)
NAMES = itertools.count()
SETTINGS = {"log.cleaner.backoff.ms": "100", "log.retention.check.interval.ms": "200",
            "log.initial.task.delay.ms": "100"}


@pytest.fixture(scope="module")
def two(request, tmp_path_factory):
    """Klamm and Kafka, or two Kafkas, which shows that the comparison holds."""
    directory = tmp_path_factory.mktemp("compaction")
    first = one_broker(request, directory / "first", SETTINGS)
    with first, KafkaServer(SETTINGS, directory=directory / "second", heap="512m") as second:
        yield first, second


def new_topic(two, policy="compact", **config):
    name = f"compacted-{next(NAMES)}"
    for broker in two:
        confluent.create(broker, name, cleanup__policy=policy, segment__ms="10000",
                         min__cleanable__dirty__ratio="0.001", **config)
    return name


def draw(seed, count, keys, at_ms, tombstones=0.1):
    """Records, each a millisecond after the one before it."""
    drawn = random.Random(seed)
    return [{"key": f"key-{drawn.randrange(keys)}",
             "value": None if drawn.random() < tombstones else f"value {i} " * drawn.randrange(1, 9),
             "timestamp": at_ms + i, "partition": 0} for i in range(count)]


def produce(two, name, records, codec="none"):
    for broker in two:
        confluent.produce_all(broker, name, records, compression__type=codec, linger__ms="5")


def seal(two, name, at_ms):
    """What was written becomes a sealed segment. The record that does it has a key of its own."""
    produce(two, name, [{"key": f"seal-{at_ms}", "value": "sealed", "timestamp": at_ms,
                         "partition": 0}])


def end_of(client, place):
    """Kafka's partitions may come later than its broker after a start."""
    deadline = time.monotonic() + confluent.LIMIT_S
    while True:
        try:
            return client.get_watermark_offsets(place, confluent.LIMIT_S)[1]
        except confluent.ck.KafkaException as e:
            if e.args[0].code() not in NOT_YET_THERE or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def read_all(broker, name):
    """(offset, key, value, timestamp) from the start to the end."""
    client = confluent.consumer(broker)
    place = confluent.ck.TopicPartition(name, 0)
    end = end_of(client, place)
    place.offset = confluent.ck.OFFSET_BEGINNING
    client.assign([place])
    found, deadline = [], time.monotonic() + confluent.LIMIT_S
    while time.monotonic() < deadline:
        message = client.poll(1)
        if message is None:
            continue
        if message.error():
            if message.error().code() == confluent.ck.KafkaError._PARTITION_EOF:
                break
            raise confluent.ck.KafkaException(message.error())
        found.append((message.offset(), message.key(), message.value(), message.timestamp()[1]))
    client.close()
    assert found and found[-1][0] == end - 1, (found[-1:], end)
    return found


def last_of_each(records, first_offset=0):
    """What a round of compaction leaves of all of them."""
    last = {record["key"]: i for i, record in enumerate(records)}
    return [(first_offset + i, record["key"].encode(),
             None if record["value"] is None else record["value"].encode(), record["timestamp"])
            for i, record in enumerate(records) if last[record["key"]] == i]


def wait_for(two, name, wanted, what):
    """Until both have just these records."""
    for broker in two:
        deadline = time.monotonic() + confluent.LIMIT_S
        while (found := what(read_all(broker, name))) != wanted:
            assert time.monotonic() < deadline, \
                f"{broker}: {len(found)} and not {len(wanted)}: {found[:9]} {wanted[:9]}"
            time.sleep(0.05)


def alter(two, of, name, value):
    """Of a broker, or of all (""), which confluent-kafka does not know."""
    broker_type, set_to = 4, 0
    for broker in two:
        with Wire(broker.bootstrap) as wire:
            answer = wire.ask("IncrementalAlterConfigs", 1, Resources=[{
                "ResourceType": broker_type, "ResourceName": of,
                "Configs": [{"Name": name, "ConfigOperation": set_to, "Value": value}]}])
            assert answer["Responses"][0]["ErrorCode"] == 0, answer


@pytest.mark.parametrize("of", ["1", ""])
def test_a_cleaner_that_would_take_long_is_made_quick(request, tmp_path, of):
    """By its backoff. Kafka looks at its rate three times a second: too seldom for what is so small."""
    settings = {**SETTINGS, "log.cleaner.backoff.ms": "36000000"}
    with one_broker(request, tmp_path / "first", settings) as one, \
            KafkaServer(settings, directory=tmp_path / "second", heap="512m") as other:
        two, now_ms = (one, other), int(time.time() * 1000)
        name = new_topic(two)
        records = draw(7, 5000, 20, now_ms)
        produce(two, name, records)
        seal(two, name, now_ms + 100000)
        assert all(len(read_all(broker, name)) > len(records) for broker in two)
        alter(two, of, "log.cleaner.backoff.ms", "100")
        wait_for(two, name, last_of_each(records), lambda found: found[:-1])


def test_the_same_records_survive(two):
    now_ms = int(time.time() * 1000)
    wanted = {}
    for codec in CODECS:
        name = new_topic(two)
        records = draw(codec, 1000, 60, now_ms)
        produce(two, name, records, codec)
        seal(two, name, now_ms + 20000)
        wanted[name] = last_of_each(records)
    for name, records in wanted.items():
        wait_for(two, name, records, lambda found: found[:-1])


def test_all_codecs_in_one_log_again_and_again(two):
    now_ms = int(time.time() * 1000)
    name = new_topic(two)
    records = []
    for turn, codec in enumerate(CODECS):
        more = draw(codec, 400, 40, now_ms + turn * 20000)
        produce(two, name, more, codec)
        records += more + [{"key": f"seal-{now_ms + turn * 20000 + 15000}", "value": "sealed",
                            "timestamp": now_ms + turn * 20000 + 15000}]
        seal(two, name, now_ms + turn * 20000 + 15000)
        wait_for(two, name, last_of_each(records[:-1]), lambda found: found[:-1])


def test_tombstones_go_after_their_time(two):
    now_ms = int(time.time() * 1000)
    name = new_topic(two, delete__retention__ms="1")
    first = draw(1, 300, 30, now_ms, tombstones=0.5)
    produce(two, name, first)
    seal(two, name, now_ms + 20000)
    for turn in range(3):  # a round finds what the round before it gave a time
        at_ms = now_ms + 100000 * (turn + 1)
        others = [{"key": f"other-{i}", "value": "v", "timestamp": at_ms + i, "partition": 0}
                  for i in range(5)]
        produce(two, name, others)
        seal(two, name, at_ms + 20000)
        wait_for(two, name, [at_ms + i for i in range(5)],
                 lambda found: [r[3] for r in found if r[1].startswith(b"other")])
    values = [r for r in last_of_each(first) if r[2] is not None]
    assert len(values) < len(last_of_each(first))
    wait_for(two, name, values, lambda found: [r for r in found if r[1].startswith(b"key")])


def test_compacted_and_deleted(two):
    now_ms = int(time.time() * 1000)
    name = new_topic(two, policy="compact,delete", retention__ms=str(2 * DAY_MS))
    old = draw(1, 300, 30, now_ms - 10 * DAY_MS)
    produce(two, name, old)
    new = draw(2, 300, 30, now_ms)
    produce(two, name, new)
    seal(two, name, now_ms + 20000)
    wait_for(two, name, last_of_each(new, len(old)), lambda found: found[:-1])


def test_a_record_without_a_key_is_refused(two):
    name = new_topic(two)
    for broker in two:
        client, errors = confluent.producer(broker, enable__idempotence=False), []
        client.produce(name, value="x", on_delivery=lambda error, _: errors.append(error.code()))
        client.flush(confluent.LIMIT_S)
        assert errors == [confluent.ck.KafkaError.INVALID_RECORD]


def dump(files, *options):
    done = subprocess.run(java_command("org.apache.kafka.tools.DumpLogSegments", "--files",
                                       ",".join(map(str, files)), *options, heap="256m"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0 and "Exception" not in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_kafka_reads_our_compacted_segments(klamm_compacted, two):
    """With its dump tool, and as its own log, after a recovery that looks at each of them."""
    directory, records = klamm_compacted
    logs = sorted(directory.glob("*.log"))
    text = dump(logs, "--deep-iteration")
    assert "isvalid: false" not in text and text.count("isvalid: true") > len(CODECS)
    assert text.count("| offset: ") == len(records)
    for kind in ("index", "timeindex"):
        files = [f for f in sorted(directory.glob(f"*.{kind}")) if f.stat().st_size > 0]
        sane = dump(files, "--index-sanity-check")
        assert sane.count("passed sanity check") == len(files), sane
        sane = dump(files, "--verify-index-only")
        assert "ismatch" not in sane and "not found" not in sane and "out of order" not in sane, sane
    _, kafka = two
    name = new_topic((kafka,))
    kafka.stop()
    theirs = kafka.data / f"{name}-0"
    for file in theirs.glob("0*"):
        file.unlink()
    for file in directory.glob("0*"):
        shutil.copy(file, theirs)
    (kafka.data / ".kafka_cleanshutdown").unlink()
    (kafka.data / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    kafka.start()
    assert read_all(kafka, name) == records


@pytest.fixture
def klamm_compacted(server):
    """The directory of a stopped broker with a compacted partition, and what is in it."""
    broker = server()
    for key, value in SETTINGS.items():
        broker.set(key, value)
    broker.start()
    now_ms = int(time.time() * 1000)
    name = new_topic((broker,), index__interval__bytes="200")
    for turn, codec in enumerate(CODECS):
        produce((broker,), name, draw(codec, 400, 70, now_ms + turn * 20000), codec)
        seal((broker,), name, now_ms + turn * 20000 + 15000)
    deadline = time.monotonic() + confluent.LIMIT_S
    while len(read_all(broker, name)) > 70 + len(CODECS):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    records = read_all(broker, name)
    broker.stop()
    return broker.data / f"{name}-0", records
