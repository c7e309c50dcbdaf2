# SPDX-License-Identifier: Apache-2.0
"""`klamm topic` with good and bad arguments."""

import json
import os
import pty
import re
import socket
import subprocess
import threading

import pytest

from conftest import Cli, closed_port, until
from fake_broker import FakeBroker


# -- words ---------------------------------------------------------------

@pytest.mark.parametrize("words", [
    ["--help"], ["topic", "--help"], ["topic", "create", "--help"], ["topic", "list", "-h"],
    ["topic", "describe", "--help"], ["topic", "delete", "x", "--help"], ["produce", "--help"],
    ["consume", "--help"]])
def test_help(cli, words):
    done = cli.good(*words)
    assert done.out.startswith(("usage: klamm ", "klamm "))
    assert all(len(line) <= 100 for line in done.lines)


@pytest.mark.parametrize("words,told", [
    (["topic", "frob"], 'no command "frob"'),
    (["topic", "create"], "name of a topic is missing"),
    (["topic", "create", "x", "--partitions", "0"], '--partitions takes a number from 1 to'),
    (["topic", "create", "x", "--partitions", "3x"], '"3x"'),
    (["topic", "create", "x", "--partitions"], "--partitions needs a value"),
    (["topic", "create", "x", "--partitions="], '""'),
    (["topic", "create", "x", "--nonsense"], 'no option "--nonsense"'),
    (["topic", "create", "x", "--if-not-exists=1"], "--if-not-exists takes no value"),
    (["topic", "create", "x", "--config", "novalue"], "KEY=VALUE"),
    (["topic", "create", "x" * 250], "at most 249 bytes"),
    (["topic", "create", "a\x1bb", "--nonsense\x1b[2J"], "--nonsense?[2J"),
    (["topic", "list", "extra"], '"extra" is one word too many'),
    (["topic", "delete", "x"], "--yes"),
    (["topic", "delete", "--yes"], "name of a topic is missing"),
    (["topic", "alter", "--partitions", "2"], "name of a topic is missing"),
    (["topic", "alter", "x"], "--partitions is missing"),
    (["topic", "alter", "x", "--partitions", "0"], "--partitions takes a number from 1"),
    (["topic", "offsets", "x:"], 'T or T:P,P,... is wanted, not "x:"'),
    (["topic", "offsets", "x:1,-1"], '"x:1,-1"'),
    (["topic", "offsets", "x", "--at", "5"], '"5"'),
    (["topic", "offsets", "x", "--at", "soon"], '"soon"'),
    (["topic", "move-log", "--to", "/d"], "name of a topic is missing"),
    (["topic", "move-log", "x"], "--to is missing"),
    (["topic", "move-log", "x:", "--to", "/d"], 'T or T:P,P,... is wanted, not "x:"'),
    (["topic", "delete-records", "--before", "1"], "name of a topic is missing"),
    (["topic", "delete-records", "x"], "--before is missing"),
    (["topic", "delete-records", "x", "--before", "beginning", "--yes"], '"beginning"'),
    (["topic", "delete-records", "x", "--before", "-1", "--yes"], '"-1"'),
    (["topic", "delete-records", "x", "--before", "1"], "--yes"),
])
def test_wrong_words(cli, words, told):
    line = cli.failing(*words, code=2)
    assert told in line
    assert "--help" in line


def test_topic_without_a_command(cli):
    done = cli("topic")
    assert done.code == 2
    assert "usage" in done.err and done.out == ""


# -- topics --------------------------------------------------------------

