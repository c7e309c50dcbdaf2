# SPDX-License-Identifier: Apache-2.0
"""Bad values in every field of requests of groups, and of some of administration, one at a time: what
Kafka says of each, Klamm says, too. (Of the other requests of administration: test_against_kafka.py,
test_admin_against_kafka.py.)

A request that is right is the start; the tables of schema/ say which fields it has. Each field gets
null, numbers that make no sense, and texts that are no names; each list nothing, the same twice, and
thousands of the same. Where Klamm means to answer otherwise, that stands in OTHERWISE with the reason.

Members' requests come twice: for a group that never was, and for one with a live member, whose state
afterwards is compared, too.
"""

import copy
import itertools

import pytest

from groups import Talk
from wire import APIS, Wire

NUMBER = itertools.count()

# By API: the newest version that a test wants, and a request that is right. GROUP is a group's name that
# nobody has used before.
SAMPLES = {
    "JoinGroup": (9, {"GroupId": "GROUP", "SessionTimeoutMs": 10000, "RebalanceTimeoutMs": 10000,
                      "MemberId": "", "GroupInstanceId": "i", "ProtocolType": "consumer",
                      "Protocols": [{"Name": "range", "Metadata": b"m"}], "Reason": "why"}),
    "SyncGroup": (5, {"GroupId": "GROUP", "GenerationId": 1, "MemberId": "m", "GroupInstanceId": "i",
                      "ProtocolType": "consumer", "ProtocolName": "range",
                      "Assignments": [{"MemberId": "m", "Assignment": b"a"}]}),
    "Heartbeat": (4, {"GroupId": "GROUP", "GenerationId": 1, "MemberId": "m",
                      "GroupInstanceId": "i"}),
    "LeaveGroup": (5, {"GroupId": "GROUP", "Members": [
        {"MemberId": "m", "GroupInstanceId": "i", "Reason": "why"}]}),
    "OffsetCommit": (9, {"GroupId": "GROUP", "GenerationIdOrMemberEpoch": -1, "MemberId": "",
                         "GroupInstanceId": None, "Topics": [{"Name": "one", "Partitions": [
                             {"PartitionIndex": 0, "CommittedOffset": 5, "CommittedLeaderEpoch": 0,
                              "CommittedMetadata": "m"}]}]}),
    "OffsetFetch": (9, {"Groups": [{"GroupId": "GROUP", "MemberId": None, "MemberEpoch": -1, "Topics": [
        {"Name": "one", "PartitionIndexes": [0]}]}], "RequireStable": True}),
    "OffsetDelete": (0, {"GroupId": "GROUP", "Topics": [
        {"Name": "one", "Partitions": [{"PartitionIndex": 0}]}]}),
    "DescribeGroups": (5, {"Groups": ["GROUP"], "IncludeAuthorizedOperations": True}),
    "ListGroups": (5, {"StatesFilter": ["Dead"], "TypesFilter": ["classic"]}),
    "DeleteGroups": (2, {"GroupsNames": ["GROUP"]}),
    "FindCoordinator": (6, {"KeyType": 0, "CoordinatorKeys": ["GROUP"]}),
    "CreateTopics": (7, {"timeoutMs": 30000, "validateOnly": True, "Topics": [
        {"Name": "new", "NumPartitions": 1, "ReplicationFactor": 1, "Assignments": [],
         "Configs": [{"Name": "retention.ms", "Value": "1000"}]}]}),
    "DescribeTopicPartitions": (0, {"Topics": [{"Name": "one"}], "ResponsePartitionLimit": 2,
                                    "Cursor": {"TopicName": "one", "PartitionIndex": 0}}),
    "ListOffsets": (11, {"ReplicaId": -1, "IsolationLevel": 0, "TimeoutMs": 30000, "Topics": [
        {"Name": "one", "Partitions": [
            {"PartitionIndex": 0, "CurrentLeaderEpoch": 0, "Timestamp": -1}]}]}),
    "DescribeCluster": (2, {"IncludeClusterAuthorizedOperations": True, "EndpointType": 1,
                            "IncludeFencedBrokers": False}),
}

TEXTS = ("", ".", "..", "no such", "bad/name", "x" * 249, "x" * 250, "x" * 32767, "\u00fc\u20ac\U0001f600",
         "a\0b", "-1", "__consumer_offsets")
