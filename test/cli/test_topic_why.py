# SPDX-License-Identifier: Apache-2.0
"""`klamm topic why`: a broker whose files were damaged while it was down, and a broker that is none for what
a real disk does seldom."""

import json
import time

import pytest

from conftest import Cli
from fake_broker import FakeBroker
from klamm import KlammServer

SEGMENT = "00000000000000000000.log"
STORAGE_ERROR, UNKNOWN_TOPIC = 56, 3


def why(cli, *words):
    return json.loads(cli.good("topic", "why", "--json", *words).out)


def kinds(told):
    return [r["kind"] for r in told["reasons"]]


# -- a real broker -------------------------------------------------------

def test_all_is_well(cli, topic):
    cli.good("produce", topic, "--partition", "1", stdin="a\nb\n")
    assert cli.good("topic", "why", topic).out == "3 partitions are well.\n"
    told = why(cli, topic)
    assert [t["partition"] for t in told] == [0, 1, 2]
    one = told[1]
    assert (one["state"], one["is_well"], one["reasons"], one["ack"]) == ("serving", True, [], "disk")
    assert [one[k] for k in ("log_start_offset", "durable_offset", "high_watermark", "written_offset",
                             "assigned_offset")] == [0, 2, 2, 2, 2]
    assert 0 <= one["recovery_point"] <= 2  # lower where a journal has made it durable
    assert 0 < one["synced_ms"] <= one["now_ms"] and one["unsynced_since_ms"] is None
    lines = cli.good("topic", "why", topic + ":1").lines
    assert lines[0].startswith(f"{topic}-1 serves: 2 offsets from 0 to 2, ")
    assert lines[1].startswith("All is synced, up to offset 2; the last sync ended ")
    assert lines[2].startswith("It is in /") and lines[2].endswith(" bytes free.") and len(lines) == 3


def test_what_is_not_synced_is_told_and_is_no_trouble(cli, topic):
    cli.good("topic", "create", topic + "c", "--config", "klamm.ack=cache")
    cli.good("produce", topic + "c", stdin="a\nb\n")
    told, = why(cli, topic + "c")
    assert (told["is_well"], kinds(told), told["ack"]) == (True, ["unsynced"], "cache")
    assert (told["durable_offset"], told["written_offset"]) == (0, 2)
    assert told["reasons"][0]["amount"] == 2
    assert told["opened_ms"] <= told["reasons"][0]["since_ms"] <= told["now_ms"]
    lines = cli.good("topic", "why", topic + "c").lines
    assert lines[1].startswith("2 records are written and not synced yet, the oldest for ")
    assert lines[2] == "It is written up to offset 2, durable up to 0, and consumers read up to 2."


def test_words(cli, topic):
    assert cli.failing("topic", "why", code=2) == \
        "klamm: topic why: the name of a topic is missing; see klamm topic why --help"
    assert "T or T:P,P,... is wanted" in cli.failing("topic", "why", "t:x", code=2)
    assert "UNKNOWN_TOPIC_OR_PARTITION" in cli.failing("topic", "why", topic + "x")
    assert "there is no partition 3" in cli.failing("topic", "why", topic + ":3")


def test_a_log_that_was_damaged_below_its_recovery_point(binary, tmp_path):
    """Restarted cleanly, so that the recovery point is behind the records; killed, so that they are looked at."""
    with KlammServer(binary, directory=tmp_path / "b") as broker:
        cli = Cli(binary, broker.bootstrap)
        cli.good("topic", "create", "t", "--partitions", 2)
        for partition in ("0", "1"):
            cli.good("produce", "t", "--partition", partition, stdin="a\nb\n")
        broker.stop()
        broker.start()
        broker.kill()
        torn = broker.data / "t-0" / SEGMENT
        torn.write_bytes(torn.read_bytes()[:-3])
        metadata = broker.data / "t-1" / "partition.metadata"
        metadata_of_another = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n"
        metadata.write_text(metadata_of_another)
        broker.start()
        told, begun_anew = why(Cli(binary, broker.bootstrap), "t")
        assert (told["state"], told["is_well"], told["written_offset"]) == ("offline", False, None)
        assert kinds(told) == ["not_opened"]
        reason, = told["reasons"]
        assert reason["error"] == "damaged data" and SEGMENT in reason["detail"]
        assert told["opened_ms"] == reason["since_ms"] <= told["now_ms"]
        # The other directory is of another topic by the name: it is kept, and the partition is a new one.
        assert (begun_anew["state"], begun_anew["written_offset"]) == ("serving", 0)
        stray, = broker.data.glob("t-1.*-stray")
        assert (stray / "partition.metadata").read_text() == metadata_of_another
        lines = Cli(binary, broker.bootstrap).good("topic", "why", "t:0").lines
        assert lines[0] == "t-0 is offline: it takes no records and gives none."
        assert lines[1].startswith("Its log could not be opened ") and SEGMENT in lines[1]
        assert "delete the topic" in lines[1]


