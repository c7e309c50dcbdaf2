# SPDX-License-Identifier: Apache-2.0
"""What no client should send: the right error or that connection closed; the broker lives, stays in
its memory, and a witness that produces and fetches all the while does not notice."""

import contextlib
import pathlib
import random
import re
import select
import socket
import struct
import threading
import time

import pytest

import batch as b
from kafka_server import KafkaServer
from klamm import KlammServer
from wire import APIS, Closed, Wire, decode_response, encode_request, frame, versions_of

MEMORY_MAX = 64 << 20   # klamm.memory.max
RSS_MAX = MEMORY_MAX + (64 << 20)
LATENCY_MAX_S = 10      # of the witness; it is a hang that is looked for, not a slow machine
LIMIT_S = 60


class Witness:
    """One connection that produces a record with acks=all and fetches it, again and again."""

    def __init__(self, bootstrap, is_patient):
        self.wire = Wire(bootstrap)
        self.is_patient = is_patient  # Kafka's broker may know a topic later than its controller
        self.beats = 0
        self.slowest_s = 0.0
        self.failure = None
        self.is_ended = False
        self.turned = threading.Condition()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.is_ended:
                start = time.monotonic()
                answer = produce(self.wire, b.batch(), topic="witness")
                if answer["ErrorCode"] in (3, 6) and self.beats == 0 and self.is_patient:
                    continue
                assert answer["ErrorCode"] == 0, answer
                fetched = fetch(self.wire, "witness", answer["BaseOffset"])
                assert len(fetched["Records"]) > 0, fetched
                with self.turned:
                    self.slowest_s = max(self.slowest_s, time.monotonic() - start)
                    self.beats += 1
                    self.turned.notify_all()
        except Exception as e:  # whatever it is, the next check shows it
            with self.turned:
                self.failure = e
                self.turned.notify_all()

    def check(self):
        """Two more round trips are done."""
        with self.turned:
            wanted = self.beats + 2
            assert self.turned.wait_for(lambda: self.failure or self.beats >= wanted, LIMIT_S), \
                "the witness hangs"
        assert self.failure is None
        assert self.slowest_s < LATENCY_MAX_S

    def end(self):
        self.is_ended = True
        self.thread.join(LIMIT_S)


class Victim:
    def __init__(self, server):
        self.server = server
        self.bootstrap = server.bootstrap
        self.port = server.port
        self.is_klamm = isinstance(server, KlammServer)
        with Wire(self.bootstrap) as wire:
            wire.ask("CreateTopics", 7, timeoutMs=30000, Topics=[
                {"Name": n, "NumPartitions": 1, "ReplicationFactor": 1}
                for n in ("witness", "t", "fuzz")])
            deadline = time.monotonic() + LIMIT_S
            while any(t["ErrorCode"] for t in wire.ask("Metadata", 12, Topics=[
                    {"Name": n} for n in ("witness", "t", "fuzz")])["Topics"]):
                assert time.monotonic() < deadline
        self.witness = Witness(self.bootstrap, not self.is_klamm)

    def connect(self):
        return Wire(self.bootstrap, timeout=LIMIT_S)

    def status(self, key):
        """Bytes, from /proc."""
        text = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(re.search(rf"{key}:\s+(\d+) kB", text)[1]) << 10

    def check(self):
        assert self.server.process.poll() is None, "the broker ended"
        self.witness.check()
        if self.is_klamm:
            assert self.status("VmHWM") < RSS_MAX


@pytest.fixture(scope="module")
def shared_victim(request, is_kafka, tmp_path_factory):
    directory = tmp_path_factory.mktemp("victim")
    if is_kafka:
        server = KafkaServer(directory=directory)
    else:
        server = KlammServer(request.getfixturevalue("binary"), directory=directory,
                             klamm__admin__listener="127.0.0.1:0", klamm__memory__max=MEMORY_MAX)
    server.start()
    made = Victim(server)
    yield made
    made.witness.end()
    server.stop()


@pytest.fixture
def victim(shared_victim):
    yield shared_victim
    shared_victim.check()


# ---- asking


def produce(wire, records, topic="t", version=9, acks=-1, partition=0):
    answer = wire.ask("Produce", version, Acks=acks, TimeoutMs=30000, TopicData=[
        {"Name": topic, "PartitionData": [{"Index": partition, "Records": records}]}])
    return answer["Responses"][0]["PartitionResponses"][0]


def fetch(wire, topic, offset, **fields):
    answer = wire.ask("Fetch", 4, ReplicaId=-1, **{
        "MaxWaitMs": 1000, "MinBytes": 1, "MaxBytes": 1 << 20, **fields}, Topics=[
            {"Topic": topic, "Partitions": [
                {"Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": 1 << 20}]}])
    return answer["Responses"][0]["Partitions"][0]


