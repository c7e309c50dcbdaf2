# SPDX-License-Identifier: Apache-2.0
"""stress.py KLAMM SECONDS: two reactors and four workers with everything at once.

Idempotent producers of every codec, consumers from the beginning and at the tail, groups whose
members come and go, topics that do, partitions that go to another log directory and back, records
deleted from the front while others write, configuration
changes of topics and of the broker, metrics scrapes, and connections that break off in the middle. Made
for a ThreadSanitizer build: any report of it fails the run. Every acknowledged record of the
lasting topics must be read back, once, in order.
"""

import collections
import random
import socket
import struct
import sys
import threading
import time
import traceback
import pathlib

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "clients")]

import confluent_kafka as ck
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewTopic)

from klamm import KlammError, KlammServer
from wire import Wire

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 3
COMMIT_SECONDS = 120
HELD_MIN = 10
REPORT_RULE = "=" * 18  # above and below each report of ThreadSanitizer


class Stress:
    def __init__(self, klamm, seconds):
        self.klamm = klamm
        self.seconds = seconds
        self.deadline = 0.0
        self.acked = collections.defaultdict(list)  # (topic, partition) -> [(offset, value)]
        self.lock = threading.Lock()
        self.errors = []
        self.churned = 0
        self.commits = 0
        self.has_committed = set()  # groups
        self.moves = 0

    def going(self):
        return time.monotonic() < self.deadline

    def goes_on(self, group):
        """Also after the time, on a machine so slow that a group has not come to its first commit."""
        late = time.monotonic() - self.deadline
        return late < 0 or (group not in self.has_committed and late < COMMIT_SECONDS)

    def guarded(self, body, *args):
        def run():
            try:
                body(*args)
            except Exception as e:  # whatever it is, it fails the run
                self.errors.append(f"{body.__name__}: {e!r}")
        return threading.Thread(target=run)

    def produce(self, number):
        topic = f"lasting-{number % 2}"
        producer = ck.Producer({
            "bootstrap.servers": self.klamm.bootstrap, "enable.idempotence": True,
            "compression.type": CODECS[number % len(CODECS)], "linger.ms": number % 3})

        def delivered(error, message):
            with self.lock:
                if error is not None:
                    self.errors.append(f"producer {number}: {error}")
                else:
                    key = (message.topic(), message.partition())
                    self.acked[key].append((message.offset(), message.value()))

        count = 0
        while self.going():
            size = random.choice((10, 100, 1000, 20000))
            value = b"%d:%d:" % (number, count) + b"x" * size
            producer.produce(topic, value, partition=count % PARTITIONS, on_delivery=delivered)
            count += 1
            producer.poll(0)
            if count % 50 == 0:
                producer.flush(30)
        producer.flush(60)

    def consume(self, number):
        while self.going():
            consumer = ck.Consumer({
                "bootstrap.servers": self.klamm.bootstrap, "group.id": "none",
                "enable.auto.commit": False, "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50})
            start = ck.OFFSET_BEGINNING if number % 2 else ck.OFFSET_END
            consumer.assign([ck.TopicPartition(f"lasting-{t}", p, start)
                             for t in range(2) for p in range(PARTITIONS)])
            until = time.monotonic() + random.uniform(0.5, 3)
            while time.monotonic() < until and self.going():
                for message in consumer.consume(500, 0.2):
                    if message.error() is not None:
                        self.errors.append(f"consumer {number}: {message.error()}")
            consumer.close()

    def consume_in_group(self, number):
        """Two groups whose members come and go; what a group has committed never goes back."""
        group, topic, committed = number % 2, f"lasting-{number % 2}", {}
        while self.goes_on(group):
            consumer = ck.Consumer({
                "bootstrap.servers": self.klamm.bootstrap, "group.id": f"group-{number % 2}",
                "enable.auto.commit": False, "auto.offset.reset": "earliest",
                "session.timeout.ms": 6000, "fetch.wait.max.ms": 50})
            consumer.subscribe([topic])
            until = time.monotonic() + random.uniform(1, 4)
            while time.monotonic() < until and self.goes_on(group):
                if not consumer.consume(500, 0.2):
                    continue
                try:
                    told = consumer.commit(asynchronous=False)
                except ck.KafkaException:
                    continue  # the group has gone on to another generation
                with self.lock:
                    self.commits += len(told)
                    self.has_committed.add(group)
            consumer.close()
        for row in ck.Consumer({"bootstrap.servers": self.klamm.bootstrap,
                                "group.id": f"group-{number % 2}"}).committed(
                [ck.TopicPartition(topic, p) for p in range(PARTITIONS)], 30):
            committed[row.partition] = row.offset
        if not any(offset > 0 for offset in committed.values()):
            self.errors.append(f"group {number % 2} has committed nothing: {committed}")

    def look_at_groups(self):
        admin = AdminClient({"bootstrap.servers": self.klamm.bootstrap})
        while self.going():
            admin.list_consumer_groups(request_timeout=30).result(30)
            for future in admin.describe_consumer_groups(
                    ["group-0", "group-1", "none"], request_timeout=30).values():
                try:
                    future.result(30)
                except ck.KafkaException as e:  # the admin client does not ask again by itself
                    assert e.args[0].code() in (ck.KafkaError.GROUP_ID_NOT_FOUND,
                                                ck.KafkaError.COORDINATOR_LOAD_IN_PROGRESS), e
            time.sleep(0.05)

    def churn_topics(self):
        admin = AdminClient({"bootstrap.servers": self.klamm.bootstrap})
        while self.going():
            name = f"passing-{self.churned}"
            for future in admin.create_topics([NewTopic(name, 4, 1)]).values():
                future.result(30)
            producer = ck.Producer({"bootstrap.servers": self.klamm.bootstrap})
            for i in range(40):
                producer.produce(name, b"y" * 100, partition=i % 4)
            producer.flush(30)
            change = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[
                ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)])
            for future in admin.incremental_alter_configs([change]).values():
                future.result(30)
            for future in admin.delete_topics([name]).values():
                future.result(30)
            self.churned += 1

    def look_after(self):
        """Deletes records, adds partitions, changes the broker's configuration, looks at all of it."""
        producer = ck.Producer({"bootstrap.servers": self.klamm.bootstrap})
        with Wire(self.klamm.bootstrap) as wire:
            count = 1
            while self.going():
                wire.ask("CreatePartitions", 3, TimeoutMs=30000, Topics=[
                    {"Name": "trimmed", "Count": count + 1, "Assignments": None}])
                count = min(count + 1, 20)
                for i in range(count * 5):
                    producer.produce("trimmed", b"z" * 100, partition=0)  # it may not know the others yet
                answer = wire.ask("DeleteRecords", 2, TimeoutMs=30000, Topics=[
                    {"Name": "trimmed", "Partitions": [{"PartitionIndex": i, "Offset": -1}
                                                       for i in range(count)]}])
                assert all(p["ErrorCode"] == 0 for p in answer["Topics"][0]["Partitions"]), answer
                assert producer.flush(30) == 0
                answer = wire.ask("IncrementalAlterConfigs", 1, Resources=[
                    {"ResourceType": 4, "ResourceName": "1" if count % 2 else "", "Configs": [
                        {"Name": "log.roll.ms", "ConfigOperation": 0, "Value": str(50000 + count)}]}])
                assert answer["Responses"][0]["ErrorCode"] == 0, answer
                for api, version in (("DescribeLogDirs", 5), ("DescribeTopicPartitions", 0)):
                    assert wire.ask(api, version)
                assert wire.ask("DescribeConfigs", 4, Resources=[
                    {"ResourceType": 4, "ResourceName": "1", "ConfigurationKeys": None}])

    def places(self, wire):
        """Where each partition of the lasting topics is: {(topic, partition): directory}."""
        places = {}
        for row in wire.ask("DescribeLogDirs", 4, Topics=None)["Results"]:
            assert row["ErrorCode"] == 0, row
            for topic in row["Topics"]:
                for part in topic["Partitions"]:
                    key = topic["Name"], part["PartitionIndex"]
                    if topic["Name"].startswith("lasting-") and not part["IsFutureKey"]:
                        assert key not in places, (key, places[key], row["LogDir"])
                        places[key] = row["LogDir"]
        assert len(places) == 2 * PARTITIONS, places
        return places

    def move_partitions(self):
        """To a directory by chance: sometimes where it is, which calls off what is under way."""
        with Wire(self.klamm.bootstrap) as wire:
            places = self.places(wire)
            dirs = self.klamm.extra["log.dirs"].split(",")
            while self.going():
                answer = wire.ask("AlterReplicaLogDirs", 2, Dirs=[
                    {"Path": path, "Topics": [
                        {"Name": f"lasting-{t}", "Partitions": [random.randrange(PARTITIONS)]}]}
                    for t, path in enumerate(random.choices(dirs, k=2))])
                assert all(p["ErrorCode"] == 0 for t in answer["Results"]
                           for p in t["Partitions"]), answer
                time.sleep(random.choice((0, 0.05, 0.3)))
                before, places = places, self.places(wire)
                self.moves += sum(places[key] != before[key] for key in places)

    def scrape(self):
        while self.going():
            assert "klamm_requests_total" in self.klamm.page("/metrics")
            assert self.klamm.page("/readyz") == "ready\n"
            time.sleep(0.05)

    def break_off(self):
        """Half frames, garbage, requests whose answers nobody waits for."""
        rng = random.Random(1)
        api_versions = struct.pack(">hhih", 18, 0, 7, -1)
        while self.going():
            with socket.create_connection(("127.0.0.1", self.klamm.port)) as s:
                choice = rng.randrange(4)
                if choice == 0:
                    s.sendall(struct.pack(">i", 1000) + b"z" * rng.randrange(1000))
                elif choice == 1:
                    s.sendall(struct.pack(">i", 60) + rng.randbytes(60))
                elif choice == 2:
                    frame = struct.pack(">i", len(api_versions)) + api_versions
                    s.sendall(frame * rng.randrange(1, 50))
                else:
                    s.sendall(b"GET / HTTP/1.1\r\n\r\n")
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def verify(self):
        """Everything acknowledged is there, at its offset, once."""
        consumer = ck.Consumer({
            "bootstrap.servers": self.klamm.bootstrap, "group.id": "none",
            "enable.auto.commit": False, "enable.partition.eof": True})
        partitions = [ck.TopicPartition(f"lasting-{t}", p, ck.OFFSET_BEGINNING)
                      for t in range(2) for p in range(PARTITIONS)]
        consumer.assign(partitions)
        seen = {}
        ended = set()
        while len(ended) < len(partitions):
            for message in consumer.consume(1000, 10):
                key = (message.topic(), message.partition())
                if message.error() is not None:
                    assert message.error().code() == ck.KafkaError._PARTITION_EOF, message.error()
                    ended.add(key)
                else:
                    assert (key, message.offset()) not in seen
                    seen[(key, message.offset())] = message.value()
        consumer.close()
        total = 0
        for key, acks in self.acked.items():
            for offset, value in acks:
                assert seen.get((key, offset)) == value, f"{key} offset {offset}"
                total += 1
        assert total == len(seen), f"{total} acknowledged, {len(seen)} in the log"
        return total


