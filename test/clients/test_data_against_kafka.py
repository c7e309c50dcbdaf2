# SPDX-License-Identifier: Apache-2.0
"""Produce and Fetch, byte for byte, to Klamm and to a real Kafka 4.4.0: the same answers to the same
requests, down to the record bytes.

What no client looks at is not compared: the log's start beside a refused batch, the time beside
a repeated one, and whether the list of aborted transactions of a partition that is not there is null.
"""

import itertools
import time

import pytest

import batch as b
from test_against_kafka import Peer, all_versions, until
from kafka_server import KafkaServer
from klamm import KlammServer
from wire import Closed, encode_request

T0 = 1700000000000
NAMES = itertools.count()
# Never compared: words, and what is made from chance.
HIDDEN = {"BatchIndexErrorMessage", "ErrorMessage", "TopicId", "Port", "SessionId"}


@pytest.fixture(scope="module")
def pair(binary):
    with KlammServer(binary) as klamm, KafkaServer() as kafka:
        yield Peer(klamm.bootstrap), Peer(kafka.bootstrap)


def strip(value):
    if isinstance(value, dict):
        return {k: strip(v) for k, v in value.items() if k not in HIDDEN}
    return [strip(v) for v in value] if isinstance(value, list) else value


def new_topic(pair, partitions=1, **configs):
    """The same new topic in both."""
    name = f"data-{next(NAMES)}"
    rows = [{"Name": k.replace("__", "."), "Value": v} for k, v in configs.items()]
    for peer in pair:
        answer = peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            {"Name": name, "NumPartitions": partitions, "ReplicationFactor": 1, "Configs": rows}]})
        assert answer["Topics"][0]["ErrorCode"] == 0, answer
        peer.learn(name)
        for i in range(partitions):  # Kafka's partitions may be there later than their topic
            def leads(i=i, peer=peer):
                return peer.ask("ListOffsets", 7, {"ReplicaId": -1, "Topics": [
                    {"Name": name, "Partitions": [{"PartitionIndex": i, "Timestamp": -1}]}]})
            until(lambda: leads()["Topics"][0]["Partitions"][0]["ErrorCode"] == 0, leads)
    return name


def topic_fields(peer, name, by_id, field="Name"):
    return {"TopicId": peer.topics[name]} if by_id else {field: name}


def produce_to(peer, name, records, version=13, acks=-1, partition=0):
    return peer.ask("Produce", version, {"Acks": acks, "TimeoutMs": 30000, "TopicData": [
        {**topic_fields(peer, name, version >= 13),
         "PartitionData": [{"Index": partition, "Records": records}]}]})


def produce(pair, name, records, is_repeat=False, **how):
    """Both brokers' row for the partition; they must be equal."""
    rows = [strip(produce_to(peer, name, records, **how))["Responses"][0]["PartitionResponses"][0]
            for peer in pair]
    for row in rows:
        if row["ErrorCode"] != 0:
            row.pop("LogStartOffset", None)
        if is_repeat:
            del row["LogAppendTimeMs"]
    assert rows[0] == rows[1], f"ours {rows[0]}, Kafka says {rows[1]}"
    return rows[0]


def fetch_from(peer, name, partitions, version=18, size=1 << 20, **fields):
    rows = [{"Partition": i, "FetchOffset": offset, "PartitionMaxBytes": size, **more}
            for i, offset, more in partitions]
    topics = [{**topic_fields(peer, name, version >= 13, "Topic"), "Partitions": rows}] if rows else []
    return peer.ask("Fetch", version, {"MaxWaitMs": 500, "MinBytes": 1, "MaxBytes": 50 << 20,
                                       "Topics": topics, **fields})


def fetch(pair, name, partitions, **how):
    answers = [strip(fetch_from(peer, name, partitions, **how)) for peer in pair]
    assert answers[0] == answers[1], f"ours {answers[0]}, Kafka says {answers[1]}"
    return answers[0]