def is_closed(victim, data):
    """After these bytes the broker closes the connection without an answer."""
    with victim.connect() as wire:
        try:
            wire.send(data)
            wire.receive()
        except (Closed, ConnectionError):
            return True
    return False


def answer_or_close(victim, data):
    with victim.connect() as wire:
        try:
            wire.send(data)
            return wire.receive()
        except (Closed, ConnectionError):
            return None


# ---- frames


@pytest.mark.parametrize("size", [-1, -2**31, 2**31 - 1, (100 << 20) + 1, 0, 1, 4, 7])
def test_absurd_frame_sizes(victim, size):
    assert is_closed(victim, struct.pack(">i", size) + bytes(max(0, min(size, 1000))))


STRANGERS = {
    "TLS ClientHello": bytes.fromhex("16030102000100fc0303") + bytes(500),
    "old TLS": bytes.fromhex("802e0103010015") + bytes(40),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SMTP": b"EHLO example.org\r\n",
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "a log line": b"2026-01-01 00:00:00 INFO something happened\n" * 10,
}


@pytest.mark.parametrize("name", STRANGERS)
def test_another_protocol(victim, name):
    assert is_closed(victim, STRANGERS[name])


@pytest.mark.parametrize("key", [-1, -2**15, 4, 5, 6, 7, 52, 62, 94, 95, 999, 2**15 - 1])
def test_unknown_api(victim, key):
    if key == 94 and not victim.is_klamm:
        return  # a node of a real Kafka in combined mode has it
    assert is_closed(victim, frame(key, 0, 1, bytes(20), False))


@pytest.mark.parametrize("version", [-1, -2**15, 2**15 - 1])
@pytest.mark.parametrize("api", ["Produce", "Fetch", "Metadata", "CreateTopics"])
def test_unknown_version(victim, api, version):
    assert is_closed(victim, frame(APIS[api].key, version, 1, bytes(20), False))


def headed(header, body=b""):
    payload = header + body
    return struct.pack(">i", len(payload)) + payload


def test_garbage_in_the_header(victim):
    fixed = struct.pack(">hhi", 3, 12, 1)  # Metadata v12: the flexible header
    for tail in (b"", b"\0", struct.pack(">h", -2), struct.pack(">h", 30000) + b"x",
                 struct.pack(">h", 1) + b"\xff", struct.pack(">h", -1) + b"\xff\xff\xff\xff\x0f",
                 struct.pack(">h", -1) + b"\x01\0\xff\xff\xff\xff\x07",
                 struct.pack(">h", -1) + b"\x80" * 12):
        assert is_closed(victim, headed(fixed + tail)), tail


def test_unknown_tagged_fields_are_passed_over(victim):
    fixed = struct.pack(">hhih", 18, 3, 77, -1)
    tags = b"\x02\x05\x03abc\x7f\0"
    answer = answer_or_close(victim, headed(fixed + tags, b"\x02a\x02b" + tags))
    assert decode_response("ApiVersions", 3, answer)[1]["ErrorCode"] == 0


def test_bytes_behind_a_request_are_passed_over(victim):
    body = encode_request("Metadata", 12, 9, {"Topics": []})
    answer = answer_or_close(victim, struct.pack(">i", len(body) - 4 + 3) + body[4:] + b"\x01\0\0")
    assert decode_response("Metadata", 12, answer)[1]["Brokers"]


# ---- bodies

