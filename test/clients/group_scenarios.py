# SPDX-License-Identifier: Apache-2.0
"""What every family of clients has to be able to do in a group. A test file makes a class of it:

    class TestAiokafka(GroupScenarios):
        family = "aiokafka"

        def produce(self, broker, topic, records, codec="none"):
            ...

Members are processes of their own (group_worker.py, or a program that does the same), so that one can
be killed. They say what they have got and read; a test waits for that, never for time to pass.
"""

import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from groups import NAMES, GroupPeer
from kafka_server import end_with_parent
from test_against_kafka import until
from wire import Wire

HERE = pathlib.Path(__file__).resolve().parent
LIMIT_S = 90
SESSION_MS = 3000
LONE_MS = 60000  # for the session of one whose death nobody waits for
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def environment(family):
    """Members by kafka-python are of its version 2.3: 3.0.12 loses the answer to a SyncGroup for good when
    a poll ends while it is under way, and then has no partitions. The tests themselves use 3.0."""
    older = pathlib.Path(sys.prefix) / "kafka-python-2"
    return {**os.environ, "PYTHONPATH": str(older)} if family == "kafka-python" else None


class Worker:
    def __init__(self, crew, **told):
        self.crew = crew
        self.told = told
        self.assigned = None
        self.rebalances = 0
        self.records = []
        self.refused = []
        self.process = subprocess.Popen(
            list(map(str, crew.command(told))), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=crew.env or environment(told["family"]),
            preexec_fn=end_with_parent)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            with self.crew.changed:
                if "assigned" in event:
                    self.assigned = sorted(event["assigned"])
                    self.rebalances += 1
                self.records += map(tuple, event.get("records", []))
                self.refused += [event["refused"]] if "refused" in event else []
                self.crew.changed.notify_all()

    def end(self):
        self.process.wait(LIMIT_S)
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()

    def leave(self):
        self.process.stdin.write("leave\n")
        self.process.stdin.flush()
        self.end()
        assert self.process.returncode == 0

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def values(self):
        return [int(value) for _, _, value in self.records]

    def __repr__(self):
        return f"{self.assigned} after {self.rebalances}, {len(self.records)} read, {self.refused}"


def python_member(told):
    return [sys.executable, HERE / "group_worker.py", json.dumps(told)]


class Crew:
    """The workers of one test. `command` makes of what one is told the command that starts it."""

    def __init__(self, family, command=python_member, env=None):
        self.family = family
        self.command = command
        self.env = env
        self.changed = threading.Condition()
        self.workers = []

    def hire(self, broker, topic, group, instance=None, session_ms=SESSION_MS, **more):
        self.workers.append(Worker(self, family=self.family, bootstrap=broker.bootstrap,
                                   topic=topic, group=group, instance=instance,
                                   session_ms=session_ms, **more))
        return self.workers[-1]

    def until(self, is_true):
        with self.changed:
            assert self.changed.wait_for(is_true, LIMIT_S), self.workers

    def until_shared(self, workers, partitions):
        """Each has its part of the partitions, none is missing or with two."""
        def is_shared():
            parts = [w.assigned or [] for w in workers]
            return all(parts) and sorted(sum(parts, [])) == list(range(partitions))
        self.until(is_shared)

    def seen(self):
        return collections.Counter(v for w in self.workers for v in w.values())

    def until_seen(self, wanted):
        self.until(lambda: set(wanted) <= set(self.seen()))

    def end(self):
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()


def create(broker, topic, partitions, **configs):
    """By raw requests: it is not what is tested here. Until the coordinator is ready, too."""
    rows = [{"Name": k.replace("__", "."), "Value": v} for k, v in configs.items()]
    peer = GroupPeer(broker.bootstrap)
    answer = peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
        {"Name": topic, "NumPartitions": partitions, "ReplicationFactor": 1, "Configs": rows}]})
    assert answer["Topics"][0]["ErrorCode"] == 0
    peer.learn(topic)
    for partition in range(partitions):
        def leads(partition=partition):
            return peer.ask("ListOffsets", 7, {"ReplicaId": -1, "Topics": [{
                "Name": topic, "Partitions": [{"PartitionIndex": partition, "Timestamp": -1}]}]})
        until(lambda: leads()["Topics"][0]["Partitions"][0]["ErrorCode"] == 0, leads)


