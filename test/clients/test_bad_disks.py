# SPDX-License-Identifier: Apache-2.0
"""Disks that are nearly full or full: what goes on, what is refused, and that writing resumes by itself."""

import functools
import os
import time

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import NewTopic

import batch as b
from confluent import LIMIT_S, admin, consumer, create, producer, results, values
from klamm import KlammServer
from test_crash import put, put_until_taken, small_disk  # noqa: F401 (a fixture)
from wire import Wire

STORAGE_ERROR = 56
MIB = 1 << 20


def free_of(at):
    stat = os.statvfs(at)
    return stat.f_bavail * stat.f_frsize


def until(what, claim):
    deadline = time.monotonic() + LIMIT_S
    while not claim():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def on_small_disk(binary, tmp_path, small_disk):  # noqa: F811
    """Makes a broker on it, and can be told how much to leave free."""
    made = []

    def make(**settings):
        klamm = KlammServer(binary, directory=tmp_path / "b",
                            klamm__admin__listener="127.0.0.1:0", **settings)
        klamm.set("log.dirs", small_disk / "data")
        made.append(klamm)
        return klamm.start()

    yield make
    for klamm in made:
        if klamm.is_running():
            klamm.kill()


def leave_free(small_disk, size):  # noqa: F811
    """A file is in the way of all but so many bytes."""
    ballast = small_disk / "ballast"
    with open(ballast, "ab") as out:
        out.write(bytes(free_of(small_disk) - size))
    return ballast


@functools.lru_cache
def batch_of(size):
    return b.batch(b.record(value=bytes(size)))


def ask_put(wire, topic, size=10, partition=0):
    return wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
        {"Name": topic, "PartitionData": [{"Index": partition, "Records": batch_of(size)}]}])


def error_of(answer):
    return answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]


def put_until_refused(wire, topic):
    """Small records: the disk is looked at each second of writing."""
    answer = ask_put(wire, topic)
    deadline = time.monotonic() + LIMIT_S
    while error_of(answer) == 0:
        assert answer["ThrottleTimeMs"] == 0
        assert time.monotonic() < deadline, "nothing is refused"
        answer = ask_put(wire, topic)
    return answer


def test_a_reserve_is_kept_for_all_but_producers(on_small_disk, small_disk):  # noqa: F811
    klamm = on_small_disk(klamm__log__dir__reserve__bytes=4 * MIB,
                          group__initial__rebalance__delay__ms=0)
    create(klamm, "t")
    create(klamm, "raw")
    first = producer(klamm)
    first.produce("t", b"0")
    assert first.flush(LIMIT_S) == 0
    ballast = leave_free(small_disk, 4 * MIB - 50000)
    with Wire(klamm.bootstrap) as wire:
        answer = put_until_refused(wire, "raw")
        assert error_of(answer) == STORAGE_ERROR
        assert answer["ThrottleTimeMs"] == 1000
        began = time.monotonic()
        assert error_of(ask_put(wire, "raw")) == STORAGE_ERROR  # taken only when that is over
        assert time.monotonic() - began > 0.9
    assert klamm.metric("klamm_log_dir_full") == 1
    assert klamm.metric("klamm_log_dir_reserve_bytes") == 4 * MIB
    assert klamm.metric("klamm_log_dir_free_bytes") < 4 * MIB
    # A client keeps what it has meanwhile.
    delivered = []
    for i in range(1, 2001):
        first.produce("t", b"%d" % i, on_delivery=lambda error, _: delivered.append(error))
    first.poll(0.5)
    assert not delivered
    # All else goes on.
    assert values(klamm, "t") == [b"0"]
    group = consumer(klamm, group__id="g", auto__offset__reset="earliest")
    group.subscribe(["t"])
    until("a group reads", lambda: any(m.error() is None for m in group.consume(10, 0.1)))
    group.commit(asynchronous=False)
    group.close()
    results(admin(klamm).create_topics([NewTopic("made", 1, 1)]))
    results(admin(klamm).delete_topics(["made"]))
    end = results(admin(klamm).delete_records([ck.TopicPartition("raw", 0, 1)]))
    assert [e.low_watermark for e in end.values()] == [1]
    assert klamm.metric("klamm_log_dir_full") == 1
    # There is room: nobody has to do anything.
    ballast.unlink()
    assert first.flush(LIMIT_S) == 0
    assert delivered == [None] * 2000
    assert values(klamm, "t") == [b"%d" % i for i in range(2001)]
    assert klamm.metric("klamm_log_dir_full") == 0
    for line in ("producers are refused", "producers are served again"):
        assert sum(line in text for text in klamm.lines) == 1, klamm.stderr
    klamm.stop()


def test_retention_makes_room_before_its_time(on_small_disk, small_disk):  # noqa: F811
    klamm = on_small_disk(klamm__log__dir__reserve__bytes=2 * MIB)  # it checks every five minutes
    create(klamm, "kept")
    create(klamm, "passing", retention__bytes=MIB, segment__bytes=MIB)
    with Wire(klamm.bootstrap) as wire:
        assert put(wire, "kept", b"kept")["ErrorCode"] == 0
        for _ in range(20):
            assert error_of(ask_put(wire, "passing", 500000)) == 0
    leave_free(small_disk, 2 * MIB - 50000)
    with Wire(klamm.bootstrap) as wire:
        put_until_refused(wire, "passing")
    put_until_taken(klamm, "kept", b"more")
    assert values(klamm, "kept") == [b"kept", b"more"]
    assert free_of(small_disk) > 6 * MIB
    klamm.stop()


def test_a_start_with_no_room_at_all(on_small_disk, small_disk):  # noqa: F811
    klamm = on_small_disk(klamm__log__dir__reserve__bytes=0)
    create(klamm, "t")
    put_until_taken(klamm, "t", b"kept")
    ballast = leave_free(small_disk, 0)
    # What the last page of the metadata log still has.
    with Wire(klamm.bootstrap) as wire:
        for name in ("x" * 200, ""):
            for i in range(1000):
                row = wire.ask("CreateTopics", 5, timeoutMs=10000, validateOnly=False, Topics=[
                    {"Name": f"{i}-{name}", "NumPartitions": 1, "ReplicationFactor": 1}])
                if row["Topics"][0]["ErrorCode"] != 0:
                    break
            assert row["Topics"][0]["ErrorCode"] == STORAGE_ERROR
    for end in (klamm.kill, lambda: stop_somehow(klamm), klamm.kill):
        end()
        klamm.lines.clear()
        klamm.start()
        assert "no room for the start of this broker" in klamm.stderr
        assert values(klamm, "t") == [b"kept"]
        with Wire(klamm.bootstrap) as wire:
            assert put(wire, "t", b"x")["ErrorCode"] == STORAGE_ERROR
    ballast.unlink()
    put_until_taken(klamm, "t", b"more")
    assert values(klamm, "t") == [b"kept", b"more"]
    until("what could not be made is online",
          lambda: klamm.metric("klamm_partitions_offline") == 0)
    with Wire(klamm.bootstrap) as wire:
        assert put(wire, "0-" + "x" * 200, b"x")["ErrorCode"] == 0
    klamm.stop()


def stop_somehow(klamm):
    """Without room for what a clean stop writes it says so, and ends all the same."""
    klamm.process.terminate()
    klamm.process.wait(LIMIT_S)
    klamm._ended()