SAMPLES = {
    "Produce": (9, {"Acks": -1, "TimeoutMs": 1000, "TopicData": [
        {"Name": "fuzz", "PartitionData": [{"Index": 0, "Records": b.batch()}]}]}),
    "Fetch": (12, {"ReplicaState": {}, "MaxWaitMs": 0, "MinBytes": 1, "MaxBytes": 100000, "Topics": [
        {"Topic": "fuzz", "Partitions": [{"Partition": 0, "PartitionMaxBytes": 1000}]}],
        "ForgottenTopicsData": [{"Topic": "none", "Partitions": [1, 2]}]}),
    "ListOffsets": (7, {"ReplicaId": -1, "Topics": [{"Name": "fuzz", "Partitions": [
        {"PartitionIndex": 0, "Timestamp": -1}]}]}),
    "Metadata": (12, {"Topics": [{"Name": "fuzz"}], "AllowAutoTopicCreation": False}),
    "OffsetForLeaderEpoch": (4, {"ReplicaId": -2, "Topics": [{"Topic": "fuzz", "Partitions": [
        {"Partition": 0, "LeaderEpoch": 0}]}]}),
    "FindCoordinator": (4, {"KeyType": 0, "CoordinatorKeys": ["a", "b"]}),
    "ApiVersions": (3, {"ClientSoftwareName": "x", "ClientSoftwareVersion": "1"}),
    "CreateTopics": (7, {"timeoutMs": 1000, "validateOnly": True, "Topics": [
        {"Name": "no", "NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [
            {"PartitionIndex": 0, "BrokerIds": [1]}],
         "Configs": [{"Name": "retention.ms", "Value": "1"}]}]}),
    "DeleteTopics": (5, {"TopicNames": ["no-such"], "TimeoutMs": 1000}),
    "InitProducerId": (4, {"TransactionalId": None, "TransactionTimeoutMs": 1000}),
    "DescribeConfigs": (4, {"Resources": [{"ResourceType": 2, "ResourceName": "fuzz",
                                           "ConfigurationKeys": ["retention.ms"]}]}),
    "IncrementalAlterConfigs": (1, {"ValidateOnly": True, "Resources": [
        {"ResourceType": 2, "ResourceName": "fuzz", "Configs": [
            {"Name": "retention.ms", "ConfigOperation": 0, "Value": "86400000"}]}]}),
    "DescribeCluster": (1, {}),
    "DescribeTopicPartitions": (0, {"Topics": [{"Name": "fuzz"}, {"Name": "none"}],
                                    "Cursor": {"TopicName": "fuzz", "PartitionIndex": 0}}),
    "DescribeLogDirs": (4, {"Topics": [{"Topic": "fuzz", "Partitions": [0, 1]}]}),
    "AlterReplicaLogDirs": (2, {"Dirs": [{"Path": "/none", "Topics": [
        {"Name": "fuzz", "Partitions": [0, 1]}]}]}),
    "AlterConfigs": (2, {"ValidateOnly": True, "Resources": [
        {"ResourceType": 4, "ResourceName": "1", "Configs": [
            {"Name": "log.retention.ms", "Value": "86400000"}]}]}),
    "DeleteRecords": (2, {"TimeoutMs": 1000, "Topics": [{"Name": "fuzz", "Partitions": [
        {"PartitionIndex": 0, "Offset": 0}]}]}),
    "ListConfigResources": (1, {"ResourceTypes": [2, 32]}),
    "JoinGroup": (9, {"GroupId": "fuzz", "SessionTimeoutMs": 10000, "RebalanceTimeoutMs": 10000,
                      "MemberId": "no-such", "GroupInstanceId": "i", "ProtocolType": "consumer",
                      "Protocols": [{"Name": "range", "Metadata": b"m"},
                                    {"Name": "sticky", "Metadata": b""}], "Reason": "why"}),
    "SyncGroup": (5, {"GroupId": "fuzz", "GenerationId": 1, "MemberId": "m", "GroupInstanceId": "i",
                      "ProtocolType": "consumer", "ProtocolName": "range",
                      "Assignments": [{"MemberId": "m", "Assignment": b"a"}]}),
    "Heartbeat": (4, {"GroupId": "fuzz", "GenerationId": 1, "MemberId": "m",
                      "GroupInstanceId": "i"}),
    "LeaveGroup": (5, {"GroupId": "fuzz", "Members": [
        {"MemberId": "m", "GroupInstanceId": "i", "Reason": "why"}]}),
    "OffsetCommit": (9, {"GroupId": "fuzz", "GenerationIdOrMemberEpoch": -1, "MemberId": "",
                         "GroupInstanceId": None, "Topics": [{"Name": "fuzz", "Partitions": [
                             {"PartitionIndex": 0, "CommittedOffset": 5, "CommittedLeaderEpoch": 0,
                              "CommittedMetadata": "m"}]}]}),
    "OffsetFetch": (9, {"Groups": [
        {"GroupId": "fuzz", "MemberId": None, "MemberEpoch": -1, "Topics": [
            {"Name": "fuzz", "PartitionIndexes": [0, 1]}]},
        {"GroupId": "none", "MemberId": "m", "MemberEpoch": 0, "Topics": None}],
        "RequireStable": True}),
    "DescribeGroups": (6, {"Groups": ["fuzz", "none"], "IncludeAuthorizedOperations": True}),
    "ListGroups": (5, {"StatesFilter": ["Stable", "Empty"], "TypesFilter": ["classic"]}),
    "DeleteGroups": (2, {"GroupsNames": ["fuzz", "none"]}),
    "OffsetDelete": (0, {"GroupId": "fuzz", "Topics": [
        {"Name": "fuzz", "Partitions": [{"PartitionIndex": 0}, {"PartitionIndex": 7}]}]}),
    "CreatePartitions": (3, {"ValidateOnly": True, "TimeoutMs": 1000, "Topics": [
        {"Name": "fuzz", "Count": 2, "Assignments": [{"BrokerIds": [1]}]}]}),
}


def sample(api, version=None):
    newest, fields = SAMPLES[api]
    if api == "Fetch":
        fields = {k: v for k, v in fields.items() if k != "ReplicaState"}
    return encode_request(api, newest if version is None else version, 5, fields)