def records(count, size=5, **fields):
    return b.batch(b"".join(b.record(i, b"k", b"v" * size) for i in range(count)), count=count,
                   **fields)


# ---- Produce


@pytest.mark.parametrize("version", all_versions("Produce"))
def test_every_version_of_produce(pair, version):
    name = new_topic(pair)
    for acks in (-1, 1):
        first = produce(pair, name, records(3), version=version, acks=acks)
        assert first["ErrorCode"] == 0
    assert first["BaseOffset"] == 3
    assert produce(pair, name, records(1), version=version, partition=7)["ErrorCode"] == 3


def test_refusals_by_the_topics_configs(pair):
    compacted = new_topic(pair, cleanup__policy="compact")
    keyless = b.batch(b.record(0, b"k") + b.record(1) + b.record(2), count=3)
    row = produce(pair, compacted, keyless)
    assert (row["ErrorCode"], [e["BatchIndex"] for e in row["RecordErrors"]]) == (87, [1, 2])
    small = new_topic(pair, max__message__bytes="200")
    assert produce(pair, small, records(1, 300))["ErrorCode"] == 10
    segments = new_topic(pair, max__message__bytes="3000000", segment__bytes="1048576")
    assert produce(pair, segments, records(1, 1500000))["ErrorCode"] == 18
    two = new_topic(pair, min__insync__replicas="2")
    assert produce(pair, two, records(1))["ErrorCode"] == 0  # no more than there are replicas
    past = new_topic(pair, message__timestamp__before__max__ms="1000")
    assert produce(pair, past, records(1))["ErrorCode"] == 32
    assert produce(pair, past, records(1, base_timestamp=1 << 45, max_timestamp=1 << 45)
                   )["ErrorCode"] == 32


def test_log_append_time_is_told(pair):
    name = new_topic(pair, message__timestamp__type="LogAppendTime")
    for peer in pair:
        answer = produce_to(peer, name, records(2))
        row = answer["Responses"][0]["PartitionResponses"][0]
        assert row["ErrorCode"] == 0
        assert row["LogAppendTimeMs"] > T0


def test_zstd_needs_version_7(pair):
    name = new_topic(pair)
    assert produce(pair, name, b.batch(b"x", codec=b.ZSTD), version=6)["ErrorCode"] == 76


def test_a_wrong_max_timestamp_is_put_right(pair):
    name = new_topic(pair)
    assert produce(pair, name, records(1, max_timestamp=T0 + 99))["ErrorCode"] == 0
    fetch(pair, name, [(0, 0, {})])


# ---- idempotent producers


def of(producer, epoch, sequence, count=1):
    return records(count, producer_id=producer, producer_epoch=epoch, base_sequence=sequence)


def test_sequences_of_a_producer(pair):
    name = new_topic(pair)

    def send(*what, **how):
        row = produce(pair, name, of(*what), **how)
        return row["ErrorCode"], row["BaseOffset"]

    assert send(1, 0, 0, 2) == (0, 0)
    assert send(1, 0, 0, 2, is_repeat=True) == (0, 0)
    assert send(1, 0, 3) == (45, -1)         # a gap
    assert send(1, 0, 2) == (0, 2)
    assert send(1, 1, 5) == (45, -1)         # a new epoch begins at 0
    assert send(1, 1, 0) == (0, 3)
    assert send(1, 0, 3) == (47, -1)         # an old epoch
    assert send(2, 5, 1000) == (0, 4)        # nothing is known of it: any sequence
    assert send(3, 0, (1 << 31) - 2, 4) == (0, 5)
    assert send(3, 0, 2) == (0, 9)           # 2^31-2, 2^31-1, 0, 1, then 2