# A name that is too long is cut in Kafka's answers; internal topics are others' and may not be there.
NOT_FOR_TOPICS = ("x" * 32767, "__consumer_offsets")
OF_GROUPS = {"JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", "OffsetCommit", "OffsetFetch",
             "OffsetDelete", "DescribeGroups", "ListGroups", "DeleteGroups", "FindCoordinator"}
MANY = 2000
KAFKA_SILENT_S = 30


def values_of(api, field, value, inside_list):
    """Bad values for a field, or for one element of its list; null is for the caller."""
    if field.is_array and not inside_list:
        if api == "ListGroups":
            return [value * 2, value * MANY]  # no filter: the groups of other tests
        # Kafka's controller takes longer than anybody waits for thousands of the same.
        return [[], value * 2] + ([value * MANY] if api in OF_GROUPS else [])
    if field.is_struct or field.kind in ("bool", "bytes", "records", "uuid"):
        return [b"", b"x" * 1000000] if field.kind == "bytes" else []
    if field.kind == "string":
        return [t for t in TEXTS if api in OF_GROUPS or t not in NOT_FOR_TOPICS]
    if field.name in ("timeoutMs", "TimeoutMs"):
        return [-1 << 31, -1, 0]  # not one that is over in between: who is quicker is not compared
    bits = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}[field.kind]
    low, high = -1 << bits - 1, (1 << bits - 1) - 1
    past = [1] if field.name.startswith("Generation") else []
    return [low, -7, -2, -1, 0, *past, 3, 99, high]


def walk(struct, fields, version, path=()):
    """(path, field, value, inside a list?) of every field that the sample names."""
    for field in struct.fields:
        if field.name not in fields or not field.versions[0] <= version <= field.versions[1]:
            continue
        value = fields[field.name]
        here = (*path, field.name)
        yield here, field, value, False
        if field.is_array and value:
            if field.is_struct:
                yield from walk(field.struct, value[0], version, (*here, 0))
            else:
                yield (*here, 0), field, value[0], True
        elif field.is_struct and value:
            yield from walk(field.struct, value, version, here)


def with_value(fields, path, value):
    changed = copy.deepcopy(fields)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def filled(value, names):
    """With what the words in capitals stand for."""
    if isinstance(value, dict):
        return {k: filled(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v, names) for v in value]
    return names.get(value, value) if isinstance(value, str) else value


def shown(value):
    return f"{value[:1]!r}*{len(value)}" if isinstance(value, (list, str, bytes)) and len(value) > 40 \
        else repr(value)


# (API, field, value): why it is not asked of both.
NUL = "ids and names of members end at a NUL here"
TWICE = "Kafka never answers; Klamm passes over the second one"
OTHERWISE = {
    ("JoinGroup", "GroupInstanceId", "'a\\x00b'"): NUL,
    ("JoinGroup", "ProtocolType", "'a\\x00b'"): NUL,
    ("JoinGroup", "Protocols.0.Name", "'a\\x00b'"): NUL,
    ("JoinGroup", "Protocols", shown(SAMPLES["JoinGroup"][1]["Protocols"] * 2)): TWICE,
    ("JoinGroup", "Protocols", shown(SAMPLES["JoinGroup"][1]["Protocols"] * MANY)): TWICE,
    ("JoinGroup", "Protocols.0.Name", "''"): "Kafka says that the chosen protocol is null",
    ("OffsetDelete", "Topics", shown(SAMPLES["OffsetDelete"][1]["Topics"] * MANY)):
        "Kafka never answers",
    ("DescribeTopicPartitions", "Cursor.PartitionIndex", "2147483647"): "Kafka counts beyond 2^31",
    ("ListOffsets", "Topics.0.Partitions", "[]"): "Kafka leaves a topic without partitions out",
}
LIST_OFFSETS = SAMPLES["ListOffsets"][1]
OTHERWISE |= {("ListOffsets", path, shown(value * 2)): "Kafka answers a double once" for path, value in (
    ("Topics", LIST_OFFSETS["Topics"]),
    ("Topics.0.Partitions", LIST_OFFSETS["Topics"][0]["Partitions"]))}


def may_be_null(field, version):
    return bool(field.nullable) and field.nullable[0] <= version <= field.nullable[1]