def test_create_describe_delete(cli):
    done = cli.good("topic", "create", "life", "--partitions=3", "--config", "retention.ms=60000",
                    "--config", "segment.bytes=2000000", "--replication-factor", 1)
    assert done.out == "created topic life (3 partitions, replication factor 1)\n"
    assert "life" in cli.good("topic", "list").lines
    cli.good("produce", "life", "--partition", 1, stdin="a\nb\n")

    text = cli.good("topic", "describe", "life").lines
    assert re.fullmatch(r"life  id [\w-]{22}", text[0])
    assert sorted(text[1:3]) == ["  retention.ms=60000", "  segment.bytes=2000000"]
    assert text[3].split() == ["partition", "leader", "epoch", "replicas", "isr", "begin", "end",
                               "offsets", "written", "durable"]
    rows = [line.split() for line in text[4:]]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert [row[5:] for row in rows] == [["0"] * 5, ["0", "2", "2", "2", "2"], ["0"] * 5]

    described, = json.loads(cli.good("topic", "describe", "life", "--json").out)
    assert described["name"] == "life" and described["id"] in text[0]
    assert described["is_internal"] is False
    assert {(c["name"], c["value"], c["source"]) for c in described["configs"]} == {
        ("segment.bytes", "2000000", "topic"), ("retention.ms", "60000", "topic")}
    partition = described["partitions"][1]
    assert partition["partition"] == 1 and partition["leader"] == 1
    assert partition["replicas"] == [1] and partition["isr"] == [1] and partition["offline"] == []
    assert (partition["begin_offset"], partition["end_offset"]) == (0, 2)
    assert [partition[k] for k in ("log_start_offset", "durable_offset", "high_watermark", "written_offset",
                                   "assigned_offset")] == [0, 2, 2, 2, 2]
    assert 0 <= partition["recovery_point"] <= 2  # lower where a journal has made it durable

    assert cli.good("topic", "delete", "life", "--yes").out == "deleted topic life\n"
    assert "life" not in cli.good("topic", "list").lines


def test_defaults_are_the_brokers(cli):
    assert cli.good("topic", "create", "plain").out == (
        "created topic plain (1 partition, replication factor 1)\n")


def test_refusals_name_the_error(cli):
    cli.good("topic", "create", "there")
    assert "TOPIC_ALREADY_EXISTS: " in cli.failing("topic", "create", "there")
    assert cli.good("topic", "create", "there", "--if-not-exists").out == (
        "topic there is there already\n")
    assert "INVALID_TOPIC_EXCEPTION: " in cli.failing("topic", "create", "bad name")
    assert "INVALID_CONFIG: " in cli.failing("topic", "create", "q", "--config", "nonsense=1")
    assert "INVALID_REPLICATION_FACTOR: " in cli.failing("topic", "create", "q",
                                                         "--replication-factor", 3)
    missing = "UNKNOWN_TOPIC_OR_PARTITION: "
    assert missing in cli.failing("topic", "describe", "nothere")
    assert missing in cli.failing("topic", "delete", "nothere", "--yes")
    assert cli.good("topic", "delete", "nothere", "--yes", "--if-exists").out == (
        "topic nothere is not there\n")
    assert "nothere" not in cli.good("topic", "list").lines  # describing makes nothing


def test_one_bad_name_of_several(cli):
    done = cli("topic", "create", "one", "two/two", "three")
    assert done.code == 1
    assert 'topic "two/two": INVALID_TOPIC_EXCEPTION' in done.line
    assert len(done.lines) == 2
    done = cli("topic", "describe", "one", "nothere", "three", "--json")
    assert done.code == 1
    assert {t["name"] for t in json.loads(done.out)} == {"one", "three"}


def test_many(cli):
    assert cli.good("topic", "create", "many", "--count", 450).out == (
        "created 450 of 450 topics\n")
    assert cli.good("topic", "create", "many", "--count", 451, "--if-not-exists").out == (
        "created 1 of 451 topics; 450 were there already\n")
    names = [f"many-{i}" for i in range(451)]
    listed = json.loads(cli.good("topic", "list", "--json").out)
    assert [t["name"] for t in listed] == sorted(t["name"] for t in listed)
    assert set(names) <= {t["name"] for t in listed}
    assert {t["partitions"] for t in listed if t["name"] in names} == {1}
    described = json.loads(cli.good("topic", "describe", "--json", *names).out)
    assert [t["name"] for t in described] == names
    done = cli("topic", "create", "many", "--count", 30)
    assert done.code == 1
    assert done.err.count("TOPIC_ALREADY_EXISTS") == 20
    assert done.err.splitlines()[-1] == "klamm: 10 more topics could not be created"
    assert cli.good("topic", "delete", "--yes", *names).out == "deleted 451 of 451 topics\n"


