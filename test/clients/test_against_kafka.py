# SPDX-License-Identifier: Apache-2.0
"""The same requests, byte for byte, to Klamm and to a real Kafka 4.4.0; the answers must say the
same, but for ports, ids that are made from chance, and the words of error messages.

Where Klamm means to answer otherwise, that stands in a test of its own.
"""

import pathlib
import sys
import time
import uuid

import confluent_kafka
import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent, HERE.parent / "kafka"):
    sys.path.insert(0, str(folder))

from kafka_server import KafkaServer  # noqa: E402
from klamm import KlammServer  # noqa: E402
from wire import APIS, Closed, Wire, frame, versions_of  # noqa: E402

LIMIT_S = 120
T0 = 1700000000000
NO_ID = uuid.UUID(int=0)
STRANGE_ID = uuid.UUID(int=77 << 64)


class Peer:
    """One of the two brokers, with the same topics in it."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.wire = Wire(bootstrap)
        self.cluster_id = self.wire.ask("DescribeCluster", 0)["ClusterId"]
        self.topics = {}
        self.prepare()

    def ask(self, api, version, fields):
        """The answer, or "closed"."""
        try:
            return self.wire.ask(api, version, **fields)
        except Closed:
            self.wire = Wire(self.bootstrap)
            return "closed"

    def prepare(self):
        topic = {"NumPartitions": 2, "ReplicationFactor": 1}
        self.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            {"Name": "first", **topic, "Configs": [{"Name": "retention.ms", "Value": "-1"}]},
            {"Name": "empty", **topic}, {"Name": "doomed", **topic}, {"Name": "un_der", **topic}]})
        producer = confluent_kafka.Producer({"bootstrap.servers": self.bootstrap})
        for i, at in enumerate((T0 + 10, T0 + 30, T0 + 20)):
            producer.produce("first", str(i), partition=0, timestamp=at)
            assert producer.flush(30) == 0
        for name in ("first", "empty", "doomed", "un_der"):
            self.learn(name)

    def learn(self, name):
        """The id of a topic that was made; Kafka's broker may know it later than its controller."""
        def find():
            answer = self.ask("Metadata", 12, {"Topics": [{"Name": name}],
                                               "AllowAutoTopicCreation": False})
            return answer["Topics"][0]
        self.topics[name] = until(lambda: find()["ErrorCode"] == 0, find)["TopicId"]

    def settle(self):
        """Kafka answers InitProducerId with "still loading" at first."""
        def ask():
            return self.ask("InitProducerId", 4, NO_TRANSACTION)["ErrorCode"]
        until(lambda: ask() != 14, ask)


def until(is_true, value):
    """Asks until it is true, then once more."""
    deadline = time.monotonic() + LIMIT_S
    while not is_true():
        assert time.monotonic() < deadline, value()
        time.sleep(0.005)
    return value()


NO_TRANSACTION = {"TransactionalId": None, "TransactionTimeoutMs": 1000}


@pytest.fixture(scope="module")
def peers(binary):
    with KlammServer(binary) as klamm, KafkaServer() as kafka:
        yield Peer(klamm.bootstrap), Peer(kafka.bootstrap)


# ---- what is compared


def plain(value, peer):
    """An answer without what may differ."""
    if isinstance(value, dict):
        return {k: plain(hide(k, v, peer), peer) for k, v in value.items()
                if k not in ("ErrorMessage", "Port", "Documentation")}
    if isinstance(value, list):
        return sorted((plain(v, peer) for v in value), key=repr)
    return value


def hide(key, value, peer):
    if key == "ClusterId" and value == peer.cluster_id:
        return "the cluster's id"
    if key == "TopicId" and value != NO_ID:
        return next((n for n, i in peer.topics.items() if i == value), "some id")
    if key == "ProducerId" and value >= 0:
        return "an id"
    return value


def same(peers, api, version, **fields):
    """Asks both. A field that is a function is given the peer."""
    answers = []
    for peer in peers:
        filled = {k: v(peer) if callable(v) else v for k, v in fields.items()}
        answers.append(plain(peer.ask(api, version, filled), peer))
    assert answers[0] == answers[1], f"{api} v{version} {fields}: ours, Kafka's"
    return answers[0]


