# SPDX-License-Identifier: Apache-2.0
"""One client of test_torture.py, by confluent-kafka. What all of them do:

    WORKER BOOTSTRAP NAME TOPIC:PARTITIONS ...

An idempotent producer with acks=all writes records "NAME n" to all partitions in turn, n = 0, 1, 2 ... in each
of them, and a consumer of group NAME reads the first topic and commits. Lines of standard output:

    acked TOPIC PARTITION COUNT      so many of its records are acknowledged; now and then
    committed PARTITION OFFSET       a commit was answered
    sent TOPIC PARTITION COUNT       at the end, which is when standard input ends: all are acknowledged

It lives through any number of kills of the broker; whatever else happens ends it with a status that is not 0.
"""

import faulthandler
import os
import random
import sys
import threading

import confluent_kafka as ck

IN_FLIGHT = 1000
END_LIMIT_S = 100
BETWEEN = 200  # records between lines
QUICK = {"reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 50, "retry.backoff.ms": 5, "log_level": 0}


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # a line at a time: threads speak


class Torturer:
    def __init__(self, bootstrap, name, topics):
        self.name = name
        self.common = {"bootstrap.servers": bootstrap, **QUICK}
        self.partitions = [(t.rpartition(":")[0], p) for t in topics
                           for p in range(int(t.rpartition(":")[2]))]
        self.acked = dict.fromkeys(self.partitions, 0)
        self.sent = dict.fromkeys(self.partitions, 0)
        self.is_over = threading.Event()

    def delivered(self, error, message):
        if error is not None:
            say("failed", error)
            os._exit(1)
        self.acked[message.topic(), message.partition()] += 1

    def produce(self):
        client = ck.Producer({**self.common, "enable.idempotence": True, "linger.ms": 1,
                              "compression.type": "lz4"})
        count = 0
        while not self.is_over.is_set():
            if len(client) >= IN_FLIGHT:
                client.poll(0.01)
                continue
            topic, partition = self.partitions[count % len(self.partitions)]
            number = self.sent[topic, partition]
            client.produce(topic, b"%s %d" % (self.name.encode(), number)
                           + b" " * random.randrange(300),
                           partition=partition, on_delivery=self.delivered)
            self.sent[topic, partition] += 1
            count += 1
            client.poll(0)
            if count % BETWEEN == 0:
                self.tell("acked", self.acked)
        assert client.flush(60) == 0
        self.tell("sent", self.sent)

    @staticmethod
    def tell(word, counts):
        for (topic, partition), count in counts.items():
            say(word, topic, partition, count)

    def consume(self):
        client = ck.Consumer({**self.common, "group.id": self.name, "enable.auto.commit": False,
                              "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20,
                              "heartbeat.interval.ms": 200})
        client.subscribe([self.partitions[0][0]])
        while not self.is_over.is_set():
            if not [m for m in client.consume(1000, 0.05) if m.error() is None]:
                continue
            try:
                done = client.commit(asynchronous=False)
            except ck.KafkaException:
                continue  # the broker was killed: nothing was promised
            for row in done:
                if row.error is None and row.offset >= 0:
                    say("committed", row.partition, row.offset)
        client.close()

    def listen(self):
        sys.stdin.read()
        self.is_over.set()
        faulthandler.dump_traceback_later(END_LIMIT_S, exit=True, file=sys.stdout)  # who hangs, where

    def run(self):
        reader = threading.Thread(target=self.consume)
        reader.start()
        threading.Thread(target=self.listen, daemon=True).start()
        self.produce()
        reader.join()


Torturer(sys.argv[1], sys.argv[2], sys.argv[3:]).run()