@pytest.mark.parametrize("api", SAMPLES)
def test_requests_cut_at_each_byte(victim, api):
    """The frame's length fits what is sent: the request itself is cut short."""
    whole = sample(api)[4:]
    assert answer_or_close(victim, headed(whole)) is not None
    answered = [size for size in range(len(whole) - 1, 9, -1)
                if answer_or_close(victim, headed(whole[:size])) is not None]
    if api != "ApiVersions":  # what is cut short there is answered with an error
        assert not victim.is_klamm or answered == []


ABSURD_COUNTS = {
    "a billion": b"\xff\xff\xff\xff\x07", "2^32-1": b"\xff\xff\xff\xff\x0f",
    "ten bytes": b"\xff" * 9 + b"\x01", "no end": b"\xff" * 60, "65535": b"\xff\xff\x03",
}

# What stands before the first list of a request, where it is not the first field. (Heartbeat has no
# list: it is the length of its first text there.)
BEFORE_THE_COUNT = {
    "FindCoordinator": b"\0", "LeaveGroup": b"\2g",
    "JoinGroup": b"\2g" + struct.pack(">ii", 10000, 10000) + b"\1\0\2c",
    "SyncGroup": b"\2g" + struct.pack(">i", 1) + b"\2m\0\0\0",
    "OffsetCommit": b"\2g" + struct.pack(">i", -1) + b"\1\0",
}


@pytest.mark.parametrize("count", ABSURD_COUNTS)
@pytest.mark.parametrize("api,version", [("Metadata", 12), ("DescribeConfigs", 4),
                                         ("CreateTopics", 7), ("FindCoordinator", 4),
                                         ("CreatePartitions", 3), ("DeleteRecords", 2),
                                         ("AlterConfigs", 2), ("DescribeLogDirs", 5),
                                         ("AlterReplicaLogDirs", 2),
                                         ("DescribeTopicPartitions", 0), ("ListConfigResources", 1),
                                         ("JoinGroup", 9), ("SyncGroup", 5), ("Heartbeat", 4),
                                         ("LeaveGroup", 5), ("OffsetCommit", 9), ("OffsetFetch", 9),
                                         ("DescribeGroups", 6), ("ListGroups", 5),
                                         ("DeleteGroups", 2)])
def test_absurd_counts(victim, api, version, count):
    before = BEFORE_THE_COUNT.get(api, b"")
    assert is_closed(victim, frame(APIS[api].key, version, 1, before + ABSURD_COUNTS[count], True))


@pytest.mark.parametrize("count", [2**31 - 1, -2, -2**31, 1 << 20])
def test_absurd_counts_before_the_compact_form(victim, count):
    if count < 0 and not victim.is_klamm:
        return  # Kafka never answers
    assert is_closed(victim, frame(3, 4, 1, struct.pack(">i", count), False))
    produce_v3 = struct.pack(">hhii", -1, -1, 1000, 1) + struct.pack(">h", 1) + b"t"
    assert is_closed(victim, frame(0, 3, 1, produce_v3 + struct.pack(">i", count), False))
    offset_delete_v0 = struct.pack(">h", 1) + b"g"
    assert is_closed(victim, frame(47, 0, 1, offset_delete_v0 + struct.pack(">i", count), False))
    assert is_closed(victim, frame(15, 0, 1, struct.pack(">i", count), False))  # DescribeGroups
    records = produce_v3 + struct.pack(">iii", 1, 0, count)
    if count != 1 << 20 or victim.is_klamm:
        assert is_closed(victim, frame(0, 3, 1, records + b.batch(), False)) or count < 0