def ask(talk, api, version, fields):
    try:
        answer = talk.peer.ask(api, version, fields)
    except (ConnectionError, TimeoutError) as e:
        talk.peer.wire = Wire(talk.peer.bootstrap, timeout=KAFKA_SILENT_S)
        answer = "closed" if isinstance(e, ConnectionError) else "silent"
    return answer if isinstance(answer, str) else told(talk.plain(answer))


# Which topic would have which id, what its configs would be, and words: other tests compare those.
NOT_COMPARED = {"TopicId", "Configs", "ErrorMessage", "ClusterId"}


def told(value):
    if isinstance(value, dict):
        return {k: told(v) for k, v in value.items() if k not in NOT_COMPARED}
    return [told(v) for v in value] if isinstance(value, list) else value


def bad_requests(api, version, fields, not_asked):
    """(key, path, wrong value) of what both are asked; a value of None is one that may be null."""
    for path, field, value, inside_list in walk(APIS[api].request.root, fields, version):
        bad = values_of(api, field, value, inside_list)
        if not inside_list and (field.is_array or field.kind in ("string", "bytes")) and \
                may_be_null(field, version):
            bad = [None, *bad]
        for wrong in bad:
            key = (api, ".".join(str(p) for p in path), shown(wrong))
            if key not in not_asked:
                yield key, path, wrong


def never_null(api, version, fields):
    for path, field, _, inside_list in walk(APIS[api].request.root, fields, version):
        if not inside_list and (field.is_array or field.kind in ("string", "bytes")) and \
                not may_be_null(field, version):
            yield path


def talks_with(both):
    talks = [Talk(peer, "") for peer in both]
    for talk in talks:
        talk.peer.wire.socket.settimeout(KAFKA_SILENT_S)
    return talks


def check_found(found):
    assert found == [], "\n".join(f"{key}\n  ours    {shown_answer(ours)}\n  "
                                  f"Kafka's {shown_answer(theirs)}" for key, ours, theirs in found)


def is_same(ours, theirs):
    """That nobody answers is no agreement."""
    return ours == theirs and "silent" not in (ours if isinstance(ours, list) else [ours])


def shown_answer(answer):
    text = repr(answer)
    return text if len(text) < 600 else text[:600] + "..."


@pytest.mark.parametrize("api", SAMPLES)
def test_bad_values_in_every_field(both, api):
    version, fields = SAMPLES[api]
    talks = talks_with(both)
    found = []
    for key, path, wrong in bad_requests(api, version, fields, OTHERWISE):
        if path[-1] == "GroupId" and wrong:
            wrong = f"{wrong}-{api}"[-32767:]
        asked = filled(with_value(fields, path, wrong), {"GROUP": f"bad-{next(NUMBER)}"})
        ours, theirs = (ask(talk, api, version, asked) for talk in talks)
        if not is_same(ours, theirs):
            found.append((key, ours, theirs))
    check_found(found)


@pytest.mark.parametrize("api", SAMPLES)
def test_null_where_it_may_not_be_closes(both, is_kafka, api):
    """Kafka does not answer and does not close."""
    version, fields = SAMPLES[api]
    talk = talks_with(both)[0]
    for path in never_null(api, version, fields):
        asked = filled(with_value(fields, path, None), {"GROUP": "null"})
        assert is_kafka or ask(talk, api, version, asked) == "closed", path


# ---- of a member that is there