def test_the_last_five_are_known(pair):
    name = new_topic(pair)
    for i in range(7):
        assert produce(pair, name, of(9, 0, i))["BaseOffset"] == i
    for i in (6, 4, 2):
        row = produce(pair, name, of(9, 0, i), is_repeat=True)
        assert (row["ErrorCode"], row["BaseOffset"]) == (0, i)
    assert produce(pair, name, of(9, 0, 1))["ErrorCode"] == 45
    assert produce(pair, name, of(9, 0, 5, 3))["ErrorCode"] == 45  # overlaps, and is no repeat


# ---- Fetch


@pytest.mark.parametrize("version", all_versions("Fetch"))
def test_every_version_of_fetch(pair, version):
    name = new_topic(pair, 2)
    for i in range(3):
        produce(pair, name, records(4, base_timestamp=T0 + i, max_timestamp=T0 + i))
    for isolation in (0, 1):
        answer = fetch(pair, name, [(0, 0, {}), (1, 0, {})], version=version,
                       IsolationLevel=isolation)
    rows = answer["Responses"][0]["Partitions"]
    assert len(rows[0]["Records"]) == 3 * len(records(4))
    assert not rows[1]["Records"]
    fetch(pair, name, [(7, 0, {})], version=version, IsolationLevel=1)


def test_the_end_of_a_segment_is_answered_at_once(pair):
    """Too little for min_bytes, but the rest is there: it is in the next segment."""
    name = new_topic(pair, internal__segment__bytes="300")
    for _ in range(4):
        produce(pair, name, b.batch(b.record(value=b"x" * 150)))
    for offset in (0, 1, 2):
        start = time.monotonic()
        for peer in pair:
            answer = fetch_from(peer, name, [(0, offset, {})], MaxWaitMs=20000, MinBytes=100000)
            assert answer["Responses"][0]["Partitions"][0]["Records"]
        assert time.monotonic() - start < 10


def test_whole_batches_and_limits(pair):
    name = new_topic(pair, 2)
    size = len(records(4))
    for partition in (0, 0, 1):
        produce(pair, name, records(4), partition=partition)

    def lengths(offset, **how):
        rows = fetch(pair, name, [(0, offset, {}), (1, 0, {})], **how)["Responses"][0]["Partitions"]
        return [len(r["Records"]) for r in rows]

    assert lengths(2) == [2 * size, size]                  # from the middle: the whole batch
    assert lengths(0, MaxBytes=1) == [size, 0]             # the first one whole, whatever the limit
    assert lengths(0, size=1) == [size, 0]
    assert lengths(0, MaxBytes=size + 5)[0] >= size
    assert lengths(8) == [0, size]


def test_offsets_out_of_range(pair):
    name = new_topic(pair)
    produce(pair, name, records(4))
    for offset in (5, 1 << 40, -1, -2):
        row = fetch(pair, name, [(0, offset, {})])["Responses"][0]["Partitions"][0]
        assert row["ErrorCode"] == 1, offset


def test_leader_epochs_of_fetch(pair):
    name = new_topic(pair)
    produce(pair, name, records(4))
    for current in (-1, 0, 1, 5):
        for last in (-1, 0, 1):
            answer = fetch(pair, name, [(0, 2, {"CurrentLeaderEpoch": current,
                                                "LastFetchedEpoch": last})])
            row = answer["Responses"][0]["Partitions"][0]
            assert row["ErrorCode"] == (75 if current > 0 else 1 if last > 0 else 0)


