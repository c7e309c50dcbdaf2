# SPDX-License-Identifier: Apache-2.0
"""Old data, which is in no page cache: a reactor never makes the disk read, so it never waits for it.

The kernel counts for each thread what it made the disk read. Bytes are taken out of the page cache before
a read and in the middle of it, as they would be where memory is short."""

import os
import pathlib
import re
import struct

from batch import batch, record
from wire import Wire

VALUE_BYTES = 1_000_000
BATCHES = 40
CACHE_PAGES_GONE = (".log", ".index", ".timeindex")


def thread_reads(pid):
    """Bytes that the disk read for each thread, by its name without the number."""
    reads = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip().rstrip("0123456789-")
        found = re.search(r"^read_bytes: (\d+)", (task / "io").read_text(), re.M)
        reads[name] = reads.get(name, 0) + int(found[1])
    return reads


def evict(klamm):
    for path in klamm.data.rglob("old-0/*"):
        if path.suffix in CACHE_PAGES_GONE:
            with open(path, "rb") as f:
                os.fsync(f.fileno())
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def file_system(path):
    mounts = [line.split()[1:3] for line in open("/proc/mounts", encoding="utf-8")]
    inside = [m for m in mounts if f"{path}/".startswith(m[0].rstrip("/") + "/")]
    return max(inside, key=lambda m: len(m[0]))[1]


def fill(wire, value):
    wire.ask("CreateTopics", 7, Topics=[{"Name": "old", "NumPartitions": 1, "ReplicationFactor": 1}],
             timeoutMs=30000)
    data = batch(record(value=value))
    for _ in range(BATCHES):
        answer = wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
            {"Name": "old", "PartitionData": [{"Index": 0, "Records": data}]}])
        assert answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 0
    return data


def begin_fetch(wire, offset=0):
    limit = 100 * VALUE_BYTES
    wire.begin("Fetch", 12, ReplicaId=-1, MaxWaitMs=500, MinBytes=1, MaxBytes=limit, Topics=[
        {"Topic": "old", "Partitions": [{"Partition": 0, "FetchOffset": offset,
                                         "PartitionMaxBytes": limit}]}])


def check_frame(frame, data, first):
    """Every batch from `first` on is there, whole."""
    at = 0
    for offset in range(first, BATCHES):
        at = frame.index(struct.pack(">qi", offset, len(data) - 12), at)
        # What the broker writes into a batch ends before its CRC.
        assert frame[at + 17:at + len(data)] == data[17:]
        at += len(data)


def read_slowly(klamm, wire):
    """Each time that the socket is full the rest of the answer loses its place in memory."""
    size = struct.unpack(">i", wire.receive_bytes(4))[0]
    parts = []
    left = size
    while left > 0:
        evict(klamm)
        parts.append(wire.receive_bytes(min(left, 3_000_000)))
        left -= len(parts[-1])
    return b"".join(parts)


def test_a_reactor_never_waits_for_the_disk(klamm):
    with Wire(klamm.bootstrap) as wire:
        data = fill(wire, os.urandom(VALUE_BYTES))
        before = thread_reads(klamm.process.pid)
        for first, read in ((0, None), (0, read_slowly), (BATCHES // 2, read_slowly)):
            evict(klamm)
            begin_fetch(wire, first)
            frame = read(klamm, wire) if read else wire.receive()
            check_frame(frame, data, first)
        # By time, too: the search reads the disk, and somebody else does it.
        evict(klamm)
        answer = wire.ask("ListOffsets", 7, ReplicaId=-1, IsolationLevel=0, Topics=[
            {"Name": "old", "Partitions": [{"PartitionIndex": 0, "Timestamp": 1}]}])
        assert answer["Topics"][0]["Partitions"][0]["Offset"] == 0
        after = thread_reads(klamm.process.pid)
    # Reactors run on threads called klamm (the first), reactor, and klamm-stand-in when it took one over.
    read = {name: after[name] - before.get(name, 0) for name in after}
    assert {name: n for name, n in read.items() if n > 0 and name != "klamm-disk"} == {}
    if file_system(klamm.data) != "tmpfs":  # there everything is memory
        assert klamm.metric("klamm_log_cold_reads_total") > BATCHES
        assert read["klamm-disk"] > BATCHES * VALUE_BYTES
