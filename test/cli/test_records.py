# SPDX-License-Identifier: Apache-2.0
"""`klamm produce` and `klamm consume` with good and bad arguments."""

import base64
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import Cli
from klamm import KlammServer

LIMIT_S = 60


def everything(cli, topic, *words):
    return cli.good("consume", topic, "--until-end", *words).lines


# -- words ---------------------------------------------------------------

@pytest.mark.parametrize("words,told", [
    (["produce"], "name of a topic is missing"),
    (["produce", "a", "b"], '"b" is one word too many'),
    (["produce", "a", "--acks", "2"], "--acks takes all, 1 or 0"),
    (["produce", "a", "--compression", "zip"], "--compression takes"),
    (["produce", "a", "--partition", "-1"], "--partition takes a number from 0"),
    (["produce", "a", "--header", "x"], "KEY=VALUE"),
    (["produce", "a", "--key-separator", ""], "at least one byte"),
    (["consume"], "name of a topic is missing"),
    (["consume", "a", "--from", "there"], "--from takes"),
    (["consume", "a", "--from", "-1"], "--from takes"),
    (["consume", "a", "--from", "@x"], "--from takes"),
    (["consume", "a", "--count", "0"], "--count takes a number from 1"),
    (["consume", "a", "--format", "%x"], '"%x"'),
    (["consume", "a", "--format", "100%"], '"%"'),
    (["consume", "a", "--json", "--format", "%v"], "exclude each other"),
])
def test_wrong_words(cli, words, told):
    line = cli.failing(*words, code=2)
    assert told in line and "--help" in line


# -- round trips ---------------------------------------------------------

@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_round_trip(cli, topic, codec):
    lines = [f"line {i}" for i in range(3000)]
    cli.good("produce", topic, "--compression", codec, stdin="\n".join(lines) + "\n")
    assert sorted(everything(cli, topic)) == sorted(lines)


@pytest.mark.parametrize("acks", ["all", "1", "0"])
def test_acks(cli, topic, acks):
    cli.good("produce", topic, "--acks", acks, "--partition", 0, stdin="a\nb\n")
    # With acks=0 nobody waited: read until they are there.
    done = cli.good("consume", topic, "--partition", 0, "--count", 2)
    assert done.lines == ["a", "b"]


def test_keys_headers_and_format(cli, topic):
    cli.good("produce", topic, "--key-separator", "::", "--partition", 2, "--header", "a=1",
             "--header", "b=", stdin="k1::v1\n::v2\nk3::\nk4::x::y\n")
    assert everything(cli, topic, "--format", r"%t/%p/%o\t%k=%v\\%h %K,%V %%") == [
        f"{topic}/2/0\tk1=v1\\a=1,b= 2,2 %", f"{topic}/2/1\t=v2\\a=1,b= 0,2 %",
        f"{topic}/2/2\tk3=\\a=1,b= 2,0 %", f"{topic}/2/3\tk4=x::y\\a=1,b= 2,4 %"]


def test_json(cli, topic):
    cli.good("produce", topic, "--partition", 0, "--header", "h=x",
             stdin=b'plain "\xc3\xa4"\n\xff\xfe\n\n')
    records = [json.loads(line) for line in everything(cli, topic, "--json")]
    assert [r["offset"] for r in records] == [0, 1, 2]
    assert all(r["topic"] == topic and r["partition"] == 0 and r["key"] is None for r in records)
    assert all(r["headers"] == [{"key": "h", "value": "x"}] for r in records)
    assert records[0]["value"] == 'plain "ä"'
    assert base64.b64decode(records[1]["value_base64"]) == b"\xff\xfe" and "value" not in records[1]
    assert records[2]["value"] == ""
    assert records[0]["timestamp"] > 1_600_000_000_000


@pytest.mark.parametrize("acks", ["all", "1", "0"])
def test_json_of_what_was_acknowledged(cli, topic, acks):
    done = cli.good("produce", topic, "--partition", 2, "--acks", acks, "--json",
                    stdin="a\nb\nc\n")
    records = [json.loads(line) for line in done.lines]
    stamps = [r.pop("timestamp") for r in records]
    assert records == [{"topic": topic, "partition": 2, "line": i + 1,
                        "offset": None if acks == "0" else i} for i in range(3)]
    read = cli.good("consume", topic, "--count", 3, "--json").lines
    assert [json.loads(line)["timestamp"] for line in read] == stamps
    assert cli.good("produce", topic, "--json", stdin="").out == ""


