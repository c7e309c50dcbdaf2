# SPDX-License-Identifier: Apache-2.0
"""`klamm group` with good and bad arguments. Groups are made by confluent-kafka and kcat, those
that no client makes by bare requests, and coordinators that are away by a broker that is none."""

import contextlib
import json
import subprocess
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from conftest import Cli
from fake_broker import FakeBroker
from wire import Wire

LIMIT_S = 60
LATER = LOAD_IN_PROGRESS, NOT_AVAILABLE, NOT_COORDINATOR = 14, 15, 16


@pytest.fixture
def group(request):
    """The name of a group that only this test uses."""
    return "group-" + request.node.name


@contextlib.contextmanager
def member(broker, group, *topics, **settings):
    """A consumer that has its partitions."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group,
                         "client.id": "a client", "enable.auto.commit": False, **settings})
    consumer.subscribe(list(topics))
    end = time.monotonic() + LIMIT_S
    try:
        while not consumer.assignment():
            assert time.monotonic() < end, "no partitions were assigned"
            consumer.poll(0.1)
        yield consumer
    finally:
        consumer.close()


def commit(broker, group, *offsets):
    """By a consumer that is in no group: the group is empty afterwards."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(*o) for o in offsets], asynchronous=False)
    consumer.close()


def fill(cli, topic, *counts):
    for partition, count in enumerate(counts):
        cli.good("produce", topic, "--partition", partition, stdin="x\n" * count)


def described(cli, *words):
    return json.loads(cli.good("group", "describe", "--json", *words).out)


def committed(cli, group):
    one, = described(cli, "--lag", "--", group)
    return {(row["topic"], row["partition"]): row["committed_offset"] for row in one["offsets"]}


# -- words ---------------------------------------------------------------

@pytest.mark.parametrize("words", [
    ["group", "--help"], ["group", "list", "-h"], ["group", "describe", "--help"],
    ["group", "why", "--help"], ["group", "delete", "--help"], ["group", "reset", "--help"], ["group", "offsets", "--help"],
    ["group", "offsets", "delete", "--help"]])
def test_help(cli, words):
    done = cli.good(*words)
    assert done.out.startswith("usage: klamm group ")
    assert all(len(line) <= 100 for line in done.lines)


def test_the_command_is_in_the_help(cli):
    assert any(line.split()[:1] == ["group"] for line in cli.good("--help").lines)


@pytest.mark.parametrize("words,told", [
    (["frob"], 'no command "frob"'),
    (["offsets", "frob"], 'no command "frob"'),
    (["list", "x"], '"x" is one word too many'),
    (["list", "--state", "Fine"], 'no state "Fine"'),
    (["list", "--state", "Empty,"], 'no state ""'),
    (["list", "--state", ""], 'no state ""'),
    (["describe", "--nonsense"], 'no option "--nonsense"'),
    (["describe", "x", "--lag=1"], "--lag takes no value"),
    (["why"], "name of a group is missing"),
    (["why", "a", "b"], '"b" is one word too many'),
    (["delete"], "name of a group is missing"),
    (["reset"], "name of a group is missing"),
    (["reset", "a", "b"], '"b" is one word too many'),
    (["reset", "a", "--to", "end"], "--topic is missing"),
    (["reset", "a", "--topic", "t"], "--to is missing"),
    (["reset", "a", "--topic", "t", "--to", "there"], '"there"'),
    (["reset", "a", "--topic", "t", "--to", "-1"], '"-1"'),
    (["reset", "a", "--topic", "t", "--to", "2026-02-29"], '"2026-02-29"'),
    (["reset", "a", "--topic", "t:", "--to", "end"], '"t:"'),
    (["reset", "a", "--topic", ":1", "--to", "end"], '":1"'),
    (["reset", "a", "--topic", "t:1,x", "--to", "end"], '"t:1,x"'),
    (["offsets", "delete"], "name of a group is missing"),
    (["offsets", "delete", "a"], "--topic is missing"),
    (["offsets", "delete", "a", "--topic", "t:-1"], '"t:-1"'),
])
def test_wrong_words(cli, words, told):
    line = cli.failing("group", *words, code=2)
    assert told in line and "--help" in line


