# SPDX-License-Identifier: Apache-2.0
"""Consumer groups by raw requests: members that join, and scenarios that two brokers play.

    @on_both
    def test_a_lone_member(talk):
        member = talk.member("a")
        member.join()
        assert member.sync({member: b"all"})["ErrorCode"] == 0

A scenario is played on each broker with a group of its own name; all answers are noted, and are the
same on both but for what is made from chance. Nothing waits by the clock: what may come late is asked
again, without a note, until it is there.
"""

import functools
import inspect
import itertools
import re
import struct

from test_against_kafka import NO_ID, Peer, until
from wire import Closed, Wire

LONG_MS = 60000
NAMES = itertools.count()
NEED_MEMBER_ID, REBALANCING = 79, 27
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What both brokers are told.
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500",
            "group.max.size": "8", "offsets.topic.num.partitions": "3", "offsets.topic.replication.factor": "1"}


class GroupPeer(Peer):
    """With the topics `one` and `two`, and everything ready for groups."""

    def prepare(self):
        self.ask("CreateTopics", 7, {"timeoutMs": 30000, "Topics": [
            {"Name": n, "NumPartitions": 3, "ReplicationFactor": 1} for n in ("one", "two")]})
        for name in ("one", "two"):
            self.learn(name)
        self.ready("")

    def ready(self, group):
        """The coordinator may be loading, or its topic be made, after a start."""
        def ask():
            found = self.ask("FindCoordinator", 3, {"Key": group or "ready"})["ErrorCode"]
            read = self.ask("OffsetFetch", 5, {"GroupId": group or "ready", "Topics": None})
            return found, read["ErrorCode"]
        until(lambda: ask() == (0, 0), ask)


class Talk:
    """What one broker is asked and answers in one scenario."""

    def __init__(self, peer, group):
        self.peer = peer
        self.group = group
        self.notes = []
        self.labels = {}
        self.members = []

    def __enter__(self):
        self.peer.ready(self.group)
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.wire.socket.close()

    def ask(self, api, version, is_noted=True, **fields):
        answer = self.peer.ask(api, version, fields)
        if is_noted:
            self.note(api, version, answer)
        return answer

    def note(self, api, version, answer):
        self.notes.append((f"{api} v{version}", answer))

    def member(self, label, **how):
        self.members.append(Member(self, label, **how))
        return self.members[-1]

    def told(self):
        return [(what, self.plain(answer)) for what, answer in self.notes]

    def plain(self, value, key=None):
        """Without what may differ between two brokers."""
        if isinstance(value, dict):
            return {k: self.plain(v, k) for k, v in value.items() if k != "Port"}
        if isinstance(value, list):
            return sorted((self.plain(v) for v in value), key=repr)
        if key == "ErrorMessage":
            return "words" if value else value
        if key == "TopicId" and value != NO_ID:
            return next((n for n, i in self.peer.topics.items() if i == value), str(value))
        if isinstance(value, str):
            value = self.labels.get(value, value)
            return UUID.sub("uuid", value)
        return value

    # ---- the group as others see it

    def describe(self, version=5, is_noted=True, **fields):
        return self.ask("DescribeGroups", version, is_noted, Groups=[self.group],
                        **fields)["Groups"][0]

    def state(self):
        return self.describe(is_noted=False)["GroupState"]

    def until_state(self, state):
        until(lambda: self.state() == state, lambda: (state, self.state()))
        return self.describe()

    def commit(self, topics, version=9, is_noted=True, **fields):
        """By nobody in the group unless said otherwise. Topics as `rows` makes them."""
        return self.ask("OffsetCommit", version, is_noted,
                        **{"GroupId": self.group, "Topics": topics, **fields})

    def fetch(self, topics=None, version=9, **fields):
        """What is committed; the group's part of the answer."""
        if version < 8:
            return self.ask("OffsetFetch", version, GroupId=self.group, Topics=topics, **fields)
        return self.ask("OffsetFetch", version, Groups=[{
            "GroupId": self.group, "Topics": topics}], **fields)["Groups"][0]

    # ---- groups in a state

    def stable(self, *members):
        """A group of these; the first leads. The notes say nothing of how it came to be."""
        notes = len(self.notes)
        for count in range(1, len(members) + 1):
            self.add(members[:count])
        del self.notes[notes:]

    def add(self, members):
        """The last of them joins the others."""
        *others, new = members
        new.begin_join()
        self.rejoin(others)
        for member in members:
            member.end_join()
        leader = next(m for m in members if m.is_leader())
        leader.sync({m: b"for " + m.label.encode() for m in members})
        for member in members:
            if member is not leader:
                member.sync()

    def rejoin(self, members):
        for member in members:
            member.until_rebalance()
            member.begin_join()


