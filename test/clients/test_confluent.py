# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka (librdkafka as PyPI has it): topics, records of every kind, offsets, configs."""

import time

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import (AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions,
                                   NewTopic, OffsetSpec)

from confluent import (LIMIT_S, admin, consumer, create, produce_all, producer, read, read_to_end,
                       results, values)
from wire import Wire

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
NOW_MS = int(time.time() * 1000)


def topic_id(broker, topic):
    """Kafka's broker may know a topic later than its controller."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            described = admin(broker).describe_topics(ck.TopicCollection([topic]))
            return results(described)[topic].topic_id
        except ck.KafkaException:
            assert time.monotonic() < deadline


# ---- topics


def test_create_delete_create_again(broker, topic):
    create(broker, topic, 3, retention__ms=1234567)
    described = results(admin(broker).describe_topics(ck.TopicCollection([topic])))[topic]
    assert [(p.id, p.leader.id, len(p.replicas), len(p.isr)) for p in described.partitions] == \
        [(i, 1, 1, 1) for i in range(3)]
    produce_all(broker, topic, [{"value": b"old", "partition": p} for p in range(3)])
    first = topic_id(broker, topic)
    results(admin(broker).delete_topics([topic]))
    assert topic not in admin(broker).list_topics().topics
    create(broker, topic, 2)
    assert topic_id(broker, topic) != first
    assert read_to_end(broker, topic, 2) == {0: [], 1: []}
    assert produce_all(broker, topic, [{"value": b"new", "partition": 0}])[0].offset() == 0
    assert values(broker, topic) == [b"new"]


@pytest.mark.parametrize("change,code", [
    ({"num_partitions": 0}, "INVALID_PARTITIONS"), ({"replication_factor": 3},
                                                    "INVALID_REPLICATION_FACTOR"),
    ({"topic": "bad/name"}, "TOPIC_EXCEPTION"), ({"config": {"no.such.key": "1"}},
                                                 "INVALID_CONFIG"),
    ({"config": {"retention.ms": "soon"}}, "INVALID_CONFIG")])
def test_create_refused(broker, topic, change, code):
    wanted = {"topic": topic, "num_partitions": 1, "replication_factor": 1, **change}
    with pytest.raises(ck.KafkaException) as refusal:
        results(admin(broker).create_topics([NewTopic(**wanted)]))
    assert refusal.value.args[0].name() in (code, "_INVALID_ARG")
    assert topic not in admin(broker).list_topics().topics


def test_create_twice(broker, topic):
    create(broker, topic)
    with pytest.raises(ck.KafkaException) as refusal:
        create(broker, topic)
    assert refusal.value.args[0].code() == ck.KafkaError.TOPIC_ALREADY_EXISTS
    with pytest.raises(ck.KafkaException) as refusal:
        results(admin(broker).delete_topics(["not-" + topic]))
    assert refusal.value.args[0].code() == ck.KafkaError.UNKNOWN_TOPIC_OR_PART


def test_describe_cluster(broker):
    cluster = admin(broker).describe_cluster().result(LIMIT_S)
    assert [(n.id, f"{n.host}:{n.port}") for n in cluster.nodes] == [(1, broker.bootstrap)]
    assert cluster.controller.id == 1
    assert len(cluster.cluster_id) == 22


def test_configs(broker, topic):
    create(broker, topic, retention__ms=1234567)
    client = admin(broker)

    def told():
        key = ConfigResource(ConfigResource.Type.TOPIC, topic)
        return list(results(client.describe_configs([key])).values())[0]

    def alter(name, operation, value=None):
        results(client.incremental_alter_configs([ConfigResource(
            ConfigResource.Type.TOPIC, topic, incremental_configs=[
                ConfigEntry(name, value, incremental_operation=operation)])]))

    def soon(name, value):
        """Kafka's broker may know a change later than its controller."""
        deadline = time.monotonic() + LIMIT_S
        while told()[name].value != value:
            assert time.monotonic() < deadline, told()[name].value

    soon("retention.ms", "1234567")
    assert told()["retention.ms"].is_default is False
    assert told()["segment.bytes"].is_default is True
    assert len(told()) >= 30
    alter("retention.ms", AlterConfigOpType.SET, "7654321")
    soon("retention.ms", "7654321")
    alter("cleanup.policy", AlterConfigOpType.APPEND, "compact")
    soon("cleanup.policy", "delete,compact")
    alter("cleanup.policy", AlterConfigOpType.SUBTRACT, "compact")
    soon("cleanup.policy", "delete")
    alter("retention.ms", AlterConfigOpType.DELETE)
    soon("retention.ms", "604800000")
    with pytest.raises(ck.KafkaException) as refusal:
        alter("retention.ms", AlterConfigOpType.SET, "soon")
    assert refusal.value.args[0].code() == ck.KafkaError.INVALID_CONFIG