@pytest.mark.parametrize("words", [["group"], ["group", "offsets"]])
def test_a_command_is_missing(cli, words):
    done = cli(*words)
    assert done.code == 2 and "usage" in done.err and done.out == ""


# -- list ----------------------------------------------------------------

def test_list(cli, broker, topic, group):
    commit(broker, group + "-empty", (topic, 0, 0))
    with member(broker, group, topic):
        rows = {line.split()[0]: line.split()[1:] for line in cli.good("group", "list").lines}
        assert rows["group"] == ["state", "protocol"]
        assert rows[group] == ["Stable", "consumer"]
        assert rows[group + "-empty"][0] == "Empty"

        def listed(*words):
            groups = json.loads(cli.good("group", "list", "--json", *words).out)
            assert [g["name"] for g in groups] == sorted(g["name"] for g in groups)
            return {g["name"]: g for g in groups}
        everything = listed()
        assert everything[group] == {"name": group, "state": "Stable", "type": "classic",
                                     "protocol_type": "consumer", "coordinator": 1}
        stable, empty = listed("--state", "stable"), listed("--state", "EMPTY,Empty")
        assert group in stable and group + "-empty" not in stable
        assert group not in empty and group + "-empty" in empty
        assert set(listed("--state", "Stable,Empty")) == set(everything)
        assert listed("--state", "Dead") == {}
        assert cli.good("group", "list", "--state", "Dead").out == ""


def test_a_fresh_broker_has_no_groups(binary, tmp_path):
    from klamm import KlammServer
    with KlammServer(binary, directory=tmp_path / "b") as own:
        cli = Cli(binary, own.bootstrap)
        assert cli.good("group", "list").out == ""
        assert cli.good("group", "describe").out == ""
        assert json.loads(cli.good("group", "describe", "--json").out) == []
        assert cli.good("topic", "list").out == ""


# -- describe ------------------------------------------------------------

def test_describe_a_group_with_a_member(cli, broker, topic, group):
    fill(cli, topic, 10, 20, 0)
    with member(broker, group, topic, **{"group.instance.id": "one"}) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, 0, 4),
                                 TopicPartition(topic, 1, 20)], asynchronous=False)
        one, = described(cli, group)
        assert (one["name"], one["state"], one["coordinator"]) == (group, "Stable", 1)
        assert (one["protocol_type"], one["protocol"]) == ("consumer", "range")
        has, = one["members"]
        assert has["client_id"] == "a client" and has["instance"] == "one"
        assert "127.0.0.1" in has["host"] and has["member"].startswith("one-")
        assert has["assignment"] == [{"topic": topic, "partitions": [0, 1, 2]}]
        rows = one["offsets"]
        assert [(r["partition"], r["committed_offset"], r["end_offset"], r["lag"], r["metadata"])
                for r in rows] == [(0, 4, 10, 6, ""), (1, 20, 20, 0, ""),
                                   (2, None, 0, None, None)]
        assert {r["member"] for r in rows} == {has["member"]}
        assert {r["problem"] for r in rows} == {None}
        assert (one["total_lag"], one["lags_unknown"]) == (6, 1)

        text = cli.good("group", "describe", group).lines
        assert text[0] == f"{group}  state Stable  coordinator 1  protocol consumer/range  members 1"
        assert text[1].split() == ["member", "client", "host", "instance", "partitions"]
        assert text[2].endswith(f" one       {topic}:0,1,2")
        assert text[3].split()[:7] == ["topic", "partition", "committed", "end", "lag", "epoch",
                                       "member"]
        assert [line.split()[:5] for line in text[4:7]] == [
            [topic, "0", "4", "10", "6"], [topic, "1", "20", "20", "0"],
            [topic, "2", "-", "0", "-"]]
        assert text[7] == "  total lag 6, 3 partitions; of 1 the lag is not known"
        assert len(text) == 8
        assert cli.good("group", "describe", group, "--lag").lines == [text[0], *text[3:]]
        assert cli.good("group", "describe", "--members", group).lines == text[:3]
        assert cli.good("group", "describe", "--members", "--lag", group).lines == text
        lag, = described(cli, group, "--lag")
        assert "members" not in lag and lag["offsets"] == rows
        members, = described(cli, group, "--members")
        assert "offsets" not in members and members["members"] == one["members"]