def committed(broker, group, topic):
    """{partition: offset}"""
    with Wire(broker.bootstrap) as wire:
        told = wire.ask("OffsetFetch", 7, GroupId=group, Topics=None)
    assert told["ErrorCode"] == 0
    return {p["PartitionIndex"]: p["CommittedOffset"]
            for t in told["Topics"] if t["Name"] == topic for p in t["Partitions"]}


def described(broker, group):
    with Wire(broker.bootstrap) as wire:
        return wire.ask("DescribeGroups", 5, Groups=[group])["Groups"][0]


def until_state(broker, group, state):
    until(lambda: described(broker, group)["GroupState"] == state,
          lambda: described(broker, group))


def check_order(worker, partitions, start=0):
    """One that read all of it alone: every offset once, and as produced."""
    rows = collections.defaultdict(list)
    for partition, offset, value in worker.records:
        rows[partition].append((offset, int(value)))
    assert set(rows) <= set(range(partitions))
    for found in rows.values():
        assert [offset for offset, _ in found] == list(range(start, start + len(found)))
        assert [value for _, value in found] == sorted(value for _, value in found)


def twice(worker):
    """The rows of values that came more than once: whether they were read twice, or lie in the log twice."""
    count = collections.Counter(worker.values())
    return sorted(row for row in worker.records if count[int(row[2])] > 1)


def spread(values, partitions):
    """Records for produce: (partition, value, timestamp or None)."""
    return [(v % partitions, b"%d" % v, None) for v in values]


def play_group_of_three(broker, topic, group, crew, produce):
    """One leaves, one is killed; what they had goes to the others."""
    create(broker, topic, 6)
    leaves, dies, stays = [crew.hire(broker, topic, group) for _ in range(3)]
    crew.until_shared([leaves, dies, stays], 6)
    assert [len(w.assigned) for w in crew.workers] == [2, 2, 2]
    produce(broker, topic, spread(range(600), 6))
    crew.until_seen(range(600))
    leaves.leave()
    crew.until_shared([dies, stays], 6)
    produce(broker, topic, spread(range(600, 1200), 6))
    crew.until_seen(range(1200))
    dies.kill()
    crew.until(lambda: stays.assigned == [0, 1, 2, 3, 4, 5])
    produce(broker, topic, spread(range(1200, 1800), 6))
    crew.until_seen(range(1800))
    until(lambda: committed(broker, group, topic) == dict.fromkeys(range(6), 300),
          lambda: committed(broker, group, topic))
    stays.leave()
    until_state(broker, group, "Empty")