def test_json_of_what_was_refused(cli, topic):
    cli.good("config", "set", "topic", topic, "max.message.bytes=1000")
    done = cli("produce", topic, "--partition", 0, "--json", "--acks", 1,
               stdin="x" * 5000 + "\n")
    assert done.code == 1 and done.out == ""
    assert "MESSAGE_TOO_LARGE" in done.err and "0 records were acknowledged, 1 were not" in done.err


def test_a_last_line_without_newline_and_no_lines(cli, topic):
    cli.good("produce", topic, stdin="a\nb")
    cli.good("produce", topic, stdin="")
    assert sorted(everything(cli, topic)) == ["a", "b"]


def test_long_lines(cli, topic):
    lines = ["x" * 200_000, "y" * 900_000]
    cli.good("produce", topic, "--partition", 0, stdin="\n".join(lines))
    assert everything(cli, topic) == lines


def test_the_same_key_goes_to_one_partition(cli, topic):
    cli.good("produce", topic, "--key-separator", ":",
             stdin="".join(f"k{i % 7}:{i}\n" for i in range(700)))
    seen = {}
    for line in everything(cli, topic, "--format", "%k %p"):
        key, partition = line.split()
        seen.setdefault(key, set()).add(partition)
    assert len(seen) == 7 and all(len(partitions) == 1 for partitions in seen.values())
    # Java's partitioner: murmur2 of the key, without its sign, modulo 3.
    assert {k: min(v) for k, v in seen.items()} == {
        f"k{i}": str((murmur2(f"k{i}".encode()) & 0x7FFFFFFF) % 3) for i in range(7)}