def test_new_partitions_and_deleted_records(broker, topic):
    create(broker, topic, 2)
    client = admin(broker)
    first = ck.TopicPartition(topic, 0)
    results(client.create_partitions([NewPartitions(topic, 5)]))
    with pytest.raises(ck.KafkaException) as refusal:
        results(client.create_partitions([NewPartitions(topic, 4)]))
    assert refusal.value.args[0].code() == ck.KafkaError.INVALID_PARTITIONS
    for partition in (0, 4):
        told = produce_all(broker, topic, [{"value": b"%d" % i, "partition": partition}
                                           for i in range(10)])
        assert [m.offset() for m in told] == list(range(10))

    def deleted(before):
        asked = ck.TopicPartition(topic, 0, before)
        return results(client.delete_records([asked]))[asked].low_watermark

    assert deleted(4) == 4
    with pytest.raises(ck.KafkaException) as refusal:
        deleted(11)
    assert refusal.value.args[0].code() == ck.KafkaError.OFFSET_OUT_OF_RANGE
    assert list(results(client.list_offsets({first: OffsetSpec.earliest()})).values())[0].offset == 4
    back = read_to_end(broker, topic, 5)
    assert [m.value() for m in back[0]] == [b"%d" % i for i in range(4, 10)]
    assert [m.value() for m in back[4]] == [b"%d" % i for i in range(10)]


def test_broker_configs(broker):
    key = ConfigResource(ConfigResource.Type.BROKER, "1")
    configs = list(results(admin(broker).describe_configs([key])).values())[0]
    assert configs["log.retention.check.interval.ms"].value == "200"
    assert configs["num.partitions"].value == "1"


# ---- records


@pytest.mark.parametrize("codec", CODECS)
def test_everything_in_a_record_comes_back(broker, topic, codec):
    create(broker, topic)
    records = []
    for i in range(3000):
        records.append({
            "key": None if i % 5 == 0 else b"" if i % 5 == 1 else b"key %d" % i,
            "value": None if i % 7 == 0 else b"" if i % 7 == 1 else b"%d " % i * (i % 97),
            "headers": [(f"h{n}", None if n == 2 else b"%d" % (i * n)) for n in range(i % 4)],
            "timestamp": NOW_MS - 5000 + i})
    produce_all(broker, topic, records, compression__type=codec, acks="all", linger__ms=20)
    back = read_to_end(broker, topic)[0]
    assert [m.offset() for m in back] == list(range(3000))
    for message, record in zip(back, records):
        assert message.key() == record["key"]
        assert message.value() == record["value"]
        assert message.headers() == (record["headers"] or None)
        assert message.timestamp() == (ck.TIMESTAMP_CREATE_TIME, record["timestamp"])


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_acks(broker, topic, acks):
    create(broker, topic)
    wanted = [b"%d" % i for i in range(500)]
    produce_all(broker, topic, [{"value": v} for v in wanted], enable__idempotence=False, acks=acks,
                max__in__flight=1)
    client = consumer(broker)
    client.assign([ck.TopicPartition(topic, 0, 0)])
    assert [m.value() for m in read(client, 500)] == wanted
    client.close()


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_a_record_of_10_mb(broker, topic, codec):
    create(broker, topic, max__message__bytes=12 << 20)
    value = bytes(range(256)) * (10 << 12)
    produce_all(broker, topic, [{"value": b"before"}, {"value": value}, {"value": b"after"}],
                message__max__bytes=20 << 20, compression__type=codec)
    assert values(broker, topic) == [b"before", value, b"after"]
    # Also by a consumer that asks for less than that.
    assert values(broker, topic, fetch__max__bytes=1 << 20, message__max__bytes=1 << 20,
                  max__partition__fetch__bytes=1 << 10) == [b"before", value, b"after"]


