# SPDX-License-Identifier: Apache-2.0
"""Kills at random moments while clients of three kinds produce with acks=all; and a disk that is full.

What was acknowledged is there, in order; from idempotent producers once, also what was in flight.
"""

import collections
import random
import subprocess
import threading
import time

import confluent_kafka as ck
import pytest

import batch as b
from confluent import LIMIT_S, admin, create, read_to_end, results, values
from klamm import KlammServer
from wire import Closed, Wire

PARTITIONS = 2


class Load:
    """A thread that produces to one topic until it is told to end."""

    def __init__(self, broker, topic):
        self.broker = broker
        self.topic = topic
        self.acked = 0
        self.failure = None
        self.is_ended = False
        self.thread = threading.Thread(target=self.guarded, daemon=True)
        self.thread.start()

    def guarded(self):
        try:
            self.run()
        except Exception as e:  # whatever it is, the test fails with it
            self.failure = e

    def wait_for(self, more):
        """Until so many more records are acknowledged."""
        wanted = self.acked + more
        deadline = time.monotonic() + LIMIT_S
        while self.acked < wanted:
            assert self.failure is None, self.failure
            assert time.monotonic() < deadline, f"{self.topic}: {self.acked} of {wanted}"
            time.sleep(0.001)

    def end(self):
        self.is_ended = True
        self.thread.join(2 * LIMIT_S)
        assert not self.thread.is_alive()
        assert self.failure is None, self.failure


def kill_under(load, broker):
    """Two kills of the broker in the middle of what one client sends."""
    for _ in range(2):
        load.wait_for(200)
        broker.kill()
        broker.start()
    load.wait_for(200)
    load.end()
    load.verify()


class ConfluentLoad(Load):
    """Idempotent, many in flight, several partitions, a codec."""

    def run(self):
        client = ck.Producer({
            "bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True, "linger.ms": 1,
            "compression.type": "lz4", "reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 50,
            "retry.backoff.ms": 5, "log_level": 0})
        self.sent = 0

        def delivered(error, _):
            if error is None:
                self.acked += 1
            else:
                self.failure = self.failure or RuntimeError(str(error))

        while not self.is_ended:
            if len(client) > 3000:
                client.poll(0.01)
                continue
            client.produce(self.topic, b"%d" % self.sent + b" " * random.randrange(300),
                           partition=self.sent % PARTITIONS, on_delivery=delivered)
            self.sent += 1
            client.poll(0)
        assert client.flush(LIMIT_S) == 0

    def verify(self):
        assert self.acked == self.sent
        for partition, messages in read_to_end(self.broker, self.topic, PARTITIONS).items():
            assert [int(m.value()) for m in messages] == \
                list(range(partition, self.sent, PARTITIONS))


class KcatLoad(Load):
    """One process after another; what each was given is acknowledged when it ends well."""

    def run(self):
        self.runs = []
        while not self.is_ended:
            number = len(self.runs)
            lines = [f"{number} {i}" for i in range(300)]
            done = subprocess.run(
                ["kcat", "-P", "-b", self.broker.bootstrap, "-t", self.topic, "-p", "0",
                 "-X", "acks=all", "-X", "enable.idempotence=true", "-X", "linger.ms=0",
                 "-X", "batch.num.messages=10", "-X", "message.timeout.ms=60000"],
                input="\n".join(lines), text=True, capture_output=True, timeout=120, check=False)
            self.runs.append(done.returncode == 0)
            if done.returncode == 0:
                self.acked += len(lines)

    def verify(self):
        per_run = collections.defaultdict(list)
        for value in values(self.broker, self.topic):
            number, i = map(int, value.split())
            per_run[number].append(i)
        for number, is_acked in enumerate(self.runs):
            got = per_run[number]
            assert got == (list(range(300)) if is_acked else list(range(len(got)))), number


class WireLoad(Load):
    """No idempotence, one batch at a time: acknowledged ones are there at their offsets."""

    def run(self):
        self.offsets = []
        number = 0
        while not self.is_ended:
            try:
                with Wire(self.broker.bootstrap) as wire:
                    while not self.is_ended:
                        value = b"%d" % number
                        number += 1
                        answer = wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
                            {"Name": self.topic, "PartitionData": [
                                {"Index": 0, "Records": b.batch(b.record(value=value))}]}])
                        row = answer["Responses"][0]["PartitionResponses"][0]
                        assert row["ErrorCode"] == 0, row
                        self.offsets.append((row["BaseOffset"], value))
                        self.acked += 1
            except (Closed, OSError):
                pass  # killed; the next one is another record

    def verify(self):
        stored = {m.offset(): m.value() for m in read_to_end(self.broker, self.topic)[0]}
        assert list(stored) == list(range(len(stored)))
        for offset, value in self.offsets:
            assert stored[offset] == value
        numbers = [int(v) for v in stored.values()]
        assert numbers == sorted(set(numbers))