def all_versions(api, since=0):
    first, last = versions_of(api)
    return range(max(first, since), last + 1)


# ---- ApiVersions


def test_announced_ranges_are_kafkas(peers):
    ours, theirs = ({k["ApiKey"]: (k["MinVersion"], k["MaxVersion"])
                     for k in peer.ask("ApiVersions", 0, {})["ApiKeys"]} for peer in peers)
    served = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22,
              23, 32, 33, 34, 35, 37, 42, 44, 47, 60, 74, 75}
    assert set(ours) == served
    assert ours == {key: theirs[key] for key in served}


def test_announced_ranges_do_not_depend_on_the_version(peers):
    klamm = peers[0]
    client = {"ClientSoftwareName": "x", "ClientSoftwareVersion": "1"}
    first = klamm.ask("ApiVersions", 0, {})["ApiKeys"]
    for version in all_versions("ApiVersions"):
        answer = klamm.ask("ApiVersions", version, client if version >= 3 else {})
        assert answer["ApiKeys"] == first
        assert answer["ErrorCode"] == 0


@pytest.mark.parametrize("version", [6, 99, -1])
def test_unknown_version_of_api_versions(peers, version):
    answers = []
    for peer in peers:
        peer.wire.send(frame(18, version, 7, b"\x02a\x02b\0", True))
        answers.append(peer.wire.receive())
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name,software", [("", "1"), ("a", ""), ("a b", "1"), ("-a", "1"),
                                           ("a", "1-"), ("\u00e4", "1"), ("a/b", "1")])
def test_client_software_must_be_plain(peers, name, software):
    answer = same(peers, "ApiVersions", 3, ClientSoftwareName=name, ClientSoftwareVersion=software)
    assert answer["ErrorCode"] == 42


@pytest.mark.parametrize("cluster", ["right", "wrong", "", None])
@pytest.mark.parametrize("node", [1, 2, -1, -2])
def test_expected_address(peers, cluster, node):
    codes = []
    for peer in peers:
        answer = peer.ask("ApiVersions", 5, {
            "ClientSoftwareName": "x", "ClientSoftwareVersion": "1", "NodeId": node,
            "ClusterId": peer.cluster_id if cluster == "right" else cluster})
        codes.append(answer["ErrorCode"])
    assert codes[0] == codes[1]


# ---- Metadata


@pytest.mark.parametrize("version", all_versions("Metadata"))
def test_metadata_of_a_topic(peers, version):
    fields = {"Topics": [{"Name": "first"}, {"Name": "empty"}]}
    if version >= 8:
        fields["IncludeTopicAuthorizedOperations"] = True
    if 8 <= version <= 10:
        fields["IncludeClusterAuthorizedOperations"] = True
    assert len(same(peers, "Metadata", version, **fields)["Topics"]) == 2


@pytest.mark.parametrize("version", all_versions("Metadata"))
def test_metadata_of_nothing(peers, version):
    if version == 0:  # an empty list is all topics
        return
    assert same(peers, "Metadata", version, Topics=[])["Topics"] == []


@pytest.mark.parametrize("version", all_versions("Metadata", 4))
def test_metadata_of_what_is_not_there(peers, version):
    topics = [{"Name": n} for n in ("none", "none", "bad/name", "", ".", "x" * 250, "first",
                                    "first", "__consumer_offsets")]
    same(peers, "Metadata", version, Topics=topics, AllowAutoTopicCreation=False)


def test_metadata_by_id(peers):
    for version in all_versions("Metadata", 12):
        answer = same(peers, "Metadata", version, AllowAutoTopicCreation=False, Topics=lambda p: [
            {"TopicId": p.topics["first"], "Name": None}, {"TopicId": STRANGE_ID, "Name": None},
            {"TopicId": p.topics["empty"], "Name": "another"}])
        assert sorted(t["ErrorCode"] for t in answer["Topics"]) == [0, 0, 100]


@pytest.mark.parametrize("version", [10, 11])
def test_metadata_by_id_before_its_version(peers, version):
    for topic in ({"TopicId": STRANGE_ID, "Name": None}, {"Name": None},
                  {"TopicId": STRANGE_ID, "Name": "first"}):
        same(peers, "Metadata", version, Topics=[topic])