class Member:
    """A connection that plays one member of the scenario's group."""

    def __init__(self, talk, label, instance=None, kind="consumer", protocols=None,
                 session=LONG_MS, rebalance=LONG_MS):
        self.talk = talk
        self.label = label
        self.instance = instance
        self.kind = kind
        self.protocols = protocols or [("range", b"meta of " + label.encode())]
        self.session = session
        self.rebalance = rebalance
        self.wire = Wire(talk.peer.bootstrap)
        self.id = ""
        self.generation = -1
        self.leader = None

    def ask(self, api, version, is_noted=True, **fields):
        self.wire.begin(api, version, **fields)
        return self.end(is_noted)

    def end(self, is_noted=True):
        """The answer, or "closed", after which the member has a new connection."""
        try:
            answer = self.wire.end()
        except Closed:
            answer = "closed"
            self.wire = Wire(self.talk.peer.bootstrap)
        if is_noted:
            self.talk.note(*self.wire.begun or ("", ""), answer)
        return answer

    def identity(self, api, version):
        fields = {"GroupId": self.talk.group, "MemberId": self.id}
        if self.instance is not None and version >= {"JoinGroup": 5, "OffsetCommit": 7}.get(api, 3):
            fields["GroupInstanceId"] = self.instance
        return fields

    def learn(self, answer):
        if answer["MemberId"] and answer["ErrorCode"] in (0, NEED_MEMBER_ID):
            self.id = answer["MemberId"]
            self.talk.labels[self.id] = f"<{self.label}>"
        if answer["ErrorCode"] == 0:
            self.generation = answer["GenerationId"]
            self.leader = answer["Leader"]

    def join_fields(self, version, over):
        return {**self.identity("JoinGroup", version), "ProtocolType": self.kind,
                "SessionTimeoutMs": self.session,
                **({"RebalanceTimeoutMs": self.rebalance} if version >= 1 else {}),
                "Protocols": [{"Name": n, "Metadata": m} for n, m in self.protocols], **over}

    def ask_join(self, version=9, is_noted=True, **over):
        """One request with its answer."""
        answer = self.ask("JoinGroup", version, is_noted, **self.join_fields(version, over))
        if answer != "closed":
            self.learn(answer)
        return answer

    def begin_join(self, version=9, **over):
        """Gets an id first where one is needed; end_join takes the answer."""
        if version >= 4 and not self.id and self.instance is None:
            assert self.ask_join(version, **over)["ErrorCode"] == NEED_MEMBER_ID
        self.wire.begin("JoinGroup", version, **self.join_fields(version, over))

    def end_join(self, is_noted=True):
        answer = self.end(is_noted)
        self.learn(answer)
        return answer

    def join(self, version=9, **over):
        self.begin_join(version, **over)
        return self.end_join()

    def is_leader(self):
        return self.leader == self.id

    def sync_fields(self, assignments, version, over):
        rows = [{"MemberId": m if isinstance(m, str) else m.id, "Assignment": data}
                for m, data in (assignments or {}).items()]
        return {**self.identity("SyncGroup", version), "GenerationId": self.generation,
                "Assignments": rows, **over}

    def begin_sync(self, assignments=None, version=4, **over):
        self.wire.begin("SyncGroup", version, **self.sync_fields(assignments, version, over))

    def sync(self, assignments=None, version=4, **over):
        self.begin_sync(assignments, version, **over)
        return self.end()

    def heartbeat(self, version=4, is_noted=True, **over):
        return self.ask("Heartbeat", version, is_noted, **{
            **self.identity("Heartbeat", version), "GenerationId": self.generation, **over})

    def until_rebalance(self):
        self.until_heartbeat(REBALANCING)

    def until_heartbeat(self, code):
        def ask():
            return self.heartbeat(is_noted=False)["ErrorCode"]
        until(lambda: ask() == code, ask)
        assert self.heartbeat()["ErrorCode"] == code

    def leave(self, version=5):
        if version < 3:
            return self.ask("LeaveGroup", version, GroupId=self.talk.group, MemberId=self.id)
        return self.ask("LeaveGroup", version, GroupId=self.talk.group, Members=[
            {"MemberId": self.id, "GroupInstanceId": self.instance}])

    def commit(self, topics, version=9, is_noted=True, **over):
        return self.ask("OffsetCommit", version, is_noted, **{
            **self.identity("OffsetCommit", version), "Topics": topics,
            "GenerationIdOrMemberEpoch": self.generation, **over})


def rows(topic, *partitions, version=9):
    """For OffsetCommit: partitions are numbers, or (number, offset, metadata, leader epoch)."""
    found = []
    for partition in partitions:
        filled = partition if isinstance(partition, tuple) else (partition, 10 + partition)
        names = ["PartitionIndex", "CommittedOffset", "CommittedMetadata", "CommittedLeaderEpoch"]
        row = {"CommittedMetadata": "", **dict(zip(names, filled))}
        found.append(row)
    name = {"TopicId": topic} if version >= 10 else {"Name": topic}
    return {**name, "Partitions": found}


def subscription(*topics, version=0):
    """The consumer's protocol, as it stands in the metadata of a join."""
    names = b"".join(struct.pack(">h", len(t)) + t.encode() for t in topics)
    return struct.pack(">hi", version, len(topics)) + names + struct.pack(">i", -1)


def codes(answer):
    """{(topic, partition): code} of OffsetCommit, OffsetFetch of a group, OffsetDelete."""
    return {(t.get("Name", t.get("TopicId")), p["PartitionIndex"]): p["ErrorCode"]
            for t in answer["Topics"] for p in t["Partitions"]}


def play(both, scenario):
    group = f"group-{next(NAMES)}"
    told = []
    for peer in both:
        with Talk(peer, group) as talk:
            scenario(talk)
            told.append(talk.told())
    for ours, theirs in itertools.zip_longest(*told):
        assert ours == theirs, f"ours {ours}, Kafka's {theirs}"


def on_both(scenario):
    """Makes a test of a function whose first parameter is the Talk with a broker."""
    @functools.wraps(scenario)
    def run(both, **given):
        play(both, lambda talk: scenario(talk, **given))
    signature = inspect.signature(scenario)
    first, *rest = signature.parameters.values()
    run.__signature__ = signature.replace(parameters=[first.replace(name="both"), *rest])
    return run