def test_kcats_group(cli, broker, topic, group):
    fill(cli, topic, 3, 0, 5)
    subprocess.run(["kcat", "-b", broker.bootstrap, "-G", group, "-e", "-c", "8", "-q",
                    "-X", "auto.offset.reset=earliest", topic], check=True, timeout=LIMIT_S,
                   stdout=subprocess.DEVNULL)
    one, = described(cli, group)
    assert one["state"] == "Empty" and one["members"] == []
    assert {(r["partition"], r["lag"]) for r in one["offsets"]} >= {(0, 0), (2, 0)}
    assert one["total_lag"] == 0


def test_several_groups_in_their_order(cli, broker, topic):
    names = [f"ordered-{i}" for i in range(130)]
    for name in names:
        commit_once(broker, name, topic)
    assert [g["name"] for g in described(cli, *reversed(names))] == names[::-1]
    assert [g["name"] for g in described(cli, *names, *names)] == names
    everything = [g["name"] for g in described(cli)]
    assert everything == sorted(everything) and set(names) <= set(everything)
    done = cli("group", "describe", names[0], "nothere", names[1], "--json")
    assert done.code == 1 and 'group "nothere": GROUP_ID_NOT_FOUND' in done.line
    assert [g["name"] for g in json.loads(done.out)] == names[:2]
    assert cli.good("group", "delete", *names).lines == [f"deleted group {n}" for n in names]


def commit_once(broker, group, topic, **fields):
    with Wire(broker.bootstrap) as wire:
        wire.ask("FindCoordinator", 0, Key=group)
        answer = wire.ask("OffsetCommit", 7, GroupId=group, GenerationIdOrMemberEpoch=-1, Topics=[
            {"Name": topic, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 0,
                                            "CommittedMetadata": "", **fields}]}])
    assert answer["Topics"][0]["Partitions"][0]["ErrorCode"] == 0


def test_epoch_and_metadata(cli, broker, topic, group):
    commit_once(broker, group, topic, CommittedLeaderEpoch=0, CommittedMetadata="n\u00f6te \x1b")
    row, = described(cli, group)[0]["offsets"]
    assert (row["leader_epoch"], row["metadata"]) == (0, "n\u00f6te \x1b")
    assert cli.good("group", "describe", "--lag", group).lines[2].split() == [
        topic, "0", "0", "0", "0", "0", "-", "n\u00f6te", "?"]


def test_offsets_beyond_the_end_and_of_topics_that_are_gone(cli, broker, topic, group):
    cli.good("topic", "create", topic + "-gone", "--partitions", 2)
    fill(cli, topic, 5)
    commit(broker, group, (topic, 0, 9), (topic + "-gone", 1, 0))
    cli.good("topic", "delete", topic + "-gone", "--yes")
    one, = described(cli, group)
    assert [(r["topic"], r["partition"], r["committed_offset"], r["end_offset"], r["lag"],
             r["problem"]) for r in one["offsets"]] == [
        (topic, 0, 9, 5, None, "committed beyond the end")]
    assert (one["total_lag"], one["lags_unknown"]) == (0, 1)


def join(wire, group, protocol_type, assignment):
    """A lone member whose assignment are these bytes."""
    end = time.monotonic() + LIMIT_S
    joined = {"ErrorCode": LOAD_IN_PROGRESS}
    while joined["ErrorCode"] in LATER and time.monotonic() < end:
        wire.ask("FindCoordinator", 0, Key=group)
        joined = wire.ask("JoinGroup", 3, GroupId=group, SessionTimeoutMs=30000,
                          RebalanceTimeoutMs=30000, ProtocolType=protocol_type,
                          Protocols=[{"Name": "p", "Metadata": b"\0\0\0\0\0\0"}])
    assert joined["ErrorCode"] == 0
    synced = wire.ask("SyncGroup", 2, GroupId=group, GenerationId=joined["GenerationId"],
                      MemberId=joined["MemberId"], Assignments=[
                          {"MemberId": joined["MemberId"], "Assignment": assignment}])
    assert synced["ErrorCode"] == 0