def test_metadata_of_all(peers):
    for version in all_versions("Metadata"):
        names = []
        for peer in peers:
            answer = peer.ask("Metadata", version, {"Topics": None if version else []})
            names.append({t["Name"] for t in answer["Topics"]})
        assert {"first", "empty"} <= names[0]
        assert names[0] == {n for n in names[1] if not n.startswith("__")}


def test_auto_creation_answers_with_the_topic(peers):
    """Kafka says UNKNOWN_TOPIC_OR_PARTITION at first; we wait until it is there."""
    klamm = peers[0]
    for version in (0, 4, 12):
        name = f"made-by-{version}"
        answer = klamm.ask("Metadata", version, {"Topics": [{"Name": name}, {"Name": name},
                                                            {"Name": "bad name"}]})
        rows = {t["Name"]: t for t in answer["Topics"]}
        assert len(answer["Topics"]) == 2
        assert rows["bad name"]["ErrorCode"] == 17
        assert rows[name]["ErrorCode"] == 0
        assert [p["LeaderId"] for p in rows[name]["Partitions"]] == [1]
        klamm.ask("DeleteTopics", 5, {"TopicNames": [name], "TimeoutMs": 30000})


def test_clients_are_told_the_address_they_came_by(peers):
    klamm = peers[0]
    answer = klamm.ask("Metadata", 12, {"Topics": []})
    host, port = klamm.bootstrap.split(":")
    assert [(b["Host"], b["Port"]) for b in answer["Brokers"]] == [(host, int(port))]
    answer = klamm.ask("DescribeCluster", 1, {})
    assert [(b["Host"], b["Port"]) for b in answer["Brokers"]] == [(host, int(port))]


# ---- ListOffsets


def offsets_of(partitions, topic="first"):
    return [{"Name": topic, "Partitions": [
        {"PartitionIndex": i, "Timestamp": at} for i, at in partitions]}]


@pytest.mark.parametrize("version", all_versions("ListOffsets"))
@pytest.mark.parametrize("at", [-1, -2, -3, -4, -5, -6, -7, -99, 0, T0, T0 + 10, T0 + 11, T0 + 20,
                                T0 + 25, T0 + 30, T0 + 31, 1 << 60, (1 << 63) - 1, -1 << 63])
def test_list_offsets(peers, version, at):
    for topic in ("first", "empty"):
        same(peers, "ListOffsets", version, ReplicaId=-1,
             Topics=offsets_of([(0, at), (1, at)], topic))


def test_list_offsets_of_what_is_not_there(peers):
    same(peers, "ListOffsets", 11, ReplicaId=-1, Topics=offsets_of([(0, -1)], "none"))
    same(peers, "ListOffsets", 11, ReplicaId=-1, Topics=offsets_of([(0, -1)], ""))
    same(peers, "ListOffsets", 11, ReplicaId=-1, Topics=offsets_of([(2, -1), (-1, -1), (1, -1)]))
    same(peers, "ListOffsets", 11, ReplicaId=-1, Topics=[])
    same(peers, "ListOffsets", 11, ReplicaId=-1, Topics=offsets_of([(2, 0), (-1, 0), (1, 0)]))


def test_list_offsets_replicas_and_isolation(peers):
    for fields in ({"ReplicaId": -2}, {"ReplicaId": -1, "IsolationLevel": 1}):
        same(peers, "ListOffsets", 11, Topics=offsets_of([(0, -1), (1, -1)]), **fields)


def test_list_offsets_leader_epochs(peers):
    for at in (-1, -2, T0):
        for epoch in (-1, 0, 1, 5):
            same(peers, "ListOffsets", 11, ReplicaId=-1, Topics=[{"Name": "first", "Partitions": [
                {"PartitionIndex": 0, "Timestamp": at, "CurrentLeaderEpoch": epoch}]}])


def test_list_offsets_refuses_doubles(peers):
    """Kafka answers a double once; we answer every row that was asked."""
    for at in (-1, T0):
        codes = []
        for peer in peers:
            answer = peer.ask("ListOffsets", 11, {
                "ReplicaId": -1, "Topics": offsets_of([(0, at), (1, at), (0, -2)])})
            codes.append({(p["PartitionIndex"], p["ErrorCode"])
                          for p in answer["Topics"][0]["Partitions"]})
        assert codes[0] == codes[1] == {(0, 42), (1, 0)}


