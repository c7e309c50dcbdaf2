# SPDX-License-Identifier: Apache-2.0
"""klamm log dump and verify, over what a broker wrote: while it runs, killed, stopped, damaged."""

import json
import os
import shutil

import pytest

from klamm import KlammServer

RECORDS = 3000


@pytest.fixture(scope="module")
def written(binary, tmp_path_factory):
    """A broker with a topic of each codec, in small segments; it still runs."""
    directory = tmp_path_factory.mktemp("log") / "b"
    with KlammServer(binary, directory=directory) as klamm:
        run = make_cli(binary, klamm)
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            run.good("topic", "create", codec, "--partitions", 2, "--config",
                     "internal.segment.bytes=40000", "--config", "index.interval.bytes=500")
            lines = [f"{i % 7}:{codec} {i} {'x' * (i % 90)}\n" for i in range(RECORDS)]
            for first in range(0, RECORDS, 300):
                run.good("produce", codec, "--key-separator", ":", "--compression", codec,
                         stdin="".join(lines[first:first + 300]))
        yield klamm


def make_cli(binary, klamm):
    from conftest import Cli
    return Cli(binary, klamm.bootstrap)


@pytest.fixture
def log_cli(binary, written):
    return make_cli(binary, written)


@pytest.fixture
def copy(written, tmp_path):
    """The directory as a killed broker leaves it: its lock is nobody's."""
    return shutil.copytree(written.data, tmp_path / "copy")


def verify(cli, *paths):
    done = cli("log", "verify", "--json", *paths)
    answer = json.loads(done.out)
    assert (done.code == 1) == bool(answer["faults"]), done.err
    assert len(done.err.splitlines()) == len(answer["faults"]), done.err
    return answer


def test_a_directory_in_use_has_no_faults(log_cli, written):
    answer = verify(log_cli, written.data)
    assert answer["faults"] == []
    assert answer["records"] == 5 * RECORDS and answer["partitions"] == 10
    assert answer["files"] > 50
    assert any("a broker uses it" in note["text"] for note in answer["notes"])
    assert "no faults" in log_cli.good("log", "verify", written.data).lines[-1]


def test_a_killed_one_has_none(log_cli, copy):
    answer = verify(log_cli, copy)
    assert answer["faults"] == [] and answer["records"] == 5 * RECORDS
    assert any("not stopped cleanly" in note["text"] for note in answer["notes"])
    last = sorted((copy / "gzip-0").glob("*.log"))[-1]
    os.truncate(last, last.stat().st_size - 1)
    answer = verify(log_cli, copy)
    notes = [note["text"] for note in answer["notes"] if note["file"] == str(last)]
    points = copy / "recovery-point-offset-checkpoint"
    if points.exists() and "gzip 0 " in points.read_text():  # it was synced up to there
        assert answer["faults"]
    else:
        assert answer["faults"] == [] and "cuts it off" in notes[0]


def test_each_damage_is_found(log_cli, copy):
    logs = sorted((copy / "none-0").glob("*.log"))
    damage = {
        logs[0]: 200, logs[0].with_suffix(".index"): 4,
        logs[0].with_suffix(".timeindex"): 1, logs[1].with_suffix(".snapshot"): 20,
    }
    for path, at in damage.items():
        data = bytearray(path.read_bytes())
        data[at] ^= 0x55
        path.write_bytes(data)
    (copy / "none-1" / "leader-epoch-checkpoint").write_text("0\n1\n")
    # What is above the recovery point is made anew at the next start: not here.
    (copy / ".kafka_cleanshutdown").write_text("")
    answer = verify(log_cli, copy / "none-0", copy / "none-1")
    faulty = {fault["file"] for fault in answer["faults"]}
    assert faulty == {*map(str, damage), str(copy / "none-1" / "leader-epoch-checkpoint")}
    assert all(fault["position"] is not None for fault in answer["faults"])
    alone = log_cli("log", "verify", logs[0])
    assert alone.code == 1 and f"klamm: {logs[0]}: position 0: " in alone.err


def test_lost_segments_are_found(log_cli, copy):
    lost = sorted((copy / "none-0").glob("*.log"))[1]
    lost.unlink()
    for log in (copy / "none-1").glob("*.log"):
        log.unlink()
    (copy / "replication-offset-checkpoint").write_text("0\n1\nnone 1 7\n")
    faults = {fault["file"]: fault["text"] for fault in verify(log_cli, copy)["faults"]}
    assert "the high watermark is 7 by its checkpoint, and there is no segment" in faults[str(copy / "none-1")]
    for suffix in (".index", ".timeindex"):
        assert "an index without its .log" in faults[str(lost.with_suffix(suffix))]


