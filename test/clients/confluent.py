# SPDX-License-Identifier: Apache-2.0
"""What several tests do with confluent-kafka."""

import functools
import time

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

LIMIT_S = 60


@functools.lru_cache(maxsize=4)  # one that nobody holds ends its calls in the middle
def admin_of(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def admin(broker):
    return admin_of(broker.bootstrap)


def results(futures):
    """Of a call of AdminClient; raises what the broker refused."""
    return {key: future.result(LIMIT_S) for key, future in futures.items()}


def create(broker, topic, partitions=1, **config):
    """Keys of configs have __ for a dot."""
    config = {k.replace("__", "."): str(v) for k, v in config.items()}
    results(admin(broker).create_topics([NewTopic(topic, partitions, 1, config=config)]))


def producer(broker, **config):
    return ck.Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True,
                        "log_level": 0,
                        **{k.replace("__", "."): v for k, v in config.items()}})


@functools.lru_cache(maxsize=16)  # librdkafka takes half a second to begin with idempotence
def kept_producer(bootstrap, config):
    return ck.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0,
                        **dict(config)})


def produce_all(broker, topic, records, **config):
    """Each record is a dict for produce(); the messages as delivered, in order of delivery."""
    delivered = []
    config = tuple(sorted((k.replace("__", "."), v) for k, v in config.items()))
    client = kept_producer(broker.bootstrap, config)

    def on_delivery(error, message):
        assert error is None, error
        delivered.append(message)

    for record in records:
        while True:
            try:
                client.produce(topic, on_delivery=on_delivery, **record)
                break
            except BufferError:
                client.poll(1)
        client.poll(0)
    assert client.flush(LIMIT_S) == 0
    assert len(delivered) == len(records)
    return delivered


def consumer(broker, **config):
    return ck.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "none",
                        "enable.auto.commit": False, "auto.offset.reset": "error",
                        "enable.partition.eof": True, "fetch.wait.max.ms": 10, "log_level": 0,
                        **{k.replace("__", "."): v for k, v in config.items()}})


def commit(bootstrap, group, offsets):
    """For a group without members. A coordinator that is still loading is asked again: librdkafka hands
    that error on, where Java's consumer repeats the commit itself."""
    client = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            client.commit(offsets=offsets, asynchronous=False)
            break
        except ck.KafkaException as e:
            loads = e.args[0].code() == ck.KafkaError.COORDINATOR_LOAD_IN_PROGRESS
            if not loads or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    client.close()


def read(client, count):
    """`count` messages; ends of partitions are passed over, errors raised."""
    messages = []
    deadline = time.monotonic() + LIMIT_S
    while len(messages) < count:
        assert time.monotonic() < deadline, f"{len(messages)} of {count} after {LIMIT_S} s"
        for message in client.consume(count - len(messages), 0.1):
            if message.error() is None:
                messages.append(message)
            elif message.error().code() != ck.KafkaError._PARTITION_EOF:
                raise ck.KafkaException(message.error())
    return messages


def read_to_end(broker, topic, partitions=1, start=ck.OFFSET_BEGINNING, **config):
    """All messages up to the end of each partition: {partition: [message]}."""
    client = consumer(broker, **config)
    client.assign([ck.TopicPartition(topic, p, start) for p in range(partitions)])
    messages = {p: [] for p in range(partitions)}
    ended = set()
    deadline = time.monotonic() + LIMIT_S
    while len(ended) < partitions:
        assert time.monotonic() < deadline, f"after {LIMIT_S} s only the ends of {ended}"
        for message in client.consume(1000, 0.02):
            if message.error() is None:
                messages[message.partition()].append(message)
            elif message.error().code() == ck.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise ck.KafkaException(message.error())
    client.close()
    return messages


def values(broker, topic, **config):
    """Of a topic with one partition."""
    return [m.value() for m in read_to_end(broker, topic, **config)[0]]