# ---- OffsetForLeaderEpoch


@pytest.mark.parametrize("version", all_versions("OffsetForLeaderEpoch"))
def test_offset_for_leader_epoch(peers, version):
    partitions = [{"Partition": i, "LeaderEpoch": e, "CurrentLeaderEpoch": c}
                  for i in (0, 1, 2) for e in (-1, 0, 1, 9) for c in (-1, 0, 3)]
    replica = {"ReplicaId": -2} if version >= 3 else {}
    for topic in ("first", "empty", "none"):
        same(peers, "OffsetForLeaderEpoch", version,
             Topics=[{"Topic": topic, "Partitions": partitions}], **replica)


# ---- InitProducerId


@pytest.mark.parametrize("version", all_versions("InitProducerId"))
def test_init_producer_id(peers, version):
    for peer in peers:
        peer.settle()
    answer = same(peers, "InitProducerId", version, **NO_TRANSACTION)
    assert answer["ProducerId"] == "an id"
    same(peers, "InitProducerId", version, TransactionalId="", TransactionTimeoutMs=1000)
    if version >= 3:
        for producer, epoch in ((5, 3), (5, -1), (-1, 3), (0, 0), (-2, -2)):
            same(peers, "InitProducerId", version, ProducerId=producer, ProducerEpoch=epoch,
                 **NO_TRANSACTION)