def test_a_torn_tail_that_was_cut(binary, tmp_path):
    with KlammServer(binary, directory=tmp_path / "b") as broker:
        cli = Cli(binary, broker.bootstrap)
        cli.good("topic", "create", "t")
        cli.good("produce", "t", stdin="a\nb\n")
        broker.kill()
        with open(broker.data / "t-0" / SEGMENT, "ab") as f:
            f.write(b"x" * 9)
        broker.start()
        cli = Cli(binary, broker.bootstrap)
        told, = why(cli, "t")
        assert (told["state"], told["is_well"], kinds(told)) == ("serving", False, ["tail_cut"])
        assert told["reasons"][0]["amount"] == 9
        line = cli.good("topic", "why", "t").lines[1]
        assert line.startswith("9 bytes behind its last whole batch were cut off when it was opened ")


def test_what_the_scrub_found(binary, tmp_path):
    with KlammServer(binary, directory=tmp_path / "b") as broker:
        cli = Cli(binary, broker.bootstrap)
        cli.good("topic", "create", "t", "--config", "internal.segment.bytes=500")
        for _ in range(10):
            cli.good("produce", "t", stdin="x" * 300 + "\n")
        broker.stop()
        segment = broker.data / "t-0" / "00000000000000000003.log"
        data = bytearray(segment.read_bytes())
        data[100] ^= 1
        segment.write_bytes(data)
        broker.set("klamm.scrub.interval.ms", "100")
        broker.start()
        cli, deadline = Cli(binary, broker.bootstrap), time.monotonic() + 30
        while not (told := why(cli, "t")[0])["reasons"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (told["state"], told["is_well"], kinds(told)) == ("serving", False, ["scrub"])
        reason, = told["reasons"]
        assert reason["file"].endswith("/t-0/00000000000000000003.log")
        assert (reason["position"], reason["amount"], reason["offset"], reason["end_offset"]) == \
            (0, len(data), 3, 4)
        assert told["opened_ms"] <= reason["since_ms"] <= told["now_ms"]
        line = cli.good("topic", "why", "t").lines[1]
        assert line.startswith(f"The scrub found {len(data)} damaged bytes ")
        cli.good("topic", "delete-records", "t:0", "--before", "4", "--yes")
        assert why(cli, "t")[0]["is_well"]


# -- a broker that says what is seldom -----------------------------------

NOW = 1_700_000_000_000
METADATA = {"Brokers": [{"NodeId": 2, "Host": "127.0.0.1", "Port": 0, "Rack": None}], "ClusterId": "c",
            "ControllerId": 2, "Topics": [{"ErrorCode": 0, "Name": "t", "IsInternal": False, "Partitions": [
                {"ErrorCode": 5, "PartitionIndex": 0, "LeaderId": -1, "LeaderEpoch": 4, "ReplicaNodes": [2],
                 "IsrNodes": [], "OfflineReplicas": [2]}]}]}
ROW = {"TopicName": "t", "PartitionIndex": 0, "Dir": 0, "State": 1, "AckDisk": True, "LeaderEpoch": 4,
       "OpenedMs": NOW - 7_200_000, "LogStartOffset": 5, "RecoveryPoint": 100, "DurableOffset": 100,
       "HighWatermark": 100, "WrittenOffset": 120, "AssignedOffset": 121, "SizeBytes": 4096,
       "SegmentCount": 2, "UnsyncedSinceMs": NOW - 4_000, "SyncedMs": NOW - 5_000, "FlushMs": 1,
       "FlushMessages": 1}
REASON = {"SinceMs": -1, "Step": 0, "Error": None, "File": None, "Position": -1, "Amount": -1, "Detail": None,
          "Offset": -1, "EndOffset": -1}
DIR = {"ErrorCode": 0, "LogDir": "/data", "Topics": [], "TotalBytes": 1000, "UsableBytes": 10}


def told_by_fake(binary, row, *reasons, directory=DIR):
    """How one partition with these reasons is told: the lines, and the JSON."""
    rows = [{**ROW, **row, "Reasons": [{**REASON, **r} for r in reasons]}]
    answer = {"ErrorCode": 0, "Results": [directory], "Explanation": {"NowMs": NOW, "Partitions": rows}}
    metadata = json.loads(json.dumps(METADATA))
    with FakeBroker({"Metadata": (8, 8), "DescribeLogDirs": (4, 4)},
                    {"Metadata": [metadata], "DescribeLogDirs": [answer]}) as fake:
        metadata["Brokers"][0]["Port"] = fake.port
        cli = Cli(binary, fake.bootstrap)
        lines = cli.good("topic", "why", "t").lines
        as_json, = json.loads(cli.good("topic", "why", "t", "--json").out)
        asked = [request for name, request in fake.asked if name == "DescribeLogDirs"]
        assert asked[0]["IncludeExplanation"] is True
        assert asked[0]["Topics"] == [{"Topic": "t", "Partitions": [0]}]
    assert as_json["text"].splitlines() == lines
    return lines, as_json


@pytest.mark.parametrize("reason, word, line", [
    ({"Kind": 1, "SinceMs": NOW - 61_000, "Step": 2, "Error": "input/output error", "Detail": "u-3"},
     "log_dir_offline", "Its log directory /data went offline 1 min 1 s ago: at u-3 a sync failed "
     "(input/output error). Nothing there is tried again, since what was not written may be lost without a "
     "word: see to the disk, then start the broker again."),
    ({"Kind": 1, "Step": 4, "Error": "disk full"}, "log_dir_offline",
     "Its log directory /data went offline: the journal failed (disk full). Nothing there is tried again, since "
     "what was not written may be lost without a word: see to the disk, then start the broker again."),
    ({"Kind": 2, "SinceMs": NOW - 3_000, "Step": 1, "Error": "input/output error",
      "File": "/data/t-0/0.log", "Position": 77},
     "failed", "The last failure here: a write, input/output error, at /data/t-0/0.log from position 77 on, "
     "3.0 s ago."),
    ({"Kind": 4}, "no_log_dir", "No log directory is in service that could hold it: see to the disks, then "
     "start the broker again."),
    ({"Kind": 14, "SinceMs": NOW - 3_000, "Detail": "ends at offset 0, below the recovery point 4000"},
     "records_lost", "Records are missing when it was opened 3.0 s ago: ends at offset 0, below the recovery "
     "point 4000. What is gone had been synced: files were removed, or the disk lost what it had promised. New "
     "records take the offsets of the lost ones."),
    ({"Kind": 4, "Detail": "/data-2"}, "no_log_dir",
     "It is in none of the log directories, and of those that there were at an earlier start this is "
     "missing: /data-2. Mount its disk, or name it in log.dirs again, and start the broker again; or, to give "
     "up what was in it, delete the topic."),
    ({"Kind": 5, "SinceMs": NOW - 3_600_000, "Amount": 512},
     "disk_full", "The disk is full (512 bytes left), for 1 h 0 min: producers are refused, consumers are "
     "served. It takes records again by itself when there is room: delete records or topics, lower "
     "retention, or make the disk larger."),
    ({"Kind": 10, "SinceMs": NOW - 3_000, "Amount": 512, "Position": 1000},
     "reserve", "The disk of its log directory is nearly full: 512 bytes are left, and 1,000 bytes are kept back "
     "(klamm.log.dir.reserve.bytes). So it is for 3.0 s. Producers are refused, but for internal topics; "
     "consumers are served. It takes records again by itself when there is room: delete records or topics, "
     "lower retention, or make the disk larger."),
    ({"Kind": 12, "SinceMs": NOW - 3_000, "Detail": "0.log: bad"},
     "uncleanable", "It is not compacted any more, for 3.0 s: 0.log: bad. It takes records and gives them, and "
     "grows. The next start of the broker tries again."),
    ({"Kind": 11, "SinceMs": NOW - 3_000, "Error": "disk full"},
     "tried_again", "Its log could not be opened 3.0 s ago: disk full. It is tried again by itself, at latest "
     "after half a minute: there has to be room on the disk, memory, and file descriptors."),
    ({"Kind": 6, "SinceMs": NOW - 4_000, "Amount": 20},
     "sync_slow", "A sync has been under way for 4.0 s, and 20 records wait for it: the disk is slow, or "
     "hangs."),
    ({"Kind": 9, "SinceMs": NOW - 7_200_000, "Amount": 1, "Detail": "0.log: at 5"},
     "damaged", "1 byte was found damaged when it was opened 2 h 0 min ago: 0.log: at 5. What was damaged "
     "was cut off and kept in a side file, and sound records may be in it: records may be missing here. See "
     "to the disk."),
    ({"Kind": 13, "SinceMs": NOW - 86_400_000, "Error": "damaged data", "File": "/data/t-0/7.log", "Position": 77,
      "Amount": 1234, "Offset": 9, "EndOffset": 12}, "scrub",
     "The scrub found 1,234 damaged bytes 1 d 0 h ago: /data/t-0/7.log from position 77 on (damaged data). "
     "Offsets 9 to 11 cannot be read (CORRUPT_MESSAGE), all others can. There is no other copy here to repair "
     "them from: let consumers seek to 12, or give up what lies before it (klamm topic delete-records t:0 "
     "--before 12), and see to the disk."),
    ({"Kind": 13, "Amount": 1, "Detail": "2 more places"}, "scrub",
     "The scrub found 1 damaged byte. And 2 more places."),
    ({"Kind": 99, "Error": "new", "Detail": "thing"},
     99, "Reason 99, which this command is too old to know: new: thing."),
])
def test_reasons(binary, reason, word, line):
    lines, told = told_by_fake(binary, {}, reason)
    assert lines == ["t-0 serves: 95 offsets from 5 to 100, 4,096 bytes in 2 segments.", line,
                     "It is written up to offset 120, durable up to 100, and consumers read up to 100; the "
                     "last sync ended 5.0 s ago.",
                     "It is in /data, whose disk has 10 of 1,000 bytes free."]
    assert kinds(told) == [word] and told["broker"] == 2 and told["is_well"] is False
    assert told["reasons"][0]["since_ms"] == reason.get("SinceMs")


@pytest.mark.parametrize("state, word, line", [
    (0, "opening", "t-0 is being opened; it serves as soon as its log has been read."),
    (2, "closing", "t-0 is being closed: it is deleted, or its broker stops."),
    (3, "offline", "t-0 is offline: it takes no records and gives none."),
    (9, 9, "t-0 is in state 9, which this command is too old to know."),
])
def test_states(binary, state, word, line):
    nowhere = {"Dir": -1, "WrittenOffset": -1}
    lines, told = told_by_fake(binary, {"State": state, **nowhere})
    assert lines == [line]
    assert (told["state"], told["log_dir"], told["is_well"]) == (word, None, False)


def test_a_broken_directory(binary):
    broken = {"ErrorCode": STORAGE_ERROR, "LogDir": "/bad", "Topics": [], "TotalBytes": -1, "UsableBytes": -1}
    lines, told = told_by_fake(binary, {"State": 3}, directory=broken)
    assert lines[-1] == "It is in /bad."
    assert told["log_dir"] == {"path": "/bad", "error": "KAFKA_STORAGE_ERROR", "total_bytes": None,
                               "usable_bytes": None}


def test_a_broker_that_does_not_explain(binary):
    metadata = json.loads(json.dumps(METADATA))
    with FakeBroker({"Metadata": (8, 8), "DescribeLogDirs": (1, 1)},
                    {"Metadata": [metadata], "DescribeLogDirs": [{"Results": []}]}) as fake:
        metadata["Brokers"][0]["Port"] = fake.port
        done = Cli(binary, fake.bootstrap)("topic", "why", "t")
        assert (done.code, done.out) == (1, "")
        assert done.line == ("klamm: a broker does not explain how its partitions are: it is no Klamm, or an "
                             "older one")