def test_a_million_of_what_is_allowed(victim):
    """Large requests that are well formed: an answer or a closed connection, in bounded memory."""
    many = 100000
    requests = [
        ("Metadata", 12, {"Topics": [{"Name": f"none-{i}"} for i in range(many)],
                          "AllowAutoTopicCreation": False}),
        ("ListOffsets", 7, {"ReplicaId": -1, "Topics": [{"Name": "none", "Partitions": [
            {"PartitionIndex": i, "Timestamp": -1} for i in range(many)]}]}),
        ("FindCoordinator", 4, {"KeyType": 0, "CoordinatorKeys": ["k"] * many}),
        ("DescribeConfigs", 4, {"Resources": [
            {"ResourceType": 2, "ResourceName": "t", "ConfigurationKeys": None}] * 2000}),
        ("Fetch", 4, {"ReplicaId": -1, "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 2**31 - 1,
                      "Topics": [{"Topic": "none", "Partitions": [
                          {"Partition": i, "PartitionMaxBytes": 2**31 - 1}
                          for i in range(many)]}]}),
        ("DeleteTopics", 5, {"TopicNames": [f"none-{i}" for i in range(20000)],
                             "TimeoutMs": 1000}),
        ("IncrementalAlterConfigs", 1, {"ValidateOnly": True, "Resources": [
            {"ResourceType": 2, "ResourceName": "t", "Configs": [
                {"Name": f"key-{i}", "ConfigOperation": 0, "Value": "x"}
                for i in range(20000)]}]}),
        ("CreateTopics", 7, {"timeoutMs": 1000, "Topics": [
            {"Name": "far", "NumPartitions": -1, "ReplicationFactor": -1, "Assignments": [
                {"PartitionIndex": i, "BrokerIds": list(range(10))} for i in range(20000)]}]}),
        ("DeleteRecords", 2, {"TimeoutMs": 1000, "Topics": [{"Name": "t", "Partitions": [
            {"PartitionIndex": i % 2, "Offset": 0} for i in range(many)]}]}),
        ("DescribeTopicPartitions", 0, {"Topics": [{"Name": f"none-{i}"} for i in range(many)],
                                        "ResponsePartitionLimit": 2**31 - 1}),
        ("DescribeLogDirs", 5, {"Topics": [{"Topic": "t", "Partitions": [0] * many}]}),
        ("AlterReplicaLogDirs", 2, {"Dirs": [{"Path": "/none", "Topics": [
            {"Name": "t", "Partitions": list(range(many))}]}]}),
        ("AlterReplicaLogDirs", 2, {"Dirs": [{"Path": "/none", "Topics": [
            {"Name": f"none-{i}", "Partitions": [0]} for i in range(many)]}]}),
        ("AlterConfigs", 2, {"ValidateOnly": True, "Resources": [
            {"ResourceType": 4, "ResourceName": str(i), "Configs": []} for i in range(20000)]}),
        ("CreatePartitions", 3, {"TimeoutMs": 1000, "Topics": [
            {"Name": "t", "Count": 20001, "Assignments": [{"BrokerIds": [1] * 10}] * 20000}]}),
        ("CreatePartitions", 3, {"TimeoutMs": 1000, "Topics": [
            {"Name": f"none-{i}", "Count": 2**31 - 1, "Assignments": None}
            for i in range(20000)]}),
        ("JoinGroup", 9, {**SAMPLES["JoinGroup"][1], "Protocols": [
            {"Name": f"p{i}", "Metadata": b"m"} for i in range(20000)]}),
        ("SyncGroup", 5, {**SAMPLES["SyncGroup"][1], "Assignments": [
            {"MemberId": f"m{i}", "Assignment": b"a"} for i in range(20000)]}),
        ("LeaveGroup", 5, {"GroupId": "none", "Members": [
            {"MemberId": f"m{i}", "GroupInstanceId": None} for i in range(20000)]}),
        ("OffsetCommit", 9, {**SAMPLES["OffsetCommit"][1], "Topics": [
            {"Name": "none", "Partitions": [{"PartitionIndex": i, "CommittedOffset": 1}
                                            for i in range(20000)]}]}),
        ("OffsetFetch", 9, {"Groups": [{"GroupId": f"none-{i}", "Topics": None}
                                       for i in range(20000)]}),
        ("DescribeGroups", 6, {"Groups": [f"none-{i}" for i in range(many)]}),
        ("ListGroups", 5, {"StatesFilter": ["Dead"] * many, "TypesFilter": ["classic"] * many}),
        ("DeleteGroups", 2, {"GroupsNames": [f"none-{i}" for i in range(20000)]}),
        ("OffsetDelete", 0, {"GroupId": "fuzz", "Topics": [{"Name": "fuzz", "Partitions": [
            {"PartitionIndex": i} for i in range(many)]}]}),
    ]
    for api, version, fields in requests:
        answer = answer_or_close(victim, encode_request(api, version, 1, fields))
        if answer is not None:
            decode_response(api, version, answer)
        victim.check()


@pytest.mark.parametrize("partitions", [1000000, 2**31 - 1, -2**31, -5])
def test_topics_of_absurd_size(victim, partitions):
    if not victim.is_klamm and partitions > 0:
        return  # Kafka tries
    with victim.connect() as wire:
        answer = wire.ask("CreateTopics", 7, timeoutMs=1000, Topics=[
            {"Name": "absurd", "NumPartitions": partitions, "ReplicationFactor": 1}])
        assert answer["Topics"][0]["ErrorCode"] in (37, 44)  # INVALID_PARTITIONS, POLICY_VIOLATION
        topics = wire.ask("Metadata", 12, Topics=[{"Name": "absurd"}], AllowAutoTopicCreation=False)
        assert topics["Topics"][0]["ErrorCode"] == 3


@pytest.mark.parametrize("field", ["MaxWaitMs", "MinBytes", "MaxBytes"])
@pytest.mark.parametrize("value", [-1, -2**31, 2**31 - 1])
def test_fetch_with_absurd_limits(victim, field, value):
    with victim.connect() as wire:
        produce(wire, b.batch())
        if value > 0 and field != "MaxBytes":
            # A wait without end: it holds nobody up, and ends with its connection.
            wire.send(encode_request("Fetch", 4, 1, {
                "ReplicaId": -1, "MaxWaitMs": 2**31 - 1, "MinBytes": 2**31 - 1,
                "MaxBytes": 1000, "Topics": []}))
            return
        code = fetch(wire, "t", 0, **{field: value})["ErrorCode"]
        assert code == OK or not victim.is_klamm and code == -1 and field == "MaxBytes"