def test_json_of_what_was_done(any_cli):
    def told(*words):
        return json.loads(any_cli.good(*words, "--json").out)

    made, = told("topic", "create", "told", "--partitions", 2)
    assert re.fullmatch(r"[\w-]{22}", made["id"])
    assert made == {"name": "told", "id": made["id"], "partitions": 2, "replication_factor": 1,
                    "is_new": True}
    again, = told("topic", "create", "told", "--if-not-exists")
    assert again == {"name": "told", "id": None, "partitions": None, "replication_factor": None,
                     "is_new": False}
    done = any_cli("topic", "create", "told", "told-too", "--json")
    assert done.code == 1 and "TOPIC_ALREADY_EXISTS" in done.line
    assert [t["name"] for t in json.loads(done.out)] == ["told-too"]
    assert len(told("topic", "create", "told-many", "--count", 12)) == 12
    assert told("topic", "alter", "told", "--partitions", 3) == [
        {"name": "told", "partitions": 3, "dry_run": False}]
    gone = told("topic", "delete", "told", "nothere", "--yes", "--if-exists")
    assert sorted(t["name"] for t in gone if t["is_deleted"]) == ["told"] and len(gone) == 2
    done = any_cli("topic", "delete", "nothere", "--yes", "--json")
    assert done.code == 1 and json.loads(done.out) == []


# -- more partitions -----------------------------------------------------

def test_alter(any_cli, any_topic):
    def partitions():
        listed = json.loads(any_cli.good("topic", "list", "--json").out)
        return [t["partitions"] for t in listed if t["name"] == any_topic]

    done = any_cli.good("topic", "alter", any_topic, "--partitions", 5, "--dry-run")
    assert done.lines == [f"topic {any_topic} can have 5 partitions",
                          "dry run: nothing was changed"]
    assert partitions() == [3]
    done = any_cli.good("topic", "alter", any_topic, "--partitions", 5)
    assert done.out == f"topic {any_topic} has 5 partitions\n"
    until(partitions, [5])
    for fewer in (5, 4):
        line = any_cli.failing("topic", "alter", any_topic, "--partitions", fewer)
        assert f'topic "{any_topic}": INVALID_PARTITIONS: ' in line
    done = any_cli("topic", "alter", "nothere", any_topic, "--partitions", 6, "--json")
    assert done.code == 1 and 'topic "nothere": UNKNOWN_TOPIC_OR_PARTITION: ' in done.line
    assert json.loads(done.out) == [{"name": any_topic, "partitions": 6, "dry_run": False}]


# -- offsets -------------------------------------------------------------

def stamps(cli, topic):
    return [int(line) for line in cli.good("consume", topic, "--partition", 1, "--until-end",
                                           "--format", "%T").lines]


def found(cli, *words):
    rows = json.loads(cli.good("topic", "offsets", "--json", *words).out)
    return [(r["partition"], r["offset"], r["timestamp"]) for r in rows]


def test_offsets(any_cli, any_topic):
    any_cli.good("produce", any_topic, "--partition", 1, stdin="a\nb\n")
    any_cli.good("produce", any_topic, "--partition", 1, stdin="c\n")
    times = stamps(any_cli, any_topic)
    done = any_cli.good("topic", "offsets", any_topic)
    assert [line.split() for line in done.lines] == [
        ["topic", "partition", "offset"], [any_topic, "0", "0"], [any_topic, "1", "3"],
        [any_topic, "2", "0"]]
    assert found(any_cli, any_topic, "--at", "latest") == [(0, 0, None), (1, 3, None), (2, 0, None)]
    assert found(any_cli, f"{any_topic}:1", "--at", "earliest") == [(1, 0, None)]
    assert found(any_cli, f"{any_topic}:2,1", f"{any_topic}:1", "--at", "beginning") == [
        (1, 0, None), (2, 0, None)]
    first = times.index(max(times))
    assert found(any_cli, any_topic, "--at", "max-timestamp") == [
        (0, None, None), (1, first, max(times)), (2, None, None)]
    late = next(i for i, t in enumerate(times) if t >= times[-1])
    assert found(any_cli, f"{any_topic}:1", "--at", f"@{times[-1]}") == [(1, late, times[late])]
    assert found(any_cli, f"{any_topic}:1", "--at", "2001-01-01") == [(1, 0, times[0])]
    done = any_cli.good("topic", "offsets", f"{any_topic}:1", "--at", f"@{max(times) + 10**9}")
    assert [line.split() for line in done.lines][1:] == [[any_topic, "1", "-", "-"]]
    every = json.loads(any_cli.good("topic", "offsets", "--json").out)
    assert {(any_topic, i) for i in range(3)} <= {(r["topic"], r["partition"]) for r in every}