def test_a_record_that_is_too_large(broker, topic):
    create(broker, topic)
    refused = []
    client = producer(broker, message__max__bytes=20 << 20)
    client.produce(topic, b"x" * (2 << 20), on_delivery=lambda e, m: refused.append(e))
    assert client.flush(LIMIT_S) == 0
    assert refused[0].code() == ck.KafkaError.MSG_SIZE_TOO_LARGE
    assert values(broker, topic) == []


def test_100000_records_in_order(broker, topic):
    create(broker, topic, 3)
    produce_all(broker, topic, [{"value": b"%d" % i, "partition": i % 3} for i in range(100000)],
                compression__type="lz4", linger__ms=5)
    back = read_to_end(broker, topic, 3)
    for partition, messages in back.items():
        assert [int(m.value()) for m in messages] == list(range(partition, 100000, 3))
        assert [m.offset() for m in messages] == list(range(len(messages)))


def test_auto_creation(broker, topic):
    produce_all(broker, topic, [{"value": b"1"}])
    assert values(broker, topic) == [b"1"]


def test_log_append_time(broker, topic):
    create(broker, topic, message__timestamp__type="LogAppendTime")
    produce_all(broker, topic, [{"value": b"x", "timestamp": 1000}], compression__type="gzip")
    kind, at = read_to_end(broker, topic)[0][0].timestamp()
    assert kind == ck.TIMESTAMP_LOG_APPEND_TIME
    assert abs(at - time.time() * 1000) < 1000 * LIMIT_S