def test_producer_ids_are_unique(peers):
    klamm = peers[0]
    with Wire(klamm.bootstrap) as second:
        ids = [w.ask("InitProducerId", 4, **NO_TRANSACTION)["ProducerId"]
               for _ in range(1100) for w in (klamm.wire, second)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


@pytest.mark.parametrize("version", all_versions("InitProducerId"))
def test_transactions_are_refused_for_good(peers, version):
    """Kafka serves them."""
    asked = [{}]
    if version >= 3:
        asked += [{"ProducerId": 5, "ProducerEpoch": 3}, {"ProducerId": -2, "ProducerEpoch": 0}]
    for more in asked:
        for timeout_ms in (1000, 0, -1, (1 << 31) - 1):
            answer = peers[0].ask("InitProducerId", version, {
                "TransactionalId": "t", "TransactionTimeoutMs": timeout_ms, **more})
            assert (answer["ErrorCode"], answer["ProducerId"], answer["ProducerEpoch"]) == \
                (53, -1, -1)


# ---- FindCoordinator


@pytest.mark.parametrize("version", all_versions("FindCoordinator"))
def test_find_coordinator(peers, version):
    """Of transactions, which are not served; of groups: test_groups_against_kafka.py."""
    def fields(key_type):
        where = {"CoordinatorKeys": ["k", "l"]} if version >= 4 else {"Key": "k"}
        return {**where, **({"KeyType": key_type} if version else {})}

    for key_type in (3, 9, -1) if version else ():
        same(peers, "FindCoordinator", version, **fields(key_type))
    if version == 0:
        return
    answer = peers[0].ask("FindCoordinator", version, fields(1))
    for row in answer["Coordinators"] if version >= 4 else [answer]:
        assert (row["ErrorCode"], row["NodeId"], row["Host"], row["Port"]) == (53, -1, "", -1)
        assert "not served" in row["ErrorMessage"]


# ---- DescribeCluster


@pytest.mark.parametrize("version", all_versions("DescribeCluster"))
def test_describe_cluster(peers, version):
    for operations in (False, True):
        same(peers, "DescribeCluster", version, IncludeClusterAuthorizedOperations=operations)
    if version >= 1:
        for endpoint in (0, 1, 2, 3):
            same(peers, "DescribeCluster", version, EndpointType=endpoint)
    if version >= 2:
        same(peers, "DescribeCluster", version, IncludeFencedBrokers=True)


# ---- CreateTopics, DeleteTopics


def topic(name, partitions=1, replicas=1, **more):
    return {"Name": name, "NumPartitions": partitions, "ReplicationFactor": replicas, **more}


def placed(name, *partitions, count=-1, replicas=-1):
    return topic(name, count, replicas, Assignments=[
        {"PartitionIndex": i, "BrokerIds": nodes} for i, nodes in partitions])


def without_configs(answer):
    for row in answer["Topics"]:
        row.pop("Configs", None)
    return answer


@pytest.mark.parametrize("version", all_versions("CreateTopics"))
def test_create_topics(peers, version):
    cases = [
        [topic(f"a{version}", -1, -1)], [topic(f"b{version}", 3)], [topic("first")],
        [topic("c", 0)], [topic("c", -2)], [topic("c", 1, 3)], [topic("c", 1, 0)],
        [topic("c", 1, -2)], [topic("bad/x")], [topic("")], [topic("..")], [topic("x" * 250)],
        [topic(f"d{version}"), topic(f"d{version}"), topic(f"e{version}")], [topic("un.der")],
        [topic("c", Configs=[{"Name": "nope", "Value": "x"}])],
        [topic("c", Configs=[{"Name": "retention.ms", "Value": None}])],
        [topic("c", Configs=[{"Name": "retention.ms", "Value": "x"}])],
        [topic("c", Configs=[{"Name": "cleanup.policy", "Value": "shred"}])],
        [placed(f"f{version}", (0, [1]), (1, [1]))], [placed("c", (1, [1]))],
        [placed("c", (0, [9]))], [placed("c", (0, [1]), count=1)], [placed("c", (0, []))],
        [placed("c", (0, [1]), replicas=1)], [placed("c", (0, [1, 1]))],
        [placed("c", (0, [1]), (0, [1]))], [],
    ]
    for topics in cases:
        if len(topics) == 1:
            same_but_configs(peers, version, topics, validateOnly=True)
            if topics[0]["Name"] != "first":
                nothing_is_there(peers, topics[0]["Name"])
        same_but_configs(peers, version, topics)
        if len(topics) == 1:
            same_but_configs(peers, version, topics, validateOnly=True)


def test_a_time_that_is_over_changes_nothing(peers):
    topics = [topic("late"), topic("bad/x")]
    for at in (0, -1):
        for version in all_versions("CreateTopics"):
            for validate in (False, True):
                answer = same(peers, "CreateTopics", version, Topics=topics, timeoutMs=at, validateOnly=validate)
                assert [row["ErrorCode"] for row in answer["Topics"]] == [7, 7]
        nothing_is_there(peers, "late")
        for version in all_versions("CreatePartitions"):
            same(peers, "CreatePartitions", version, TimeoutMs=at, Topics=[
                {"Name": "first", "Count": 30}, {"Name": "nope", "Count": 3}])
        assert len(same(peers, "Metadata", 12, Topics=[{"Name": "first"}])["Topics"][0]["Partitions"]) < 30
        for version in all_versions("DeleteTopics"):
            names = {"Topics": [{"Name": "first"}]} if version >= 6 else {"TopicNames": ["first"]}
            answer = same(peers, "DeleteTopics", version, TimeoutMs=at, **names)
            assert answer["Responses"][0]["ErrorCode"] == 7
    assert same(peers, "Metadata", 12, Topics=[{"Name": "first"}])["Topics"][0]["ErrorCode"] == 0


def nothing_is_there(peers, name):
    """After it was only validated."""
    answer = same(peers, "Metadata", 12, Topics=[{"Name": name}], AllowAutoTopicCreation=False)
    assert answer["Topics"][0]["ErrorCode"] in (3, 17) and answer["Topics"][0]["Partitions"] == []


def same_but_configs(peers, version, topics, **fields):
    """The effective configs are compared where both brokers have the same ones."""
    answers = []
    for peer in peers:
        answer = peer.ask("CreateTopics", version,
                          {"Topics": topics, "timeoutMs": 30000, **fields})
        answers.append(plain(without_configs(answer), peer))
    assert answers[0] == answers[1], f"v{version} {topics} {fields}: ours, Kafka's"


def test_create_topics_tells_the_configs_in_force(peers):
    answers = []
    for peer in peers:
        answer = peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            topic("told", Configs=[{"Name": "retention.ms", "Value": "5000"}])]})
        answers.append({c["Name"]: c for c in answer["Topics"][0]["Configs"]})
    compare_configs(*answers)