def test_offsets_of_what_is_not_there(any_cli, any_topic):
    done = any_cli("topic", "offsets", "nothere", f"{any_topic}:1,3", "--json")
    assert done.code == 1 and len(done.err.splitlines()) == 2
    assert 'topic "nothere": UNKNOWN_TOPIC_OR_PARTITION: ' in done.err
    assert "there is no partition 3" in done.err
    assert [(r["partition"], r["offset"]) for r in json.loads(done.out)] == [(1, 0)]


def test_leaders_are_asked_about_what_was_named_alone(binary):
    at = {}

    def metadata(_):
        return {"Brokers": [{"NodeId": 4, "Host": "127.0.0.1", "Port": at["port"]}],
                "Topics": [{"ErrorCode": 0, "Name": "t", "Partitions": [
                    {"PartitionIndex": i, "LeaderId": leader, "ReplicaNodes": [4]}
                    for i, leader in enumerate([4, 4, -1, 4])]}]}

    answer = {"Topics": [{"Name": "t", "Partitions": [
        {"PartitionIndex": 1, "Offset": 7}, {"PartitionIndex": 3, "ErrorCode": 6}]}]}
    with FakeBroker({"Metadata": (0, 9), "ListOffsets": (1, 7)},
                    {"Metadata": [metadata], "ListOffsets": [answer]}) as fake:
        at["port"] = fake.port
        done = Cli(binary, fake.bootstrap)("topic", "offsets", "t:1,2,3", "--json")
        assert done.code == 1
        assert [(r["partition"], r["offset"]) for r in json.loads(done.out)] == [(1, 7)]
        assert [line.split(": ")[1:3] for line in done.err.splitlines()] == [
            ['partition 2 of topic "t"', "LEADER_NOT_AVAILABLE"],
            ['partition 3 of topic "t"', "NOT_LEADER_OR_FOLLOWER"]]
        topic, = fake.asked[-1][1]["Topics"]
        assert [p["PartitionIndex"] for p in topic["Partitions"]] == [1, 3]


# -- deleting records ----------------------------------------------------

def test_delete_records(any_cli, any_topic):
    lines = "".join(f"{i}\n" for i in range(10))
    for partition in (0, 1):
        any_cli.good("produce", any_topic, "--partition", partition, stdin=lines)
    before = ["topic", "delete-records", "--yes", "--before"]

    done = any_cli.good(*before, 4, f"{any_topic}:1", "--dry-run")
    assert [line.split() for line in done.lines] == [
        ["topic", "partition", "from", "to"], [any_topic, "1", "0", "4"],
        ["dry", "run:", "nothing", "was", "deleted"]]
    assert found(any_cli, any_topic, "--at", "beginning") == [(i, 0, None) for i in range(3)]

    done = any_cli.good(*before, 4, f"{any_topic}:1", "--json")
    assert json.loads(done.out) == {"dry_run": False, "partitions": [
        {"topic": any_topic, "partition": 1, "from": 0, "to": 4}]}
    assert found(any_cli, any_topic, "--at", "beginning") == [
        (0, 0, None), (1, 4, None), (2, 0, None)]
    for more in ([], ["--dry-run"]):
        done = any_cli.good(*before, 2, f"{any_topic}:1", *more)
        assert done.lines[1].split()[2:] == ["4", "4"]

    # Against one partition something speaks: nothing is deleted in the others.
    line = any_cli.failing(*before, 5, f"{any_topic}:0,1,2")
    assert line == (f'klamm: partition 2 of topic "{any_topic}" has offsets 0 to 0: there is no 5')
    assert "there is no partition 7" in any_cli.failing(*before, "end", f"{any_topic}:0,7")
    done = any_cli(*before, "end", any_topic, "nothere")
    assert done.code == 1 and "UNKNOWN_TOPIC_OR_PARTITION" in done.line and done.out == ""
    assert found(any_cli, f"{any_topic}:0", "--at", "beginning") == [(0, 0, None)]

    any_cli.good(*before, "2001-01-01", any_topic)  # nothing is that old
    assert found(any_cli, f"{any_topic}:0", "--at", "beginning") == [(0, 0, None)]
    any_cli.good(*before, "9999-01-01", f"{any_topic}:0")  # all of them are
    assert found(any_cli, any_topic, "--at", "beginning") == [
        (0, 10, None), (1, 4, None), (2, 0, None)]
    any_cli.good(*before, "end", any_topic)
    assert found(any_cli, f"{any_topic}:1", "--at", "beginning") == [(1, 10, None)]