@pytest.mark.parametrize("offset", [-1, -2, -2**63, 2**63 - 1, 1 << 40])
def test_fetch_of_absurd_offsets(victim, offset):
    with victim.connect() as wire:
        assert fetch(wire, "t", offset)["ErrorCode"] == 1


def test_fetch_of_strange_partitions(victim):
    partitions = [-1, 1, 2**31 - 1, -2**31]
    with victim.connect() as wire:
        answer = wire.ask("Fetch", 4, ReplicaId=-1, MaxWaitMs=0, MinBytes=0, MaxBytes=1000, Topics=[
            {"Topic": t, "Partitions": [{"Partition": p, "PartitionMaxBytes": -1}
                                        for p in partitions]} for t in ("t", "none", "", "x" * 9999)])
        assert {p["ErrorCode"] for t in answer["Responses"] for p in t["Partitions"]} == {3}


@pytest.mark.parametrize("session,epoch,code", [(12345, 7, 70), (0, 5, 70), (-1, 1, 70)])
def test_fetch_sessions_that_do_not_exist(victim, session, epoch, code):
    with victim.connect() as wire:
        answer = wire.ask("Fetch", 12, MaxWaitMs=0, MinBytes=0, MaxBytes=1000, SessionId=session,
                          SessionEpoch=epoch)
        assert answer["ErrorCode"] == code


# ---- batches

OK, CORRUPT, INVALID_RECORD, INVALID_TIMESTAMP, UNSUPPORTED_CODEC = 0, 2, 87, 32, 76

BATCHES = {
    "right": (OK, b.batch()),
    "bad CRC": (CORRUPT, b.batch(crc=1)),
    "magic 0": (INVALID_RECORD, b.batch(magic=0)),
    "magic 1": (INVALID_RECORD, b.batch(magic=1)),
    "magic 3": (CORRUPT, b.batch(magic=3)),
    "magic -1": (CORRUPT, b.batch(magic=-1)),
    "more records than there are": (INVALID_RECORD, b.batch(count=5)),
    "fewer records than there are": (INVALID_RECORD, b.batch(b.record(0) + b.record(1), count=1)),
    "no records": (INVALID_RECORD, b.batch(b"", count=0, last_offset_delta=-1)),
    "a count of -1": (INVALID_RECORD, b.batch(count=-1, last_offset_delta=0)),
    "a count of two billion": (INVALID_RECORD, b.batch(count=2**31 - 1)),
    "last offset delta": (INVALID_RECORD, b.batch(last_offset_delta=7)),
    "a control batch": (INVALID_RECORD, b.batch(attributes=0x20)),
    "length beyond": (INVALID_RECORD, b.batch(length=5000)),
    "length short": (CORRUPT, b.batch(length=20)),
    "length negative": (CORRUPT, b.batch(length=-1)),
    "length absurd": (INVALID_RECORD, b.batch(length=2**31 - 1)),
    "cut in the header": (INVALID_RECORD, b.batch()[:40]),
    "cut in the records": (INVALID_RECORD, b.batch()[:-3]),
    "a few bytes": (INVALID_RECORD, b"\0" * 5),
    "two batches": (INVALID_RECORD, b.batch() + b.batch()),
    "garbage behind": (INVALID_RECORD, b.batch() + b"garbage"),
    "record length beyond": (INVALID_RECORD, b.batch(b.varint(1000) + b.record()[1:])),
    "record length negative": (INVALID_RECORD, b.batch(b.varint(-5) + b.record()[1:])),
    "record of garbage": (INVALID_RECORD, b.batch(b"\xff" * 30)),
    "key length beyond": (INVALID_RECORD, b.batch(b.varint(9) + b"\0\0\0" + b.varint(1 << 30) + bytes(5))),
    "headers without end": (INVALID_RECORD, b.batch(
        b.varint(10) + b"\0\0\0" + b.varint(-1) + b.varint(-1) + b.varint(1 << 29))),
    "a producer without sequence": (INVALID_RECORD, b.batch(producer_id=5, producer_epoch=0)),
    "far in the future": (INVALID_TIMESTAMP, b.batch(base_timestamp=1 << 50, max_timestamp=1 << 50)),
}


# Where Kafka says UNKNOWN_SERVER_ERROR, or takes what comes before the garbage.
KAFKA_OTHERWISE = {"length absurd": -1, "record of garbage": -1, "garbage behind": OK}


