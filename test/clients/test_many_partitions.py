# SPDX-License-Identifier: Apache-2.0
"""Many partitions on one broker: few descriptors, few bytes, nothing to do while nobody asks.

What is asserted are counts: descriptors, bytes of memory, voluntary switches, records.
"""

import os
import pathlib
import re
import shutil
import tempfile
import time

import pytest

import batch as b
from klamm import KlammServer
from wire import Wire

PER_REQUEST = 500
RSS_PER_PARTITION_MAX = 5 * 1024
IDLE_SECONDS = 10
LIMIT_S = 300
# No round of upkeep falls into the seconds in which nothing is to happen.
CALM = {"log.retention.check.interval.ms": 3600000,
        "log.flush.offset.checkpoint.interval.ms": 3600000}


class FewDescriptors(KlammServer):
    """Started by a shell that allows it only so many, soft and hard."""

    def __init__(self, binary, descriptors, **more):
        super().__init__(binary, **more)
        self.descriptors = descriptors
        self.start_limit_s = LIMIT_S
        self.set("klamm.admin.listener", "127.0.0.1:0")
        for key, value in CALM.items():
            self.set(key, value)

    def command(self):
        return ["/bin/sh", "-c", f'ulimit -n {self.descriptors} && exec "$0" "$@"',
                *super().command()]

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) * 1024

    def switches(self):
        """How often its threads went to sleep by themselves, and its CPU ticks."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            text = (task / "status").read_text()
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return total, int(fields[11]) + int(fields[12])


def create(broker, topics, partitions):
    with Wire(broker.bootstrap, timeout=LIMIT_S) as wire:
        for topic in topics:
            answer = wire.ask("CreateTopics", 5, timeoutMs=LIMIT_S * 1000, Topics=[
                {"Name": topic, "NumPartitions": partitions, "ReplicationFactor": 1}])
            assert [t["ErrorCode"] for t in answer["Topics"]] == [0]


def pieces(topics, partitions):
    for topic in topics:
        for first in range(0, partitions, PER_REQUEST):
            yield topic, range(first, min(first + PER_REQUEST, partitions))


def write_each(broker, topics, partitions):
    """One record to each; every single one is acknowledged."""
    records = b.batch()
    with Wire(broker.bootstrap, timeout=LIMIT_S) as wire:
        for topic, some in pieces(topics, partitions):
            answer = wire.ask("Produce", 9, Acks=-1, TimeoutMs=LIMIT_S * 1000, TopicData=[
                {"Name": topic, "PartitionData": [{"Index": i, "Records": records} for i in some]}])
            codes = {p["ErrorCode"] for p in answer["Responses"][0]["PartitionResponses"]}
            assert codes == {0}, (topic, some)


def ends(broker, topics, partitions):
    """The set of all high watermarks."""
    found = set()
    with Wire(broker.bootstrap, timeout=LIMIT_S) as wire:
        for topic, some in pieces(topics, partitions):
            answer = wire.ask("ListOffsets", 7, ReplicaId=-1, Topics=[
                {"Name": topic, "Partitions": [{"PartitionIndex": i, "Timestamp": -1} for i in some]}])
            found |= {(p["ErrorCode"], p["Offset"]) for p in answer["Topics"][0]["Partitions"]}
    return found


def read_each(broker, topics, partitions):
    """Every record comes back, however few partitions one answer has room for."""
    rounds = 0
    with Wire(broker.bootstrap, timeout=LIMIT_S) as wire:
        for topic, some in pieces(topics, partitions):
            left = set(some)
            while left:
                rounds += 1
                answer = wire.ask("Fetch", 12, MaxWaitMs=0, MinBytes=1, MaxBytes=1 << 26, Topics=[
                    {"Topic": topic, "Partitions": [
                        {"Partition": i, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}
                        for i in sorted(left)]}])
                rows = answer["Responses"][0]["Partitions"]
                assert {r["ErrorCode"] for r in rows} == {0}
                got = {r["PartitionIndex"] for r in rows if r["Records"]}
                assert got
                left -= got
    return rounds


def check_descriptors(broker):
    files_max = broker.metric("klamm_log_files_max")
    assert broker.metric("klamm_log_files_open") <= files_max
    assert broker.metric("klamm_log_files_exhausted_total") == 0
    assert broker.open_descriptors() < broker.descriptors
    return files_max


def settle(broker):
    """Until nothing happens any more: what was asked for before has its end."""
    deadline = time.monotonic() + LIMIT_S
    before = None
    while (now := broker.switches()) != before:
        assert time.monotonic() < deadline
        before = now
        time.sleep(1)


def cycle(broker, topics, partitions):
    count = len(topics) * partitions
    broker.start()
    before = broker.resident_bytes()
    create(broker, topics, partitions)
    write_each(broker, topics, partitions)
    check_descriptors(broker)
    per_partition = (broker.resident_bytes() - before) / count
    assert per_partition <= RSS_PER_PARTITION_MAX, per_partition
    return per_partition


@pytest.fixture
def memory_directory():
    """100,000 partitions are 300,000 syncs on a disk, and what is asked for here are counts."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="klamm-many-", dir="/dev/shm"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_thousands_of_partitions_with_256_descriptors(binary, memory_directory):
    topics = ["few", "descriptors"]
    partitions = 1000
    broker = FewDescriptors(binary, 256, directory=memory_directory / "broker")
    cycle(broker, topics, partitions)
    assert check_descriptors(broker) == 64  # a quarter of them
    assert broker.metric("klamm_log_files_evicted_total") >= len(topics) * partitions - 64
    write_each(broker, topics, partitions)
    assert read_each(broker, topics, partitions) > 2 * len(topics)
    check_descriptors(broker)
    broker.stop()
    broker.start()
    assert ends(broker, topics, partitions) == {(0, 2)}
    write_each(broker, topics, partitions)
    broker.kill()
    broker.start()
    assert ends(broker, topics, partitions) == {(0, 3)}
    broker.stop()
    assert " ERROR " not in broker.stderr


def test_100000_partitions(binary, memory_directory, is_long):
    """2,000 in `make test`."""
    topics = [f"many-{i}" for i in range(100 if is_long else 2)]
    partitions = 1000
    broker = FewDescriptors(binary, 10000 if is_long else 1000, directory=memory_directory / "broker")
    cycle(broker, topics, partitions)
    settle(broker)
    before = broker.switches()
    time.sleep(IDLE_SECONDS if is_long else 2)  # a period that is measured, not waited for
    assert broker.switches() == before
    broker.stop(limit_s=LIMIT_S)
    before = set(broker.lines)
    broker.start()
    assert ends(broker, topics, partitions) == {(0, 1)}
    assert not [line for line in broker.lines if line not in before and "cut" in line]
    check_descriptors(broker)
    broker.stop(limit_s=LIMIT_S)