def test_a_topic_takes_records_at_once(peers):
    klamm = peers[0]
    for i in range(20):
        name = f"quick-{i}"
        klamm.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [topic(name, 4)]})
        answer = klamm.ask("ListOffsets", 11, {
            "ReplicaId": -1, "Topics": offsets_of([(p, -1) for p in range(4)], name)})
        assert [(p["ErrorCode"], p["Offset"]) for p in answer["Topics"][0]["Partitions"]] == \
            [(0, 0)] * 4
        klamm.ask("DeleteTopics", 5, {"TopicNames": [name], "TimeoutMs": 30000})


@pytest.mark.parametrize("version", all_versions("DeleteTopics"))
def test_delete_topics(peers, version):
    for peer in peers:
        peer.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            topic(n) for n in ("g", "h", "i")]})
        for name in ("g", "h", "i"):
            peer.learn(name)
    if version < 6:
        for names in (["g"], ["g", "none", "", "bad/x"], ["h", "i"], []):
            same(peers, "DeleteTopics", version, TopicNames=names, TimeoutMs=30000)
        return
    for topics in (
            [{"Name": "g"}, {"Name": "none"}, {"Name": None, "TopicId": STRANGE_ID},
             {"Name": None}, {"Name": "h", "TopicId": STRANGE_ID}], []):
        same(peers, "DeleteTopics", version, Topics=topics, TimeoutMs=30000)
    same(peers, "DeleteTopics", version, TimeoutMs=30000, Topics=lambda p: [
        {"Name": None, "TopicId": p.topics["i"]}, {"Name": "h"}])


def test_delete_topics_refuses_doubles(peers):
    """Kafka answers a double once; we answer every row that was asked."""
    for fields in ({"Topics": lambda p: [{"Name": None, "TopicId": p.topics["doomed"]},
                                         {"Name": "doomed"}]},
                   {"Topics": lambda p: [{"Name": "doomed"}, {"Name": "doomed"}]}):
        for peer in peers:
            filled = {k: v(peer) for k, v in fields.items()}
            answer = peer.ask("DeleteTopics", 6, {"TimeoutMs": 30000, **filled})
            assert {r["ErrorCode"] for r in answer["Responses"]} == {42}
    answer = same(peers, "Metadata", 12, Topics=[{"Name": "doomed"}])
    assert answer["Topics"][0]["ErrorCode"] == 0


# ---- DescribeConfigs, IncrementalAlterConfigs

TOPIC, BROKER = 2, 4
OURS = "klamm."  # keys that Kafka does not have
OTHER_DEFAULT = {"log.dir"}  # configs.table says why


def compare_configs(ours, theirs):
    """By name. What this Kafka was told by its configuration file or by its features has another
    source here."""
    assert {n for n in ours if not n.startswith(OURS)} == set(theirs)
    for name, row in theirs.items():
        if row["ConfigSource"] in (5, 1):
            assert ours[name] == row


def describe(peer, version, kind, name, keys=None, **fields):
    answer = peer.ask("DescribeConfigs", version, {"Resources": [
        {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}], **fields})
    assert len(answer["Results"]) == 1
    return answer["Results"][0]


@pytest.mark.parametrize("version", all_versions("DescribeConfigs"))
@pytest.mark.parametrize("synonyms", [False, True])
def test_describe_topic_configs(peers, version, synonyms):
    rows = []
    for peer in peers:
        result = describe(peer, version, TOPIC, "first", IncludeSynonyms=synonyms)
        assert result["ErrorCode"] == 0
        rows.append({c["Name"]: c for c in result["Configs"]})
    compare_configs(*rows)


@pytest.mark.parametrize("version", all_versions("DescribeConfigs"))
def test_describe_some_configs(peers, version):
    for keys in ([], ["retention.ms"], ["retention.ms", "retention.ms", "none", "segment.ms"],
                 ["none"], ["internal.segment.bytes"]):
        names = []
        for peer in peers:
            result = describe(peer, version, TOPIC, "first", keys)
            names.append(sorted(c["Name"] for c in result["Configs"]
                                if not c["Name"].startswith(OURS)))
        assert names[0] == names[1]


def test_describe_configs_tells_documentation_on_request(peers):
    klamm = peers[0]
    result = describe(klamm, 4, TOPIC, "first", ["retention.ms"], IncludeDocumentation=True)
    assert len(result["Configs"][0]["Documentation"]) > 10
    result = describe(klamm, 4, TOPIC, "first", ["retention.ms"])
    assert result["Configs"][0]["Documentation"] is None