def metric(klamm, name):
    return next(int(line.split()[1]) for line in klamm.page("/metrics").splitlines()
                if line.startswith(f"{name} "))


def reports_apart(lines):
    """What the server logged, and the lines of ThreadSanitizer's reports."""
    logged, reported, is_report = [], [], False
    for line in lines:
        if line == REPORT_RULE:
            is_report = not is_report
        else:
            (reported if is_report else logged).append(line)
    return logged, reported


def new_server(binary):
    options = {"TSAN_OPTIONS": "halt_on_error=0:exitcode=66:second_deadlock_stack=1"}
    klamm = KlammServer(binary, env=options).set("klamm.reactors", 2).set("klamm.disk.workers", 4)
    klamm.set("klamm.admin.listener", "127.0.0.1:0").set("log.segment.bytes", 1 << 20)
    klamm.set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 5)
    klamm.set("log.retention.check.interval.ms", 500).set("log.segment.delete.delay.ms", 100)
    klamm.set("log.dirs", f"{klamm.data},{klamm.data}-2")
    return klamm.set("klamm.journal.after.commits", 10).set("klamm.journal.bytes", 262144)


def play(stress):
    """Returns how many records were acknowledged and read back."""
    klamm = stress.klamm
    admin = AdminClient({"bootstrap.servers": klamm.bootstrap})
    topics = [NewTopic(f"lasting-{t}", PARTITIONS, 1) for t in range(2)]
    for future in admin.create_topics([*topics, NewTopic("trimmed", 1, 1)]).values():
        future.result(30)
    stress.deadline = time.monotonic() + stress.seconds
    threads = [stress.guarded(stress.produce, n) for n in range(6)]
    threads += [stress.guarded(stress.consume, n) for n in range(3)]
    threads += [stress.guarded(stress.consume_in_group, n) for n in range(4)]
    threads += [stress.guarded(f) for f in (stress.churn_topics, stress.look_at_groups, stress.scrape,
                                            stress.break_off, stress.look_after,
                                            stress.move_partitions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = stress.verify()
    rotations = metric(klamm, "klamm_journal_rotations_total")
    if rotations < 2:
        stress.errors.append(f"the journal changed its half {rotations} times")
    held = metric(klamm, "klamm_journal_held_total")
    if held < HELD_MIN:
        stress.errors.append(f"only {held} commits waited in memory for their segment")
    return total


def main():
    binary, seconds = sys.argv[1], float(sys.argv[2])
    klamm, total = new_server(binary), 0
    stress = Stress(klamm, seconds)
    try:
        with klamm:
            total = play(stress)
            klamm.stop()
    except KlammError as e:
        stress.errors.append(str(e).splitlines()[0])  # behind it is what the server said
    except Exception:
        stress.errors.append(traceback.format_exc())
    logged, reported = reports_apart(klamm.lines)
    reports = sum("WARNING: ThreadSanitizer" in line for line in klamm.lines)
    if reports or stress.errors:
        print("\n".join([*logged, *reported, *stress.errors[:20]]))
        print(f"stress: {reports} sanitizer reports, {len(stress.errors)} errors")
        return 1
    happened = total, stress.churned, stress.commits, stress.moves
    assert total > 1000 and min(happened[1:]) > 2, f"too little: {happened}"
    print(f"stress: {total} records acknowledged and read back, {stress.churned} topics came and "
          f"went, partitions {stress.moves} times to another directory, groups committed {stress.commits} "
          f"offsets, no sanitizer report")
    return 0


if __name__ == "__main__":
    sys.exit(main())