@pytest.mark.parametrize("protocol_type,assignment", [
    ("consumer", b"\xff"), ("consumer", b"\0\1\x7f\xff\xff\xff"), ("connect", b"\0\1\0\0\0\0")])
def test_foreign_assignments(cli, broker, protocol_type, assignment):
    group = f"foreign-{protocol_type}-{len(assignment)}"
    with Wire(broker.bootstrap) as wire:
        join(wire, group, protocol_type, assignment)
        one, = described(cli, group)
        assert one["state"] == "Stable" and one["protocol_type"] == protocol_type
        has, = one["members"]
        assert has["assignment"] is None and has["assignment_bytes"] == len(assignment)
        assert one["offsets"] == []
        text = cli.good("group", "describe", group).lines
        assert text[2].endswith(f"({len(assignment)} bytes that cannot be read)")
        assert text[3] == "  total lag 0, 0 partitions"


def test_an_assignment_names_what_is_not_there(cli, broker):
    with Wire(broker.bootstrap) as wire:
        join(wire, "foreign-names", "consumer",
             b"\0\3\0\0\0\2\0\1a\0\0\0\1\0\0\0\7\0\3\x1b b\0\0\0\1\0\0\0\0\xff\xff\xff\xff")
        one, = described(cli, "foreign-names")
        assert [(r["topic"], r["partition"]) for r in one["offsets"]] == [("\x1b b", 0), ("a", 7)]
        assert all(r["problem"] for r in one["offsets"])
        text = cli.good("group", "describe", "foreign-names").out
        assert "\x1b" not in text and "a:7 ? b:0" in text


# -- delete --------------------------------------------------------------

def test_delete(cli, broker, topic, group):
    commit(broker, group + "-a", (topic, 0, 0))
    commit(broker, group + "-b", (topic, 0, 0))
    with member(broker, group, topic):
        done = cli("group", "delete", group + "-a", group, "nothere", group + "-b", group + "-a")
        assert done.code == 1
        assert sorted(done.lines) == [f"deleted group {group}-a", f"deleted group {group}-b"]
        assert sorted(done.err.splitlines()) == [
            f'klamm: group "{group}": NON_EMPTY_GROUP: the group still has members',
            'klamm: group "nothere": GROUP_ID_NOT_FOUND: there is no such group']
    assert cli.good("group", "delete", group).out == f"deleted group {group}\n"
    assert "GROUP_ID_NOT_FOUND" in cli.failing("group", "describe", group)


def test_delete_tells_json(cli, broker, topic, group):
    commit(broker, group, (topic, 0, 0))
    done = cli("group", "delete", group, "nothere", "--json")
    assert done.code == 1 and 'group "nothere": GROUP_ID_NOT_FOUND' in done.line
    assert json.loads(done.out) == [{"name": group}]


# -- reset ---------------------------------------------------------------