@pytest.mark.parametrize("name", BATCHES)
def test_batches(victim, name):
    code, records = BATCHES[name]
    if not victim.is_klamm:
        code = KAFKA_OTHERWISE.get(name, code)
    with victim.connect() as wire:
        assert produce(wire, records)["ErrorCode"] == code


@pytest.mark.parametrize("records", [None, b""])
def test_no_batch_at_all(victim, records):
    if records is None and not victim.is_klamm:
        return  # Kafka never answers
    with victim.connect() as wire:
        assert produce(wire, records)["ErrorCode"] == INVALID_RECORD


@pytest.mark.parametrize("acks", [2, -2, 32767])
def test_strange_acks(victim, acks):
    with victim.connect() as wire:
        assert produce(wire, b.batch(), acks=acks)["ErrorCode"] == 21


def test_acks_0_with_an_error_closes(victim):
    with victim.connect() as wire:
        wire.send(encode_request("Produce", 9, 1, {"Acks": 0, "TimeoutMs": 1000, "TopicData": [
            {"Name": "t", "PartitionData": [{"Index": 0, "Records": b.batch(crc=1)}]}]}))
        with pytest.raises(Closed):
            wire.receive()


@pytest.mark.parametrize("codec", [b.GZIP, b.SNAPPY, b.LZ4, b.ZSTD, 5, 6, 7])
@pytest.mark.parametrize("payload", ["garbage", "empty", "magic"])
def test_garbage_behind_a_codec(victim, codec, payload):
    magic = {b.GZIP: b"\x1f\x8b\x08\0", b.SNAPPY: b"\x82SNAPPY\0\0\0\0\1\0\0\0\1\x7f\xff\xff\xff",
             b.LZ4: b"\x04\x22\x4d\x18\x60\x70\x73\xff\xff\xff\x7f", b.ZSTD: b"\x28\xb5\x2f\xfd\xff"}
    data = {"garbage": random.Random(codec).randbytes(500), "empty": b"",
            "magic": magic.get(codec, b"x") + b"\xee" * 100}[payload]
    with victim.connect() as wire:
        code = produce(wire, b.batch(data, codec=codec))["ErrorCode"]
        if victim.is_klamm:
            assert code in ((UNSUPPORTED_CODEC,) if codec > b.ZSTD else (CORRUPT, INVALID_RECORD))
        else:
            assert code != OK


@pytest.mark.parametrize("codec", b.BOMBS)
def test_decompression_bombs(victim, codec):
    """About 200 KB that say they are gigabytes (snappy and gzip cannot say it in so little)."""
    size = {b.GZIP: 200 << 20, b.SNAPPY: 4 << 20, b.LZ4: 48 << 22, b.ZSTD: 6 << 30}[codec]
    if not victim.is_klamm and codec == b.ZSTD:
        return
    records = b.batch(b.BOMBS[codec](size), codec=codec)
    with victim.connect() as wire:
        for _ in range(3):
            code = produce(wire, records)["ErrorCode"]
            if victim.is_klamm:
                assert code == INVALID_RECORD or code == OK and codec != b.ZSTD
            victim.check()


# ---- connections


def test_pipelined_requests_then_garbage(victim):
    with victim.connect() as wire:
        good = b"".join(encode_request("ApiVersions", 0, i, {}) for i in range(50))
        wire.send(good + b"\x7f" * 5000)
        answered = 0
        with contextlib.suppress(Closed):  # a reset may overtake the last answers
            while True:
                assert decode_response("ApiVersions", 0, wire.receive())[0] == answered
                answered += 1
        assert answered <= 50


def test_half_open_connections(victim):
    whole = sample("Produce")
    for i in range(200):
        wire = victim.connect()
        wire.send(whole[:i % len(whole)])
        if i % 2:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.socket.close()


def test_a_client_that_stops_sending_gets_its_answer(victim):
    with victim.connect() as wire:
        wire.send(encode_request("ApiVersions", 0, 1, {}))
        with contextlib.suppress(Closed):
            assert decode_response("ApiVersions", 0, wire.receive())[0] == 1
            wire.socket.shutdown(socket.SHUT_WR)
            wire.receive()


def test_a_client_that_never_reads(victim):
    """Requests without end, answers unread: the broker stops reading them."""
    request = encode_request("DescribeConfigs", 4, 1, {"Resources": [
        {"ResourceType": 4, "ResourceName": "1", "ConfigurationKeys": None}]})
    wires = [victim.connect() for _ in range(10)]
    for wire in wires:
        wire.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            for _ in range(20000):
                wire.socket.send(request)
    victim.check()
    for wire in wires:
        wire.socket.close()


def reserved(victim):
    return victim.server.metric("klamm_memory_reserved_bytes") if victim.is_klamm else 0


def settled(victim, limit):
    """The memory that requests hold goes down to this; the witness holds a little at times."""
    deadline = time.monotonic() + LIMIT_S
    while reserved(victim) > limit:
        assert time.monotonic() < deadline, reserved(victim)
        victim.witness.check()


