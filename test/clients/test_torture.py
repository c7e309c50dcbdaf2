# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, again and again, under the same three clients, each a process that lives
through all of it (torture_worker.py says what they do): librdkafka, Java, franz-go.

After every start: what was acknowledged before the kill is there, of each client each record once and in order, and
offsets of groups are not behind what was acknowledged. Half of the starts are killed too, in recovery or just behind it.
At the end, after a clean stop: each .log is batches without gaps, and the start reads no batch again.

Topics: `plain` of several partitions; `small` with segments of 30 kB, so that rolls, index writes and retention go
on all the time; `packed`, acknowledged from the page cache, where the broker compresses.
"""

import os
import pathlib
import random
import struct
import subprocess
import sys
import threading
import time

import confluent_kafka as ck

from batch import HEADER_BYTES
from confluent import LIMIT_S, consumer, create
from wire import Wire

TOPICS = {"plain": 3, "small": 2, "packed": 1}
ALL = [(t, p) for t, count in TOPICS.items() for p in range(count)]
RETENTION_BYTES = 1 << 20


class Worker:
    """A client's process, and what it has said."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.acked = dict.fromkeys(ALL, 0)
        self.sent = {}
        self.committed = {}
        self.strange = []
        words = [f"{t}:{count}" for t, count in TOPICS.items()]
        self.process = subprocess.Popen([*command, name, *words], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            match line.split():
                case ["acked", topic, partition, count]:
                    self.acked[topic, int(partition)] = int(count)
                case ["committed", partition, offset]:
                    self.committed[int(partition)] = int(offset)
                case ["sent", topic, partition, count]:
                    self.sent[topic, int(partition)] = int(count)
                case _:
                    self.strange.append(line)

    def total(self):
        return sum(self.acked.values())

    def check(self):
        assert self.process.poll() is None, (self.name, self.process.poll(), self.strange)

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(2 * LIMIT_S) == 0, (self.name, self.strange)
        self.reader.join()
        assert set(self.sent) == set(ALL), (self.name, self.strange)


class Tail:
    """Reads all partitions from their begin on, some more after each start, and judges."""

    def __init__(self, klamm, names):
        self.client = consumer(klamm, check__crcs=True, auto__offset__reset="earliest",
                               reconnect__backoff__ms=5, reconnect__backoff__max__ms=50)
        self.next_offset = dict.fromkeys(ALL, 0)
        self.next_number = {(name, *at): 0 for name in names for at in ALL}
        self.jumped = 0
        self.client.assign([ck.TopicPartition(t, p, 0) for t, p in ALL])

    def take(self, message):
        at = message.topic(), message.partition()
        offset = message.offset()
        name, number = message.value().split()
        key, number = (name.decode(), *at), int(number)
        has_jumped = at[0] == "small" and offset > self.next_offset[at]
        self.jumped += has_jumped
        if has_jumped:  # retention was quicker: what goes on there has to be dense again
            for other in self.next_number:
                if other[1:] == at:
                    self.next_number[other] = None
        else:
            assert offset == self.next_offset[at], (at, offset, self.next_offset[at])
        if self.next_number[key] is not None:
            assert number == self.next_number[key], (key, number, self.next_number[key], offset)
        self.next_offset[at] = offset + 1
        self.next_number[key] = number + 1

    def read_to(self, ends):
        deadline = time.monotonic() + LIMIT_S
        while any(self.next_offset[at] < end for at, end in ends.items()):
            assert time.monotonic() < deadline, (ends, self.next_offset)
            for message in self.client.consume(5000, 0.05):
                if message.error() is None:
                    self.take(message)
                else:  # those of a broker that is away come to nobody's harm
                    assert message.error().code() in (
                        ck.KafkaError._PARTITION_EOF, ck.KafkaError._TRANSPORT,
                        ck.KafkaError._ALL_BROKERS_DOWN), message.error()

    def check(self, counts):
        """Of each client at least so many records of each partition have been seen."""
        for key, count in counts.items():
            seen = self.next_number[key]
            assert seen is None or seen >= count, (key, "acknowledged", count, "seen", seen)


def ask_until(klamm, is_good, *call, **fields):
    """The answer that is good; groups are loaded a moment after a start."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        with Wire(klamm.bootstrap) as wire:
            answer = wire.ask(*call, **fields)
        if is_good(answer):
            return answer
        assert time.monotonic() < deadline, answer


def ends_of(klamm):
    """High watermarks, as who does not know the future may read to."""
    topics = [{"Name": t, "Partitions": [{"PartitionIndex": p, "CurrentLeaderEpoch": -1,
                                          "Timestamp": -1} for p in range(count)]}
              for t, count in TOPICS.items()]
    with Wire(klamm.bootstrap) as wire:
        answer = wire.ask("ListOffsets", 5, ReplicaId=-1, IsolationLevel=0, Topics=topics)
    rows = {(t["Name"], p["PartitionIndex"]): p for t in answer["Topics"] for p in t["Partitions"]}
    assert all(row["ErrorCode"] == 0 for row in rows.values()), rows
    return {at: row["Offset"] for at, row in rows.items()}


def check_commits(klamm, wanted):
    for name, offsets in wanted.items():
        topics = [{"Name": "plain", "PartitionIndexes": list(range(TOPICS["plain"]))}]
        answer = ask_until(klamm, lambda a: a["ErrorCode"] == 0, "OffsetFetch", 5,
                           GroupId=name, Topics=topics)
        found = {p["PartitionIndex"]: p["CommittedOffset"]
                 for t in answer["Topics"] for p in t["Partitions"]}
        for partition, offset in offsets.items():
            assert found[partition] >= offset, (name, partition, "committed", offset, found)


class Torture:
    def __init__(self, klamm, workers, seed):
        self.klamm = klamm
        self.workers = workers
        self.rng = random.Random(seed)
        self.tail = Tail(klamm, [w.name for w in workers])
        self.early_deaths = 0

    def wait_for_more(self, most):
        wanted = {w: w.total() + self.rng.randrange(1, most) for w in self.workers}
        deadline = time.monotonic() + LIMIT_S
        while any(w.total() < count for w, count in wanted.items()):
            for worker in self.workers:
                worker.check()
            assert self.klamm.is_running(), self.klamm.stderr
            assert time.monotonic() < deadline, {w.name: w.total() for w in self.workers}
            time.sleep(0.0005)

    def start(self):
        """Every other time it dies first while it opens its partitions, or right behind that."""
        while self.rng.randrange(2):
            before = len(self.klamm.lines)
            self.klamm.spawn()
            lines = self.rng.randrange(4)
            if lines == 3:
                self.klamm.wait_until_ready()
                self.klamm.kill()
            else:
                self.klamm.wait_for_lines(before + lines)
                self.klamm.kill()
            self.early_deaths += 1
        self.klamm.start()

    def round(self):
        self.wait_for_more(1500)
        self.klamm.kill()
        counts = {(w.name, *at): n for w in self.workers for at, n in w.acked.items()}
        commits = {w.name: dict(w.committed) for w in self.workers}
        self.start()
        self.tail.read_to(ends_of(self.klamm))
        self.tail.check(counts)
        check_commits(self.klamm, commits)

    def finish(self):
        for worker in self.workers:
            worker.end()
        self.tail.read_to(ends_of(self.klamm))
        for worker in self.workers:
            for at, count in worker.sent.items():
                seen = self.tail.next_number[worker.name, *at]
                assert seen is None or seen == count, (worker.name, at, count, seen)
            assert worker.committed, worker.name
        self.tail.client.close()


def check_segment(path, end):
    """Headers of batches, one behind another, offsets without gaps, up to the file's end."""
    data = path.read_bytes()
    pos, offset = 0, int(path.stem)
    while pos < len(data):
        assert len(data) - pos >= HEADER_BYTES, (path, pos)
        base, length = struct.unpack_from(">qi", data, pos)
        delta, = struct.unpack_from(">i", data, pos + 23)
        assert data[pos + 16] == 2 and base == offset, (path, pos, base, offset)
        offset += delta + 1
        pos += 12 + length
    assert pos == len(data) and (end is None or offset == end), (path, pos, offset, end)


def check_files(data):
    for topic, partition in ALL:
        logs = sorted((data / f"{topic}-{partition}").glob("*.log"))
        assert logs
        for path, following in zip(logs, [*logs[1:], None]):
            check_segment(path, int(following.stem) if following is not None else None)
        assert not list((data / f"{topic}-{partition}").glob("*.rot"))


def make_workers(klamm, java, golang):
    here = pathlib.Path(__file__).resolve().parent
    return [
        Worker("librdkafka", [sys.executable, here / "torture_worker.py", klamm.bootstrap]),
        Worker("java", [*java.command, "Torture", klamm.bootstrap]),
        Worker("franz", [golang, "franz-go", "torture", klamm.bootstrap]),
    ]


def test_torture(server, java, golang, is_long, seed):
    print(f"seed {seed}: repeat with --seed {seed}")
    rounds = int(os.environ.get("TORTURE_ROUNDS", 300 if is_long else 10))
    klamm = server(log__retention__check__interval__ms=50, log__initial__task__delay__ms=10,
                   klamm__admin__listener="127.0.0.1:0", group__initial__rebalance__delay__ms=0,
                   offsets__topic__num__partitions=2).start()
    create(klamm, "plain", TOPICS["plain"])
    create(klamm, "small", TOPICS["small"], internal__segment__bytes=30000,
           index__interval__bytes=1000, retention__bytes=RETENTION_BYTES, file__delete__delay__ms=50)
    create(klamm, "packed", TOPICS["packed"], compression__type="zstd", klamm__ack="cache")
    torture = Torture(klamm, make_workers(klamm, java, golang), seed)
    try:
        for _ in range(rounds):
            torture.round()
        torture.finish()
    finally:
        for worker in torture.workers:
            worker.process.kill()
    print(f"{rounds} rounds, {torture.early_deaths} starts killed, "
          f"{sum(torture.tail.next_offset.values())} records, {torture.tail.jumped} jumps; "
          f"{len(list((klamm.data / 'small-0').glob('*.log')))} segments in small-0")
    for bad in (" is offline", "goes offline", "damaged", "offsets are missing"):
        assert bad not in klamm.stderr, klamm.stderr
    klamm.stop()
    check_files(klamm.data)
    klamm.start()
    assert klamm.metric("klamm_log_recovered_bytes_total") == 0
    klamm.stop()