def test_reset(cli, broker, topic, group):
    fill(cli, topic, 10, 20, 30)
    text = cli.good("group", "reset", group, "--topic", topic, "--to", "end", "--dry-run").lines
    assert text[0].split() == ["topic", "partition", "from", "to"]
    assert [line.split() for line in text[1:4]] == [
        [topic, "0", "-", "10"], [topic, "1", "-", "20"], [topic, "2", "-", "30"]]
    assert text[4:] == ["dry run: nothing was changed; the group is not there yet"]
    assert "GROUP_ID_NOT_FOUND" in cli.failing("group", "describe", group)

    assert cli.good("group", "reset", group, "--topic", topic, "--to", "end").lines == text[:4]
    assert committed(cli, group) == {(topic, 0): 10, (topic, 1): 20, (topic, 2): 30}
    cli.good("group", "reset", group, "--topic", f"{topic}:2,0", "--topic", f"{topic}:0",
             "--to", "beginning")
    assert committed(cli, group) == {(topic, 0): 0, (topic, 1): 20, (topic, 2): 0}
    done = json.loads(cli.good("group", "reset", group, "--topic", topic, "--to", 7, "--json").out)
    assert done == {"group": group, "is_new": False, "dry_run": False, "offsets": [
        {"topic": topic, "partition": p, "from": old, "to": 7} for p, old in enumerate([0, 20, 0])]}
    done = json.loads(cli.good("group", "reset", group, "--topic", topic, "--to", "end", "--json",
                               "--dry-run").out)
    assert done["dry_run"] is True and [o["to"] for o in done["offsets"]] == [10, 20, 30]
    assert set(committed(cli, group).values()) == {7}


def test_a_consumer_begins_where_it_was_reset(cli, broker, topic, group):
    cli.good("produce", topic, "--partition", 0, stdin="a\nb\nc\n")
    cli.good("group", "reset", group, "--topic", topic, "--to", "beginning")
    cli.good("group", "reset", group, "--topic", f"{topic}:0", "--to", 2)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    consumer.subscribe([topic])
    message = consumer.poll(LIMIT_S)
    assert (message.value(), message.offset()) == (b"c", 2)
    consumer.close()


def test_reset_to_a_time(cli, topic, group):
    fill(cli, topic, 5)
    stamps = [int(line) for line in
              cli.good("consume", topic, "--until-end", "--format", "%T").lines]

    def goal(to):
        done = json.loads(cli.good("group", "reset", group, "--topic", f"{topic}:0,1", "--to", to,
                                   "--dry-run", "--json").out)
        return [o["to"] for o in done["offsets"]]
    assert goal("@0") == goal("1970-01-01") == [0, 0]
    assert goal(f"@{stamps[0]}") == [0, 0]
    assert goal(f"@{stamps[-1] + 1}") == goal("2200-01-01T00:00:00.5Z") == [5, 0]
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamps[-1] // 1000 + 1))
    assert goal(end) == goal(end + "Z") == [5, 0]


def test_reset_changes_nothing_when_something_is_wrong(cli, broker, topic, group):
    fill(cli, topic, 10)
    commit(broker, group, (topic, 0, 3))
    with_all = ["group", "reset", group, "--topic", topic]
    line = cli.failing(*with_all, "--topic", "nothere", "--to", "end")
    assert 'topic "nothere": UNKNOWN_TOPIC_OR_PARTITION' in line
    assert "there is no partition 3" in cli.failing("group", "reset", group, "--topic",
                                                    f"{topic}:0,3", "--to", "end")
    done = cli(*with_all, "--to", 4)
    assert done.code == 1 and done.out == ""
    assert done.err.splitlines() == [
        f'klamm: partition {p} of topic "{topic}" has offsets 0 to 0: there is no 4' for p in (1, 2)]
    assert committed(cli, group) == {(topic, 0): 3}
    with member(broker, group, topic):
        line = cli.failing(*with_all, "--to", "end")
        assert line == f'klamm: group "{group}" is not empty: stop its members first'
        assert "is not empty" in cli.failing(*with_all, "--to", "end", "--dry-run")
    assert committed(cli, group) == {(topic, 0): 3}


# -- offsets delete ------------------------------------------------------

