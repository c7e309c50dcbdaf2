# SPDX-License-Identifier: Apache-2.0
"""What tests with a broker of their own look like. pip install pytest confluent-kafka"""

import time

from confluent_kafka import Consumer, Producer, TopicPartition


def send(broker, topic, values):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def test_what_is_sent_is_read(broker):
    send(broker, "orders", ["a", "b", "c"])
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "billing",
                         "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    values = [m.value() for m in consumer.consume(3, timeout=30)]
    consumer.close()
    assert values == [b"a", b"b", b"c"]


def test_old_records_go(own_broker):
    send(own_broker, "clicks", ["x"])
    own_broker.advance(seconds=2 * 24 * 3600)  # more than log.retention.hours
    consumer = Consumer({"bootstrap.servers": own_broker.bootstrap_servers, "group.id": "none"})
    deadline = time.monotonic() + 30
    low = 0
    while low == 0 and time.monotonic() < deadline:  # retention runs beside us
        low, _ = consumer.get_watermark_offsets(TopicPartition("clicks", 0), timeout=30)
    consumer.close()
    assert low == 1