def murmur2(data):
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    for at in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[len(data) // 4 * 4:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_a_topic_is_made_by_producing(cli):
    cli.good("produce", "made-by-producing", stdin="x\n")
    assert everything(cli, "made-by-producing") == ["x"]


# -- where to begin and to end -------------------------------------------

def test_from(cli, topic):
    cli.good("produce", topic, "--partition", 1, stdin="".join(f"{i}\n" for i in range(100)))
    of_one = ["--partition", 1]
    assert everything(cli, topic, *of_one, "--from", 97) == ["97", "98", "99"]
    assert everything(cli, topic, *of_one, "--from", 100) == []
    assert everything(cli, topic, *of_one, "--from", "end") == []
    assert everything(cli, topic, "--from", "beginning", "--count", 2) == ["0", "1"]
    stamp = int(everything(cli, topic, *of_one, "--from", 50, "--count", 1, "--format", "%T")[0])
    found = everything(cli, topic, "--from", f"@{stamp}", "--format", "%T")
    assert found and all(int(t) >= stamp for t in found)
    assert len(everything(cli, topic, "--from", "@0")) == 100
    assert everything(cli, topic, "--from", f"@{stamp + 10**9}") == []
    assert "there is no 101" in cli.failing("consume", topic, *of_one, "--from", 101)


def test_an_empty_topic_ends_at_once(cli, topic):
    assert everything(cli, topic) == []


def test_tail_sees_what_comes_and_ends_by_count(cli, topic):
    cli.good("produce", topic, stdin="old\n")
    tail = cli.start("consume", topic, "--count", 2)
    assert tail.stdout.readline() == b"old\n"
    cli.good("produce", topic, stdin="new\n")
    assert tail.stdout.readline() == b"new\n"
    assert tail.wait(LIMIT_S) == 0
    assert tail.stderr.read() == b""


def test_nothing_is_asked_of_coordinators(cli, topic, broker):
    def asked(api):
        found = re.findall(rf'^klamm_requests_total\{{[^}}]*api="{api}"[^}}]*\}} (\S+)$',
                           broker.page("/metrics"), re.M)
        return sum(map(float, found))
    fetches, coordinators = asked("Fetch"), asked("FindCoordinator")
    cli.good("produce", topic, stdin="x\n")
    assert everything(cli, topic) == ["x"]
    assert asked("Fetch") > fetches
    assert asked("FindCoordinator") == coordinators


# -- failures ------------------------------------------------------------

def test_refusals(cli, topic):
    assert "UNKNOWN_TOPIC_OR_PARTITION: " in cli.failing("consume", "nothere")
    assert "there is no partition 3" in cli.failing("consume", topic, "--partition", 3)
    assert "there is no partition 3" in cli.failing("produce", topic, "--partition", 3, stdin="x")
    assert "INVALID_TOPIC_EXCEPTION: " in cli.failing("produce", "bad name", stdin="x\n")


def test_a_line_without_separator(cli, topic):
    assert 'line 2 has no ":"' in cli.failing("produce", topic, "--key-separator", ":",
                                              stdin="a:1\nb\nc:3\n")
    assert everything(cli, topic) == ["1"]


def test_refused_records_are_told_and_counted(cli, topic):
    cli.good("topic", "create", "small", "--config", "max.message.bytes=1000")
    done = cli("produce", "small", stdin="x" * 5000 + "\n")
    assert done.code == 1
    assert "MESSAGE_TOO_LARGE" in done.err
    assert done.err.splitlines()[-1] == "klamm: 0 records were acknowledged, 1 were not"
    assert everything(cli, "small") == []


def test_librdkafka_is_missing(cli, topic, tmp_path):
    (tmp_path / "librdkafka.so.1").write_text("no library\n")
    env = {"LD_LIBRARY_PATH": str(tmp_path)}
    for command in ("produce", "consume"):
        assert "apt install librdkafka1" in cli.failing(command, topic, env=env)
    cli.good("topic", "list", env=env)


def test_a_closed_output_ends_consume(cli, topic):
    cli.good("produce", topic, stdin="x\n" * 100_000)
    consume = cli.start("consume", topic)
    assert consume.stdout.readline() == b"x\n"
    consume.stdout.close()
    assert consume.wait(LIMIT_S) == -signal.SIGPIPE


# -- output that is lost -------------------------------------------------

def printing_to(cli, out, *words):
    done = subprocess.run([cli.binary, *words], input=b"x\n", stdout=out, stderr=subprocess.PIPE,
                          env=cli.environment, timeout=LIMIT_S, check=False)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("words", [
    ["topic", "list"], ["topic", "list", "--json"], ["topic", "--help"], ["--version"],
    ["config", "describe", "broker", "--all", "--json"], ["consume", "TOPIC", "--until-end"],
    ["produce", "TOPIC", "--json"],
])
def test_a_full_disk_is_noticed(cli, topic, words):
    cli.good("produce", topic, stdin="x\n")
    with open("/dev/full", "wb") as full:
        code, told = printing_to(cli, full, *[topic if w == "TOPIC" else w for w in words])
    assert code == 1
    more = "; all records were acknowledged" if words[0] == "produce" else ""
    assert re.fullmatch("klamm: standard output cannot be written(: No space left on device)?"
                        + more + "\n", told)


def test_a_reader_that_went_away_needs_no_line(cli, topic):
    reader, writer = os.pipe()
    os.close(reader)
    assert printing_to(cli, writer, "topic", "list") == (1, "")
    os.close(writer)


# -- Ctrl-C, and brokers that go away ------------------------------------

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_flushes_produce(cli, topic, number):
    produce = cli.start("produce", topic, "--partition", 0, stdin=subprocess.PIPE)
    produce.stdin.write(b"first\nsecond\n")
    produce.stdin.flush()
    assert cli.good("consume", topic, "--partition", 0, "--count", 2).lines == ["first", "second"]
    produce.send_signal(number)
    assert produce.wait(LIMIT_S) == 0
    assert produce.stderr.read() == b""
    assert everything(cli, topic) == ["first", "second"]


def test_an_interrupt_ends_consume(cli, topic):
    cli.good("produce", topic, stdin="x\n")
    consume = cli.start("consume", topic)
    assert consume.stdout.readline() == b"x\n"
    consume.send_signal(signal.SIGINT)
    assert consume.wait(LIMIT_S) == 0
    assert consume.stderr.read() == b""


def test_a_broker_comes_back(binary, tmp_path):
    with KlammServer(binary, directory=tmp_path / "b") as own:
        cli = Cli(binary, own.bootstrap)
        produce = cli.start("produce", "t", stdin=subprocess.PIPE)
        produce.stdin.write(b"before\n")
        produce.stdin.flush()
        cli.good("topic", "create", "t", "--if-not-exists")
        consume = cli.start("consume", "t", "--count", 2)
        assert consume.stdout.readline() == b"before\n"
        own.kill()
        produce.stdin.write(b"after\n")
        produce.stdin.close()
        own.start()
        assert consume.stdout.readline() == b"after\n"
        assert produce.wait(LIMIT_S) == 0
        assert consume.wait(LIMIT_S) == 0
        assert set(consume.stderr.read().splitlines()) <= {
            b"klamm: no broker answers; trying again"}
        assert cli.good("consume", "t", "--until-end").lines == ["before", "after"]