def test_dump_shows_what_was_produced(log_cli, copy):
    for codec in ("none", "zstd"):
        seen = []
        for partition in (0, 1):
            logs = sorted((copy / f"{codec}-{partition}").glob("*.log"))
            out = log_cli.good("log", "dump", "--records", "--json", *logs).lines
            items = [json.loads(line) for line in out]
            batches = [i for i in items if i["kind"] == "batch"]
            records = [i for i in items if i["kind"] == "record"]
            assert {b["compresscodec"] for b in batches} <= {codec, "none"}
            assert all(b["isvalid"] and b["magic"] == 2 for b in batches)
            assert sum(b["count"] for b in batches) == len(records)
            assert [r["offset"] for r in records] == list(range(len(records)))
            seen += [(r["key"], r["value"]) for r in records]
        assert sorted(seen) == sorted(
            (str(i % 7), f"{codec} {i} {'x' * (i % 90)}") for i in range(RECORDS))


def test_dump_knows_every_kind_of_file(log_cli, copy):
    files = [p for p in (*copy.iterdir(), *(copy / "none-0").iterdir())
             if p.is_file() and p.name not in (".lock", "klamm.ready") and p.suffix != ".tmp"]
    out = log_cli.good("log", "dump", *files).out
    for words in ("timestamp: ", "offset: ", "position: ", "producerId: ", "epoch: ", "topicId: ",
                  "clusterId: ", '| type: TopicRecord record: {"Name": "lz4"', "baseOffset: 0 lastOffset"):
        assert words in out, words
    kinds = {json.loads(line)["kind"] for line in
             log_cli.good("log", "dump", "--json", *files).lines}
    assert {"batch", "index", "timeindex", "snapshot", "leader_epochs", "partition_metadata",
            "meta_properties", "metadata_log", "log_dirs"} <= kinds


def test_the_longest_name_leaves_no_files(log_cli, written):
    """Renamed for its deletion it would be longer than a file system takes."""
    from conftest import until
    name = "n" * 249
    log_cli.good("topic", "create", name)
    log_cli.good("produce", name, stdin="one\n")
    log_cli.good("topic", "delete", name, "--yes")
    until(lambda: [d.name for d in written.data.iterdir() if d.name == name + "-0"], [])
    left, = (d.name for d in written.data.iterdir() if d.name.startswith("nnnn"))
    assert len(left) == 255 and left.endswith("-delete") and "n-0." in left


def test_what_tells_of_a_place(log_cli, tmp_path):
    good = {"klamm.moved": ("12\n", {"kind": "moved", "moved": 12}),
            "klamm.leaving": ("AQAAAAAAAAAAAAAAAAAAAA\n",
                              {"kind": "leaving", "directory_id": "AQAAAAAAAAAAAAAAAAAAAA"}),
            "klamm.log.dirs": ("version: 0\nAQAAAAAAAAAAAAAAAAAAAA /a b\n",
                               {"kind": "log_dirs", "directory_id": "AQAAAAAAAAAAAAAAAAAAAA", "path": "/a b"})}
    for name, (text, wanted) in good.items():
        path = tmp_path / name
        path.write_text(text)
        row = json.loads(log_cli.good("log", "dump", "--json", path).out)
        assert {key: row[key] for key in wanted} == wanted
        log_cli.good("log", "verify", path)
        path.write_text("nonsense\n")
        log_cli.failing("log", "verify", path)


def test_dump_of_groups(log_cli, written):
    log_cli.good("group", "reset", "readers", "--topic", "none", "--to", "end")
    found = []
    for log in written.data.glob("__consumer_offsets-*/*.log"):
        found += log_cli.good("log", "dump", "--offsets", "--json", log).lines
    records = [json.loads(line) for line in found if '"record"' in line]
    commits = {(r["key"]["Topic"], r["key"]["Partition"]): r["value"]["Offset"]
               for r in records if "Topic" in r["key"] and r["value"]}
    assert sum(commits.values()) == RECORDS and {t for t, _ in commits} == {"none"}


def test_what_is_no_log(log_cli, tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    assert "no file of a log by its name" in log_cli.failing("log", "dump", other)
    assert "no file of a log by its name" in log_cli.failing("log", "verify", other)
    assert "neither a log directory" in log_cli.failing("log", "verify", tmp_path)
    gone = tmp_path / "00000000000000000000.log"
    assert str(gone) in log_cli.failing("log", "dump", gone)
    assert str(gone) in log_cli.failing("log", "verify", gone)


def test_an_old_format_is_called_so(log_cli, tmp_path):
    old = tmp_path / "00000000000000000000.log"
    old.write_bytes((0).to_bytes(8, "big") + (22).to_bytes(4, "big") + bytes(4) + b"\x01" + bytes(17))
    assert "position 0: old format: 1 messages of version 1" in log_cli.failing("log", "verify", old)


def test_a_reader_that_goes_away(log_cli, copy):
    logs = sorted((copy / "none-0").glob("*.log"))
    process = log_cli.start("log", "dump", "--records", *logs)
    assert process.stdout.readline().startswith(b"Dumping")
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait() == 1