def test_a_byte_now_and_then(victim):
    """Slow frames hold memory for what has come, not for what they announce."""
    if not victim.is_klamm:
        return  # Kafka has the memory of all of them before their bytes, and goes down
    announced = struct.pack(">i", 40 << 20)
    wires = [victim.connect() for _ in range(100)]
    for byte in announced + b"\0\0\0\x0c":
        for wire in wires:
            wire.send(bytes([byte]))
        victim.check()
        assert reserved(victim) < 1 << 20
    for wire in wires:
        wire.socket.close()


def test_a_thousand_connections_announce_100_mib(is_kafka, binary, tmp_path):
    """Each with enough bytes to look serious. Nobody else notices, also not one with 1 MiB frames;
    and the 100 MiB that are reserved for nothing go to others after a while."""
    memory_max = 256 << 20  # the default
    server = KafkaServer(directory=tmp_path / "k") if is_kafka else KlammServer(
        binary, directory=tmp_path / "k", klamm__admin__listener="127.0.0.1:0",
        klamm__memory__max=memory_max)
    server.start()
    victim = Victim(server)
    start = struct.pack(">i", 100 << 20) + struct.pack(">hhih", 0, 9, 1, -1) + bytes(5000)
    wires = []
    try:
        for _ in range(1000):
            wire = victim.connect()
            wire.send(start)
            wires.append(wire)
        victim.witness.check()
        with victim.connect() as honest:
            records = b.batch(b.record(value=bytes(900000)))
            for _ in range(5):
                assert produce(honest, records)["ErrorCode"] == OK
        victim.witness.check()
        if victim.is_klamm:
            assert reserved(victim) < memory_max
            assert victim.status("VmHWM") < memory_max + (64 << 20)
            # The first ones do not get on: they are dropped for those that wait.
            ready = select.poll()
            for wire in wires:
                ready.register(wire.socket, select.POLLIN)
            sockets = {wire.socket.fileno(): wire.socket for wire in wires}
            fd, _ = ready.poll(LIMIT_S * 1000)[0]
            assert sockets[fd].recv(1) == b""
            victim.witness.check()
        for wire in wires:
            wire.socket.close()
        settled(victim, 1 << 20)
        victim.witness.end()
    finally:
        for wire in wires:
            wire.socket.close()
        server.kill()


# ---- chance


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if len(data) <= 8:
            break
        at = rng.randrange(8, len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff))
        elif kind == 2:
            del data[at:at + rng.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif kind == 4:
            data[at:at + 4] = struct.pack(">i", rng.choice((-1, -2, 2**31 - 1, -2**31, 1 << 20)))
        else:
            data[at:at] = data[rng.randrange(len(data)):][:rng.randrange(40)]
    return bytes(data)


def random_frame(rng, samples):
    if rng.randrange(10) == 0:
        return headed(rng.randbytes(rng.randrange(200)))
    return headed(mutate(rng, rng.choice(samples)))


def test_random_frames(victim, seed, is_long):
    """Requests with a few bytes wrong, over many connections, several in a row."""
    rng = random.Random(seed)
    print(f"seed {seed}: repeat with --seed {seed}")
    samples = [sample(api)[4:] for api in SAMPLES]
    for api in ("Metadata", "ListOffsets", "FindCoordinator", "DescribeConfigs", "SyncGroup",
                "Heartbeat", "OffsetCommit", "DescribeGroups", "ListGroups", "DeleteGroups"):
        first, last = versions_of(api)
        for version in range(first, last + 1):
            with contextlib.suppress(KeyError, struct.error, TypeError):
                samples.append(sample(api, version)[4:])
    frames = left = 300000 if is_long else 10000
    counts = {"answers": 0, "whole": 0, "closed": 0, "waiting": 0}
    last = encode_request("ApiVersions", 0, 2**31 - 1, {})

    def is_enough():
        return counts["answers"] > 1000 and counts["closed"] > 500 and counts["whole"] > 200

    # An answer that nobody has read goes with a connection that is reset, more often on a busy machine.
    while left > 0 or (left > -2 * frames and not is_enough()):
        count = rng.randrange(1, 5)
        left -= count
        with victim.connect() as wire:
            wire.socket.settimeout(0.3)  # a fetch may have been told to wait for hours
            try:
                wire.send(b"".join(random_frame(rng, samples) for _ in range(count)) + last)
                while not wire.receive().startswith(b"\x7f\xff\xff\xff"):
                    counts["answers"] += 1
                counts["whole"] += 1
            except TimeoutError:
                counts["waiting"] += 1
            except (Closed, ConnectionError):
                counts["closed"] += 1
        if counts["closed"] % 100 == 0:
            victim.witness.check()
    print(counts)
    assert is_enough()
    assert counts["waiting"] < 100