# GROUP has one member, MEMBER, which is static and leads; it is in GENERATION.
OF_MEMBERS = {
    "JoinGroup": (9, {**SAMPLES["JoinGroup"][1], "MemberId": "MEMBER"}),
    "SyncGroup": (5, {**SAMPLES["SyncGroup"][1], "MemberId": "MEMBER", "GenerationId": "GENERATION",
                      "Assignments": [{"MemberId": "MEMBER", "Assignment": b"a"}]}),
    "Heartbeat": (4, {**SAMPLES["Heartbeat"][1], "MemberId": "MEMBER",
                      "GenerationId": "GENERATION"}),
    "LeaveGroup": (5, {"GroupId": "GROUP", "Members": [
        {"MemberId": "MEMBER", "GroupInstanceId": "i", "Reason": "why"}]}),
    "OffsetCommit": (9, {**SAMPLES["OffsetCommit"][1], "MemberId": "MEMBER", "GroupInstanceId": "i",
                         "GenerationIdOrMemberEpoch": "GENERATION"}),
    "OffsetFetch": (9, {"Groups": [{"GroupId": "GROUP", "MemberId": "MEMBER", "MemberEpoch": 1,
                                    "Topics": [{"Name": "one", "PartitionIndexes": [0]}]}]}),
    "OffsetDelete": SAMPLES["OffsetDelete"],
    "DeleteGroups": SAMPLES["DeleteGroups"],
}
# These leave the group as it is, or change nothing but offsets: one group is enough for all values.
NOT_CHANGING = {"Heartbeat", "OffsetCommit", "OffsetFetch", "OffsetDelete", "DeleteGroups"}
# How long a member may take: what the group looks like afterwards is a matter of milliseconds.
TIMED = ("RebalanceTimeoutMs",)
HANGS = "Kafka says UNKNOWN_SERVER_ERROR, and its group stays in the rebalance"
SLOW = "Kafka may take longer than the member's session"
OFFSET_DELETE = SAMPLES["OffsetDelete"][1]
OTHERWISE_OF_MEMBERS = {
    ("JoinGroup", "Protocols", shown(SAMPLES["JoinGroup"][1]["Protocols"] * 2)): HANGS,
    ("JoinGroup", "Protocols", shown(SAMPLES["JoinGroup"][1]["Protocols"] * MANY)): HANGS,
    ("OffsetDelete", "Topics", shown(OFFSET_DELETE["Topics"] * MANY)): SLOW,
    ("OffsetDelete", "Topics.0.Partitions", shown(OFFSET_DELETE["Topics"][0]["Partitions"] * MANY)):
        SLOW,
}


def live(talk, api, name):
    """The names of a group's sample. SyncGroup finds a group that waits for it; where one group serves
    all, it is in its second generation, so that there is a past one."""
    talk.group = name
    join = {**SAMPLES["JoinGroup"][1], "GroupId": name}
    rounds = 2 if api in NOT_CHANGING else 1
    names = {"GROUP": name, "MEMBER": ""}
    for left in reversed(range(rounds)):
        joined = talk.peer.ask("JoinGroup", 9, {**join, "MemberId": names["MEMBER"]})
        assert joined["ErrorCode"] == 0, joined
        names |= {"MEMBER": joined["MemberId"], "GENERATION": joined["GenerationId"],
                  "FORGED": joined["MemberId"][:-1] + "!"}
        if left or api != "SyncGroup":
            synced = talk.peer.ask("SyncGroup", 5, {
                "GroupId": name, "MemberId": names["MEMBER"], "GroupInstanceId": "i",
                "GenerationId": names["GENERATION"], "ProtocolType": "consumer",
                "ProtocolName": "range", "Assignments": [
                    {"MemberId": names["MEMBER"], "Assignment": b"first"}]})
            assert synced["ErrorCode"] == 0, synced
    assert names["GENERATION"] == rounds
    talk.labels = {names["MEMBER"]: "<member>", names["FORGED"]: "<forged>"}
    return names


def live_requests(api, version, fields):
    for key, path, wrong in bad_requests(api, version, fields, OTHERWISE_OF_MEMBERS):
        if path[-1] not in ("GroupId", "GroupsNames"):  # of groups that are not there: above
            yield key, path, wrong
        if path[-1] == "MemberId" and wrong == "":
            yield (*key[:2], "forged"), path, "FORGED"
    yield (api, "as it should be", ""), None, None


@pytest.mark.parametrize("api", OF_MEMBERS)
def test_bad_values_for_a_live_member(both, api):
    version, fields = OF_MEMBERS[api]
    talks = talks_with(both)
    found, names = [], None
    for key, path, wrong in live_requests(api, version, fields):
        if names is None or api not in NOT_CHANGING:
            name = f"live-{next(NUMBER)}"
            names = [live(talk, api, name) for talk in talks]
        asked = fields if path is None else with_value(fields, path, wrong)
        ours, theirs = ([ask(talk, api, version, filled(asked, own)),
                         None if path and path[-1] in TIMED else
                         ask(talk, "DescribeGroups", 5, {"Groups": [talk.group]})]
                        for talk, own in zip(talks, names))
        if not is_same(ours, theirs):
            found.append((key, ours, theirs))
    check_found(found)