class GroupScenarios:
    family = None

    def produce(self, broker, topic, records, codec="none"):
        raise NotImplementedError

    @pytest.fixture
    def crew(self):
        crew = Crew(self.family)
        yield crew
        crew.end()

    @pytest.fixture
    def group(self):
        return f"{self.family}-{next(NAMES)}"

    @pytest.mark.parametrize("codec", CODECS)
    def test_from_the_beginning(self, broker, topic, group, crew, codec):
        create(broker, topic, 3)
        self.produce(broker, topic, spread(range(900), 3), codec)
        worker = crew.hire(broker, topic, group, session_ms=LONE_MS)
        crew.until_seen(range(900))
        assert worker.assigned == [0, 1, 2]
        check_order(worker, 3)
        worker.leave()
        assert committed(broker, group, topic) == {0: 300, 1: 300, 2: 300}
        until_state(broker, group, "Empty")

    def test_resume_where_it_was_committed(self, broker, topic, group, crew):
        create(broker, topic, 2)
        for start in (0, 100, 200):
            self.produce(broker, topic, spread(range(start, start + 100), 2))
            worker = crew.hire(broker, topic, group, session_ms=LONE_MS)
            crew.until(lambda: len(worker.records) >= 100)
            check_order(worker, 2, start // 2)
            assert sorted(worker.values()) == list(range(start, start + 100))
            worker.leave()
        assert crew.seen() == collections.Counter(range(300))  # none twice

    def test_a_group_of_three(self, broker, topic, group, crew):
        play_group_of_three(broker, topic, group, crew, self.produce)

    def test_static_members_restart_without_a_rebalance(self, broker, topic, group, crew):
        create(broker, topic, 4)
        first, second = [crew.hire(broker, topic, group, instance=f"{group}-{i}",
                                   session_ms=60000) for i in (1, 2)]
        crew.until_shared([first, second], 4)
        self.produce(broker, topic, spread(range(400), 4))
        crew.until_seen(range(400))
        was = {m["GroupInstanceId"]: m["MemberId"] for m in described(broker, group)["Members"]}
        assert set(was) == {f"{group}-1", f"{group}-2"}
        for old, other in ((first, second), (second, first)):
            rebalances = other.rebalances
            old.kill()
            new = crew.hire(broker, topic, group, instance=old.told["instance"], session_ms=60000)
            crew.until(lambda new=new: new.assigned is not None)
            assert new.assigned == old.assigned
            assert other.rebalances == rebalances
            assert described(broker, group)["GroupState"] == "Stable"
            if old is first:
                first = new
        self.produce(broker, topic, spread(range(400, 800), 4))
        crew.until_seen(range(800))
        assert crew.seen() == collections.Counter(range(800))
        now = {m["GroupInstanceId"]: m["MemberId"] for m in described(broker, group)["Members"]}
        assert set(now) == set(was) and not set(now.values()) & set(was.values())

    def test_a_broker_that_is_killed_and_comes_again(self, own_broker, topic, group, crew, is_long):
        """The members go on where they were, in the same generation or a new one."""
        create(own_broker, topic, 4)
        workers = [crew.hire(own_broker, topic, group, session_ms=20000) for _ in range(2)]
        crew.until_shared(workers, 4)
        self.produce(own_broker, topic, spread(range(400), 4))
        crew.until_seen(range(400))
        kept = committed(own_broker, group, topic)
        assert kept == dict.fromkeys(range(4), 100)
        for start in range(400, 2000 if is_long else 800, 400):
            own_broker.kill()
            own_broker.start()
            GroupPeer(own_broker.bootstrap).ready(group)
            now = committed(own_broker, group, topic)
            assert all(now[p] >= offset for p, offset in kept.items())
            self.produce(own_broker, topic, spread(range(start, start + 400), 4))
            crew.until_seen(range(start + 400))
            kept = {p: offset + 100 for p, offset in kept.items()}
            until(lambda: committed(own_broker, group, topic) == kept,
                  lambda: committed(own_broker, group, topic))
        for worker in workers:
            worker.leave()

    def test_a_broker_that_is_down_while_nobody_reads(self, own_broker, topic, group, crew):
        """The group and its offsets are there again."""
        create(own_broker, topic, 2)
        self.produce(own_broker, topic, spread(range(100), 2))
        first = crew.hire(own_broker, topic, group, session_ms=LONE_MS)
        crew.until_seen(range(100))
        first.leave()
        own_broker.stop()
        own_broker.start()
        GroupPeer(own_broker.bootstrap).ready(group)
        assert committed(own_broker, group, topic) == {0: 50, 1: 50}
        assert described(own_broker, group)["GroupState"] == "Empty"
        self.produce(own_broker, topic, spread(range(100, 200), 2))
        second = crew.hire(own_broker, topic, group, session_ms=LONE_MS)
        crew.until(lambda: len(second.records) >= 100)
        assert sorted(second.values()) == list(range(100, 200)), twice(second)
        check_order(second, 2, 50)

    def test_100000_records_in_order(self, broker, topic, group, crew):
        create(broker, topic, 3)
        self.produce(broker, topic, spread(range(100000), 3), "lz4")
        start = time.monotonic()
        worker = crew.hire(broker, topic, group, session_ms=LONE_MS)
        crew.until(lambda: len(worker.records) >= 100000)
        print(f"{self.family}: {time.monotonic() - start:.1f} s")
        check_order(worker, 3)
        assert sorted(worker.values()) == list(range(100000))
