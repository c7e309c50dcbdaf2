# SPDX-License-Identifier: Apache-2.0
"""`klamm group why`: members of a client library, one of which stands still, bare requests for what no
client does at a certain moment, and a broker that is none for answers that a real one gives seldom."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT, Cli
from fake_broker import FakeBroker
from klamm import KlammServer
from wire import Wire

LIMIT_S = 60
LOAD_IN_PROGRESS, NOT_AVAILABLE, NOT_COORDINATOR = PASSING = 14, 15, 16
FIND = {"FindCoordinator": (0, 3)}


def until(look, claim):
    """The first of what `look` returns that the claim is true of."""
    end = time.monotonic() + LIMIT_S
    while True:
        seen = look()
        if claim(seen):
            return seen
        assert time.monotonic() < end, seen
        time.sleep(0.05)


@pytest.fixture
def group(request):
    return "why-" + request.node.name


@pytest.fixture
def why(cli, group):
    """What is told of the group as JSON."""
    return lambda: json.loads(cli.good("group", "why", "--json", group).out)


# -- members of a client library -----------------------------------------

class Worker:
    """A process that is one member, by confluent-kafka."""

    def __init__(self, broker, topic, group, client):
        told = {"family": "confluent", "bootstrap": broker.bootstrap, "topic": topic, "group": group,
                "instance": None, "session_ms": 60000, "heartbeat_ms": 200, "client": client}
        script = str(ROOT / "test" / "clients" / "group_worker.py")
        self.process = subprocess.Popen([sys.executable, script, json.dumps(told)],
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def leave(self):
        self.process.communicate(b"\n", timeout=LIMIT_S)
        assert self.process.returncode == 0


@pytest.fixture
def workers(broker, topic, group):
    made = []

    def make(client):
        made.append(Worker(broker, topic, group, client))
        return made[-1]
    yield make
    for worker in made:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()


def by_client(told):
    return {m["client_id"]: m for m in told["members"]}


def test_a_member_that_stands_still_is_named(cli, group, workers, why):
    lively, still = workers("lively"), workers("still")
    until(lambda: cli("group", "why", group).out, lambda out: "2 members in generation" in out)
    still.signal(signal.SIGSTOP)
    newcomer = workers("newcomer")

    def two_are_here(told):
        return told["wait"] == "members" and [
            m["parked_request"] for m in by_client(told).values()].count("JoinGroup") == 2
    told = until(why, two_are_here)
    late = by_client(told)["still"]
    assert (told["state"], late["awaited_request"], late["parked_request"]) == (
        "PreparingRebalance", "JoinGroup", None)
    assert late["last_request"] in ("Heartbeat", "SyncGroup")
    assert late["last_request_ms"] <= told["begun"]["at_ms"] <= told["state_since_ms"]
    assert told["now_ms"] < late["deadline_ms"] < told["now_ms"] + 60000
    assert (told["begun"]["kind"], told["begun"]["client_id"]) == ("joined", "newcomer")
    assert [by_client(told)[c]["deadline_ms"] is None for c in ("lively", "newcomer")] == [
        True, False]  # a newcomer without an answer has no heartbeats yet

    text = cli.good("group", "why", group)
    assert text.lines[0].startswith(f"{group} is PreparingRebalance for ")
    assert ": 2 of 3 members have joined; the round ends in " in text.lines[0]
    assert text.lines[1].startswith(f"It waits for {late['member']} (client still, 127.0.0.1), "
                                    f"whose last request was a {late['last_request']} ")
    assert "; it is removed in " in text.lines[1]
    assert f" ago when {told['begun']['member']} (client newcomer, 127.0.0.1) joined." in text.lines[2]
    table = text.lines[text.lines.index("") + 1:]
    assert table[0].split()[:4] == ["member", "client", "host", "instance"]
    row = next(line for line in table if " still " in line)
    assert "JoinGroup awaited" in row and "parked" not in row

    still.signal(signal.SIGCONT)
    told = until(why, lambda told: told["state"] == "Stable" and len(told["members"]) == 3)
    assert (told["wait"], told["begun"]["client_id"], told["gone"]) == (None, "newcomer", None)
    text = cli.good("group", "why", group).lines
    assert ": 3 members in generation " in text[0] and ", protocol range, led by " in text[0]
    newcomer.leave(), still.leave(), lively.leave()
    told = until(why, lambda told: told["state"] == "Empty")
    assert (told["gone"]["kind"], told["gone"]["client_id"]) == ("left", "lively")
    text = cli.good("group", "why", group).lines
    assert text[0].endswith(": it has no members.")
    assert text[1].startswith(f"The last to go: {told['gone']['member']} (client lively, 127.0.0.1) left, ")


# -- bare requests -------------------------------------------------------

def join(wire, group, **fields):
    wire.ask("FindCoordinator", 0, Key=group)
    return until(lambda: wire.ask("JoinGroup", 8, **{
        "GroupId": group, "SessionTimeoutMs": 60000, "RebalanceTimeoutMs": 60000,
        "ProtocolType": "consumer", "Protocols": [{"Name": "p", "Metadata": b""}], **fields}),
        lambda joined: joined["ErrorCode"] not in PASSING)


def form(wire, group, **fields):
    """A lone static member, stable; its id."""
    joined = join(wire, group, **{"GroupInstanceId": "i", **fields})
    assert joined["ErrorCode"] == 0
    synced = wire.ask("SyncGroup", 4, GroupId=group, GenerationId=joined["GenerationId"],
                      MemberId=joined["MemberId"], GroupInstanceId=fields.get("GroupInstanceId", "i"),
                      Assignments=[{"MemberId": joined["MemberId"], "Assignment": b"x"}])
    assert synced["ErrorCode"] == 0
    return joined["MemberId"]


def test_reasons_and_who_removed_whom(cli, broker, group, why):
    with Wire(broker.bootstrap, client_id="a member") as member, \
            Wire(broker.bootstrap, client_id="an admin") as admin:
        mine = form(member, group, Reason="first of all")
        told = why()
        assert (told["begun"]["kind"], told["begun"]["reason"]) == ("joined", "first of all")
        assert (told["leader"], told["generation"], told["rebalances"]) == (mine, 1, 1)
        gone = admin.ask("LeaveGroup", 5, GroupId=group, Members=[
            {"MemberId": "", "GroupInstanceId": "i", "Reason": "too\x1b slow"}])
        assert gone["Members"][0]["ErrorCode"] == 0
    told = why()
    assert told["begun"] == told["gone"] == {
        "kind": "removed", "at_ms": told["gone"]["at_ms"], "member": mine, "instance": "i",
        "client_id": "a member", "host": "/127.0.0.1", "others": 0, "reason": "too\x1b slow",
        "by_client_id": "an admin", "by_host": "/127.0.0.1"}
    assert told["known_since_ms"] <= told["state_since_ms"] <= told["now_ms"]
    assert (told["state"], told["offsets"], told["first_expiry_ms"]) == ("Empty", 0, None)
    assert cli.good("group", "why", group).lines[1].startswith(
        f'The last to go: {mine} (instance i, client a member, 127.0.0.1) went by a LeaveGroup of '
        f'an admin (127.0.0.1) ("too? slow"), ')


def test_a_session_that_is_over(cli, broker, group, why):
    with Wire(broker.bootstrap) as wire:
        form(wire, group, SessionTimeoutMs=500)
        told = until(why, lambda told: told["state"] == "Empty")
        assert told["gone"]["kind"] == told["begun"]["kind"] == "session_timeout"
        assert "nothing was heard of it for its session timeout" in told["text"]


def test_ids_and_syncs_that_are_waited_for(cli, broker, group, why):
    with Wire(broker.bootstrap) as first, Wire(broker.bootstrap) as second:
        joined = join(first, group, GroupInstanceId="i")
        told = why()
        assert (told["state"], told["wait"]) == ("CompletingRebalance", "assignment")
        assert by_client(told)["wire"]["awaited_request"] == "SyncGroup"
        assert f"It waits for {joined['MemberId']} (instance i" in told["text"]
        pending = join(second, group)
        assert pending["ErrorCode"] == 79
        told = why()
        assert [m["is_pending"] for m in told["members"]] == [False, True]
        assert told["members"][1]["member"] == pending["MemberId"]


def test_offsets_without_members(cli, broker, topic, group, why):
    with Wire(broker.bootstrap) as wire:
        wire.ask("FindCoordinator", 0, Key=group)
        wire.ask("OffsetCommit", 7, GroupId=group, GenerationIdOrMemberEpoch=-1, Topics=[
            {"Name": topic, "Partitions": [{"PartitionIndex": p, "CommittedOffset": 0,
                                            "CommittedMetadata": ""} for p in range(3)]}])
    told = why()
    assert (told["offsets"], told["rebalances"], told["begun"]) == (3, 0, None)
    week_ms = 7 * 24 * 3600 * 1000
    assert 0 <= told["now_ms"] + week_ms - told["first_expiry_ms"] < LIMIT_S * 1000
    assert told["text"].splitlines()[1].startswith("3 committed offsets of it expire in 6 d 23 h")
    text = cli.good("group", "why", group)
    assert "never had any" in text.lines[0] and "member  " not in text.out


def test_after_a_restart_what_was_before_is_not_known(binary, tmp_path):
    with KlammServer(binary, directory=tmp_path / "b", group__initial__rebalance__delay__ms=0) as klamm:
        with Wire(klamm.bootstrap) as wire:
            form(wire, "orders")
        klamm.kill()
        klamm.start()
        cli = Cli(binary, klamm.bootstrap)
        done = until(lambda: cli("group", "why", "orders", "--json"), lambda done: done.code == 0)
        told = json.loads(done.out)
        assert (told["state"], told["is_loaded"], told["rebalances"]) == ("Stable", True, 0)
        assert told["state_since_ms"] < told["known_since_ms"]
        assert (told["begun"], told["members"][0]["last_request"]) == (None, None)
        assert "No rebalance has begun since the coordinator read the group from its log" in told["text"]


# -- groups that are not there -------------------------------------------

def test_the_nearest_name_is_told(cli, broker, group):
    with Wire(broker.bootstrap) as wire:
        form(wire, group)
    assert cli.failing("group", "why", "nothing-like-it") == 'klamm: no such group "nothing-like-it"'
    assert cli.failing("group", "why", group[:-1]) == (
        f'klamm: no such group "{group[:-1]}"; did you mean "{group}"?')
    swapped = "wyh" + group[3:]
    assert cli.failing("group", "why", swapped, "--json").endswith(f'did you mean "{group}"?')


# -- answers that a broker gives seldom ----------------------------------

@contextlib.contextmanager
def fake(binary, last, *answers):
    """DescribeGroups up to this version gives these answers, one a request."""
    found = {"ErrorCode": 0, "NodeId": 7, "Host": "127.0.0.1"}
    versions = {**FIND, "DescribeGroups": (0, last), "ListGroups": (0, 2), "Metadata": (1, 9)}
    said = {"DescribeGroups": [{"Groups": [{"GroupId": "orders", **a}]} for a in answers],
            "ListGroups": [{"ErrorCode": 0, "Groups": []}],
            "Metadata": [{"Brokers": [], "ControllerId": 7, "Topics": []}]}
    with FakeBroker(versions, said) as broker:
        broker.answers["FindCoordinator"] = [{**found, "Port": broker.port}]
        yield broker, Cli(binary, broker.bootstrap)


@pytest.mark.parametrize("last", [4, 5, 6])
def test_a_broker_that_does_not_explain(binary, last):
    with fake(binary, last, {"ErrorCode": 0, "GroupState": "Stable"}) as (broker, cli):
        assert cli.failing("group", "why", "orders") == (
            'klamm: group "orders" is Stable; this broker does not explain why: it is no Klamm, or '
            'an older one')
        asked = dict(broker.asked)["DescribeGroups"]
        assert asked.get("IncludeExplanation") == (True if last >= 5 else None)


def test_a_group_that_is_not_there_in_old_versions(binary):
    with fake(binary, 5, {"ErrorCode": 0, "GroupState": "Dead"}) as (_, cli):
        assert cli.failing("group", "why", "orders") == 'klamm: no such group "orders"'


COORDINATOR = {"Partition": 3, "State": 3, "StateSinceMs": 6000, "Failure": 2, "FailureMs": 6000,
               "FailureText": "input/output error", "RetryMs": 16000}


def test_a_coordinator_that_cannot_read_its_log(binary):
    refused = {"ErrorCode": LOAD_IN_PROGRESS, "Explanation": {
        "NowMs": 10000, "Coordinator": COORDINATOR, "Members": []}}
    words = ('klamm: group "orders": its coordinator, __consumer_offsets-3 of broker 7, does not serve '
             '(for 4.0 s): it could not be read 4.0 s ago (input/output error); it is tried again in 6.0 s')
    with fake(binary, 6, refused) as (broker, cli):
        assert cli.failing("group", "why", "orders") == words
        assert [name for name, _ in broker.asked].count("DescribeGroups") == 1  # it is not asked again
        done = cli("group", "why", "orders", "--json")
        told = json.loads(done.out)
        assert done.code == 1 and done.line == words
        assert (told["state"], told["error"]) == (None, "COORDINATOR_LOAD_IN_PROGRESS")
        assert (told["coordinator"]["state"], told["coordinator"]["failure"]) == ("failing", "load")


def test_a_coordinator_that_says_no_more_is_asked_again(binary):
    explained = {"GroupState": "Empty", "Explanation": {
        "NowMs": 10000, "Coordinator": {"Partition": 3, "State": 2}, "Members": []}}
    with fake(binary, 6, {"ErrorCode": NOT_COORDINATOR}, explained) as (_, cli):
        assert "orders is Empty: " in cli.good("group", "why", "orders").out


def test_a_newer_broker_may_say_more(binary):
    """Numbers that are not known here, and a state."""
    explained = {"GroupState": "Pondering", "Explanation": {
        "NowMs": 10000, "Coordinator": {"Partition": 3, "State": 99, "Failure": 77}, "Wait": 55,
        "Begun": {"Kind": 111, "AtMs": 9000}, "Members": [
            {"MemberId": "m", "ClientId": "", "ClientHost": "", "ParkedRequest": 999,
             "ParkedMs": 10}]}}
    with fake(binary, 6, explained) as (_, cli):
        text = cli.good("group", "why", "orders").out
        assert "too old to know (55)" in text and "(kind 111)" in text and "API 999" in text
        told = json.loads(cli.good("group", "why", "orders", "--json").out)
        assert (told["wait"], told["begun"]["kind"]) == (55, 111)
        assert (told["coordinator"]["state"], told["coordinator"]["failure"]) == (99, 77)


def test_an_error_that_is_not_known_stays_a_number(binary):
    """As cluster logdirs tells it."""
    with fake(binary, 6, {"ErrorCode": 32000, "Explanation": {
            "NowMs": 10000, "Coordinator": COORDINATOR, "Members": []}}) as (_, cli):
        done = cli("group", "why", "orders", "--json")
        assert done.code == 1 and json.loads(done.out)["error"] == 32000