@pytest.mark.parametrize("version", [7, 12, 13, 18])
def test_fetch_sessions(pair, version):
    name = new_topic(pair, 2)
    produce(pair, name, records(4))
    sessions = {}
    for peer in pair:
        answer = fetch_from(peer, name, [(0, 0, {}), (1, 0, {})], version=version, SessionEpoch=0)
        sessions[peer] = answer["SessionId"]
        assert answer["SessionId"] > 0

    def go_on(epoch, partitions=(), forget=()):
        answers = []
        for peer in pair:
            gone = [{**topic_fields(peer, name, version >= 13, "Topic"), "Partitions": list(forget)}]
            answer = fetch_from(peer, name, partitions, version=version, MaxWaitMs=0,
                                SessionId=sessions[peer], SessionEpoch=epoch,
                                ForgottenTopicsData=gone if forget else [])
            answers.append(strip(answer))
        assert answers[0] == answers[1], f"ours {answers[0]}, Kafka says {answers[1]}"
        return answers[0]

    def partitions_of(answer):
        return [p["PartitionIndex"] for t in answer["Responses"] for p in t["Partitions"]]

    assert partitions_of(go_on(1, [(0, 4, {})])) == []        # nothing is new
    produce(pair, name, records(4))
    assert partitions_of(go_on(2)) == [0]                     # only what changed
    assert go_on(2)["ErrorCode"] == 71                        # the epoch has to count on
    produce(pair, name, records(4), partition=1)
    assert partitions_of(go_on(3, [], forget=[0])) == [1]     # 0 is forgotten
    for peer in pair:
        answer = fetch_from(peer, name, [], version=version, SessionId=1, SessionEpoch=9)
        assert answer["ErrorCode"] == 70


def test_a_long_poll_ends_by_time_or_by_bytes(pair):
    name = new_topic(pair)
    produce(pair, name, records(4))
    size = len(records(4))
    for least, expected in ((1, size), (size, size), (size + 1, size), (1 << 30, size)):
        answer = fetch(pair, name, [(0, 0, {})], MinBytes=least, MaxWaitMs=50)
        assert len(answer["Responses"][0]["Partitions"][0]["Records"]) == expected


# ---- acks=0


def test_acks_0_is_not_answered_and_an_error_closes(pair):
    name = new_topic(pair)
    for peer in pair:
        fields = {"Acks": 0, "TimeoutMs": 1000, "TopicData": [
            {"Name": name, "PartitionData": [{"Index": 0, "Records": records(1)}]}]}
        peer.wire.send(encode_request("Produce", 9, 1, fields))
        # Ours is shown when it is on disk, which nobody waits for with acks=0.
        answer = fetch_from(peer, name, [(0, 0, {})], MaxWaitMs=20000)
        assert len(answer["Responses"][0]["Partitions"][0]["Records"]) == len(records(1))
        fields["TopicData"][0]["Name"] = "not there"
        peer.wire.send(encode_request("Produce", 9, 1, fields))
        with pytest.raises(Closed):
            peer.wire.receive()
        assert peer.ask("ApiVersions", 0, {}) == "closed"  # opens a new connection


# ---- fairness, codecs


def test_a_large_partition_does_not_starve_others(pair):
    """One batch per answer: a session's partitions take turns."""
    name = new_topic(pair, 3)
    for partition in range(3):
        for _ in range(2):
            produce(pair, name, records(4), partition=partition)
    for peer in pair:
        wanted = [(i, 0, {}) for i in range(3)]
        answer = fetch_from(peer, name, wanted, MaxBytes=1, SessionEpoch=0)
        served = []
        for epoch in range(1, 5):
            served += [p["PartitionIndex"] for t in answer["Responses"] for p in t["Partitions"]
                       if p["Records"]]
            answer = fetch_from(peer, name, [], MaxBytes=1, SessionId=answer["SessionId"],
                                SessionEpoch=epoch)
        assert sorted(served[1:]) == [0, 1, 2], peer.bootstrap


def test_zstd_is_fetched_in_every_version(pair):
    """Fetch before 10 is not refused, though a client of that age may not know the codec."""
    name = new_topic(pair, compression__type="zstd")
    for peer in pair:
        answer = produce_to(peer, name, records(4))
        assert answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 0
        for version in (9, 10):
            answer = fetch_from(peer, name, [(0, 0, {})], version=version)
            row = answer["Responses"][0]["Partitions"][0]
            assert (row["ErrorCode"], row["Records"][b.ATTRIBUTES_POS + 1]) == (0, b.ZSTD)