def test_delete_records_of_a_compacted_topic(any_cli, any_topic):
    any_cli.good("config", "set", "topic", any_topic, "cleanup.policy=compact")
    until(lambda: " compact " in any_cli.good("config", "describe", "topic", any_topic).out, True)
    done = any_cli("topic", "delete-records", any_topic, "--before", "end", "--yes", "--json")
    assert done.code == 1 and done.err.count(f'of topic "{any_topic}": POLICY_VIOLATION: ') == 3
    assert json.loads(done.out)["partitions"] == []


STORAGE_ERROR = 56
WHEN = 1000  # the time that is asked for


class FakeLog:
    """The only broker, with one topic t of two partitions of ten records: what it says of partition
    1 is told by the question: begin, end, time, delete. None: nothing."""

    SAID = {-2: "begin", -1: "end", WHEN: "time"}
    OFFSETS = {"begin": 0, "end": 10, "time": 4}

    def __init__(self, **of_one):
        self.of_one = of_one
        self.fake = FakeBroker(
            {"Metadata": (0, 9), "ListOffsets": (1, 7), "DeleteRecords": (0, 2)},
            {"Metadata": [self.metadata], "ListOffsets": [self.offsets],
             "DeleteRecords": [self.delete]})

    def metadata(self, _):
        return {"Brokers": [{"NodeId": 4, "Host": "127.0.0.1", "Port": self.fake.port}],
                "Topics": [{"ErrorCode": 0, "Name": "t", "Partitions": [
                    {"PartitionIndex": i, "LeaderId": 4, "ReplicaNodes": [4]} for i in (0, 1)]}]}

    def rows(self, question, usual):
        told = self.of_one.get(question, usual)
        return [{"PartitionIndex": 0, **usual}] + (
            [] if told is None else [{"PartitionIndex": 1, **told}])

    def offsets(self, request):
        question = self.SAID[request["Topics"][0]["Partitions"][0]["Timestamp"]]
        return {"Topics": [{"Name": "t", "Partitions": self.rows(
            question, {"Offset": self.OFFSETS[question]})}]}

    def delete(self, _):
        return {"Topics": [{"Name": "t", "Partitions": self.rows("delete", {"LowWatermark": 4})}]}

    def deleted(self):
        """What DeleteRecords was asked for, by partition."""
        return {p["PartitionIndex"]: p["Offset"] for name, request in self.fake.asked
                if name == "DeleteRecords" for p in request["Topics"][0]["Partitions"]}


def delete_records(binary, log, before=f"@{WHEN}"):
    with log.fake as fake:
        return Cli(binary, fake.bootstrap)("topic", "delete-records", "t", "--yes", "--before",
                                           before)


FAILED = {"Offset": -1, "ErrorCode": STORAGE_ERROR}


@pytest.mark.parametrize("of_one,told", [
    ({"time": FAILED}, "KAFKA_STORAGE_ERROR"),
    ({"time": None}, "its leader said nothing about it"),
    ({"begin": FAILED}, "KAFKA_STORAGE_ERROR"),
    ({"begin": {"Offset": -1}}, "its leader does not tell its offsets"),
    ({"end": None}, "its leader said nothing about it"),
    ({"end": {"ErrorCode": 6}, "time": FAILED}, "NOT_LEADER_OR_FOLLOWER"),
])
def test_nothing_is_deleted_where_offsets_are_not_known(binary, of_one, told):
    """What is not known of one partition must not become its end."""
    log = FakeLog(**of_one)
    done = delete_records(binary, log)
    assert (done.code, done.out) == (1, "")
    assert done.line.startswith('klamm: partition 1 of topic "t": ' + told)
    assert log.deleted() == {}


@pytest.mark.parametrize("found,to", [(4, 4), (-1, 10), (12, 10)])
def test_what_comes_while_it_is_asked_stays(binary, found, to):
    """12: the record that was found came after the end was asked for."""
    log = FakeLog(time={"Offset": found})
    done = delete_records(binary, log)
    assert (done.code, done.err) == (0, "")
    assert log.deleted() == {0: 4, 1: to}