def test_offsets_delete(cli, broker, topic, group):
    cli.good("topic", "create", topic + "-2")
    fill(cli, topic, 5, 5, 5)
    commit(broker, group, (topic, 0, 1), (topic, 1, 2), (topic, 2, 3), (topic + "-2", 0, 0))
    delete = ["group", "offsets", "delete", group, "--topic"]
    done = cli(*delete, f"{topic}:1,7,1")
    assert done.code == 1
    assert done.lines == [f"deleted offset 2 of partition 1 of topic {topic}"]
    assert done.line == f'klamm: group "{group}" has no offset of partition 7 of topic "{topic}"'
    assert committed(cli, group) == {(topic, 0): 1, (topic, 2): 3, (topic + "-2", 0): 0}
    with member(broker, group, topic):
        done = cli(*delete, topic, "--topic", topic + "-2")
        assert done.code == 1
        assert done.lines == [f"deleted offset 0 of partition 0 of topic {topic}-2"]
        assert done.err.count("GROUP_SUBSCRIBED_TO_TOPIC") == 2
    assert json.loads(cli.good(*delete, topic, "--json").out) == {"group": group, "offsets": [
        {"topic": topic, "partition": 0, "offset": 1},
        {"topic": topic, "partition": 2, "offset": 3}]}
    done = cli(*delete, topic, "--json")
    assert done.code == 1 and "has no offsets of topic" in done.line
    assert json.loads(done.out) == {"group": group, "offsets": []}
    assert "has no offsets of topic" in cli.failing("group", "offsets", "delete", "nothere",
                                                    "--topic", topic)


# -- names ---------------------------------------------------------------

@pytest.mark.parametrize("name,shown", [
    ("two words", None), ("-dash", None), ("ä€𝄞", None), ("a\tb\nc\x1b[2J", "a?b?c?[2J"),
    ('"quoted"\\', None), ("%s%n", None), ("x" * 3000, None), ("", '""'), (".", None)],
    ids=range(9))
def test_odd_names(cli, topic, name, shown):
    shown = shown or name
    cli.good("group", "reset", "--topic", topic, "--to", "end", "--", name)
    assert name in {g["name"] for g in json.loads(cli.good("group", "list", "--json").out)}
    rows = cli.good("group", "list").lines
    assert len([row for row in rows if row.startswith(shown + "  ")]) == 1
    assert described(cli, "--", name)[0]["name"] == name
    assert cli.good("group", "describe", "--", name).lines[0].startswith(shown + "  state Empty")
    assert cli.good("group", "delete", "--", name).out == f"deleted group {shown}\n"
    line = cli.failing("group", "delete", "--", name)
    assert "GROUP_ID_NOT_FOUND" in line and "\x1b" not in line


def test_the_broker_refuses_the_empty_name_here(cli, topic):
    """Kafka takes offsets of the empty name, for old consumers; OffsetDelete it refuses."""
    cli.good("group", "reset", "", "--topic", topic, "--to", "end")
    line = cli.failing("group", "offsets", "delete", "", "--topic", topic)
    assert line.startswith('klamm: INVALID_GROUP_ID: ')
    cli.good("group", "delete", "")


# -- coordinators that are away ------------------------------------------

def coordinator(fake, **fields):
    return {"NodeId": 7, "Host": "127.0.0.1", "Port": fake["port"], **fields}


def deleted(*codes):
    return {"Results": [{"GroupId": f"g{i}", "ErrorCode": code} for i, code in enumerate(codes)]}


def test_a_coordinator_is_looked_for_until_it_answers(binary):
    at = {}
    with FakeBroker({"FindCoordinator": (0, 2), "DeleteGroups": (0, 1)}, {
            "FindCoordinator": [{"ErrorCode": NOT_AVAILABLE, "NodeId": -1, "Host": "", "Port": -1},
                                {"ErrorCode": LOAD_IN_PROGRESS, "NodeId": -1},
                                lambda _: coordinator(at)],
            "DeleteGroups": [deleted(NOT_COORDINATOR), deleted(LOAD_IN_PROGRESS),
                             deleted(0)]}) as fake:
        at["port"] = fake.port
        done = Cli(binary, fake.bootstrap).good("group", "delete", "g0")
        assert done.out == "deleted group g0\n"
        assert [name for name, _ in fake.asked] == ["FindCoordinator"] * 3 + [
            "DeleteGroups", "FindCoordinator"] * 2 + ["DeleteGroups"]


