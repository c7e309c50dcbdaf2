# SPDX-License-Identifier: Apache-2.0
"""Small durable commits wait in memory for their segment (docs/decisions/019): clients do not notice, a kill -9
takes nothing, a clean stop leaves whole files, and a disk that is full to the last byte does not hide them."""

import subprocess
import time

import confluent_kafka as ck
import pytest

import batch as b
from confluent import LIMIT_S, create
from test_bad_disks import STORAGE_ERROR, leave_free, on_small_disk  # noqa: F401 (a fixture)
from test_crash import small_disk  # noqa: F401 (the same)
from wire import Wire

PARTITIONS = 4
ROUNDS = 12
KILOBYTE = 1000


def value(partition, number):
    return b"%d/%04d" % (partition, number) + b"v" * KILOBYTE


def put(wire, topic, number, partitions=range(PARTITIONS), errors=(0,)):
    """A batch of its own into each partition, one commit after another; the last error code."""
    for p in partitions:
        answer = wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
            {"Name": topic, "PartitionData": [
                {"Index": p, "Records": b.batch(b.record(value=value(p, number)))}]}])
        error = answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
        assert error in errors
    return error


def read_all(broker, topic):
    """The values of each partition, by a consumer of librdkafka from the begin to the end."""
    consumer = ck.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "log_level": 0,
                            "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([ck.TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    found, ended, deadline = [[] for _ in range(PARTITIONS)], set(), time.monotonic() + LIMIT_S
    while len(ended) < PARTITIONS:
        assert time.monotonic() < deadline
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            assert message.error().code() == ck.KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
        else:
            found[message.partition()].append(message.value())
    consumer.close()
    return found


def expected(count):
    return [[value(p, n) for n in range(count)] for p in range(PARTITIONS)]


def file_bytes(broker, topic):
    return sum(f.stat().st_size for f in broker.data.glob(f"{topic}-*/*.log"))


@pytest.fixture
def broker_of(server):
    def make(**more):
        return server(klamm__admin__listener="127.0.0.1:0", klamm__journal__after__commits=0,
                      klamm__journal__bytes=262144, **more).start()
    return make


def begin(broker, topic):
    """The journal is there, and its first commits."""
    create(broker, topic, PARTITIONS, klamm__ack="disk")
    wire = Wire(broker.bootstrap)
    put(wire, topic, 0)
    deadline = time.monotonic() + LIMIT_S
    number = 1
    while broker.metric("klamm_journal_held_total") == 0:
        assert time.monotonic() < deadline
        put(wire, topic, number)
        number += 1
    return wire, number


def test_what_is_held_is_read_survives_a_kill_and_is_filed_at_a_stop(broker_of):
    broker = broker_of()
    wire, first = begin(broker, "t")
    for number in range(first, first + ROUNDS):
        put(wire, "t", number)
    count = first + ROUNDS
    assert broker.metric("klamm_journal_held_total") >= PARTITIONS * ROUNDS
    assert broker.metric("klamm_journal_held_bytes") > 0
    whole = PARTITIONS * count * (KILOBYTE + 60)
    assert file_bytes(broker, "t") < whole
    assert read_all(broker, "t") == expected(count)
    assert file_bytes(broker, "t") < whole  # from memory
    wire.socket.close()
    broker.kill()
    broker.start()
    assert read_all(broker, "t") == expected(count)
    broker.stop()
    assert file_bytes(broker, "t") > whole
    logs = [str(f) for f in broker.data.glob("t-*/*.log")]
    subprocess.run([broker.binary, "log", "verify", *logs], check=True, capture_output=True)


def test_nothing_is_held_where_that_is_not_wanted(broker_of):
    broker = broker_of(klamm__journal__held__bytes=0)
    create(broker, "t", PARTITIONS, klamm__ack="disk")
    with Wire(broker.bootstrap) as wire:
        for number in range(ROUNDS):
            put(wire, "t", number)
            assert file_bytes(broker, "t") > PARTITIONS * (number + 1) * KILOBYTE
    assert broker.metric("klamm_journal_held_total") == 0
    broker.stop()


def test_what_is_answered_from_the_page_cache_is_in_the_page_cache(broker_of):
    """acks=1, and topics with klamm.ack=cache: a kill -9 takes nothing of them."""
    broker = broker_of()
    wire, first = begin(broker, "t")
    before = file_bytes(broker, "t")
    data = b.batch(b.record(value=value(0, first)))
    answer = wire.ask("Produce", 9, Acks=1, TimeoutMs=30000, TopicData=[
        {"Name": "t", "PartitionData": [{"Index": 0, "Records": data}]}])
    assert answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 0
    assert file_bytes(broker, "t") >= before + len(data)
    create(broker, "c", PARTITIONS, klamm__ack="cache", flush__messages=1)
    for number in range(ROUNDS):
        put(wire, "c", number)
        assert file_bytes(broker, "c") > PARTITIONS * (number + 1) * KILOBYTE
    wire.socket.close()
    broker.kill()
    broker.start()
    assert read_all(broker, "t")[0][-1] == value(0, first)
    assert read_all(broker, "c") == expected(ROUNDS)
    broker.stop()


def test_searches_by_time_find_what_is_held(broker_of):
    broker = broker_of()
    wire, first = begin(broker, "t")
    times = []
    for number in range(first, first + 3):
        times.append(int(time.time() * 1000) + number)
        data = b.batch(b.record(value=value(0, number)), base_timestamp=times[-1], max_timestamp=times[-1])
        wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
            {"Name": "t", "PartitionData": [{"Index": 0, "Records": data}]}])
    for number, at in enumerate(times, first):
        answer = wire.ask("ListOffsets", 7, ReplicaId=-1, IsolationLevel=0, Topics=[
            {"Name": "t", "Partitions": [{"PartitionIndex": 0, "CurrentLeaderEpoch": -1,
                                          "Timestamp": at}]}])
        row = answer["Topics"][0]["Partitions"][0]
        assert (row["ErrorCode"], row["Offset"], row["Timestamp"]) == (0, number, at)
    wire.socket.close()
    broker.stop()


def test_a_disk_that_is_full_to_the_last_byte_hides_nothing_of_it(on_small_disk, small_disk):  # noqa: F811
    broker = on_small_disk(klamm__journal__after__commits=0, klamm__journal__bytes=262144)
    wire, first = begin(broker, "t")
    for number in range(first, first + 3):
        put(wire, "t", number)
    count = first + 3
    assert broker.metric("klamm_journal_held_bytes") > 0
    ballast = leave_free(small_disk, 0)
    assert read_all(broker, "t") == expected(count)
    deadline = time.monotonic() + LIMIT_S
    while put(wire, "t", count, [0], (0, STORAGE_ERROR)) == 0:
        assert time.monotonic() < deadline
        count += 1
    found = read_all(broker, "t")
    assert [len(f) for f in found] == [count] + [first + 3] * (PARTITIONS - 1)
    ballast.unlink()
    while put(wire, "t", count, [0], (0, STORAGE_ERROR)) != 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    wire.socket.close()
    broker.kill()
    broker.start()
    assert read_all(broker, "t")[0] == expected(count + 1)[0]
    broker.stop()