def codecs_on_disk(broker, topic):
    """From the attributes of the stored batches, as a fetch of bytes sees them."""
    with Wire(broker.bootstrap) as wire:
        answer = wire.ask("Fetch", 4, ReplicaId=-1, MaxWaitMs=0, MinBytes=0, MaxBytes=1 << 24,
                          Topics=[{"Topic": topic, "Partitions": [
                              {"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1 << 24}]}])
    data = answer["Responses"][0]["Partitions"][0]["Records"]
    found, pos = [], 0
    while pos < len(data):
        found.append(CODECS[data[pos + 22] & 7])
        pos += 12 + int.from_bytes(data[pos + 8:pos + 12], "big")
    return set(found)


@pytest.mark.parametrize("sent", ["none", "gzip"])
@pytest.mark.parametrize("kept", ["producer", "uncompressed", "zstd", "lz4", "snappy", "gzip"])
def test_the_codec_of_the_topic(broker, topic, sent, kept):
    create(broker, topic, compression__type=kept)
    wanted = [b"%d" % i * 50 for i in range(1000)]
    produce_all(broker, topic, [{"value": v} for v in wanted], compression__type=sent, linger__ms=20)
    assert values(broker, topic) == wanted
    assert codecs_on_disk(broker, topic) == {
        "producer": {sent}, "uncompressed": {"none"}}.get(kept, {kept})


def test_acks_by_page_cache(klamm, topic):
    """klamm.ack=cache: acknowledged when written; synced at a clean stop."""
    create(klamm, topic, klamm__ack="cache")
    wanted = [b"%d" % i for i in range(2000)]
    produce_all(klamm, topic, [{"value": v} for v in wanted])
    assert values(klamm, topic) == wanted
    klamm.stop()
    klamm.start()
    assert values(klamm, topic) == wanted
    produce_all(klamm, topic, [{"value": b"more"}])
    klamm.kill()
    klamm.start()
    assert values(klamm, topic) == wanted + [b"more"]


# ---- offsets


def test_offsets_by_time_and_name(broker, topic):
    create(broker, topic, 2)
    at = NOW_MS - 1000000
    wanted = [{"value": b"%d" % i, "timestamp": at + 1000 * i, "partition": 1} for i in range(100)]
    for some in (wanted[:1], wanted[1:50], wanted[50:51], wanted[51:]):  # a batch each
        produce_all(broker, topic, some, compression__type="gzip", linger__ms=20)
    client = consumer(broker)
    assert client.get_watermark_offsets(ck.TopicPartition(topic, 0), LIMIT_S) == (0, 0)
    assert client.get_watermark_offsets(ck.TopicPartition(topic, 1), LIMIT_S) == (0, 100)

    def offset_at(timestamp):
        asked = [ck.TopicPartition(topic, 1, timestamp)]
        return client.offsets_for_times(asked, LIMIT_S)[0].offset

    for i in range(0, 99, 7):
        assert offset_at(at + 1000 * i) == i
        assert offset_at(at + 1000 * i + 1) == i + 1
    assert offset_at(0) == 0
    assert offset_at(at + 99001) == ck.OFFSET_END
    specs = {OffsetSpec.earliest(): 0, OffsetSpec.latest(): 100, OffsetSpec.max_timestamp(): 99,
             OffsetSpec.for_timestamp(at + 41500): 42}
    for spec, offset in specs.items():
        asked = {ck.TopicPartition(topic, 1): spec}
        assert list(results(admin(broker).list_offsets(asked)).values())[0].offset == offset
    client.assign([ck.TopicPartition(topic, 1, 70)])
    assert [m.value() for m in read(client, 30)] == [b"%d" % i for i in range(70, 100)]
    client.close()


def test_a_tail_is_woken_by_the_record(broker, topic):
    """Twenty fetches wait up to 30 s each; all records arrive in less than one of these waits."""
    create(broker, topic)
    client = consumer(broker, fetch__wait__max__ms=30000, fetch__min__bytes=1)
    client.assign([ck.TopicPartition(topic, 0, 0)])
    writer = producer(broker, linger__ms=0)
    start = time.monotonic()
    for i in range(20):
        writer.produce(topic, b"%d" % i)
        assert read(client, 1)[0].value() == b"%d" % i
    assert time.monotonic() - start < 30
    client.close()


def test_retention_moves_the_start(broker, topic):
    create(broker, topic, retention__ms=3600000, segment__ms=1000)
    old = [{"value": b"old %d" % i, "timestamp": NOW_MS - 2 * 3600000} for i in range(100)]
    produce_all(broker, topic, old)
    client = consumer(broker)
    partition = ck.TopicPartition(topic, 0, 5)
    deadline = time.monotonic() + LIMIT_S
    while client.get_watermark_offsets(partition, LIMIT_S) != (100, 100):
        assert time.monotonic() < deadline
    produce_all(broker, topic, [{"value": b"new"}])
    assert client.get_watermark_offsets(partition, LIMIT_S) == (100, 101)
    client.assign([partition])
    with pytest.raises(ck.KafkaException) as refusal:
        read(client, 1)
    assert refusal.value.args[0].code() == ck.KafkaError._AUTO_OFFSET_RESET
    client.close()
    again = consumer(broker, auto__offset__reset="earliest")
    again.assign([partition])
    assert [(m.offset(), m.value()) for m in read(again, 1)] == [(100, b"new")]
    again.close()


def test_an_offset_behind_the_end(broker, topic):
    create(broker, topic)
    produce_all(broker, topic, [{"value": b"%d" % i} for i in range(10)])
    client = consumer(broker, auto__offset__reset="latest")
    client.assign([ck.TopicPartition(topic, 0, 1000)])
    assert client.consume(1, LIMIT_S)[0].error().code() == ck.KafkaError._PARTITION_EOF
    produce_all(broker, topic, [{"value": b"next"}])
    assert read(client, 1)[0].value() == b"next"
    client.close()


# ---- what is not served


def test_transactions_are_refused_for_good(klamm, topic):
    """A fatal error, soon; another producer works on."""
    transactional = producer(klamm, transactional__id="t")
    for _ in range(2):
        with pytest.raises(ck.KafkaException) as refused:
            transactional.init_transactions(LIMIT_S)
        error = refused.value.args[0]
        assert error.code() == ck.KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        assert error.fatal() and not error.retriable()
    create(klamm, topic)
    produce_all(klamm, topic, [{"value": b"plain"}])