def test_describe_broker_configs(peers):
    """The keys are Kafka's; so is what is told of each, where the table has the key's default."""
    rows = []
    for peer in peers:
        result = describe(peer, 4, BROKER, "1", IncludeSynonyms=True)
        rows.append({c["Name"]: c for c in result["Configs"]})
    ours, theirs = rows
    assert {n for n in ours if not n.startswith(OURS)} == set(theirs)
    for name, row in theirs.items():
        for field in ("ReadOnly", "IsSensitive", "ConfigType"):
            assert ours[name][field] == row[field], f"{name} {field}"
        is_default = row["ConfigSource"] == ours[name]["ConfigSource"] == 5
        assert not is_default or name in OTHER_DEFAULT or ours[name] == row


@pytest.mark.parametrize("kind,name", [
    (TOPIC, "none"), (TOPIC, "bad/x"), (TOPIC, ""), (BROKER, "2"), (BROKER, "x"), (0, "x"),
    (1, "x"), (99, "x"), (16, ""), (32, ""), (-1, "x")])
def test_describe_what_is_not_there(peers, kind, name):
    same(peers, "DescribeConfigs", 4, Resources=[
        {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": None}])


SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def alter(kind, name, *configs):
    return {"ResourceType": kind, "ResourceName": name, "Configs": [
        {"Name": n, "ConfigOperation": o, "Value": v} for n, o, v in configs]}


@pytest.mark.parametrize("version", all_versions("IncrementalAlterConfigs"))
def test_incremental_alter_configs(peers, version):
    first = [
        [("segment.ms", SET, "888")], [("segment.ms", SET, " 889 ")], [("segment.ms", SET, "x")],
        [("segment.ms", SET, None)], [("nope", SET, "x")], [("cleanup.policy", APPEND, "compact")],
        [("cleanup.policy", SUBTRACT, "delete"), ("segment.ms", DELETE, None)],
        [("segment.ms", APPEND, "1")], [("segment.ms", SET, "1"), ("segment.ms", SET, "2")], [],
        [("cleanup.policy", SET, "shred")], [("segment.ms", SET, "-1")], [("nope", DELETE, None)],
        [("cleanup.policy", DELETE, None)],
    ]
    for configs in first:
        for only in (True, False):
            same(peers, "IncrementalAlterConfigs", version, ValidateOnly=only,
                 Resources=[alter(TOPIC, "first", *configs)])
        ours, theirs = peers
        told = set_on(ours)
        until(lambda: set_on(theirs) == told, lambda: (told, set_on(theirs)))


def set_on(peer):
    """What is set on the topic itself. Kafka's broker may know it later than its controller."""
    result = describe(peer, 4, TOPIC, "first", IncludeSynonyms=True)
    return [c for c in sorted(result["Configs"], key=lambda c: c["Name"])
            if c["ConfigSource"] == 1]


def test_incremental_alter_configs_of_several(peers):
    good = alter(TOPIC, "empty", ("segment.ms", SET, "5000"))
    for resources in ([good, good], [good, alter(99, "x", ("a", SET, "b"))],
                      [alter(TOPIC, "none", ("segment.ms", SET, "1"))],
                      [alter(TOPIC, "", ("segment.ms", SET, "1"))],
                      [alter(TOPIC, "bad/x", ("segment.ms", SET, "1"))],
                      [alter(1, "x", ("a", SET, "b"))], [alter(BROKER, "x", ("a", SET, "b"))], []):
        same(peers, "IncrementalAlterConfigs", 1, Resources=resources)


# ---- what is refused


@pytest.mark.parametrize("api", sorted(APIS))
def test_versions_that_are_not_served_close_the_connection(peers, api):
    klamm = peers[0]
    keys = {k["ApiKey"] for k in klamm.ask("ApiVersions", 0, {})["ApiKeys"]}
    if api == "ApiVersions":
        return
    first, last = versions_of(api)
    for version in ([first - 1, last + 1] if APIS[api].key in keys else [first, last]):
        with Wire(klamm.bootstrap) as wire:
            wire.send(frame(APIS[api].key, version, 1, b"\0" * 16, False))
            with pytest.raises(Closed):
                wire.receive()