def test_kills_under_load(server, is_long, seed):
    """Every second start dies again while it recovers or just after it."""
    print(f"seed {seed}: repeat with --seed {seed}")
    rng = random.Random(seed)
    klamm = server(log__segment__bytes=1 << 20).start()
    create(klamm, "confluent", PARTITIONS)
    create(klamm, "kcat")
    create(klamm, "wire")
    loads = [ConfluentLoad(klamm, "confluent"), KcatLoad(klamm, "kcat"), WireLoad(klamm, "wire")]
    for _ in range(30 if is_long else 3):
        loads[0].wait_for(rng.randrange(1, 10000))
        loads[2].wait_for(rng.randrange(1, 100))
        klamm.kill()
        klamm.start()
        if rng.randrange(2):
            loads[2].wait_for(rng.randrange(1, 10))
            klamm.kill()
            klamm.start()
    loads[1].wait_for(1)
    for load in loads:
        load.end()
    for load in loads:
        load.verify()
    klamm.stop()
    klamm.start()
    for load in loads:
        load.verify()


# ---- a disk that is full

DISK_BYTES = 24 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, in memory; needs root."""
    at = tmp_path / "disk"
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "klamm-test", str(at)],
                   check=True)
    yield at
    subprocess.run(["umount", str(at)], check=True)


def put(wire, topic, value):
    """The row of a produce request."""
    answer = wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
        {"Name": topic, "PartitionData": [{"Index": 0, "Records": b.batch(b.record(value=value))}]}])
    return answer["Responses"][0]["PartitionResponses"][0]


def fill(wire, topic):
    """Produces until not even a small record is taken: the values that were."""
    taken = []
    for size in (100000, 1000, 0):
        while True:
            value = b"%d " % len(taken) + bytes(size)
            row = put(wire, topic, value)
            if row["ErrorCode"] != 0:
                assert row["ErrorCode"] == 56  # KAFKA_STORAGE_ERROR
                break
            assert row["BaseOffset"] == len(taken)
            taken.append(value)
            assert len(taken) < 10 * DISK_BYTES // 100000
    return taken


def put_until_taken(klamm, topic, value):
    deadline = time.monotonic() + LIMIT_S
    with Wire(klamm.bootstrap) as wire:
        while put(wire, topic, value)["ErrorCode"] != 0:
            assert time.monotonic() < deadline, "writing does not go on"


@pytest.fixture
def crowded(binary, tmp_path, small_disk):
    """A broker whose disk is full to the brim, what its topic has, and a file that is in the way."""
    klamm = KlammServer(binary, directory=tmp_path / "b")
    klamm.set("log.dirs", small_disk / "data").set("log.initial.task.delay.ms", 100)
    klamm.set("klamm.log.dir.reserve.bytes", 0)  # to the brim; see test_bad_disks.py
    klamm.start()
    create(klamm, "big", file__delete__delay__ms=0)
    create(klamm, "full")
    with Wire(klamm.bootstrap) as wire:
        for _ in range(20):
            assert put(wire, "big", bytes(200000))["ErrorCode"] == 0
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(8 << 20))
        taken = fill(wire, "full")
    assert len(taken) > 50
    yield klamm, taken, ballast
    if klamm.is_running():
        klamm.kill()


def test_a_full_disk_reads_on_and_writes_again(crowded):
    klamm, taken, ballast = crowded
    assert values(klamm, "full") == taken
    ballast.unlink()
    put_until_taken(klamm, "full", b"more")
    assert values(klamm, "full") == [*taken, b"more"]
    klamm.kill()
    klamm.start()
    assert values(klamm, "full") == [*taken, b"more"]
    klamm.stop()


def test_deleting_a_topic_makes_room(crowded):
    klamm, taken, _ = crowded
    results(admin(klamm).delete_topics(["big"]))
    put_until_taken(klamm, "full", b"more")
    assert values(klamm, "full") == [*taken, b"more"]
    create(klamm, "fresh")
    put_until_taken(klamm, "fresh", b"x")
    assert values(klamm, "fresh") == [b"x"]
    klamm.stop()


def test_a_start_on_a_full_disk(crowded):
    klamm, taken, ballast = crowded
    for end in (klamm.kill, klamm.stop):
        end()
        klamm.start()
        assert values(klamm, "full") == taken
    ballast.unlink()
    put_until_taken(klamm, "full", b"more")
    assert values(klamm, "full") == [*taken, b"more"]
    klamm.stop()
