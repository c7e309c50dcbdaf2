# SPDX-License-Identifier: Apache-2.0
"""A program that is one member of a consumer group, by one of three client libraries.

    group_worker.py '{"family": "aiokafka", "bootstrap": ..., "topic": ..., "group": ...,
                      "instance": ..., "session_ms": ...}'   # and for confluent "client", "heartbeat_ms"

It commits what it has read, says on standard output, a line of JSON each, `{"assigned": [partition]}` and
`{"records": [[partition, offset, value]]}`, the latter once it is committed, and leaves when standard
input says or is at its end. Those who want it dead kill it.
"""

import asyncio
import json
import sys
import threading

HEARTBEATS = 10  # in a session


def say(**event):
    print(json.dumps(event), flush=True)


class Confluent:
    def __init__(self, told):
        import confluent_kafka
        self.library = confluent_kafka
        config = {"bootstrap.servers": told["bootstrap"], "group.id": told["group"],
                  "session.timeout.ms": told["session_ms"], "fetch.wait.max.ms": 50,
                  "client.id": told.get("client", "rdkafka"),
                  "heartbeat.interval.ms": told.get("heartbeat_ms", told["session_ms"] // HEARTBEATS),
                  "partition.assignment.strategy": told.get("strategy", "range"),
                  "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 0}
        if told["instance"]:
            config["group.instance.id"] = told["instance"]
        self.client = confluent_kafka.Consumer(config)
        self.client.subscribe([told["topic"]], on_assign=lambda client, partitions: say(
            assigned=[p.partition for p in partitions]))

    def run(self, is_over):
        while not is_over():
            messages = self.client.consume(1000, 0.1)
            rows = [[m.partition(), m.offset(), m.value().decode()] for m in messages
                    if m.error() is None]
            if not rows:
                continue
            try:
                self.client.commit(asynchronous=False)
            except self.library.KafkaException as e:
                say(refused=str(e))
            say(records=rows)
        self.client.close()


class KafkaPython:
    def __init__(self, told):
        import kafka
        self.library = kafka

        class Listener(kafka.ConsumerRebalanceListener):
            def on_partitions_assigned(self, assigned):
                say(assigned=[p.partition for p in assigned])

            def on_partitions_revoked(self, revoked):
                pass

        self.client = kafka.KafkaConsumer(
            bootstrap_servers=told["bootstrap"], group_id=told["group"],
            group_instance_id=told["instance"], session_timeout_ms=told["session_ms"],
            heartbeat_interval_ms=told["session_ms"] // HEARTBEATS, enable_auto_commit=False,
            auto_offset_reset="earliest", fetch_max_wait_ms=50, reconnect_backoff_max_ms=500)
        self.client.subscribe([told["topic"]], listener=Listener())

    def run(self, is_over):
        while not is_over():
            rows = [[p.partition, r.offset, r.value.decode()]
                    for p, records in self.client.poll(timeout_ms=100, max_records=1000).items()
                    for r in records]
            if not rows:
                continue
            try:
                self.client.commit()
            except self.library.errors.KafkaError as e:
                say(refused=repr(e))
            say(records=rows)
        self.client.close(autocommit=False)


class Aiokafka:
    def __init__(self, told):
        self.told = told

    def run(self, is_over):
        asyncio.run(self.run_async(is_over))

    async def run_async(self, is_over):
        import aiokafka

        class Listener(aiokafka.ConsumerRebalanceListener):
            def on_partitions_assigned(self, assigned):
                say(assigned=[p.partition for p in assigned])

            def on_partitions_revoked(self, revoked):
                pass

        told = self.told
        client = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=told["bootstrap"], group_id=told["group"],
            group_instance_id=told["instance"], session_timeout_ms=told["session_ms"],
            heartbeat_interval_ms=told["session_ms"] // HEARTBEATS, enable_auto_commit=False,
            auto_offset_reset="earliest", fetch_max_wait_ms=50)
        client.subscribe([told["topic"]], listener=Listener())
        await client.start()
        while not is_over():
            found = await client.getmany(timeout_ms=100, max_records=1000)
            rows = [[p.partition, r.offset, r.value.decode()]
                    for p, records in found.items() for r in records]
            if not rows:
                continue
            try:
                await client.commit()
            except aiokafka.errors.KafkaError as e:
                say(refused=repr(e))
            say(records=rows)
        await client.stop()


FAMILIES = {"confluent": Confluent, "kafka-python": KafkaPython, "aiokafka": Aiokafka}


def main():
    told = json.loads(sys.argv[1])
    over = threading.Event()

    def listen():
        sys.stdin.readline()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    FAMILIES[told["family"]](told).run(over.is_set)


if __name__ == "__main__":
    main()
