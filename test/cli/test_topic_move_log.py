# SPDX-License-Identifier: Apache-2.0
"""`klamm topic move-log`, and what other commands show of a move."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

from conftest import LIMIT_S, Cli, KlammServer, until
from fake_broker import FakeBroker

RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
RECORDS = 3000
STORAGE_ERROR = 56


@pytest.fixture(scope="module")
def dirs(tmp_path_factory):
    at = tmp_path_factory.mktemp("dirs")
    return [str(at / name) for name in ("d0", "d1")]


@pytest.fixture(scope="module")
def broker(binary, dirs, tmp_path_factory):
    with KlammServer(binary, directory=tmp_path_factory.mktemp("movers") / "b",
                     log__dirs=",".join(dirs), klamm__admin__listener="127.0.0.1:0") as klamm:
        yield klamm


@pytest.fixture(scope="module")
def movers(binary, broker):
    return Cli(binary, broker.bootstrap)


@pytest.fixture(scope="module")
def asked(broker):
    """How many moves were asked for, and answered."""
    counter = re.compile(r'^klamm_requests_total\{api="AlterReplicaLogDirs"\} (\d+)$', re.M)
    return lambda: sum(map(int, counter.findall(broker.page("/metrics"))))


@pytest.fixture
def moving(request, movers, dirs):
    """The commands, a topic with one partition of a megabyte and more, where it is, and where not."""
    name = request.node.name
    movers.good("topic", "create", name)
    movers.good("produce", name, stdin=f"{'x' * 400}\n" * RECORDS)
    here, = (d["log_dir"] for d in json.loads(
        movers.good("cluster", "logdirs", "--topic", name, "--json").out)[0]["log_dirs"]
        if d["partitions"])
    yield movers, name, here, next(d for d in dirs if d != here)
    movers("config", "unset", "broker", "1", RATE)  # where it is set


def slowly(cli, name, to):
    cli.good("config", "set", "broker", "1", f"{RATE}=100000")
    return cli.good("topic", "move-log", name, "--to", to, "--json")


def row_of(done):
    row, = json.loads(done.out)
    return row


def test_there_and_back(moving):
    cli, name, here, there = moving
    done = cli.good("topic", "move-log", name, "--to", there, "--wait", "--json")
    row = row_of(done)
    size = row["log_dir"]["size_bytes"]
    assert size > 400 * RECORDS
    assert row == {"topic": name, "partition": 0, "moves_to": None,
                   "log_dir": {"path": there, "size_bytes": size, "offset_lag": 0}}
    done = cli.good("topic", "move-log", f"{name}:0", "--to", here, "--wait")
    assert [line.split() for line in done.lines] == [
        ["topic", "partition", "bytes", "log_dir", "moves_to", "copied", "lag"],
        [name, "0", str(size), here, "-", "-", "-"]]
    assert cli.good("consume", name, "--from", "beginning", "--until-end").lines == \
        ["x" * 400] * RECORDS


def test_a_slow_move_is_shown(moving):
    cli, name, here, there = moving
    row = row_of(slowly(cli, name, there))
    assert row["log_dir"]["path"] == here and row["moves_to"]["path"] == there
    assert 0 < row["moves_to"]["offset_lag"] <= RECORDS
    partition, = row_of(cli.good("topic", "describe", name, "--json"))["partitions"]
    assert partition["log_dir"]["path"] == here and partition["moves_to"]["path"] == there
    assert f"moves to {there}: " in cli.good("topic", "describe", name).lines[-1]
    lines = cli.good("cluster", "logdirs", "--topic", name).lines
    assert [line.split()[-1] for line in lines if name in line].count("coming") == 1
    row = row_of(cli.good("topic", "move-log", name, "--to", here, "--wait", "--json"))
    assert row["log_dir"]["path"] == here and row["moves_to"] is None  # given up
    assert "moves to" not in cli.good("topic", "describe", name).out


def test_a_move_that_is_given_up_meanwhile(moving, asked):
    cli, name, here, there = moving
    slowly(cli, name, there)
    before = asked()
    waits = cli.start("topic", "move-log", name, "--to", there, "--wait")
    until(lambda: asked() > before, True)  # else it may come second, and begin the move anew
    cli.good("topic", "move-log", name, "--to", here)
    out, err = waits.communicate(timeout=LIMIT_S)
    assert waits.returncode == 1
    assert err.decode() == f"klamm: {there}: 1 partition is not moved to it any more\n"
    assert here in out.decode()


def test_who_is_interrupted_leaves_the_move_alone(moving):
    cli, name, here, there = moving
    slowly(cli, name, there)
    master, slave = pty.openpty()
    waits = subprocess.Popen([cli.binary, "topic", "move-log", name, "--to", there, "--wait"],
                             env=cli.environment, stdout=subprocess.PIPE, stderr=slave,
                             stdin=subprocess.DEVNULL)
    os.close(slave)
    shown = b""
    while b" offsets to go" not in shown:
        shown += os.read(master, 1000)
    assert b"1 on the way: " in shown
    waits.send_signal(signal.SIGINT)
    out, _ = waits.communicate(timeout=LIMIT_S)
    assert waits.returncode == 1 and there in out.decode()
    assert b"1 partition is on the way to it still" in os.read(master, 1000)
    os.close(master)
    cli.good("config", "unset", "broker", "1", RATE)
    until(lambda: row_of(cli.good("topic", "describe", name, "--json"))["partitions"][0]["log_dir"]
          ["path"], there)


def test_what_is_refused(moving):
    cli, name, here, _ = moving
    done = cli("topic", "move-log", name, "--to", "/nope")
    assert done.code == 1 and done.out == ""
    assert done.line.startswith(f'klamm: partition 0 of topic "{name}": LOG_DIR_NOT_FOUND: ')
    assert "there is no partition 7" in cli.failing("topic", "move-log", f"{name}:7", "--to", here)
    done = cli("topic", "move-log", name, "nothere", "--to", here)
    assert done.code == 1 and "UNKNOWN_TOPIC_OR_PARTITION" in done.line and done.out == ""


class FakeDirs:
    """The only broker, which explains nothing, with a topic t of two partitions; `moves` says what
    it answers for them, `places` where each is seen, look by look: (directory, is future)."""

    def __init__(self, moves, *places):
        self.places = list(places)
        self.moves = moves
        self.fake = FakeBroker(
            {"Metadata": (0, 9), "DescribeLogDirs": (1, 4), "AlterReplicaLogDirs": (1, 2)},
            {"Metadata": [self.metadata], "DescribeLogDirs": [self.dirs],
             "AlterReplicaLogDirs": [self.answer]})

    def metadata(self, _):
        return {"Brokers": [{"NodeId": 4, "Host": "127.0.0.1", "Port": self.fake.port}],
                "Topics": [{"ErrorCode": 0, "Name": "t", "Partitions": [
                    {"PartitionIndex": i, "LeaderId": 4, "ReplicaNodes": [4]} for i in (0, 1)]}]}

    def answer(self, request):
        self.asked = request
        return {"Results": [{"TopicName": "t", "Partitions": [
            {"PartitionIndex": i, "ErrorCode": code} for i, code in self.moves.items()]}]}

    def dirs(self, _):
        now = self.places.pop(0) if len(self.places) > 1 else self.places[0]
        return {"Results": [{"ErrorCode": 0, "LogDir": path, "Topics": [
            {"Name": "t", "Partitions": [
                {"PartitionIndex": i, "PartitionSize": 10, "OffsetLag": 3, "IsFutureKey": future}
                for i, seen in now.items() for at, future in seen if at == path]}]}
            for path in ("/a", "/b")]}

    def run(self, binary, *words):
        with self.fake as fake:
            return Cli(binary, fake.bootstrap)("topic", "move-log", *words, "--to", "/b", "--json")


def test_partitions_of_a_broker_that_is_no_klamm(binary):
    """One is refused; the other comes, and is nowhere for a moment."""
    moves = FakeDirs({0: STORAGE_ERROR, 1: 0}, {1: [("/a", False), ("/b", True)]}, {},
                     {1: [("/a", False), ("/b", False)]}, {1: [("/b", False)]})
    done = moves.run(binary, "t", "--wait")
    assert done.code == 1
    assert done.line.startswith('klamm: partition 0 of topic "t": KAFKA_STORAGE_ERROR: ')
    assert moves.asked == {"Dirs": [{"Path": "/b", "Topics": [{"Name": "t", "Partitions": [0, 1]}]}]}
    row = row_of(done)
    assert (row["partition"], row["log_dir"]["path"], row["moves_to"]) == (1, "/b", None)


def test_a_partition_that_nobody_speaks_of(binary):
    done = FakeDirs({0: 0}, {0: [("/b", False)]}).run(binary, "t")
    assert done.code == 1
    assert done.line == 'klamm: partition 1 of topic "t": its leader said nothing about it'
    assert row_of(done)["partition"] == 0