def test_only_who_has_no_answer_is_asked_again(binary):
    at = {}

    def find(request):
        return {"Coordinators": [coordinator(at, Key=key) for key in request["CoordinatorKeys"]]}
    with FakeBroker({"FindCoordinator": (4, 5), "DeleteGroups": (2, 3)}, {
            "FindCoordinator": [find],
            "DeleteGroups": [deleted(0, NOT_COORDINATOR, 68),
                             {"Results": [{"GroupId": "g1", "ErrorCode": 0}]}]}) as fake:
        at["port"] = fake.port
        done = Cli(binary, fake.bootstrap)("group", "delete", "g0", "g1", "g2", "g3")
        assert done.code == 1
        assert done.lines == ["deleted group g0", "deleted group g1"]
        assert [line.split(":")[1] for line in done.err.splitlines()] == [' group "g2"',
                                                                          ' group "g3"']
        assert [request.get("CoordinatorKeys") or request["GroupsNames"]
                for _, request in fake.asked] == [["g0", "g1", "g2", "g3"]] * 2 + [["g1"]] * 2


def test_refusals_of_a_coordinator_are_final(binary):
    with FakeBroker({"FindCoordinator": (4, 5), "DeleteGroups": (2, 3)}, {
            "FindCoordinator": [{"Coordinators": [
                {"Key": "g0", "NodeId": -1, "Host": "", "Port": -1, "ErrorCode": 30,
                 "ErrorMessage": "not for you"}]}]}) as fake:
        line = Cli(binary, fake.bootstrap).failing("group", "delete", "g0")
        assert line == 'klamm: group "g0": GROUP_AUTHORIZATION_FAILED: not for you'
        assert len(fake.asked) == 1


def test_old_answers_of_describe(binary):
    at = {}

    def group(name, state, **fields):
        return {"GroupId": name, "GroupState": state, "ProtocolType": "", "ProtocolData": "",
                "Members": [], **fields}
    has = {"MemberId": "m", "ClientId": "c", "ClientHost": "h", "MemberMetadata": b"",
           "MemberAssignment": b"\0\0\0\0\0\1\0\1t\0\0\0\1\0\0\0\5"}
    with FakeBroker({"FindCoordinator": (0, 0), "DescribeGroups": (0, 0)}, {
            "FindCoordinator": [lambda _: coordinator(at)],
            "DescribeGroups": [{"Groups": [
                group("gone", "Dead"),
                group("here", "Stable", ProtocolType="consumer", Members=[has])]}]}) as fake:
        at["port"] = fake.port
        done = Cli(binary, fake.bootstrap)("group", "describe", "here", "gone", "--members")
        assert done.code == 1
        assert "GROUP_ID_NOT_FOUND" in done.line and '"gone"' in done.line
        assert [line.split() for line in done.lines[2:]] == [["m", "c", "h", "-", "t:5"]]