def test_a_partition_that_is_not_in_the_answer_is_told(binary):
    log = FakeLog(delete=None)
    done = delete_records(binary, log, "4")
    assert log.deleted() == {0: 4, 1: 4} and done.code == 1
    assert done.line == 'klamm: partition 1 of topic "t": its leader said nothing about it'
    assert [line.split() for line in done.lines[1:]] == [["t", "0", "0", "4"]]


def test_offsets_that_are_not_in_the_answer_are_told(binary):
    log = FakeLog(end=None)
    with log.fake as fake:
        done = Cli(binary, fake.bootstrap)("topic", "offsets", "t", "--json")
    assert done.code == 1
    assert done.line == 'klamm: partition 1 of topic "t": its leader said nothing about it'
    assert [row["partition"] for row in json.loads(done.out)] == [0]


def test_a_failed_lookup_by_time_does_not_become_the_end(binary):
    """Of group reset and consume neither."""
    log = FakeLog(time=FAILED)
    with log.fake as fake:
        done = Cli(binary, fake.bootstrap)("consume", "t", "--from", f"@{WHEN}", "--until-end")
    assert done.code == 1 and "partition 1 has no leader, or its leader" in done.err


def test_delete_records_asks(cli, topic):
    cli.good("produce", topic, "--partition", 0, stdin="a\nb\n")
    words = ["topic", "delete-records", topic, "--before", "end"]
    code, _, shown = on_terminal(cli, words, "n\n")
    assert code == 1 and "Delete the records of 2 offsets in 3 partitions? [y/N]" in shown
    assert "nothing was deleted" in shown
    assert found(cli, f"{topic}:0", "--at", "beginning") == [(0, 0, None)]
    code, out, _ = on_terminal(cli, words, "yes\n")
    assert code == 0 and out.splitlines()[1].split() == [topic, "0", "0", "2"]


# -- a terminal ----------------------------------------------------------

def on_terminal(cli, words, typed):
    """Runs with a terminal as standard input and error; what it showed and its exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([cli.binary, *words], stdin=theirs, stderr=theirs,
                               stdout=subprocess.PIPE, env=cli.environment)
    os.close(theirs)
    os.write(ours, typed.encode())
    out = process.stdout.read().decode()
    code = process.wait(60)
    process.stdout.close()
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return code, out, shown.decode()


def test_delete_asks(cli):
    cli.good("topic", "create", "asked")
    code, out, shown = on_terminal(cli, ["topic", "delete", "asked"], "n\n")
    assert code == 1 and "Delete topic asked" in shown and "nothing was deleted" in shown
    assert "asked" in cli.good("topic", "list").lines
    code, out, shown = on_terminal(cli, ["topic", "delete", "asked"], "y\n")
    assert code == 0 and out == "deleted topic asked\n"
    assert "asked" not in cli.good("topic", "list").lines


def test_produce_sums_up_on_a_terminal(cli, topic):
    code, _, shown = on_terminal(cli, ["produce", topic], "abc\ndef\n\x04")
    assert code == 0 and "2 records (0.0 MB) in " in shown


# -- where the broker is -------------------------------------------------

def test_bootstrap(cli, binary, broker):
    nobody = Cli(binary, f"127.0.0.1:{closed_port()}")
    for words in (["topic", "list"], ["produce", "t"], ["consume", "t"]):
        assert "no broker at 127.0.0.1:" in nobody.failing(*words)
    nobody.good("topic", "list", "--bootstrap", broker.bootstrap)
    both = f"127.0.0.1:{closed_port()},localhost:{broker.port}"
    nobody.good("topic", "list", "--bootstrap", both)
    assert "is not host:port" in cli.failing("topic", "list", "--bootstrap", "127.0.0.1:99999")
    assert "is not host:port" in cli.failing("topic", "list", "--bootstrap", ":9092")
    assert "is empty" in cli.failing("topic", "list", "--bootstrap", "")
    assert "no such host" in cli.failing("topic", "list", "--bootstrap", "nothere.invalid:9092")


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46",
                                  b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b""])
def test_something_else_answers(cli, said):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(said)
            connection.close()
        thread = threading.Thread(target=serve)
        thread.start()
        line = cli.failing("topic", "list", "--bootstrap", f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert "does not speak Kafka's protocol" in line or "refused or broken" in line


def test_serve_leaves_the_variable_alone(binary, tmp_path):
    from klamm import KlammServer
    with KlammServer(binary, directory=tmp_path / "b", env={"KLAMM_BOOTSTRAP": "x:1"}):
        pass
