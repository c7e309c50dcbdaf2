# SPDX-License-Identifier: Apache-2.0
"""Topics whose files are looked at: written so that every kind of file is there, and read as a whole."""

import json
import subprocess
import time

import confluent_kafka as ck

import batch
from wire import Wire

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
START_MS = int(time.time() - 3600) * 1000  # not so old that retention would take it


def deliver(err, _):
    assert err is None, err


def fill(bootstrap, topics, first, count, partitions=1):
    """`count` records for each of {topic: codec}, numbered from `first`, by an idempotent producer;
    with keys, headers, times of their own, tombstones."""
    for topic, codec in topics.items():
        producer = ck.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True,
                                "compression.type": codec, "linger.ms": 5, "batch.size": 4000})
        for i in range(first, first + count):
            value = None if i % 50 == 49 else f"{topic} {i} {'x' * (i * 7 % 300)}"
            headers = [("n", str(i).encode()), ("null", None)] if i % 3 == 0 else None
            while True:
                try:
                    producer.produce(topic, value, key=f"k{i % 20}", headers=headers, on_delivery=deliver,
                                     partition=i % partitions, timestamp=START_MS + i * 10)
                    break
                except BufferError:
                    producer.poll(0.1)
            if i % 200 == 199:
                producer.flush()
        assert producer.flush(60) == 0


def read_all(bootstrap, topic, partitions=1):
    """All records: (partition, offset, timestamp, key, value, headers)."""
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "reader",
                            "enable.auto.commit": False, "enable.partition.eof": True,
                            "fetch.wait.max.ms": 10})
    consumer.assign([ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING) for p in range(partitions)])
    found, ended = [], set()
    while len(ended) < partitions:
        for message in consumer.consume(500, timeout=0.1):
            if message.error():
                assert message.error().code() == ck.KafkaError._PARTITION_EOF, message.error()
                ended.add(message.partition())
                continue
            found.append((message.partition(), message.offset(), message.timestamp(), message.key(),
                          message.value(), message.headers()))
    consumer.close()
    return sorted(found, key=lambda r: r[:2])


class RawProducer:
    """Idempotent, by hand: it may be continued at another broker."""

    def __init__(self, topic):
        self.topic = topic
        self.sequence = 0
        self.id = self.epoch = None

    def begin(self, bootstrap):
        with Wire(bootstrap) as wire:
            answer = wire.ask("InitProducerId", 4, TransactionalId=None, TransactionTimeoutMs=60000,
                              ProducerId=-1, ProducerEpoch=-1)
        assert answer["ErrorCode"] == 0, answer
        self.id, self.epoch = answer["ProducerId"], answer["ProducerEpoch"]
        return self

    def send(self, bootstrap, sequence=None):
        """The error code and offset of one record; its sequence is the next, or any."""
        sequence = self.sequence if sequence is None else sequence
        data = batch.batch(batch.record(value=b"raw %d" % sequence), producer_id=self.id,
                           producer_epoch=self.epoch, base_sequence=sequence)
        with Wire(bootstrap) as wire:
            answer = wire.ask("Produce", 9, TransactionalId=None, Acks=-1, TimeoutMs=30000, TopicData=[
                {"Name": self.topic, "PartitionData": [{"Index": 0, "Records": data}]}])
        part = answer["Responses"][0]["PartitionResponses"][0]
        if part["ErrorCode"] == 0 and sequence == self.sequence:
            self.sequence += 1
        return part["ErrorCode"], part["BaseOffset"]


def command(binary, *words):
    """One of klamm's, and its JSON, one object a line or one in all."""
    done = subprocess.run([binary, *map(str, words)], stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout


def dump(binary, *words):
    code, out = command(binary, "log", "dump", "--json", *words)
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def verify(binary, *paths):
    return json.loads(command(binary, "log", "verify", "--json", *paths)[1])
