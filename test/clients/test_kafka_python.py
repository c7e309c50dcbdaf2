# SPDX-License-Identifier: Apache-2.0
"""kafka-python outside of groups: the administrator of topics, a large record, kills."""

import kafka
import pytest
from kafka.admin import ConfigResource, NewPartitions, NewTopic
from kafka.errors import (InvalidPartitionsError, OffsetOutOfRangeError, TopicAlreadyExistsError,
                          UnknownTopicOrPartitionError)

from confluent import LIMIT_S, create
from test_against_kafka import until
from test_crash import Load, kill_under, values


@pytest.fixture
def admin(broker):
    client = kafka.KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    yield client
    client.close()


def producer(broker, **config):
    return kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, **config)


def test_admin_of_topics(broker, topic, admin):
    first = kafka.TopicPartition(topic, 0)
    new = NewTopic(topic, 2, 1, topic_configs={"retention.ms": "1234567"})
    admin.create_topics([new])
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics([new])
    until(lambda: topic in admin.list_topics(), admin.list_topics)
    assert [p["leader_id"] for p in admin.describe_topics([topic])[0]["partitions"]] == [1, 1]

    def config(key):
        asked = [ConfigResource("TOPIC", topic)]
        return admin.describe_configs(asked, config_filter="all")["topic"][topic][key]["value"]

    def alter(value):
        asked = [ConfigResource("TOPIC", topic, configs={"segment.bytes": value})]
        return admin.alter_configs(asked)["topic"][topic]

    assert (config("retention.ms"), config("segment.bytes")) == ("1234567", "1073741824")
    assert alter("2000000") == "OK"
    until(lambda: config("segment.bytes") == "2000000", lambda: config("segment.bytes"))
    assert "InvalidConfigurationError" in str(alter("many"))

    admin.create_partitions({topic: NewPartitions(total_count=5)})
    with pytest.raises(InvalidPartitionsError):
        admin.create_partitions({topic: NewPartitions(total_count=4)})
    with producer(broker) as client:
        sent = [client.send(topic, b"%d" % i, partition=p) for p in (0, 4) for i in range(10)]
        assert [s.get(LIMIT_S).offset for s in sent] == [*range(10), *range(10)]

    assert admin.delete_records({first: 4})[first]["low_watermark"] == 4
    with pytest.raises(OffsetOutOfRangeError):
        admin.delete_records({first: 11})
    reader = kafka.KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    reader.assign([first])
    assert next(reader).value == b"4"
    reader.close()

    admin.delete_topics([topic])
    until(lambda: topic not in admin.list_topics(), admin.list_topics)
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics([topic])


def test_a_record_of_10_mb(broker, topic):
    create(broker, topic, max__message__bytes=12 << 20)
    value = bytes(range(256)) * (10 << 12)
    with producer(broker, max_request_size=12 << 20) as client:
        for wanted in (b"before", value, b"after"):
            client.send(topic, wanted).get(LIMIT_S)
    for most in (20 << 20, 1 << 10):  # also by a consumer that asks for less than that
        reader = kafka.KafkaConsumer(
            topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest",
            fetch_max_bytes=most, max_partition_fetch_bytes=most,
            check_crcs=False)  # it needs seconds for that
        assert [next(reader).value for _ in range(3)] == [b"before", value, b"after"]
        reader.close()


class KafkaPythonLoad(Load):
    """Idempotent."""

    def run(self):
        sent = []
        with producer(self.broker, enable_idempotence=True, reconnect_backoff_ms=10, linger_ms=1,
                      reconnect_backoff_max_ms=50, retry_backoff_ms=10) as client:
            while not self.is_ended:
                some = [client.send(self.topic, b"%d" % (len(sent) + i)) for i in range(50)]
                sent += [s.get(LIMIT_S).offset for s in some]
                self.acked = len(sent)
        assert sent == list(range(len(sent)))

    def verify(self):
        assert [int(v) for v in values(self.broker, self.topic)] == list(range(self.acked))


def test_kills(own_broker, topic):
    """SIGKILL in the middle of what is sent: each record once, in order."""
    create(own_broker, topic)
    kill_under(KafkaPythonLoad(own_broker, topic), own_broker)