def test_what_cannot_be_read_is_shown(binary):
    at = {}

    def row(partition, offset, **fields):
        return {"PartitionIndex": partition, "CommittedOffset": offset, "CommittedLeaderEpoch": 3,
                "Metadata": "m", "ErrorCode": 0, **fields}

    def partition(number, leader):
        return {"ErrorCode": 0, "PartitionIndex": number, "LeaderId": leader, "LeaderEpoch": 3,
                "ReplicaNodes": [7], "IsrNodes": [7], "OfflineReplicas": []}
    with FakeBroker({"FindCoordinator": (4, 4), "DescribeGroups": (0, 6), "OffsetFetch": (1, 10),
                     "Metadata": (0, 9), "ListOffsets": (1, 7)}, {
            "FindCoordinator": [lambda _: {"Coordinators": [coordinator(at, Key="g")]}],
            "DescribeGroups": [{"Groups": [{"GroupId": "g", "GroupState": "Empty",
                                            "ProtocolType": "", "ProtocolData": ""}]}],
            "OffsetFetch": [{"Groups": [{"GroupId": "g", "Topics": [
                {"Name": "t", "Partitions": [row(2, 5), row(1, 1), row(0, 4), row(3, 0),
                                             row(4, -1, ErrorCode=3)]},
                {"Name": "forbidden", "Partitions": [row(0, 1)]},
                {"Name": "gone", "Partitions": [row(0, 1)]}]}]}],
            "Metadata": [lambda _: {
                "Brokers": [{"NodeId": 7, "Host": "127.0.0.1", "Port": at["port"]}],
                "Topics": [{"ErrorCode": 3, "Name": "gone"}, {"ErrorCode": 29, "Name": "forbidden"},
                           {"ErrorCode": 0, "Name": "t", "Partitions": [
                               partition(0, 7), partition(1, -1), partition(2, 7),
                               partition(4, 7)]}]}],
            "ListOffsets": [{"Topics": [{"Name": "t", "Partitions": [
                {"PartitionIndex": 0, "ErrorCode": 0, "Offset": 10},
                {"PartitionIndex": 2, "ErrorCode": 6},
                {"PartitionIndex": 4, "ErrorCode": 0, "Offset": 2}]}]}]}) as fake:
        at["port"] = fake.port
        one, = described(Cli(binary, fake.bootstrap), "g")
    assert [(r["topic"], r["partition"], r["committed_offset"], r["lag"], r["problem"])
            for r in one["offsets"]] == [
        ("forbidden", 0, 1, None, "TOPIC_AUTHORIZATION_FAILED"),
        ("gone", 0, 1, None, "no such topic"),
        ("t", 0, 4, 6, None),
        ("t", 1, 1, None, "no leader"),
        ("t", 2, 5, None, "its leader does not tell its end"),
        ("t", 3, 0, None, "no such partition"),
        ("t", 4, None, None, "UNKNOWN_TOPIC_OR_PARTITION")]
    assert (one["total_lag"], one["lags_unknown"]) == (6, 6)
    assert {r["leader_epoch"] for r in one["offsets"]} == {3}


def test_a_member_joins_while_offsets_are_reset(binary):
    """The broker refuses the commit then."""
    at = {}
    partition = {"ErrorCode": 0, "PartitionIndex": 0, "LeaderId": 7, "LeaderEpoch": 0,
                 "ReplicaNodes": [7], "IsrNodes": [7]}
    with FakeBroker({"FindCoordinator": (0, 0), "DescribeGroups": (0, 0), "OffsetFetch": (8, 8),
                     "Metadata": (4, 4), "ListOffsets": (1, 1), "OffsetCommit": (2, 10)}, {
            "FindCoordinator": [lambda _: coordinator(at)],
            "DescribeGroups": [{"Groups": [{"GroupId": "g", "GroupState": "Empty"}]}],
            "OffsetFetch": [{"Groups": [{"GroupId": "g", "Topics": []}]}],
            "Metadata": [lambda _: {
                "Brokers": [{"NodeId": 7, "Host": "127.0.0.1", "Port": at["port"]}],
                "Topics": [{"ErrorCode": 0, "Name": "t", "Partitions": [partition]}]}],
            "ListOffsets": [{"Topics": [{"Name": "t", "Partitions": [
                {"PartitionIndex": 0, "ErrorCode": 0, "Offset": 3}]}]}],
            "OffsetCommit": [
                {"Topics": [{"Name": "t", "Partitions": [
                    {"PartitionIndex": 0, "ErrorCode": code}]}]} for code in (
                        LOAD_IN_PROGRESS, 25)]}) as fake:
        at["port"] = fake.port
        done = Cli(binary, fake.bootstrap)("group", "reset", "g", "--topic", "t", "--to", 3)
    assert done.code == 1 and done.out == ""
    assert done.line == 'klamm: group "g" is not empty: stop its members first'
    commits = [request for name, request in fake.asked if name == "OffsetCommit"]
    assert len(commits) == 2
    assert commits[1]["GenerationIdOrMemberEpoch"] == -1 and commits[1]["MemberId"] == ""


def test_no_broker(binary):
    nobody = Cli(binary, "127.0.0.1:1")
    for words in (["list"], ["describe", "g"], ["delete", "g"],
                  ["reset", "g", "--topic", "t", "--to", "end"],
                  ["offsets", "delete", "g", "--topic", "t"]):
        assert "no broker at 127.0.0.1:1" in nobody.failing("group", *words)
