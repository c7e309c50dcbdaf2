# SPDX-License-Identifier: Apache-2.0
"""Partitions that move between the log directories of a broker (KIP-113), in Klamm and in a real Kafka
4.4.0, each test in both: what is refused, what a move looks like meanwhile, and that clients notice
nothing. Then what only our own can be put through: kills, disks that fail and fill up."""

import itertools
import threading
import time

import pytest

import confluent as c
from conftest import QUICK, one_broker
from kafka_server import KafkaServer
from klamm import KlammServer
from test_bad_disks import ask_put, error_of, leave_free, until
from test_compaction_against_kafka import draw, last_of_each, read_all, seal
from test_crash import small_disk  # noqa: F401 (a fixture)
from test_failed_dirs import Disks, shim  # noqa: F401 (a fixture)
from wire import Wire, versions_of

UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC, STORAGE_ERROR, LOG_DIR_NOT_FOUND = 3, 17, 56, 57
SET, DELETE = 0, 1
RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
SETTINGS = {**QUICK, "log.segment.delete.delay.ms": "300", "log.cleaner.backoff.ms": "100"}
MIB = 1 << 20


class Place:
    """A broker with several log directories; they are known by their number."""

    def __init__(self, server, dirs):
        self.server, self.dirs = server, dirs

    @property
    def bootstrap(self):
        return self.server.bootstrap

    def ask(self, api, version, **fields):
        with Wire(self.bootstrap) as wire:
            return wire.ask(api, version, **fields)

    def rows_of(self, topics, partitions=None):
        """{(topic, partition): {directory: (size, lag, is future)}} of one answer; of these partitions or
        of all."""
        wanted = [{"Topic": t, "Partitions": partitions} for t in topics] if partitions is not None else None
        found = {}
        for row in self.ask("DescribeLogDirs", 4, Topics=wanted)["Results"]:
            at = [str(d) for d in self.dirs].index(row["LogDir"])
            for t in row["Topics"]:
                for p in t["Partitions"] if t["Name"] in topics else []:
                    found.setdefault((t["Name"], p["PartitionIndex"]), {})[at] = (
                        p["PartitionSize"], p["OffsetLag"], p["IsFutureKey"])
        return found

    def rows(self, topic, partitions=None):
        """{partition: {directory: (size, lag, is future)}}."""
        return {partition: row for (_, partition), row in self.rows_of([topic], partitions).items()}

    def where(self, topic, partition=0):
        """(directory, the one where it comes to or None)."""
        row = self.rows(topic, [partition])[partition]
        now, = (at for at, (_, _, is_future) in row.items() if not is_future)
        return now, next((at for at, (_, _, is_future) in row.items() if is_future), None)

    def create(self, topic, partitions=1, **config):
        c.create(self, topic, partitions, **config)
        until(f"{topic} is there", lambda: len(self.rows(topic)) == partitions)
        return self.where(topic)[0]

    def ask_move(self, *moves, version=versions_of("AlterReplicaLogDirs")[1]):
        """Of (directory, topic, partitions): the answer."""
        return self.ask("AlterReplicaLogDirs", version, Dirs=[
            {"Path": str(path), "Topics": [{"Name": topic, "Partitions": list(partitions)}]}
            for path, topic, partitions in moves])

    def move(self, topic, to, partition=0):
        answer = self.ask_move((self.dirs[to], topic, [partition]))
        assert codes(answer) == {(topic, partition): 0}

    def until_at(self, topic, at, partition=0):
        """And nowhere else: Kafka shows it twice for a moment."""
        def is_at():
            row = self.rows(topic, [partition]).get(partition, {})
            return [(i, is_future) for i, (_, _, is_future) in row.items()] == [(at, False)]
        until(f"{topic}-{partition} is in {at}", is_at)

    def files(self, topic):
        """Names of directories, by the number of the log directory."""
        return {(i, entry.name) for i, d in enumerate(self.dirs) if d.is_dir()
                for entry in d.iterdir() if entry.name.startswith(topic + "-")}

    def until_files(self, topic, *wanted):
        until(f"files of {topic}", lambda: self.files(topic) == set(wanted))

    def set_rate(self, bytes_per_second):
        operation = DELETE if bytes_per_second is None else SET
        answer = self.ask("IncrementalAlterConfigs", 1, Resources=[{
            "ResourceType": 4, "ResourceName": "1", "Configs": [
                {"Name": RATE, "ConfigOperation": operation, "Value": str(bytes_per_second)}]}])
        assert answer["Responses"][0]["ErrorCode"] == 0, answer

        def told():
            answer = self.ask("DescribeConfigs", 4, Resources=[
                {"ResourceType": 4, "ResourceName": "1", "ConfigurationKeys": [RATE]}])
            return [row["Value"] for row in answer["Results"][0]["Configs"]]
        until("the rate is known", lambda: told() == (
            [] if bytes_per_second is None else [str(bytes_per_second)]))

    def fill(self, topic, size, values_of=60000):
        """So many bytes, in records of which each has its number in front; their values."""
        values = [b"%d " % i + bytes(values_of) for i in range(size // values_of)]
        c.produce_all(self, topic, [{"value": v, "partition": 0} for v in values])
        return values


def codes(answer):
    """{(topic, partition): error}; no partition is told twice."""
    rows = [((t["TopicName"], p["PartitionIndex"]), p["ErrorCode"])
            for t in answer["Results"] for p in t["Partitions"]]
    assert len({t["TopicName"] for t in answer["Results"]}) == len(answer["Results"])
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def log_dirs(directory, count=3):
    return [directory / f"d{i}" for i in range(count)]


@pytest.fixture(scope="module")
def two(request, tmp_path_factory):
    """Klamm and Kafka, or two Kafkas."""
    directory = tmp_path_factory.mktemp("moves")
    places = []
    for name in ("first", "second"):
        dirs = log_dirs(directory / name)
        settings = {**SETTINGS, "log.dirs": ",".join(map(str, dirs))}
        server = (one_broker(request, directory / name, settings) if name == "first" else
                  KafkaServer(settings, directory=directory / name, heap="512m"))
        places.append(Place(server, dirs))
    with places[0].server, places[1].server:
        yield places


@pytest.fixture(params=[0, 1], ids=["ours", "kafkas"])
def place(request, two):
    it = two[request.param]
    yield it
    it.set_rate(None)


NAMES = itertools.count()


@pytest.fixture
def name():
    return f"moved-{next(NAMES)}"


# -- what is refused -----------------------------------------------------


@pytest.mark.parametrize("version", range(versions_of("AlterReplicaLogDirs")[0],
                                          versions_of("AlterReplicaLogDirs")[1] + 1))
def test_what_is_refused(place, name, version):
    here = place.create(name, 3)
    long, short = "x" * 249, "y" * 209
    if version == versions_of("AlterReplicaLogDirs")[0]:
        place.create(long), place.create(short)
    good = place.dirs[here]

    def told(*moves):
        return codes(place.ask_move(*moves, version=version))

    for path in ("/nope", "", "d0", f"{good}/", f"{good}/.", f"{good}\0", "x" * 5000):
        assert told((path, name, [0])) == {(name, 0): LOG_DIR_NOT_FOUND}, path
        assert told((path, "none-such", [0])) == {("none-such", 0): LOG_DIR_NOT_FOUND}, path
    for other in ("none-such", "a/b", "", "nul\0", name + "\0"):
        assert told((good, other, [0])) == {(other, 0): UNKNOWN_TOPIC_OR_PARTITION}
    assert told((good, name, [3, -1, 2**31 - 1, -2**31])) == dict.fromkeys(
        ((name, i) for i in (3, -1, 2**31 - 1, -2**31)), UNKNOWN_TOPIC_OR_PARTITION)
    # There must be room for the name of the directory that comes.
    assert told((good, long, [0]), ("/nope", "y" * 214, [0])) == {
        (long, 0): INVALID_TOPIC, ("y" * 214, 0): INVALID_TOPIC}
    assert told((good, short, [0])) == {(short, 0): 0}
    assert told((good, "y" * 213, [0, 9])) == dict.fromkeys(
        [("y" * 213, 0), ("y" * 213, 9)], UNKNOWN_TOPIC_OR_PARTITION)
    assert told((good, "y" * 213, [10])) == {("y" * 213, 10): INVALID_TOPIC}


def test_nothing_is_asked_for(place, name):
    here = place.create(name)
    for moves in ((), ((place.dirs[here], name, []),), (("/nope", name, []),)):
        assert place.ask_move(*moves) == {"ThrottleTimeMs": 0, "Results": []}


def test_the_last_of_several_directories_counts(place, name):
    here = place.create(name, 2)
    good = place.dirs[here]
    assert codes(place.ask_move((good, name, [0, 0]), (good, name, [0]))) == {(name, 0): 0}
    assert codes(place.ask_move((good, name, [0]), ("/nope", name, [0]))) == {
        (name, 0): LOG_DIR_NOT_FOUND}
    there, third = (i for i in range(3) if i != here)
    answer = place.ask_move(("/nope", name, [0]), (place.dirs[third], name, [1, 0]),
                            (place.dirs[there], name, [0]), (place.dirs[there], "none", [5]))
    assert codes(answer) == {(name, 0): 0, (name, 1): 0, ("none", 5): UNKNOWN_TOPIC_OR_PARTITION}
    place.until_at(name, there)
    place.until_at(name, third, 1)


# -- moves ---------------------------------------------------------------


class Stream:
    """Numbers, produced one after another by a thread until `end`, which says how many."""

    def __init__(self, place, topic, first):
        self.place, self.topic, self.count = place, topic, first
        self.errors = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        client = c.producer(self.place, linger__ms=1)
        while not self.is_over.is_set():
            client.produce(self.topic, b"%d" % self.count, partition=0,
                           on_delivery=lambda error, _: error and self.errors.append(error))
            self.count += 1
            client.poll(0.001 if len(client) < 100 else 0.1)
        assert client.flush(c.LIMIT_S) == 0

    def end(self):
        self.is_over.set()
        self.thread.join()
        assert self.errors == []
        return self.count


class Reader:
    """All numbers, as they come."""

    def __init__(self, place, topic):
        self.client = c.consumer(place)
        self.client.assign([c.ck.TopicPartition(topic, 0, c.ck.OFFSET_BEGINNING)])
        self.values, self.errors = [], []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        is_at_end = False
        while not (self.is_over.is_set() and is_at_end):
            for message in self.client.consume(1000, 0.05):
                is_at_end = message.error() is not None
                if not is_at_end:
                    self.values.append(message.value())
                elif message.error().code() != c.ck.KafkaError._PARTITION_EOF:
                    self.errors.append(message.error())
        self.client.close()

    def end(self, count):
        """All of them, when there are `count`."""
        until("all are read", lambda: len(self.values) >= count)
        self.is_over.set()
        self.thread.join()
        assert self.errors == []
        return self.values


def test_clients_notice_nothing(place, name):
    here = place.create(name, internal__segment__bytes=20000)
    there = (here + 1) % 3
    first = 3000
    c.produce_all(place, name, [{"value": b"%d" % i, "partition": 0} for i in range(first)],
                  batch__num__messages=100)
    stream, reader = Stream(place, name, first), Reader(place, name)
    for to in (there, here, there):
        count = stream.count
        until("some more", lambda count=count: stream.count > count + 50)
        place.move(name, to)
        place.until_at(name, to)
    count = stream.end()
    wanted = [b"%d" % i for i in range(count)]
    assert reader.end(count) == wanted
    messages = c.read_to_end(place, name)[0]
    assert [(m.offset(), m.value()) for m in messages] == list(enumerate(wanted))
    place.until_files(name, (there, f"{name}-0"))
    size, lag, is_future = place.rows(name)[0][there]
    assert size > 0 and lag == 0 and not is_future


def test_a_throttled_move(place, name):
    """It is seen, goes on, turns to another directory, is given up, and ends soon without a limit."""
    place.set_rate(400000)  # of the eleven seconds before, too, so Kafka copies 4.4 MB at once
    here = place.create(name, internal__segment__bytes=MIB)
    there, third = (here + 1) % 3, (here + 2) % 3
    values = place.fill(name, 8 * MIB)
    before = place.rows(name)[0]
    place.move(name, there)
    until("it comes", lambda: place.where(name) == (here, there))
    rows = place.rows(name)[0]
    _, first_lag, _ = rows[there]
    assert rows[here] == before[here] and 0 < first_lag <= len(values)
    place.move(name, there)  # as before
    until("it goes on", lambda: place.rows(name, [0])[0][there][1] < first_lag)
    size, lag, is_future = place.rows(name)[0][there]
    assert is_future and 0 < lag and 0 < size < before[here][0]
    place.move(name, third)
    until("only there", lambda: place.rows(name)[0].keys() == {here, third})
    assert place.where(name) == (here, third)
    place.move(name, here)  # given up
    until("it stays", lambda: place.rows(name)[0] == before)
    place.until_files(name, (here, f"{name}-0"))
    place.move(name, there)
    until("it comes again", lambda: place.where(name) == (here, there))
    place.set_rate(None)
    place.until_at(name, there)
    assert c.values(place, name) == values
    place.until_files(name, (there, f"{name}-0"))


def test_what_is_not_there_yet_is_made_there(place, name):
    place.create(name, 3)  # one in each
    new = name + "-new"
    for to in (0, 2):
        answer = place.ask_move((place.dirs[to], new, [0, 1, 2, 4]))
        assert codes(answer) == {(new, i): UNKNOWN_TOPIC_OR_PARTITION for i in (0, 1, 2, 4)}
    place.create(new, 3)
    assert {place.where(new, i) for i in range(3)} == {(2, None)}
    c.results(c.admin(place).create_partitions([c.ck.admin.NewPartitions(new, 5)]))
    until("the fifth is there", lambda: 4 in place.rows(new))
    assert place.where(new, 4) == (2, None)


def test_a_compacted_topic(place, name):
    here = place.create(name, cleanup__policy="compact", segment__ms="10000",
                        min__cleanable__dirty__ratio="0.001")
    records, now_ms, at = [], int(time.time() * 1000), here
    for turn in range(2):
        more = draw(turn, 500, 40, now_ms + turn * 30000)
        c.produce_all(place, name, more)
        at = (at + 1) % 3
        place.move(name, at)
        seal((place,), name, now_ms + turn * 30000 + 20000)
        records += [*more, {"key": f"seal-{now_ms + turn * 30000 + 20000}", "value": "sealed",
                            "timestamp": now_ms + turn * 30000 + 20000}]
        place.until_at(name, at)
        until("it is compacted", lambda: read_all(place, name)[:-1] == last_of_each(records[:-1]))
    place.until_files(name, (at, f"{name}-0"))


def test_a_group_goes_on(place, name):
    place.create(name)
    c.produce_all(place, name, [{"value": b"%d" % i, "partition": 0} for i in range(10)])
    group = c.consumer(place, group__id=name, auto__offset__reset="earliest")
    group.subscribe([name])
    assert [m.value() for m in c.read(group, 3)] == [b"0", b"1", b"2"]
    member = group.memberid()

    def commit(offset):
        group.commit(offsets=[c.ck.TopicPartition(name, 0, offset)], asynchronous=False)

    commit(3)
    homes = {i: place.where("__consumer_offsets", i)[0] for i in range(3)}
    for partition, at in homes.items():
        place.move("__consumer_offsets", (at + 1) % 3, partition)
    for partition, at in homes.items():
        place.until_at("__consumer_offsets", (at + 1) % 3, partition)
    commit(5)
    assert [m.value() for m in c.read(group, 7)] == [b"%d" % i for i in range(3, 10)]
    assert group.memberid() == member
    commit(7)
    group.close()
    with_offsets = c.consumer(place, group__id=name)
    assert with_offsets.committed([c.ck.TopicPartition(name, 0)], c.LIMIT_S)[0].offset == 7
    with_offsets.close()


def test_a_topic_that_goes_meanwhile(place, name):
    place.set_rate(100000)
    here = place.create(name)
    place.fill(name, 2 * MIB)
    place.move(name, (here + 1) % 3)
    until("it comes", lambda: place.where(name) == (here, (here + 1) % 3))
    c.results(c.admin(place).delete_topics([name]))
    until("it is gone", lambda: place.rows(name) == {})
    place.until_files(name)
    place.create(name)
    assert c.values(place, name) == []


def test_javas_admin(place, name, java):
    place.create(name)
    results = java.run("LogDirs", place.bootstrap, name)
    assert {k: v for k, v in results.items() if v != "ok"} == {} and len(results) == 5


# -- ours alone ----------------------------------------------------------


@pytest.fixture
def own(server, tmp_path):
    """A broker that may be killed."""
    dirs = log_dirs(tmp_path)
    klamm = server(log__dirs=",".join(map(str, dirs)))
    for key, value in SETTINGS.items():
        klamm.set(key, value)
    return Place(klamm.start(), dirs)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_move_over_a_restart(own, name, how):
    """It begins anew by itself, under the limit that was set before."""
    here = own.create(name, internal__segment__bytes=MIB)
    there = (here + 1) % 3
    values = own.fill(name, 4 * MIB)
    own.set_rate(400000)
    own.move(name, there)
    until("some of it is there", lambda: own.rows(name)[0].get(there, (0, 0, True))[0] > 0)
    getattr(own.server, how)()
    assert {(i, n.split(".")[0]) for i, n in own.files(name)} == {
        (here, f"{name}-0"), (there, f"{name}-0")}
    own.server.start()
    assert c.values(own, name) == values
    until("it comes again", lambda: own.where(name) == (here, there))
    more = c.produce_all(own, name, [{"value": b"more", "partition": 0}])
    own.set_rate(None)
    own.until_at(name, there)
    assert c.values(own, name) == [*values, *(m.value() for m in more)]
    own.until_files(name, (there, f"{name}-0"))
    own.server.kill()
    own.server.start()
    assert own.where(name) == (there, None)
    assert c.values(own, name) == [*values, b"more"]
    own.server.stop()


def test_the_threads_are_so_many_moves_at_a_time(server, tmp_path, name):
    """num.replica.alter.log.dirs.threads=1: while one of two moves, the other lacks all it has."""
    dirs = log_dirs(tmp_path, 2)
    klamm = server(log__dirs=",".join(map(str, dirs)))
    for key, value in {**SETTINGS, "num.replica.alter.log.dirs.threads": "1"}.items():
        klamm.set(key, value)
    place = Place(klamm.start(), dirs)
    topics = [name + "-a", name + "-b"]
    goal = {topic: 1 - place.create(topic) for topic in topics}
    count = [len(place.fill(topic, 2 * MIB)) for topic in topics][0]
    place.set_rate(MIB // 2)
    for topic in topics:
        place.move(topic, goal[topic])

    def has_half():
        """One has, whichever goes first, and the other is still to come. What both lack, of one answer."""
        rows = place.rows_of(topics)
        lags = sorted(lag for topic in topics for _, lag, is_future in rows[topic, 0].values() if is_future)
        assert len(lags) < 2 or lags[1] == count, lags
        return len(lags) == 2 and lags[0] < count / 2

    until("one of them is half there", has_half)
    place.set_rate(None)
    for topic in topics:
        place.until_at(topic, goal[topic])
    klamm.stop()


@pytest.fixture
def failing(binary, server, shim, tmp_path):  # noqa: F811
    disks = Disks(binary, shim, tmp_path)
    for key, value in SETTINGS.items():
        disks.klamm.set(key, value)
    disks.klamm.start()
    yield disks, Place(disks.klamm, disks.dirs)
    if disks.klamm.is_running():
        disks.klamm.kill()


@pytest.mark.parametrize("call", ["write", "sync"])
def test_the_disk_that_it_comes_to_fails(failing, name, call):
    disks, place = failing
    here = place.create(name)
    there, third = (here + 1) % 3, (here + 2) % 3
    if there == 0:  # the metadata is there
        there, third = third, there
    values = place.fill(name, MIB)
    disks.fail((call, place.dirs[there]))
    place.move(name, there)
    until("the directory is offline",
          lambda: disks.described()[str(place.dirs[there])][0] == STORAGE_ERROR)
    assert place.where(name) == (here, None)
    c.produce_all(place, name, [{"value": b"more", "partition": 0}])
    assert c.values(place, name) == [*values, b"more"]
    for to in (there, third):  # as in Kafka: what is lost may be a directory of this partition
        assert codes(place.ask_move((place.dirs[to], name, [0]))) == {(name, 0): STORAGE_ERROR}
    disks.mend()
    disks.klamm.kill()
    disks.klamm.start()
    assert c.values(place, name) == [*values, b"more"]
    place.move(name, third)
    place.until_at(name, third)
    place.until_files(name, (third, f"{name}-0"))
    disks.klamm.stop()


def test_the_disk_that_it_comes_from_fails(failing, name):
    """There is nothing to copy from: its directory is offline, the other one is not."""
    disks, place = failing
    for i in range(3):
        if place.create(f"{name}-{i}") == 1:
            name = f"{name}-{i}"
            break
    place.fill(name, 2 * MIB)
    place.set_rate(300000)
    place.move(name, 2)
    until("it comes", lambda: place.where(name) == (1, 2))
    disks.fail(("write", place.dirs[1]), ("sync", place.dirs[1]))
    with Wire(place.bootstrap) as wire:
        assert error_of(ask_put(wire, name)) == STORAGE_ERROR
    until("the directory is offline",
          lambda: disks.described()[str(place.dirs[1])][0] == STORAGE_ERROR)
    assert disks.described()[str(place.dirs[2])][0] == 0
    disks.mend()
    disks.klamm.kill()
    disks.klamm.start()
    place.set_rate(None)
    place.until_at(name, 2)
    assert len(c.values(place, name)) == 2 * MIB // 60000
    disks.klamm.stop()


def test_the_disk_that_it_comes_to_is_full(server, tmp_path, small_disk, name):  # noqa: F811
    """The partition stays where it is and serves, and so does what lies on the full disk; with room
    it comes."""
    dirs = [tmp_path / "d0", small_disk / "d1"]
    klamm = server(log__dirs=",".join(map(str, dirs)), klamm__log__dir__reserve__bytes=MIB)
    for key, value in SETTINGS.items():
        klamm.set(key, value)
    place = Place(klamm.start(), dirs)
    place.ask_move((dirs[0], name, [0]))
    assert place.create(name) == 0
    values = place.fill(name, 4 * MIB)
    ballast = leave_free(small_disk, 2 * MIB)
    place.move(name, 1)
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert place.where(name)[0] == 0
        time.sleep(0.05)
    assert place.ask("DescribeLogDirs", 4, Topics=None)["Results"][1]["ErrorCode"] == 0
    c.produce_all(place, name, [{"value": b"more", "partition": 0}])
    assert c.values(place, name) == [*values, b"more"]
    ballast.unlink()
    place.move(name, 1)
    place.until_at(name, 1)
    assert c.values(place, name) == [*values, b"more"]
    klamm.stop()
